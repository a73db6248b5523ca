"""The interval of a paired difference, valid at every look: for screens, as `sequences` has them of two arms.

All differences that betting on the pairs has not refuted. It decides nothing; what decides about pairs is `paired`'s process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.paired import DIFFERENCES
from segue.evidence.sequential.process import FixedProcess
from segue.evidence.sequential.sequences import EFFECTS, SIDES, Interval, margins_of, unrefuted

POINTS = 161


@dataclass(frozen=True, slots=True)
class PairedSequence:
    """The mean of the pairs' differences in badness, for any number of cells; pairs lie on the nodes of `DIFFERENCES`.

    Where the difference moves over time, an end says what *some* block must have had, not what the average is.
    """

    margins: Array
    process: FixedProcess

    @classmethod
    def start(cls, cells: int, *, scale: float, points: int = POINTS) -> Self:
        """`scale` is the difference that matters (the hold margin): the row is finest around 0, and bets are sized by it."""
        row = margins_of(scale, points)
        # A difference d lies at (1 + d)/2, so that no difference is ½, and every margin half as wide.
        nulls = [Null(side, margin=float(margin) / 2, effects=EFFECTS) for side in SIDES for margin in row]
        questions = Questions.of(nulls, distance=scale / 2)
        return cls(row, FixedProcess.start(questions, np.full((1, cells), 0.5), DIFFERENCES.nodes))

    def advance(self, masses: Array) -> Self:
        """The state after a block of pairs, masses of shape (cells, nodes): better, same, worse."""
        return replace(self, process=self.process.advance(masses[None]))

    def intervals(self, alpha: float = ALPHA) -> tuple[Interval, ...]:
        """One interval per cell, in badness: positive is worse. An end is `None` until something is refuted on its side."""
        return unrefuted(self.margins, self.process.log_e, alpha)
