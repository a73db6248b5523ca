"""The margins a metric was asked to exclude, as a ladder: the tightest first, cell by cell.

Only the tightest is safety; a looser one is a step on the way to it. What was gathered is `grid`'s, what follows `judgement`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.null import Null


class Rung(NamedTuple):
    """The tightest margin that a cell excludes, the evidence for it, and whether it is the tightest of all."""

    null: Null
    log_e: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class Ladder:
    """`log_e` as the margins were declared; `order` says which of them is the k-th tightest. Shapes (margins, cells)."""

    nulls: tuple[Null, ...]
    log_e: Array
    order: NDArray[np.intp]

    @classmethod
    def of(cls, nulls: Sequence[Null], log_e: Array, control: Array) -> Self:
        """Tightness is slack in badness; that of a ratio is taken of each cell's control rate so far (NaN: none yet)."""
        if len(nulls) == 1:
            return cls(tuple(nulls), log_e, np.zeros(log_e.shape, np.intp))
        extra, margin = np.array([(one.ratio - 1.0, one.margin) for one in nulls]).T
        slack = extra[:, None] * np.where(np.isnan(control), 0.0, control) + margin[:, None]
        return cls(tuple(nulls), log_e, np.argsort(slack, axis=0, kind="stable"))

    def excluded(self, least: float) -> tuple[Rung | None, ...]:
        """Of each cell."""
        sorted_e = np.take_along_axis(self.log_e, self.order, 0)
        reached = sorted_e >= least
        found: list[Rung | None] = [None] * self.log_e.shape[1]
        cells = np.flatnonzero(reached.any(0))
        if len(cells):
            places = reached.argmax(0)[cells]
            rows = (cells, places, self.order[places, cells], sorted_e[places, cells])
            for cell, place, null, log_e in zip(*(one.tolist() for one in rows), strict=True):
                found[cell] = Rung(self.nulls[null], log_e, place == 0)
        return tuple(found)

    def next_open(self, least: float) -> NDArray[np.intp]:
        """Of each cell, the loosest margin that is not excluded, by its place in `nulls`; the tightest where all are.

        The order is that of the first cell, the total, so that all cells of a metric climb the same ladder.
        """
        climbed = self.order[:, 0]
        chosen = np.full(self.log_e.shape[1], climbed[0])
        for one in climbed[1:]:
            chosen[self.log_e[one] < least] = one
        return chosen
