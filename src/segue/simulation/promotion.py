"""What has to be safe before a step is left, over many runs: the total and whatever else some gate requires, and no harm.

It bets as the safe side of a `Grid` does, on labels that do not come at their worst, and is small: the large grid that
watches all cells carries no evidence of safety, and this one none of harm. What follows is the canary's to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.combination import intersection_log_e
from segue.evidence.sequential.grid import LEAST_BLOCK
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.process import Process, mix
from segue.simulation.selection import take_block, take_process
from segue.simulation.setting import Setting


def required_cells(setting: Setting, step: int) -> Iterator[tuple[int, Null, tuple[int, ...]]]:
    """Gate by gate, in their order: which harm has to be excluded on which cells before a step is left. All of it has to be."""
    for row, (gate, null) in enumerate(zip(setting.gates, setting.steps[step].nulls, strict=True)):
        yield row, null, gate.required


@dataclass(frozen=True)
class Promotion:
    """`cells` are those some gate has to be safe on; `waiting` are outcomes that wait for their cell's block to fill."""

    setting: Setting
    cells: tuple[int, ...]
    process: Process
    waiting: Block

    @classmethod
    def start(cls, setting: Setting, runs: int) -> Self:
        """Before the first block of so many runs."""
        cells = (0, *sorted({cell for gate in setting.gates for cell in gate.required if cell}))
        asked = [(null, row) for row, gate in enumerate(setting.gates) for null in gate.rule.safe]
        rates = np.array([gate.rule.rate for gate in setting.gates], float)[:, None]
        questions = Questions.of([null for null, _ in asked], [row for _, row in asked])
        process = Process.start(questions, (runs, len(cells)), setting.scale.nodes, rate=rates)
        return cls(setting, cells, process, Block.empty((runs, len(setting.gates), len(cells)), setting.scale.size))

    def advance(self, block: Block, close: NDArray[np.bool_]) -> Self:
        """With a block of mature outcomes of these cells; what would wait is bet on at once where `close` is set, by run."""
        waiting = self.waiting + block
        ready = (waiting.asked >= LEAST_BLOCK) | close[:, None, None]
        return replace(self, process=self.process.advance(waiting.only(ready)), waiting=waiting.only(~ready))

    def log_e(self, step: int, runs: NDArray[np.bool_]) -> Array:
        """The weakest evidence, over all required cells of every gate, that harm beyond a step's rung is excluded."""
        capital, questions = self.process.log_capital[runs], self.process.questions
        parts, before = [], 0
        for row, null, required in required_cells(self.setting, step):
            rule = self.setting.gates[row].rule
            place = before + rule.safe.index(null)
            known = mix(questions, capital, slice(place, place + 1))[..., 0, :]
            parts.append(known[:, [self.cells.index(cell) for cell in required]])
            before += len(rule.safe)
        return intersection_log_e(np.concatenate(parts, -1))

    def take(self, runs: NDArray[np.bool_]) -> Self:
        """That of these runs."""
        return replace(self, process=take_process(self.process, runs), waiting=take_block(self.waiting, runs))
