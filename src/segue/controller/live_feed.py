"""The rows of a stage, block by block, as they come of age: what evidence is made of, in one order whoever reads it.

A block is read once its end lies a settling time back and nothing older waits in the spool; each metric is judged at its own
age. An outcome may come as late as it likes while its exchange is not judged yet, or if it was told when that no longer counts.
Where what arrives changes a block that was judged, everything is read anew, at most every `reread_s`: bets follow each other,
and whoever remembers is to come to what one who remembers nothing comes to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from segue.controller.live_blocks import DAY_S, Span, TimeBlock, Timeline, spans_of
from segue.controller.live_rows import COLUMNS, EVERYONE, Reader, Rows, read_rows
from segue.controller.live_served import Served
from segue.controller.live_told import COLUMNS as TOLD_COLUMNS
from segue.controller.live_told import Heard, Told
from segue.exchanges.arrivals import Arrivals, Arrived
from segue.exchanges.query import ExchangeLog
from segue.model.plan import Plan
from segue.upgrade.log import Upgrade
from segue.upgrade.state import Stage

AHEAD_S = 3_600.0
"""So far a gateway's clock may be ahead of the controller's, and its records still say that there is traffic."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long is waited for what, in seconds. `block_s`: bet on together. `settle_s`: for records to be shipped."""

    block_s: float = 3_600.0
    settle_s: float = 300.0
    reread_s: float = 600.0


def timing_of(plan: Plan) -> Timing:
    """A workload whose cycle is shorter than a day is looked at in shorter blocks: a drill, a demonstration."""
    cycle_s, usual = plan.cycle * DAY_S, Timing()
    return Timing(
        min(usual.block_s, max(1.0, cycle_s / 8)),
        min(usual.settle_s, max(2.0, cycle_s / 4)),
        min(usual.reread_s, max(10.0, cycle_s)),
    )


@dataclass(frozen=True, slots=True)
class Due:
    """These streams of a block have come of age. `rows` are those of the block; `later` those served since it began.

    `is_first`: the block is seen for the first time. `beside` are the same of other segments, by name: of those that are on the
    candidate since a step before.
    """

    block: TimeBlock
    number: int
    streams: tuple[int, ...]
    age: float
    rows: Rows
    later: Rows
    is_first: bool
    is_last: bool
    beside: tuple[tuple[str, Rows, Rows], ...] = ()


@dataclass
class Feed:
    """Of one upgrade, candidate and stage. `ages` are the streams', in seconds; `segments` the plan's steps'."""

    log: ExchangeLog
    reader: Reader
    stage: Stage
    since: float
    ages: tuple[float, ...]
    segments: tuple[str | None, ...]
    timing: Timing
    timeline: Timeline
    told: Told
    by_user: bool = False
    late: int = 0
    waiting: int = 0
    newest: float | None = None
    _arrivals: Arrivals | None = None
    _pool: Rows | None = None
    _fresh: list[Rows] = field(default_factory=list)
    _gone: Served = field(default_factory=Served)
    _next: dict[float, int] = field(default_factory=dict)
    _has_late: bool = False
    _read_at: float = -inf
    _bounds: tuple[float, float] = (inf, inf)

    def __post_init__(self) -> None:
        self._next = dict.fromkeys(self.ages, 0)

    def follow(self, upgrade: Upgrade, now: float) -> bool:
        """Read what came. True where everything begins anew: whatever was made of earlier blocks is to be forgotten."""
        spans = spans_of(upgrade, self.stage)
        is_anew = self._arrivals is None
        if not self.timeline.follow(spans, now):
            self._begin_anew(spans, now)
            is_anew = True
        arrived = self._read()
        if arrived.is_anew and not is_anew:
            self._begin_anew(spans, now, keep_arrivals=True)
            is_anew = True
        late = self._take(arrived, now)
        if is_anew:
            return True
        self.late += late
        self._has_late = self._has_late or late > 0
        if self._has_late and not self._read_at <= now < self._read_at + self.timing.reread_s:
            self._begin_anew(spans, now)
            self._take(self._read(), now)
            return True
        return False

    def due(self, now: float) -> Iterator[Due]:
        """What has come of age, in the order in which it did."""
        pool = self._sorted_pool()
        while (found := self._first_due(now)) is not None:
            age, number = found
            block = self.timeline.blocks[number]
            low, high = np.searchsorted(pool.at, [block.begin, block.end])
            until = np.searchsorted(pool.at, block.end + age, side="right") if self.by_user else high
            mine, later = pool.take(slice(low, high)), pool.take(slice(low, until))
            ages = sorted(self._next)
            yield Due(
                block,
                number,
                tuple(place for place, one in enumerate(self.ages) if one == age),
                age,
                *self._of_segment(mine, later, segment_of(self.segments, block.step)),
                is_first=age == ages[0],
                is_last=age == ages[-1],
                beside=tuple((name, *self._of_segment(mine, later, name)) for name in beside(self.segments, block.step)),
            )
            self._next[age] = number + 1
        self._let_go()

    @property
    def frontier(self) -> float:
        """Up to where blocks were read."""
        number = self._next[min(self._next)] if self._next else 0
        return self.timeline.blocks[number - 1].end if number else self.since

    def _first_due(self, now: float) -> tuple[float, int] | None:
        """The age and the block that come next, if their time has come and the log is complete up to there."""
        best: tuple[float, int, float] | None = None
        for age, number in self._next.items():
            if number < len(self.timeline.blocks):
                end = self.timeline.blocks[number].end
                key = (end + age, number, age)
                best = key if best is None or key < best else best
        if best is None or best[0] + self.timing.settle_s > now:
            return None
        oldest, oldest_outcome = self._bounds
        needed = best[0] if self.by_user else self.timeline.blocks[best[1]].end
        if oldest < needed or (oldest_outcome < best[0] and self._hears(best[2])):
            return None
        return best[2], best[1]

    def _hears(self, age: float) -> bool:
        return any(self.ages[place] == age for place in self.told.streams.values())

    def _read(self) -> Arrived:
        if self._arrivals is None:
            self._arrivals = Arrivals(
                self.log,
                self.told.workflow,
                since_ns=int(self.since * 1e9),
                columns=COLUMNS,
                outcome_columns=TOLD_COLUMNS,
            )
        arrived = self._arrivals.read()
        self.waiting = arrived.n_waiting
        bounds = (arrived.waiting_ns, arrived.outcomes_waiting_ns)
        self._bounds = (_seconds(bounds[0]), _seconds(bounds[1]))
        return arrived

    def _take(self, arrived: Arrived, now: float) -> int:
        """Keep what came; gives how many of it came after its block was read."""
        late, frontier = 0, self.frontier
        for table in arrived.exchanges:
            rows = read_rows(table, self.reader)
            rows = rows.take(rows.at >= self.since)
            if not len(rows):
                continue
            # A record of next year, from a clock that is wrong, must not stand in for traffic until then.
            newest = float(rows.at.max(initial=-inf, where=rows.at <= now + AHEAD_S))
            if newest > -inf:
                self.newest = newest if self.newest is None else max(self.newest, newest)
            late += int((rows.at < (self._horizon() if self.by_user else frontier)).sum())
            self._fresh.append(rows)
        late += self._late_outcomes(list(self.told.add(arrived.outcomes)))
        self.told.add_waiting(arrived.outcomes_in_spool)
        return late

    def _late_outcomes(self, heard: Sequence[Heard]) -> int:
        """How many came after what they count for was judged."""
        horizon = self._horizon()
        maybe = [one for one in heard if one.at < horizon]
        if self.by_user or not maybe:
            return sum(self.since <= one.at for one in maybe)
        names = {one.exchange for one in maybe}
        served = self._gone.find(names)
        for rows in (self._pool, *self._fresh):
            if rows is not None:
                served.update((name, at) for name, at in zip(rows.ids.tolist(), rows.at.tolist(), strict=True) if name in names)
        return sum(self._is_judged(served.get(one.exchange), one) for one in maybe)

    def _is_judged(self, served: float | None, one: Heard) -> bool:
        """Whether it would have counted in a block that was read without it. An exchange that never came counts nowhere."""
        age = self.ages[one.stream]
        number = self._next[age]
        if served is None or not number or served >= self.timeline.blocks[number - 1].end:
            return False
        return one.at <= served + age

    def _horizon(self) -> float:
        """Up to when outcomes were taken for known."""
        ends = [self.timeline.blocks[number - 1].end + age for age, number in self._next.items() if number]
        return max(ends, default=self.since)

    def _sorted_pool(self) -> Rows:
        parts = [one for one in (self._pool, *self._fresh) if one is not None]
        if not parts:
            return _nothing(len(self.ages), len(self.reader.setting.slices))
        if self._fresh:
            self._pool, self._fresh = Rows.join(parts).in_order(), []
        assert self._pool is not None
        return self._pool

    def _of_segment(self, mine: Rows, later: Rows, name: str) -> tuple[Rows, Rows]:
        """Those whose share is this segment's: members of others, at another share, are another comparison."""
        chosen = mine.take(mine.segment == name)
        return chosen, later if self.by_user else chosen

    def _let_go(self) -> None:
        """Forget rows that no block waits for."""
        numbers = [number for number in self._next.values() if number < len(self.timeline.blocks)]
        begin = self.timeline.blocks[min(numbers)].begin if numbers else inf if self.timeline.is_over else self._open_from()
        if self._pool is not None and len(self._pool) and self._pool.at[0] < begin:
            first = int(np.searchsorted(self._pool.at, begin))
            if self.told.streams and not self.by_user:
                self._gone.add(self._pool.take(slice(None, first)))
            self._pool = self._pool.take(slice(first, None))
            self.told.forget(begin)

    def _open_from(self) -> float:
        return self.timeline.blocks[-1].end if self.timeline.blocks else self.since

    def _begin_anew(self, spans: tuple[Span, ...], now: float, *, keep_arrivals: bool = False) -> None:
        if not keep_arrivals:
            self._arrivals = None
        self._pool, self._fresh, self._has_late, self._read_at = None, [], False, now
        self._gone = Served()
        self._next = dict.fromkeys(self._next, 0)
        self.timeline = Timeline(self.timeline.block_s, self.timeline.cycle_days, self.timeline.hold_days)
        self.timeline.follow(spans, now)
        self.told = Told(self.told.workflow, self.told.streams, self.told.settings, incidents=self.told.incidents)


def segment_of(segments: Sequence[str | None], step: int) -> str:
    """Whose share a step is of."""
    return (segments[step] if step < len(segments) else None) or EVERYONE


def beside(segments: Sequence[str | None], step: int) -> tuple[str, ...]:
    """Whom the steps before took to the candidate, and who are not of this one."""
    before = [segment_of(segments, place) for place in range(min(step, len(segments)))]
    return tuple(name for name in dict.fromkeys(before) if name != segment_of(segments, step))


def make_feed(
    log: ExchangeLog,
    reader: Reader,
    upgrade: Upgrade,
    stage: Stage,
    since: float,
    *,
    ages: Sequence[float],
    timing: Timing,
    hold_days: tuple[float, ...] = (),
) -> Feed:
    """A feed that has read nothing yet. `ages` are the streams', in seconds."""
    setting, plan = reader.setting, upgrade.plan
    kinds: Mapping[str, int] = {
        stream.metric: place for place, stream in enumerate(setting.streams) if reader.sources[stream.metric] == "outcome"
    }
    return Feed(
        log,
        reader,
        stage,
        since,
        tuple(ages),
        tuple(step.segment for step in setting.steps) if stage == "canary" else (),
        timing,
        Timeline(timing.block_s, plan.cycle, hold_days),
        Told(upgrade.opening.workflow, kinds, setting.streams),
        by_user=plan.unit == "user",
    )


def _seconds(at_ns: int | None) -> float:
    return inf if at_ns is None else at_ns / 1e9


def _nothing(streams: int, cells: int) -> Rows:
    """No rows."""
    none, words, flags = np.zeros(0), np.zeros(0, object), np.zeros(0, bool)
    table = np.zeros((0, streams))
    return Rows(
        at=none,
        ids=words,
        units=words,
        pairs=words,
        arm=np.zeros(0, np.int8),
        segment=words,
        cells=np.zeros((0, cells), bool),
        values=table,
        asked=table,
        latency_ns=none,
        ttft_ns=none,
        cost_microusd=none,
        answered=flags,
    )
