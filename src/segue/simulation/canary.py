"""The canary of many runs side by side, under the plan's plain rule.

At every look: beyond the rollback limit anywhere, it goes back; beyond the hold limit, it holds and waits for people.
At the end of a cycle, once the hold is over: it advances if all required cells have excluded the step's rung, else it extends;
at the step's longest length it waits for a named person. Nothing advances on silence: a cell without labels is never safe.

Then the guards (`judge` in the evidence has the same order). Units that did not arrive in the planned shares end the run as
invalid, unless it goes back. Cells whose labels come back differently say nothing: harm elsewhere still rolls back, else the
run is invalid too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import rejects
from segue.evidence.sequential.grid import Grid
from segue.evidence.sequential.grid import Outcomes as GridOutcomes
from segue.evidence.sequential.process import Memory
from segue.simulation.guards import Guards
from segue.simulation.lag import Waiting
from segue.simulation.outcomes import Outcomes, block_of, labels_of
from segue.simulation.promotion import Promotion
from segue.simulation.selection import take_grid, take_memory
from segue.simulation.setting import Setting
from segue.simulation.step_limits import idle_gates
from segue.simulation.traffic import Traffic
from segue.simulation.trouble import share_given

End = Literal["through", "rolled back", "held", "unsettled", "invalid"]
ENDS: tuple[End, ...] = ("through", "rolled back", "held", "unsettled", "invalid")
THROUGH, ROLLED_BACK, HELD, UNSETTLED, INVALID = range(5)
_EPS = 1e-9


@dataclass
class CanaryRuns:
    """What became of each run. `left_day` is when a step was left upwards, NaN where it was not; `memory` of those through.

    `mismatched` tells, of the runs that are invalid, those whose shares were refuted; the others' labels came back differently.
    """

    end: NDArray[np.int64]
    end_day: Array
    end_step: NDArray[np.int64]
    exposed: Array
    hold_day: Array
    left_day: Array
    memory: Memory
    mismatched: NDArray[np.bool_]


@dataclass
class _State:
    """The runs still under way. Every array has a row per run; `labelled` are the candidate's labels by gate and cell."""

    which: NDArray[np.int64]
    step: NDArray[np.int64]
    began: Array
    exposed: Array
    labelled: Array
    held: Array
    watch: Grid
    promotion: Promotion
    waiting: Waiting
    guards: Guards

    def keep(self, runs: NDArray[np.bool_]) -> None:
        for name in ("which", "step", "began", "exposed", "labelled", "held"):
            setattr(self, name, getattr(self, name)[runs])
        self.watch, self.promotion = take_grid(self.watch, runs), self.promotion.take(runs)
        self.waiting.keep(runs)
        self.guards.keep(runs)


@dataclass(frozen=True)
class Canary:
    """The rules of a setting, made once: cells to be safe, shares by step, looks."""

    setting: Setting
    outcomes: Outcomes
    traffic: Traffic
    hours: int

    @cached_property
    def idle(self) -> NDArray[np.bool_]:
        """By step and gate, whose limits are not those of the step."""
        return idle_gates(self.setting)

    def run(self, runs: int, rng: Generator) -> CanaryRuns:
        """Simulate so many runs to their ends."""
        setting = self.setting
        state = self._begin(runs)
        done = CanaryRuns(
            np.full(runs, UNSETTLED),
            np.zeros(runs),
            np.zeros(runs, np.int64),
            np.zeros(runs),
            np.full(runs, np.nan),
            np.full((runs, len(setting.steps)), np.nan),
            _no_memory(state.watch, runs),
            np.zeros(runs, bool),
        )
        per_block = self.traffic.per_block(self.hours) / setting.plan.requests_per_user
        share = np.array([step.share for step in setting.steps])
        segment = np.array([step.segment_share for step in setting.steps])
        block = 0
        while len(state.which):
            mean = per_block[block % len(per_block)] * segment[state.step]
            planned = share[state.step]
            given = share_given(self.outcomes.scenario.troubles, planned, block * self.hours / 24)
            units = rng.poisson(np.stack([mean * (1 - given), mean * given], -1))
            state.guards.assignment.add(planned, *units.T.astype(float))
            day = np.full(len(state.which), block * self.hours / 24)
            table = self.outcomes.draw(units, day, None, rng)
            state.exposed += units[:, 1]
            state.waiting.add(table, state.step)
            block += 1
            self._look(state, done, block * self.hours / 24)
        return done

    def _begin(self, runs: int) -> _State:
        setting = self.setting
        rules = [gate.rule for gate in setting.gates]
        watch = Grid.start([replace(rule, safe=()) for rule in rules], setting.slices[1:], runs=(runs,))
        ages = tuple(stream.age for stream in setting.streams)
        return _State(
            np.arange(runs),
            np.zeros(runs, np.int64),
            np.zeros(runs),
            np.zeros(runs),
            np.zeros((runs, len(setting.gates), len(setting.slices))),
            np.full(runs, np.nan),
            replace(watch, weights=setting.weights),
            Promotion.start(setting, runs),
            Waiting.of_ages(ages, self.hours),
            Guards.start(setting, self.outcomes.scenario, runs),
        )

    def _look(self, state: _State, done: CanaryRuns, now: float) -> None:
        """Bet on what has come of age, then decide, run by run."""
        setting = self.setting
        elapsed = now - state.began
        hold = np.array([step.hold for step in setting.steps])[state.step]
        longest = np.array([step.longest for step in setting.steps])[state.step]
        cycle = setting.plan.cycle
        due = (elapsed >= hold - _EPS) & (np.mod(elapsed + _EPS, cycle) < self.hours / 24)
        self._bet(state, close=due | state.waiting.ends_step())
        alpha = setting.alpha_of("canary")
        mismatched, unlike = state.guards.mismatched, state.guards.unlike
        # A cell that means nothing adds nothing: with e = 0 the average stays an e-process.
        silent = unlike | self.idle[state.step][..., None]
        rollback, hold_line = (np.where(silent, -np.inf, one) for one in (state.watch.rollback_log_e, state.watch.hold_log_e))
        back = np.asarray(rejects(state.watch.union(rollback), alpha), bool)
        held = np.asarray(rejects(state.watch.union(hold_line), alpha), bool)
        invalid = ~back & (mismatched | (unlike.any((-1, -2)) & ~held))
        state.held = np.where(np.isnan(state.held) & held, now, state.held)
        is_held = ~np.isnan(state.held)
        may = due & ~back & ~invalid & ~is_held
        advances = may & self._is_safe(state, may) & self._has_seen_enough(state) if may.any() else may
        out_of_time = ~back & ~invalid & ~advances & (elapsed >= longest - _EPS)
        last = state.step == len(setting.steps) - 1
        done.left_day[state.which[advances], state.step[advances]] = now
        done.mismatched[state.which[mismatched & invalid]] = True
        through = advances & last
        for code, ending in (
            (ROLLED_BACK, back),
            (INVALID, invalid),
            (HELD, out_of_time & is_held),
            (UNSETTLED, out_of_time & ~is_held),
            (THROUGH, through),
        ):
            self._finish(state, done, ending, code, now)
        moved = advances & ~last
        state.step = np.where(moved, state.step + 1, state.step)
        state.began = np.where(moved, now, state.began)
        ended = back | invalid | out_of_time | through
        if ended.any():
            state.keep(~ended)

    def _bet(self, state: _State, *, close: NDArray[np.bool_]) -> None:
        setting = self.setting
        table = state.waiting.mature()
        rows = [gate.stream for gate in setting.gates]
        size = setting.scale.size
        plain = block_of(table, rows, slice(None))
        state.watch = state.watch.advance(GridOutcomes({size: plain}, {size: plain}), close=close.astype(float))
        state.promotion = state.promotion.advance(block_of(table, rows, state.promotion.cells, cautious=True), close)
        state.labelled += labels_of(table, rows)
        state.guards.heard(table)

    def _is_safe(self, state: _State, asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether every required cell of every gate has excluded the rung of the run's step, of the runs asked about."""
        safe = np.zeros(len(state.which), bool)
        for place in range(len(self.setting.steps)):
            here = asked & (state.step == place)
            if here.any():
                safe[here] = rejects(state.promotion.log_e(place, here), self.setting.alpha_of("canary"))
        return safe

    def _has_seen_enough(self, state: _State) -> NDArray[np.bool_]:
        """By run, whether every gate has as many labels as it wants: none, for one that is only watched and names no number."""
        gates = self.setting.gates
        enough = [gate.seen(state.labelled[:, row]) >= gate.wants() for row, gate in enumerate(gates)]
        return np.asarray(np.all(enough, axis=0))

    def _finish(self, state: _State, done: CanaryRuns, ending: NDArray[np.bool_], code: int, now: float) -> None:
        if not ending.any():
            return
        which = state.which[ending]
        done.end[which], done.end_day[which], done.end_step[which] = code, now, state.step[ending]
        done.exposed[which], done.hold_day[which] = state.exposed[ending], state.held[ending]
        if code == THROUGH:
            memory = take_memory(state.watch.groups[0].harm.memory, ending)
            for name in ("n", "total", "squares"):
                getattr(done.memory, name)[which] = getattr(memory, name)


def _no_memory(grid: Grid, runs: int) -> Memory:
    shape = (runs, *grid.groups[0].harm.memory.n.shape[1:])
    return Memory(np.zeros(shape), np.zeros(shape), np.zeros(shape))
