"""The canary's evidence: the grid that is simulated, on the log's own outcomes, one process through all steps.

At every block that comes of age it bets, as `segue.simulation.canary` does; the margins, weights, rungs and what has to be seen
are the plan's `Setting`, which both read. It says what is known and what is missing; what follows is `segue.upgrade`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import log

import numpy as np

from segue.controller.live_counting import Counter, Tally, exposed_of, guarded
from segue.controller.live_feed import Due, beside
from segue.controller.live_intervals import Intervals
from segue.controller.live_members import Members
from segue.controller.live_operations import Operations
from segue.controller.live_rows import Rows
from segue.controller.live_told import Told, tells_by_silence
from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.cells import POOLED
from segue.evidence.sequential.grid import Grid, Outcomes
from segue.evidence.sequential.judgement import Look, judge
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.ratio_test import GUARD_ALPHA, RatioTest, ResponseTest
from segue.evidence.sequential.verdicts import Guards, Judgement
from segue.evidence.sequential.wald import outcomes_needed, whole_outcomes
from segue.simulation.promotion import required_cells
from segue.simulation.setting import Setting

DAY_S = 86_400.0


@dataclass
class Canary:
    """What the canary has shown so far. `alpha` is what it may spend."""

    setting: Setting
    told: Told
    alpha: float
    since: float
    counter: Counter
    grid: Grid
    total: Tally
    exposed: Array
    operations: Operations
    members: Members
    ratio: RatioTest = field(default_factory=RatioTest)
    drawn: tuple[int, int] = (0, 0)
    answers: ResponseTest | None = None
    intervals: Intervals | None = None
    by_step: dict[int, tuple[Array, Array, float, float]] = field(default_factory=dict)
    """By step: the candidate's units exposed, its labels by stream and cell, and from when to when they were served."""
    blocks: int = 0

    @classmethod
    def start(cls, setting: Setting, told: Told, *, alpha: float, since: float) -> Canary:
        """Before the first block."""
        streams, cells, nodes = len(setting.streams), len(setting.slices), setting.scale.size
        grid = Grid.start([gate.rule for gate in setting.gates], setting.slices[1:])
        guarded_streams = guarded_by_answers(setting)
        return cls(
            setting,
            told,
            alpha,
            since,
            new_counter(setting),
            replace(grid, weights=setting.weights),
            Tally.empty(streams, cells, nodes),
            np.zeros((2, cells)),
            Operations(since, since),
            Members.start(setting, ever_beside(setting)),
            answers=ResponseTest.start(len(guarded_streams), cells) if guarded_streams else None,
            intervals=Intervals.start(setting),
        )

    def take(self, due: Due) -> None:
        """One block, or some of its metrics, that came of age."""
        block, setting = due.block, self.setting
        if due.is_first:
            units = self.counter.open(due.rows)
            self.counter.remember(due.number, units)
            exposed = exposed_of(units)
            self.exposed += exposed
            self._note_step(due, exposed[1])
            self.operations.add(due.rows, block.end)
            if block.is_counting:
                drawn = self.counter.assigned(due.rows)
                self.ratio = guarded(self.ratio, setting.steps[block.step].share, drawn)
                self.drawn = (self.drawn[0] + drawn[0], self.drawn[1] + drawn[1])
            for name, rows, _ in due.beside:
                self._meet(due.number, name, rows, block.end)
            self.blocks += block.end > block.begin
        units = self.counter.recall(due.number, forget=due.is_last)
        if len(units.at) or block.closes:
            tally = self.counter.count(units, due.later, due.streams, due.age, self.told)
            self.total += tally
            self._note_labels(block.step, tally)
            outcomes = outcomes_from(setting, tally)
            self.grid = self.grid.advance(outcomes, close=block.closes)
            if self.intervals is not None:
                self.intervals.take(block, outcomes.plain[setting.scale.size])
            self._hear(tally)
        for name, _, later in due.beside:
            self._watch(due, name, later)

    def _meet(self, number: int, name: str, rows: Rows, until: float) -> None:
        """Members of a segment that a step before took to the candidate."""
        units = self.counter.open(rows)
        self.counter.remember((number, name), units)
        self.members.meet(name, exposed_of(units))
        self.operations.add(rows, until)

    def _watch(self, due: Due, name: str, later: Rows) -> None:
        """What became of them."""
        units = self.counter.recall((due.number, name), forget=due.is_last)
        if len(units.at) or due.block.closes:
            tally = self.counter.count(units, later, due.streams, due.age, self.told)
            self.members.bet(name, tally, outcomes_from(self.setting, tally), close=due.block.closes)

    def _hear(self, tally: Tally) -> None:
        """Which labels came, of those asked for."""
        if self.answers is None:
            return
        rows = list(guarded_by_answers(self.setting))
        came, asked = tally.labelled[:, rows], tally.asked[:, rows]
        self.answers = self.answers.advance(came[1], asked[1], came[0], asked[0])

    def _note_step(self, due: Due, exposed: Array) -> None:
        known = self.by_step.get(due.block.step)
        if known is None:
            shape = (len(self.setting.streams), len(self.setting.slices))
            known = (np.zeros(shape[1]), np.zeros(shape), due.block.begin, due.block.end)
        self.by_step[due.block.step] = (known[0] + exposed, known[1], known[2], due.block.end)

    def _note_labels(self, step: int, tally: Tally) -> None:
        exposed, labelled, begin, end = self.by_step[step]
        self.by_step[step] = (exposed, labelled + tally.labelled[1], begin, end)

    @property
    def all_exposed(self) -> Array:
        """Units by arm and cell: of the steps' own, and of those beside them."""
        return np.asarray(self.exposed + self.members.exposed)

    @property
    def guards(self) -> Guards:
        """What would void the comparison."""
        return Guards(self.ratio.is_mismatched(), self._unlike())

    def _unlike(self) -> frozenset[tuple[str, str]]:
        if self.answers is None:
            return frozenset()
        setting, streams = self.setting, guarded_by_answers(self.setting)
        watched = np.zeros((len(streams), len(setting.slices)), bool)
        gates = [gate for gate in setting.gates if gate.stream in streams]
        for gate in gates:
            watched[streams.index(gate.stream), list(gate.watched)] = True
        found = self.answers.is_unlike(GUARD_ALPHA, watched / max(int(watched.sum()), 1)) & watched
        return frozenset(
            (gate.title, setting.slices[cell])
            for gate in gates
            for cell in gate.watched
            if found[streams.index(gate.stream), cell]
        )

    def judgement(self, step: int) -> Judgement:
        """Of the cells that the plan watches."""
        setting, totals = self.setting, {}
        total, exposed = self.total + self.members.total, self.all_exposed
        for gate in setting.gates:
            for cell, name in enumerate(setting.slices):
                pair = [total.cell(exposed, arm, gate.stream, cell) for arm in (0, 1)]
                totals[gate.title, name] = (pair[0], pair[1])
        idle = frozenset(gate.title for gate in setting.gates if gate.steps is not None and step not in gate.steps)
        intervals = {} if self.intervals is None else self.intervals.as_of_now(setting.plan.alpha)
        harm = self.members.with_harm_of(self.grid)
        look = Look(totals, self.guards, intervals, per_day=self.per_day(step), alpha=self.alpha, idle=idle, harm=harm)
        found = judge(self.grid, look)
        return replace(found, cells=tuple(one for one in found.cells if self._watches(one.metric, one.slice)))

    def _watches(self, title: str, name: str) -> bool:
        gate = next(one for one in self.setting.gates if one.title == title)
        return self.setting.slices.index(name) in gate.watched

    def per_day(self, step: int) -> dict[tuple[str, str], float]:
        """The candidate's labels a day, by gate and slice, at this step's share."""
        _, labelled, begin, end = self.by_step.get(step, (None, None, 0.0, 0.0))
        if labelled is None or end - begin < DAY_S / 24:
            return {}
        days = (end - begin) / DAY_S
        return {
            (gate.title, self.setting.slices[cell]): float(labelled[gate.stream, cell]) / days
            for gate in self.setting.gates
            for cell in gate.watched
            if labelled[gate.stream, cell]
        }

    def missing(self, step: int) -> Iterator[str]:
        """What has to be shown before this step may be left, in sentences; with no data at all, that."""
        known = self.by_step.get(step)
        if known is None or not known[0][0]:
            yield "No request of this step that the candidate served has come of age yet."
        setting, per_day = self.setting, self.per_day(step)
        least = -log(self.alpha)
        for row, null, cells in required_cells(setting, step):
            log_e = self.grid.safe_log_e(row, null)
            for cell in cells:
                if log_e[cell] < least:
                    daily = per_day.get((setting.gates[row].title, setting.slices[cell]))
                    yield self._not_excluded(row, null, cell, float(log_e[cell]), step, daily)
        for gate in setting.gates:
            seen = int(gate.seen(self.total.labelled[1, gate.stream]))
            if seen < gate.wants():
                yield f"{gate.title}: {seen:,} of the {gate.wants():,} labels of the candidate that the plan asks for."
        yield from silent_measures(setting, self.told, self.total)

    def _not_excluded(self, row: int, null: Null, cell: int, log_e: float, step: int, daily: float | None) -> str:
        gate = self.setting.gates[row]
        where = name_of(gate.title, self.setting.slices[cell])
        sums = self.total.sums[:, gate.stream, cell]
        limit = self.setting.steps[step].limits[row].words
        said = f"{where}: harm beyond {limit} is not excluded yet"
        if not sums[0, 0] or not sums[1, 0]:
            arm = "candidate" if not sums[1, 0] else "incumbent"
            return f"{said}; there is no label of the {arm}."
        control, candidate = (float(one[1] / one[0]) for one in sums)
        ratio = float(sums[0, 0] / sums[1, 0])
        outcomes = whole_outcomes(
            outcomes_needed(null, control=control, candidate=candidate, ratio=ratio, alpha=self.alpha, log_e=log_e)
        )
        counted = f"by {int(sums[1, 0]):,} outcomes on the candidate"
        if outcomes is None:
            return f"{said} {counted}; at these rates it never will be."
        when = f", {outcomes / daily:,.1f} days at the present rate" if daily else ""
        return f"{said} {counted}; about {outcomes:,} more would show it{when}."


def ever_beside(setting: Setting) -> tuple[str, ...]:
    """The segments that any step has beside its own."""
    segments = [step.segment for step in setting.steps]
    return tuple(dict.fromkeys(name for step in range(len(segments)) for name in beside(segments, step)))


def new_counter(setting: Setting) -> Counter:
    """What counts a plan's units."""
    least = np.array([min(stream.sampled, 1.0) for stream in setting.streams])
    return Counter(setting.plan.unit == "user", least, setting.scale.size)


def guarded_by_answers(setting: Setting) -> tuple[int, ...]:
    """The streams whose labels can be missing, so that it matters whether they come back alike."""
    return tuple(place for place, stream in enumerate(setting.streams) if stream.answered < 1)


def outcomes_from(setting: Setting, tally: Tally) -> Outcomes:
    """A tally as the grid bets on it: as `outcomes_of` makes it of cells."""
    rows, size = [gate.stream for gate in setting.gates], setting.scale.size
    old, new = tally.masses[0, rows], tally.masses[1, rows]
    asked = tally.asked[1, rows]
    plain = Block(new, old, new.sum(-1), old.sum(-1), asked)
    missing = (tally.asked - tally.labelled)[:, rows]
    if not missing.any():
        return Outcomes({size: plain}, {size: plain})
    new, old = new.copy(), old.copy()
    # At its worst for a claim of safety: the candidate's silence is bad, the incumbent's is good.
    old[..., 0] += missing[0]
    new[..., -1] += missing[1]
    return Outcomes({size: plain}, {size: Block(new, old, new.sum(-1), old.sum(-1), asked)})


def silent_measures(setting: Setting, told: Told, total: Tally) -> Iterator[str]:
    """Outcomes whose absence means well, and of which not one was told: whether anybody measures them is not known."""
    for gate in setting.gates:
        stream = setting.streams[gate.stream]
        heard = gate.stream in told.streams.values() and tells_by_silence(stream)
        if heard and gate.required and not total.sums[:, gate.stream, 0, 1].any():
            yield f"{gate.title}: not one was told of either arm, so whether it is measured at all is not known."


def name_of(title: str, name: str) -> str:
    """`quality on task=refund`."""
    return title if name == POOLED else f"{title} on {name}"
