"""Keeps the first faults of each kind and counts the rest, so that a million bad lines still make a readable report."""

from __future__ import annotations

from dataclasses import dataclass, field

from segue.errors import Fault, InputError

SHOWN_PER_KIND = 10


@dataclass(slots=True)
class _Kind:
    shown: list[Fault] = field(default_factory=list)
    more: int = 0
    last_line: int | None = None


@dataclass(slots=True)
class FaultTally:
    """The faults of one file. `kind` says in a few words what the unshown ones are: `cases with an undeclared slice`."""

    file: str
    total: int = 0
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def add(self, kind: str, fault: Fault) -> None:
        """Count `fault`, and keep it if it is among the first of its kind."""
        self.total += 1
        of_kind = self._kinds.setdefault(kind, _Kind())
        if len(of_kind.shown) < SHOWN_PER_KIND:
            of_kind.shown.append(fault)
        else:
            of_kind.more += 1
            of_kind.last_line = fault.line

    def faults(self) -> list[Fault]:
        """What is shown, in the order of the lines, then one sentence for each kind that has more."""
        shown = sorted((one for kind in self._kinds.values() for one in kind.shown), key=lambda fault: fault.line or 0)
        for name, kind in self._kinds.items():
            if kind.more:
                until = f", the last on line {kind.last_line}" if kind.last_line is not None else ""
                what = f"{kind.more:,} more {name}{until}."
                fix = "Correct those above first; the same mistake is likely behind these."
                shown.append(Fault(what, fix, file=self.file, severity=kind.shown[0].severity))
        return shown

    def error(self) -> InputError:
        """All of it as the error to raise; its message has the full count."""
        noun = "fault" if self.total == 1 else "faults"
        return InputError(f"{self.total:,} {noun} in {self.file}.", faults=self.faults())
