"""The soak of the runs that came through: full traffic, and a detector for harm that begins late, at both limits of each gate.

With a holdback the control is live; without one it is the incumbent's level as the canary recorded it, taken two standard
errors higher, since a level that was measured is not known.

Beyond a hold limit a run is held, and goes on being watched for what rolls it back; by the end it waits for people.
It does not complete on silence either: without labels of the soak itself for every required gate, it waits for them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import split_soak, union_log_e
from segue.evidence.sequential.detector import Detector
from segue.evidence.sequential.null import Questions
from segue.evidence.sequential.process import FixedProcess, Memory, Process
from segue.simulation.lag import Waiting
from segue.simulation.outcomes import Outcomes, block_of, labels_of
from segue.simulation.selection import take_fixed, take_process
from segue.simulation.setting import GateSetting, Setting
from segue.simulation.traffic import Traffic

LOOKS_A_DAY = 4
STANDARD_ERRORS = 2.0


@dataclass
class SoakRuns:
    """By run: whether it was rolled back, after how many days of soak, and how many users had met the candidate in it.

    `hold_day` is when harm beyond a hold limit was shown, NaN where it was not. `unseen` are those that were neither rolled
    back nor held, and of which too few outcomes came of age for the soak to have looked at anything.
    """

    rolled_back: NDArray[np.bool_]
    unseen: NDArray[np.bool_]
    day: Array
    exposed: Array
    hold_day: Array


def planned_blocks(setting: Setting) -> int:
    """Looks planned for a whole soak."""
    return max(1, round(setting.plan.soak * LOOKS_A_DAY))


def recorded_level(memory: Memory) -> Array:
    """The incumbent's badness as a canary recorded it, higher by what its own error may be. Shape (…, streams, cells)."""
    rate = memory.rate
    variance = rate * (1 - rate) * np.clip(memory.spread, 0.0, 1.0) / (memory.n + 1)
    return np.asarray(np.clip(rate + STANDARD_ERRORS * np.sqrt(variance), 0.0, 1.0))


def soak_questions(gates: Sequence[GateSetting]) -> Questions:
    """The rollback limits of these gates, and then their hold limits; each gate has a stream of its own."""
    limits = [*(gate.rule.rollback for gate in gates), *(gate.rule.hold for gate in gates)]
    return Questions.of(limits, [*range(len(gates))] * 2)


@dataclass(frozen=True)
class Soak:
    """The soak of a setting."""

    setting: Setting
    outcomes: Outcomes
    traffic: Traffic

    @property
    def blocks(self) -> int:
        """Looks planned for the whole soak: what its threshold is made for."""
        return planned_blocks(self.setting)

    def run(self, began: Array, memory: Memory, rng: Generator) -> SoakRuns:
        """Of runs whose canary ended on the days `began`, with what it remembered of the incumbent."""
        setting, plan = self.setting, self.setting.plan
        runs = len(began)
        done = SoakRuns(
            np.zeros(runs, bool), np.zeros(runs, bool), np.full(runs, plan.soak), np.zeros(runs), np.full(runs, np.nan)
        )
        if not runs or not plan.soak:
            return done
        detector = self._start(memory)
        hours = 24 // LOOKS_A_DAY
        waiting = Waiting.of_ages(tuple(stream.age for stream in setting.streams), hours)
        per_block = self.traffic.per_block(hours) / plan.requests_per_user
        rows = [gate.stream for gate in setting.gates]
        which, exposed = np.arange(runs), np.zeros(runs)
        labelled = np.zeros((runs, len(setting.gates), len(setting.slices)))
        for block in range(self.blocks):
            day = began[which] + block * hours / 24
            at = np.floor(day * LOOKS_A_DAY + 1e-9).astype(int) % len(per_block)
            mean = per_block[at]
            units = rng.poisson(np.stack([mean * plan.holdback, mean * (1 - plan.holdback)], -1))
            exposed += units[:, 1]
            table = self.outcomes.draw(units, day, day - began[which], rng)
            waiting.add(table, np.zeros(len(which), np.int64))
            mature = waiting.mature()
            labelled += labels_of(mature, rows)
            detector = detector.advance(block_of(mature, rows, slice(None)))
            back, held = self._alarms(detector)
            fresh = which[held & ~back & np.isnan(done.hold_day[which])]
            done.hold_day[fresh] = (block + 1) * hours / 24
            if back.any():
                gone = which[back]
                done.rolled_back[gone], done.day[gone] = True, (block + 1) * hours / 24
                done.exposed[gone] = exposed[back]
                which, exposed, labelled = which[~back], exposed[~back], labelled[~back]
                detector = _take(detector, ~back)
                waiting.keep(~back)
            if not len(which):
                break
        done.exposed[which] = exposed
        done.unseen[which] = ~self._has_seen_enough(labelled) & np.isnan(done.hold_day[which])
        return done

    def _alarms(self, detector: Detector) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """By run: whether the union of all cells is beyond the threshold of the rollback limits, and of the hold limits."""
        values, gates, weights = detector.log_statistic, len(self.setting.gates), self.setting.weights.ravel()
        parts = zip((values[:, :gates], values[:, gates:]), split_soak(self.setting.alpha_of("soak")), strict=True)
        back, held = (
            np.asarray(union_log_e(one.reshape(len(one), -1), weights) >= detector.log_threshold(alpha), bool)
            for one, alpha in parts
        )
        return back, held

    def _has_seen_enough(self, labelled: Array) -> NDArray[np.bool_]:
        """By run, whether every gate has as many labels as it wants; a required one wants one, for silence passes nothing."""
        enough = np.ones(len(labelled), bool)
        for row, gate in enumerate(self.setting.gates):
            enough &= gate.seen(labelled[:, row]) >= gate.wants(soaks=True)
        return enough

    def _start(self, memory: Memory) -> Detector:
        setting = self.setting
        nodes = setting.scale.nodes
        questions = soak_questions(setting.gates)
        runs, _, cells = memory.n.shape
        if setting.plan.holdback:
            process = replace(Process.start(questions, (runs, cells), nodes), memory=memory)
            return Detector.start(process, blocks=self.blocks)
        return Detector.start(FixedProcess.start(questions, recorded_level(memory), nodes), blocks=self.blocks)


def _take(detector: Detector, runs: NDArray[np.bool_]) -> Detector:
    process = detector.process
    taken = take_fixed(process, runs) if isinstance(process, FixedProcess) else take_process(process, runs)
    return replace(detector, process=taken)
