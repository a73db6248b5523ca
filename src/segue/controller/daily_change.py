"""Whether a mean has changed between two measurements of the same cases, held to all cells and looks together. Pure.

Cases are compared as if they were independent draws, though the same ones are asked every day: that makes intervals too wide,
never too narrow, and needs no answer to be kept. Bounded metrics: Newcombe 1998b, method 10 (Wilson's limits of both); others
by Welch's standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from segue.evidence.binomial import wilson
from segue.model.workflow import Direction

LEVEL = 0.05
"""Chance of a false alarm over all cells of all looks together (Bonferroni)."""
FEWEST = 10
"""A cell of fewer cases says nothing."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric in one slice ("" is all): `n` scored cases, their sum and sum of squares."""

    metric: str
    where: str
    better: Direction
    is_bounded: bool
    n: int
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Change:
    """A change that is shown. `low` and `high` are the ends of its interval, in the metric's own units."""

    what: str
    metric: str
    where: str
    before: float
    after: float
    low: float
    high: float
    is_worse: bool

    @property
    def sentence(self) -> str:
        """For people."""
        where = f" on {self.where}" if self.where else ""
        verb = "got worse" if self.is_worse else "got better"
        return (
            f"{self.metric}{where} {verb}, {self.what}: {self.before:.3g} → {self.after:.3g} "
            f"(change between {self.low:+.3g} and {self.high:+.3g})."
        )


def find_changes(what: str, before: Sequence[Cell], after: Sequence[Cell], *, looks: int = 1) -> tuple[Change, ...]:
    """The cells of both whose interval for the difference excludes none. `looks` is how many such looks share the level."""
    others = {(one.metric, one.where): one for one in before}
    pairs = [(others[one.metric, one.where], one) for one in after if (one.metric, one.where) in others]
    pairs = [(old, new) for old, new in pairs if min(old.n, new.n) >= FEWEST]
    if not pairs:
        return ()
    level = 1 - LEVEL / (len(pairs) * max(1, looks))
    return tuple(change for old, new in pairs if (change := _change(what, old, new, level)) is not None)


def _change(what: str, old: Cell, new: Cell, level: float) -> Change | None:
    p, q = old.total / old.n, new.total / new.n
    low, high = _newcombe(old, new, level) if new.is_bounded else _welch(old, new, level)
    if low <= 0 <= high:
        return None
    is_worse = (q < p) == (new.better == "higher")
    return Change(what, new.metric, new.where, p, q, low, high, is_worse)


def _newcombe(old: Cell, new: Cell, level: float) -> tuple[float, float]:
    p, q = old.total / old.n, new.total / new.n
    old_low, old_high = wilson(old.total, old.n, level)
    new_low, new_high = wilson(new.total, new.n, level)
    return q - p - math.hypot(q - new_low, old_high - p), q - p + math.hypot(new_high - q, p - old_low)


def _welch(old: Cell, new: Cell, level: float) -> tuple[float, float]:
    # A count as large as daily samples are; the quantile of the normal distribution stands in for Student's.
    from scipy.special import ndtri

    z = float(ndtri(0.5 + level / 2))
    difference = new.total / new.n - old.total / old.n
    half = z * math.sqrt(sum(_variance(one) / one.n for one in (old, new)))
    return difference - half, difference + half


def _variance(cell: Cell) -> float:
    mean = cell.total / cell.n
    return max(0.0, cell.squares - cell.n * mean * mean) / (cell.n - 1)
