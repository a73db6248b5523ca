"""The soak's evidence: full traffic, and a detector for harm that begins late, as `segue.simulation.soak` has it.

With a holdback the control is live; without one it is the incumbent's level as the canary recorded it. Metrics of one age share
a detector, which watches both limits of each gate. A soak that lasts longer than planned goes on with new ones: they share the
soak's α as evidence does that began anew. What people see beside the verdict is `live_soak_shown`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from segue.controller.live_canary import new_counter, outcomes_from, silent_measures
from segue.controller.live_counting import Counter, Tally, exposed_of, guarded
from segue.controller.live_feed import Due
from segue.controller.live_intervals import Intervals
from segue.controller.live_operations import Operations
from segue.controller.live_soak_shown import Beside
from segue.controller.live_told import Told
from segue.controller.live_verdicts import Shown, conclude
from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import alpha_of_start, split_soak
from segue.evidence.sequential.detector import Detector
from segue.evidence.sequential.process import FixedProcess, Memory, Process
from segue.evidence.sequential.ratio_test import RatioTest
from segue.evidence.sequential.verdicts import Judgement, Limit
from segue.simulation.setting import Setting
from segue.simulation.soak import planned_blocks, recorded_level, soak_questions


@dataclass
class _Watch:
    """The detector of the gates whose outcomes have one age. `turn` counts how often it had to begin anew.

    `recorded` is what was known of the incumbent when it began.
    """

    gates: tuple[int, ...]
    detector: Detector
    recorded: Memory
    turn: int = 0

    def advance(self, block: Block) -> None:
        if self.detector.seen >= self.detector.blocks:
            self.detector = Detector.start(self.detector.process, blocks=self.detector.blocks)
            self.turn += 1
        self.detector = self.detector.advance(block)

    def evidence(self, alpha: float) -> dict[Limit, Array]:
        """How far beyond its threshold at each limit, in nats; both together spend α. Shapes (gates, cells)."""
        values, own = self.detector.log_statistic, len(self.gates)
        back, hold = (self.detector.log_threshold(one) for one in split_soak(alpha_of_start(alpha, self.turn)))
        return {"rollback": values[:own] - back, "hold": values[own:] - hold}


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
    intervals: Intervals | None = None
    blocks: int = 0

    @classmethod
    def start(
        cls, setting: Setting, told: Told, *, alpha: float, since: float, memory: Memory, ages: tuple[float, ...]
    ) -> Soak:
        """Before the first block. `ages` are the streams', in seconds."""
        streams, cells = len(setting.streams), len(setting.slices)
        total = Tally.empty(streams, cells, setting.scale.size)
        counter, exposed = new_counter(setting), np.zeros((2, cells))
        # Of a recorded level nothing has to be bet on anew: there, the interval of one rate is worked out at each look.
        live = Intervals.start(setting, together=1) if setting.plan.holdback > 0 else None
        begun = Operations(since, since)
        return cls(setting, told, alpha, since, memory, ages, counter, total, exposed, begun, intervals=live)

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
        if self.intervals is not None:
            self.intervals.take(due.block, block)
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
            questions = soak_questions([setting.gates[row] for row in gates])
            nodes, rows = setting.scale.nodes, list(gates)
            memory = Memory(self.memory.n[rows], self.memory.total[rows], self.memory.squares[rows])
            process: Process | FixedProcess
            if self.is_live:
                process = replace(Process.start(questions, len(setting.slices), nodes, streams=len(gates)), memory=memory)
            else:
                process = FixedProcess.start(questions, recorded_level(memory), nodes)
            self.watches[age] = _Watch(gates, Detector.start(process, blocks=planned_blocks(setting)), memory)
        return self.watches[age]

    def judgement(self) -> Judgement:
        """Harm beyond a limit where the union of all detectors passes its threshold."""
        setting, shape = self.setting, self.setting.weights.shape
        log_e: dict[Limit, Array] = {"rollback": np.full(shape, -np.inf), "hold": np.full(shape, -np.inf)}
        beside = self._beside()
        for watch in self.watches.values():
            for limit, found in watch.evidence(self.alpha).items():
                log_e[limit][list(watch.gates)] = found
            if not self.is_live:
                beside.record(watch.gates, watch.recorded)
        shown = Shown(
            tuple(range(len(setting.gates))),
            setting.weights,
            log_e,
            0.0,
            mismatched=self.is_live and self.ratio.is_mismatched(),
            intervals=beside.intervals(self.intervals, setting.plan.alpha),
            settlements=beside.settlements(log_e),
        )
        return conclude(setting, shown, beside.cells)

    def _beside(self) -> Beside:
        """What was seen of both arms."""
        places = np.ndindex(*self.setting.weights.shape)
        return Beside(self.setting, {key: self._cells(*key) for key in places}, self.operations.until - self.since)

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
