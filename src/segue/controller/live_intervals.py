"""Intervals for screens: between which differences the two arms may lie, valid at every look. Nothing is decided by them.

They cost some hundreds of bets for each cell, so they are kept for the totals and for what has to be safe, and bet on several
blocks at a time; never on outcomes of two shares together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segue.controller.live_blocks import TimeBlock
from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.sequences import DifferenceSequence, Interval
from segue.simulation.setting import Setting

TOGETHER = 6
"""Blocks. What comes of age at two ages is of different cells, so none lies beside another's share."""
MOST = 16
"""Cells: those of the first gates, where there are more."""


@dataclass
class Intervals:
    """`places` are gates and cells of the setting; what waits has the shape of a block of one stream with these cells."""

    setting: Setting
    places: tuple[tuple[int, int], ...]
    sequence: DifferenceSequence
    waiting: Block
    together: int = TOGETHER
    taken: int = 0

    @classmethod
    def start(cls, setting: Setting, *, together: int = TOGETHER) -> Intervals | None:
        """Before the first block; `None` where there is no cell to show. So many blocks are bet on `together`."""
        places = places_of(setting)
        if not places:
            return None
        rates = np.array([[setting.streams[setting.gates[row].stream].rate for row, _ in places]])
        sequence = DifferenceSequence.start(len(places), setting.scale.nodes, scale=scale_of(setting, places), rate=rates)
        return cls(setting, places, sequence, Block.empty((1, len(places)), setting.scale.size), together)

    def take(self, block: TimeBlock, outcomes: Block) -> None:
        """Outcomes of every gate and cell that came of age, from one block of time."""
        rows, cells = (list(one) for one in zip(*self.places, strict=True))
        at = (rows, cells)
        self.waiting += Block(
            outcomes.candidate[at][None],
            outcomes.control[at][None],
            outcomes.candidate_exposed[at][None],
            outcomes.control_exposed[at][None],
            outcomes.asked[at][None],
        )
        self.taken += 1
        if block.closes or self.taken >= self.together:
            self.sequence = self.sequence.advance(self.waiting)
            self.waiting = Block.empty((1, len(self.places)), self.setting.scale.size)
            self.taken = 0

    def as_of_now(self, alpha: float) -> dict[tuple[str, str], Interval]:
        """By gate and slice, in the metric's own units; positive is worse."""
        found = self.sequence.intervals(alpha)
        return {
            (self.setting.gates[row].title, self.setting.slices[cell]): one
            for (row, cell), one in zip(self.places, found, strict=True)
        }


def places_of(setting: Setting, rows: Iterable[int] | None = None) -> tuple[tuple[int, int], ...]:
    """Gates and cells that have an interval: totals, and what has to be safe. `rows` are the gates, all if not given."""
    chosen = range(len(setting.gates)) if rows is None else rows
    gates = ((row, setting.gates[row]) for row in chosen)
    return tuple((row, cell) for row, gate in gates for cell in gate.watched if not cell or cell in gate.required)[:MOST]


def scale_of(setting: Setting, places: Sequence[tuple[int, int]]) -> float:
    """The smallest difference that matters to any of them."""
    slacks = []
    for row, _ in places:
        gate = setting.gates[row]
        rate = setting.streams[gate.stream].rate
        slacks.append((gate.rule.hold.ratio - 1) * rate + gate.rule.hold.margin)
    return float(np.clip(min(slacks), 1e-4, 0.5))
