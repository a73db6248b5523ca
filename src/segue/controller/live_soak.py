"""The soak's evidence: full traffic, and a detector for harm that begins late, as `segue.simulation.soak` has it.

With a holdback the control is live; without one it is the incumbent's level as the canary recorded it. Metrics of one age share
a detector. A soak that lasts longer than planned goes on with new ones: they share the soak's α as evidence does that began
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from segue.controller.live_canary import new_counter, outcomes_from, silent_measures
from segue.controller.live_counting import Counter, Tally, exposed_of, guarded
from segue.controller.live_feed import Due
from segue.controller.live_operations import Operations
from segue.controller.live_told import Told
from segue.controller.live_verdicts import Shown, conclude
from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import alpha_of_start
from segue.evidence.sequential.detector import Detector
from segue.evidence.sequential.null import Questions
from segue.evidence.sequential.process import FixedProcess, Memory, Process
from segue.evidence.sequential.ratio_test import RatioTest
from segue.evidence.sequential.verdicts import Judgement
from segue.simulation.setting import Setting
from segue.simulation.soak import planned_blocks, recorded_level


@dataclass
class _Watch:
    """The detector of the gates whose outcomes have one age. `turn` counts how often it had to begin anew."""

    gates: tuple[int, ...]
    detector: Detector
    turn: int = 0

    def advance(self, block: Block) -> None:
        if self.detector.seen >= self.detector.blocks:
            self.detector = Detector.start(self.detector.process, blocks=self.detector.blocks)
            self.turn += 1
        self.detector = self.detector.advance(block)

    def evidence(self, alpha: float) -> Array:
        """How far beyond its threshold, in nats. Shape (gates, cells)."""
        return np.asarray(self.detector.log_statistic - self.detector.log_threshold(alpha_of_start(alpha, self.turn)))


@dataclass
class Soak:
    """What the soak has shown so far. `memory` is what the canary knew of the incumbent when it ended."""

    setting: Setting
    told: Told
    alpha: float
    since: float
    memory: Memory
    ages: tuple[float, ...]
    counter: Counter
    total: Tally
    exposed: Array
    operations: Operations
    ratio: RatioTest = field(default_factory=RatioTest)
    drawn: tuple[int, int] = (0, 0)
    watches: dict[float, _Watch] = field(default_factory=dict)
    blocks: int = 0

    @classmethod
    def start(
        cls, setting: Setting, told: Told, *, alpha: float, since: float, memory: Memory, ages: tuple[float, ...]
    ) -> Soak:
        """Before the first block. `ages` are the streams', in seconds."""
        streams, cells = len(setting.streams), len(setting.slices)
        total = Tally.empty(streams, cells, setting.scale.size)
        counter, exposed = new_counter(setting), np.zeros((2, cells))
        return cls(setting, told, alpha, since, memory, ages, counter, total, exposed, Operations(since, since))

    @property
    def is_live(self) -> bool:
        """Whether the control is a holdback."""
        return self.setting.plan.holdback > 0

    def take(self, due: Due) -> None:
        """One block, or some of its metrics, that came of age."""
        if due.block.end <= due.block.begin:
            if due.is_first:
                self.counter.remember(due.number, self.counter.open(due.rows))
            self.counter.recall(due.number, forget=due.is_last)
            return
        if due.is_first:
            units = self.counter.open(due.rows)
            self.counter.remember(due.number, units)
            self.exposed += exposed_of(units)
            self.operations.add(due.rows, due.block.end)
            if due.block.is_counting:
                drawn = self.counter.assigned(due.rows)
                self.ratio = guarded(self.ratio, 1.0 - self.setting.plan.holdback, drawn)
                self.drawn = (self.drawn[0] + drawn[0], self.drawn[1] + drawn[1])
            self.blocks += 1
        units = self.counter.recall(due.number, forget=due.is_last)
        tally = self.counter.count(units, due.later, due.streams, due.age, self.told)
        self.total += tally
        block = outcomes_from(self.setting, tally).plain[self.setting.scale.size]
        watch = self._watch(due.age)
        rows = list(watch.gates)
        watch.advance(
            Block(
                block.candidate[rows],
                block.control[rows],
                block.candidate_exposed[rows],
                block.control_exposed[rows],
                block.asked[rows],
            )
        )

    def _watch(self, age: float) -> _Watch:
        """Begun with its first block, when the canary's outcomes of this age are all known."""
        if age not in self.watches:
            setting = self.setting
            gates = tuple(row for row, gate in enumerate(setting.gates) if self.ages[gate.stream] == age)
            questions = Questions.of([setting.gates[row].rule.rollback for row in gates], list(range(len(gates))))
            nodes, rows = setting.scale.nodes, list(gates)
            memory = Memory(self.memory.n[rows], self.memory.total[rows], self.memory.squares[rows])
            process: Process | FixedProcess
            if self.is_live:
                process = replace(Process.start(questions, len(setting.slices), nodes, streams=len(gates)), memory=memory)
            else:
                process = FixedProcess.start(questions, recorded_level(memory), nodes)
            self.watches[age] = _Watch(gates, Detector.start(process, blocks=planned_blocks(setting)))
        return self.watches[age]

    def judgement(self) -> Judgement:
        """Harm beyond a rollback limit where the union of all detectors passes its threshold."""
        setting = self.setting
        log_e = np.full(setting.weights.shape, -np.inf)
        for watch in self.watches.values():
            log_e[list(watch.gates)] = watch.evidence(self.alpha)
        shown = Shown(
            tuple(range(len(setting.gates))),
            setting.weights,
            {"rollback": log_e},
            0.0,
            mismatched=self.is_live and self.ratio.is_mismatched(),
        )
        return conclude(setting, shown, {key: self._cells(*key) for key in np.ndindex(*setting.weights.shape)})

    def _cells(self, row: int, cell: int) -> tuple[CellStats, CellStats]:
        stream = self.setting.gates[row].stream
        old, new = (self.total.cell(self.exposed, arm, stream, cell) for arm in (0, 1))
        return old, new

    def missing(self) -> Iterator[str]:
        """What the soak itself has to have seen before it may be closed."""
        if not self.exposed[1, 0]:
            yield "No request of the soak that the candidate served has come of age yet."
        for gate in self.setting.gates:
            seen, wanted = int(gate.seen(self.total.labelled[1, gate.stream])), gate.wants(soaks=True)
            if seen < wanted:
                yield f"{gate.title}: {seen:,} of the {wanted:,} labels from the soak itself that are asked for."
        yield from silent_measures(self.setting, self.told, self.total)
