"""Judged pairs: one case answered by both arms, each answer right, wrong or unknown. What this package's searches run over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from segue.model import Case, Exchange

PairKey = tuple[str, int]
"""`(case_id, repeat)`."""


MAX_INSPECTED = 5_000
"""How many pairs of a kind are looked at closely; of more, an even selection."""


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """The same case and repeat on the old and the new arm. `None` is an answer that was not scored: neither right nor wrong."""

    case: Case
    old: Exchange
    new: Exchange
    old_right: bool | None
    new_right: bool | None

    @property
    def key(self) -> PairKey:
        """What recorded labels and changed scores are kept under."""
        return self.case.case_id, self.new.repeat

    @property
    def is_newly_failing(self) -> bool:
        """Right before, wrong now."""
        return self.old_right is True and self.new_right is False

    @property
    def is_newly_passing(self) -> bool:
        """Wrong before, right now."""
        return self.old_right is False and self.new_right is True


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Pairs in which both answers were scored: `n_lost` right before and wrong now (b), `n_gained` the other way (c)."""

    n: int
    old_right: int
    new_right: int
    n_lost: int
    n_gained: int

    @property
    def old_rate(self) -> float | None:
        """Share right on the old arm; None without pairs."""
        return self.old_right / self.n if self.n else None

    @property
    def new_rate(self) -> float | None:
        """Share right on the new arm; None without pairs."""
        return self.new_right / self.n if self.n else None


def verdicts_of(pairs: Iterable[JudgedPair]) -> Iterable[tuple[bool | None, bool | None]]:
    """`(old_right, new_right)` of each pair. Pairs that are read from elsewhere may tell them without their texts."""
    told: Callable[[], Iterable[tuple[bool | None, bool | None]]] | None = getattr(pairs, "verdicts", None)
    return told() if told is not None else ((pair.old_right, pair.new_right) for pair in pairs)


def count_pairs(verdicts: Iterable[tuple[bool | None, bool | None]]) -> PairedCounts:
    """Count `(old_right, new_right)`; a pair with an unknown is left out on both arms."""
    n = old_right = new_right = n_lost = n_gained = 0
    for old, new in verdicts:
        if old is None or new is None:
            continue
        n += 1
        old_right += old
        new_right += new
        n_lost += old and not new
        n_gained += new and not old
    return PairedCounts(n, old_right, new_right, n_lost, n_gained)


@dataclass(frozen=True, slots=True)
class Repaired:
    """Both arms after the same repair.

    `old_changes` and `new_changes` hold the answers whose verdict the repair changed, so that a gate can run its usual
    comparison again with them. `n_unknown` pairs could not be judged after the repair and are in no count.
    """

    counts: PairedCounts
    n_unknown: int
    old_changes: Mapping[PairKey, bool]
    new_changes: Mapping[PairKey, bool]
