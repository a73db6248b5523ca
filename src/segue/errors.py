"""Every error Segue raises on purpose, and the `Fault` they are made of.

    SegueError
    ├── InputError            a file, flag, record or reply is not what it has to be (carries all its faults)
    ├── NotFoundError         a name, digest or label that does not exist (names the near ones)
    ├── NotComparableError    two arms that were not measured with the same ruler
    ├── ConflictError         a write that contradicts what is already recorded
    │   └── FencedError       a write under a lease that somebody else has taken over
    ├── StoreError            the state store cannot be opened, read or written
    ├── TamperError           the hash chain does not hold
    ├── ProviderError         a provider could not be asked (never a wrong answer)
    ├── BudgetError           going on would cost more than was allowed
    └── CommandLineError      words after `segue` that are no command of ours

An expected outcome is a value, not an exception: a failed gate is a verdict.
Each leaf has a stable `code` with an entry in `docs/errors.md`.
Messages never carry secrets or the content of cases and outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Literal

Severity = Literal["error", "warning"]
LONGEST_NAME = 120
"""Longer names are cut where messages repeat them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, what, what was likely meant, and what to do."""

    what: str
    fix: str
    file: str | None = None
    line: int | None = None
    path: str | None = None
    likely: str | None = None
    severity: Severity = "error"

    @property
    def where(self) -> str:
        """`file:line path`, as far as it is known."""
        place = self.file or ""
        if self.line is not None:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        return " ".join(part for part in (place, self.path or "") if part)

    def sentence(self) -> str:
        """The fault as one line of plain text."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.likely:
            text += f" Did you mean {self.likely}?"
        return f"{text} {self.fix}" if self.fix else text

    def as_json(self) -> dict[str, Any]:
        """The one JSON shape of a fault, wherever it is shown."""
        return {
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "what": self.what,
            "likely": self.likely,
            "fix": self.fix,
        }


class SegueError(Exception):
    """The root. `faults` holds everything that is wrong, never only the first."""

    code: ClassVar[str] = "segue"

    def __init__(self, what: str, *, fix: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.faults = tuple(faults) or (Fault(what=what, fix=fix),)

    def as_json(self) -> dict[str, Any]:
        """`{"error": {"code", "what", "fix", "faults"}}`."""
        return {
            "error": {
                "code": self.code,
                "what": self.what,
                "fix": self.fix,
                "faults": [fault.as_json() for fault in self.faults],
            }
        }


class InputError(SegueError):
    """Input that cannot be used as it stands; `faults` names every place."""

    code = "input"

    @classmethod
    def from_faults(cls, faults: Iterable[Fault], *, subject: str = "the input") -> InputError:
        """Wrap `faults`; the message counts them."""
        collected = tuple(faults)
        noun = "fault" if len(collected) == 1 else "faults"
        return cls(f"{len(collected)} {noun} in {subject}.", faults=collected)


class NotFoundError(SegueError):
    """A name that does not exist, with the ones it may have been meant to be."""

    code = "not-found"

    @classmethod
    def naming(cls, kind: str, name: str, known: Iterable[str], *, fix: str = "") -> NotFoundError:
        """`kind` `name` is not among `known`; the near ones are listed."""
        name, names = _clipped(name), sorted(map(_clipped, known))
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        what = f"There is no {kind} '{name}'."
        if near:
            what += " Did you mean " + " or ".join(f"'{one}'" for one in near) + "?"
        elif names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            what += f" There are: {shown}."
        else:
            what += f" There is no {kind} yet."
        return cls(what, fix=fix)


def _clipped(name: str) -> str:
    """A name as messages repeat it: what is longer is content that went astray."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


class NotComparableError(SegueError):
    """The two arms differ in judge, rubric, grader version, prices or suite."""

    code = "not-comparable"


class ConflictError(SegueError):
    """A write that contradicts what is already recorded."""

    code = "conflict"


class FencedError(ConflictError):
    """A write under a lease that somebody else has taken over: whoever made it acts no more."""

    code = "fenced"


class StoreError(SegueError):
    """The state store cannot be opened, read or written."""

    code = "store"


class TamperError(SegueError):
    """The append-only log, or a record it vouches for, was changed."""

    code = "tampered"


class ProviderError(SegueError):
    """A provider could not be asked at all (unknown, unconfigured, without its key)."""

    code = "provider"


class BudgetError(SegueError):
    """Going on would cost more than was allowed."""

    code = "budget"


class CommandLineError(SegueError):
    """The command line itself is wrong: an unknown command or option, a missing or impossible value."""

    code = "usage"
