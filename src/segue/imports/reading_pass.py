"""One pass over one kind of record: it counts, knows where it is, and reports each fault once over all passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from segue.errors import Fault, Severity
from segue.imports.base import Count, Place, Report

ROWS = "rows"
"""The level of faults that belong to a raw row, which several passes read."""


class Flaw(NamedTuple):
    """One thing wrong inside a record; the pass adds where the record stands."""

    path: str | None
    what: str
    fix: str
    likely: str | None = None


class ToldFaults:
    """How far faults were reported, by level and file, so that a second pass over the same lines stays quiet."""

    def __init__(self) -> None:
        self.marks: dict[tuple[str, str | None], int] = {}


class ReadingPass:
    """Begins records, keeps or rejects them. `report` may be `None`: a pass that only looks."""

    def __init__(self, level: str, count: Count, report: Report | None, told: ToldFaults) -> None:
        self.level = level
        self.count = count
        self._report = report
        self._told = told
        self._floor = dict(told.marks)
        self.file: str | None = None
        self.line: int | None = None
        self.part: str | None = None
        self._mark = 0

    @classmethod
    def quiet(cls) -> ReadingPass:
        """A pass that only looks: nobody hears of its faults."""
        return cls("look", Count(), None, ToldFaults())

    @property
    def place(self) -> Place:
        """Where the record read last stands."""
        return Place(self.file, self.line, self.part)

    def move(self, file: str, line: int | None, *, part: str | None = None, mark: int | None = None) -> None:
        """Stand at a place. `mark` orders records of a file that have no lines."""
        self.file, self.line, self.part = file, line, part
        self._mark = mark if mark is not None else (line or 0)

    def refuse(self, *flaws: Flaw, level: str | None = None) -> None:
        """Count a record at the present place, and reject it."""
        self.count.read += 1
        self.reject(*flaws, level=level)

    def reject(self, *flaws: Flaw, level: str | None = None) -> None:
        """The record at the present place is not kept; each flaw becomes a fault."""
        self.count.rejected += 1
        self.tell(flaws, level=level)

    def tell(self, flaws: Sequence[Flaw], *, level: str | None = None, severity: Severity = "error") -> None:
        """Report flaws at the present place, unless an earlier pass did."""
        key = (level or self.level, self.file)
        if self._report is None or self._mark <= self._floor.get(key, -1):
            return
        self._told.marks[key] = max(self._told.marks.get(key, -1), self._mark)
        for flaw in flaws:
            path = " ".join(one for one in (self.part, flaw.path) if one) or None
            self._report(
                Fault(
                    what=flaw.what,
                    fix=flaw.fix,
                    file=self.file,
                    line=self.line,
                    path=path,
                    likely=flaw.likely,
                    severity=severity,
                )
            )
