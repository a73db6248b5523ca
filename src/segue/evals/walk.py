"""Walks two stored arms and the suite side by side, one case at a time: a merge of three ordered streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from segue.store.base import ArmRow, CaseRow, Store


@dataclass(frozen=True, slots=True)
class ArmRef:
    """One side: whose exchanges, scored by which scorers (digests), and which repeats (`None`: all)."""

    behaviour: str
    scorers: tuple[str, ...]
    repeats: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class WalkedCase:
    """A case with what either arm has of it. `stale_*` counts results made from an earlier text of the case."""

    row: CaseRow
    old: Sequence[ArmRow]
    new: Sequence[ArmRow]
    stale_old: int
    stale_new: int


def walk(store: Store, suite: str, old: ArmRef, new: ArmRef) -> Iterator[WalkedCase]:
    """Every case of the suite, in order of `case_id`; arms may lack cases, and may have cases the suite has not."""
    left = _ByCase(store.iter_arm(old.behaviour, old.scorers), old.repeats)
    right = _ByCase(store.iter_arm(new.behaviour, new.scorers), new.repeats)
    for row in store.iter_case_rows(suite):
        before, stale_old = left.take(row)
        after, stale_new = right.take(row)
        yield WalkedCase(row, before, after, stale_old, stale_new)


class _ByCase:
    """One arm, read along the suite."""

    def __init__(self, rows: Iterator[ArmRow], repeats: Collection[int] | None) -> None:
        self._rows = rows
        self._repeats = repeats
        self._next = next(rows, None)

    def take(self, case: CaseRow) -> tuple[list[ArmRow], int]:
        taken: list[ArmRow] = []
        stale = 0
        while self._next is not None and self._next.case_id < case.case_id:
            self._next = next(self._rows, None)
        while self._next is not None and self._next.case_id == case.case_id:
            if self._repeats is None or self._next.repeat in self._repeats:
                if self._next.input_digest == case.input_digest:
                    taken.append(self._next)
                else:
                    stale += 1
            self._next = next(self._rows, None)
        return taken, stale
