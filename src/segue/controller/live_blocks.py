"""The time of a stage as spans and blocks: where shares changed, where its clock ran, and what is bet on together. Pure.

A block never lies over a change: it ends where an entry of the log changed stage, step or whether time counts. Blocks follow
from log and clock alone, so whoever reads them anew gets the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import floor

from segue.upgrade.log import Upgrade
from segue.upgrade.state import Stage, UpgradeState

DAY_S = 86_400.0
_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which nothing changed. `is_counting`: every gateway had confirmed the share, and nothing was held or paused.

    `step_begin` is when the step began, or the evidence anew. `end` is `None` while it lasts.
    """

    begin: float
    end: float | None
    step: int
    is_counting: bool
    step_begin: float


@dataclass(frozen=True, slots=True)
class TimeBlock:
    """What is bet on together. With `closes`, what waits for more is bet on too; one of no length does nothing else."""

    begin: float
    end: float
    step: int
    is_counting: bool
    closes: bool = False


def last_state(upgrade: Upgrade, stage: Stage) -> UpgradeState | None:
    """The state of the upgrade when it was in this stage last."""
    return next((entry.state for entry in reversed(upgrade.entries) if entry.state.stage == stage), None)


def spans_of(upgrade: Upgrade, stage: Stage) -> tuple[Span, ...]:
    """Of the last visit to a stage, from where its evidence counts; the last one is open while the stage lasts."""
    last = last_state(upgrade, stage)
    if last is None:
        return ()
    states = [(entry.at, entry.state) for entry in upgrade.entries]
    spans: list[Span] = []
    latest = last.evidence_from
    for place, (_, state) in enumerate(states):
        end = states[place + 1][0] if place + 1 < len(states) else None
        begin = latest
        if state.stage != stage or state.evidence_from != last.evidence_from:
            continue
        latest = begin if end is None else max(begin, end)
        _extend(spans, begin, None if end is None else latest, state)
    return tuple(spans)


def _extend(spans: list[Span], begin: float, end: float | None, state: UpgradeState) -> None:
    """With one more stretch, joined to the last where nothing changed."""
    same_step = bool(spans) and spans[-1].step == state.step
    if same_step and spans[-1].is_counting == state.is_counting:
        last = spans.pop()
        spans.append(Span(last.begin, end, last.step, last.is_counting, last.step_begin))
        return
    step_begin = spans[-1].step_begin if same_step else begin
    spans.append(Span(begin, end, state.step, state.is_counting, step_begin))


@dataclass
class Timeline:
    """The blocks of spans so far. `hold_days` by step: from then on, what waits is bet on at the end of each cycle."""

    block_s: float
    cycle_days: float = 1.0
    hold_days: tuple[float, ...] = ()
    spans: tuple[Span, ...] = ()
    blocks: list[TimeBlock] = field(default_factory=list)
    _next: tuple[int, int] = (0, 0)

    def follow(self, spans: tuple[Span, ...], now: float) -> bool:
        """Add the blocks that have ended. False where these spans do not go on from those before: begin anew then."""
        if not self._goes_on(spans):
            return False
        self.spans = spans
        place, number = self._next
        while place < len(spans):
            span = spans[place]
            until = now if span.end is None else span.end
            for block in self._blocks(span, number, until):
                self.blocks.append(block)
                number += 1
            if span.end is None or span.end > now:
                break
            self.blocks.append(TimeBlock(span.end, span.end, span.step, span.is_counting, closes=True))
            place, number = place + 1, 0
        self._next = (place, number)
        return True

    @property
    def is_over(self) -> bool:
        """Whether the stage was left: no block will follow."""
        return bool(self.spans) and self._next[0] >= len(self.spans)

    def _goes_on(self, spans: tuple[Span, ...]) -> bool:
        done = self._next[0]
        if spans[:done] != self.spans[:done] or len(spans) < len(self.spans):
            return False
        if done >= len(self.spans):
            return True
        known, given = self.spans[done], spans[done]
        same = (known.begin, known.step, known.is_counting) == (given.begin, given.step, given.is_counting)
        reached = known.begin + self._next[1] * self.block_s
        return same and (given.end is None or given.end >= reached - _EPS)

    def _blocks(self, span: Span, number: int, until: float) -> Iterator[TimeBlock]:
        """Those from `number` on that have ended by `until`; the last of a span that is over may be shorter."""
        while True:
            begin = span.begin + number * self.block_s
            end = span.begin + (number + 1) * self.block_s
            if span.end is not None:
                end = min(end, span.end)
            if end > until or end <= begin:
                return
            yield TimeBlock(begin, end, span.step, span.is_counting, self._ends_cycle(span, begin, end))
            number += 1

    def _ends_cycle(self, span: Span, begin: float, end: float) -> bool:
        if span.step >= len(self.hold_days):
            return False
        before, after = ((at - span.step_begin) / DAY_S + _EPS / DAY_S for at in (begin, end))
        return after >= self.hold_days[span.step] and floor(after / self.cycle_days) > floor(before / self.cycle_days)
