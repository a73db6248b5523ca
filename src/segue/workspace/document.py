"""A value read from a file, with the place every piece of it was written at.

Knows nothing of YAML, JSON or what the value means: readers make documents (`yaml_file`, `json_file`), `shape` checks them.
A bundle's document is grown from several files, so each place names its own file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Generic, TypeVar

from segue.errors import Fault, InputError, Severity
from segue.model import Json

Step = str | int
ValuePath = tuple[Step, ...]
T = TypeVar("T")

LONGEST_NAME = 80
"""Names longer than this are neither matched nor repeated in messages: they are content that went astray."""

LONGEST_SENTENCE = 1000


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What came of reading something: the value if it can be used, and everything that is wrong with it.

    Without a value there is at least one error among the faults; with one there may still be warnings.
    """

    value: T | None
    faults: tuple[Fault, ...] = ()

    def unwrap(self, subject: str) -> T:
        """The value. Raises `InputError` with all faults if there is none, or if any of them is an error."""
        errors = [fault for fault in self.faults if fault.severity == "error"]
        if errors or self.value is None:
            raise InputError.from_faults(errors, subject=subject)
        return self.value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece was written. `raw` is a plain YAML scalar as it was typed, where typing it so changed its type."""

    file: str
    line: int | None = None
    raw: str | None = None


@dataclass(frozen=True)
class Document:
    """A JSON value and its places by path. Lines count from 1; the place of a mapping's entry is that of its key.

    `prefix` is where the value stands in its file, for a document that is a part of another.
    """

    file: str
    value: Json
    places: Mapping[ValuePath, Place] = field(default_factory=dict)
    prefix: ValuePath = ()

    def place(self, path: ValuePath) -> Place:
        """The place of `path`, or of the nearest thing around it that is known."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found if length == len(path) else Place(found.file, found.line)
        return Place(self.file)

    def fault(self, path: ValuePath, what: str, fix: str, *, likely: str | None = None, severity: Severity = "error") -> Fault:
        """A fault at `path`. Its words may come from elsewhere, and with them what a terminal cannot show."""
        place = self.place(path)
        shown = show_path((*self.prefix, *path)) or None
        what, fix = printable(what), printable(fix)
        return Fault(what=what, fix=fix, file=place.file, line=place.line, path=shown, likely=likely, severity=severity)

    def part(self, path: ValuePath) -> Document:
        """The document at `path`, its faults shown with their whole path."""
        inner = {at[len(path) :]: place for at, place in self.places.items() if at[: len(path)] == path}
        return Document(self.file, self.at(path), inner, (*self.prefix, *path))

    def grafted(self, path: ValuePath, value: Json, places: Mapping[ValuePath, Place]) -> Document:
        """This document with `value` at `path`; `places` are relative to `path`. Keeps the old place where it has no better."""
        kept = {
            at: Place(place.file, place.line) if at == path else place
            for at, place in self.places.items()
            if at[: len(path)] != path or at == path
        }
        kept.update({path + at: place for at, place in places.items() if at})
        return Document(self.file, _with(self.value, path, value), kept, self.prefix)

    def without(self, path: ValuePath) -> Document:
        """This document with the mapping entry at `path` left out."""
        parent = self.at(path[:-1])
        assert isinstance(parent, dict), "only a mapping's entry can be left out"
        smaller = {key: value for key, value in parent.items() if key != path[-1]}
        return Document(self.file, _with(self.value, path[:-1], smaller), self.places, self.prefix)

    def at(self, path: ValuePath) -> Json:
        """The value at `path`, or `None` where there is nothing."""
        here = self.value
        for step in path:
            if not has_step(here, step):
                return None
            here = here[step]
        return here


def _with(value: Json, path: ValuePath, new: Json) -> Json:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, step: _with(value.get(step), rest, new)}
    assert isinstance(value, list), "a path leads through mappings and lists"
    return [_with(item, rest, new) if index == step else item for index, item in enumerate(value)]


def has_step(here: Json, step: Step) -> bool:
    """Whether the mapping or list `here` has something at `step`."""
    if isinstance(here, dict):
        return step in here
    return isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here)


def show_path(path: ValuePath) -> str:
    """`('gate', 'primary', 0)` as people write it: `gate.primary[0]`."""
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
        else:
            shown += ("." if shown else "") + clipped(step)
    return shown


_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def read_path(shown: str) -> ValuePath:
    """The path that `show_path` wrote, as far as names have no dots."""
    return tuple(int(index) if index else name for index, name in _STEP.findall(shown))


def clipped(name: str) -> str:
    """`name` on one line and no longer than a name has any business to be."""
    return printable(name, LONGEST_NAME)


def printable(text: str, longest: int = LONGEST_SENTENCE) -> str:
    """`text` on one line, without what a terminal cannot show, shortened to `longest` characters."""
    line = "".join(char if char.isprintable() else "�" for char in text[: longest + 1])
    return line if len(line) <= longest else line[:longest] + "…"


def likely_name(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` was most likely meant to be, in quotes; `None` where nothing is near."""
    if len(name) > LONGEST_NAME:
        return None
    names = sorted(set(known) - {name})
    folded = {one.casefold(): one for one in reversed(names)}
    near = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"'{clipped(folded[near[0]])}'" if near else None


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a message: `a, b, c and 4 more`."""
    every = [clipped(name) for name in names]
    shown = ", ".join(every[:limit])
    return f"{shown} and {len(every) - limit} more" if len(every) > limit else shown
