"""How a dialect's request fields are treated on the way to another dialect, as data that codecs, docs and tests share.

A *place* is a kind of object in a request (`request`, `message:user`, `part:text`). Each of its fields is carried, refused or
dropped; a field that no table knows is refused, so that nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from segue.model import Json
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.refusal import Refusals

Treatment = Literal["carried", "refused", "dropped"]
SAME_DIALECT = "Leave it out, or serve the workflow with a bundle of the same dialect."


@dataclass(frozen=True, slots=True)
class Field:
    """`note` says why, or what becomes of it. `harmless` values of a refused field mean the same as its absence.

    `holds` names the places of the objects inside; `place:tag` where they say their type or role.
    """

    treatment: Treatment
    note: str = ""
    remedy: str = ""
    holds: str = ""
    harmless: tuple[Json, ...] = ()


def carried(note: str = "", *, holds: str = "") -> Field:
    """A field that the neutral request holds."""
    return Field("carried", note, holds=holds)


def refused(note: str, *, remedy: str = SAME_DIALECT, harmless: tuple[Json, ...] = ()) -> Field:
    """A field that would change the answer and that the neutral request cannot hold."""
    return Field("refused", note, remedy, harmless=harmless)


def dropped(note: str) -> Field:
    """A hint that changes no answer."""
    return Field("dropped", note)


@dataclass(frozen=True, slots=True)
class Fields:
    """All places of one dialect. `kinds` are whole kinds of objects that are refused, by `place:tag`, with the reason."""

    dialect: Dialect
    places: Mapping[str, Mapping[str, Field]]
    kinds: Mapping[str, str] = field(default_factory=dict)

    def check(self, place: str, value: Mapping[str, Json], where: str, refusals: Refusals) -> None:
        """Refuse what of `value` cannot be carried. A field that is `null` is absent."""
        known = self.places[place]
        for name, given in value.items():
            if given is None:
                continue
            path = f"{where}.{name}" if where else name
            found = known.get(name)
            if found is None:
                refusals.add(_clipped(path), "Segue does not know this field.", SAME_DIALECT)
            elif found.treatment == "refused" and given not in found.harmless:
                refusals.add(path, found.note, found.remedy)

    def place(self, holder: str, tag: Json, where: str, refusals: Refusals) -> str | None:
        """The place of an object that says its type or role; `None` where such objects are refused."""
        name = f"{holder}:{tag}"
        if isinstance(tag, str) and name in self.places:
            return name
        reason = self.refused_kind(holder, tag) if isinstance(tag, str) else None
        if reason is not None:
            refusals.add(where, reason, SAME_DIALECT)
        else:
            refusals.add(where, "Segue does not know this type.", SAME_DIALECT)
        return None

    def refused_kind(self, holder: str, tag: str) -> str | None:
        """Why objects of this kind are refused; `place:*` stands for every kind that is not carried."""
        return self.kinds.get(f"{holder}:{tag}") or self.kinds.get(f"{holder}:*")


def _clipped(path: str) -> str:
    """An unknown name is the client's own text: a path that long is content that went astray."""
    return path if len(path) <= 120 else path[:119] + "…"
