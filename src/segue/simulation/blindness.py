"""What each step can see, and what it would take: calculated from traffic and bets (`growth`), for every gate and cell.

Evidence is carried from step to step, so what a step sees includes the steps before it. All at 80 % power.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf, log

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.null import Null
from segue.simulation.growth import Growth, growth_of, reaches, units_needed
from segue.simulation.setting import GateSetting, Setting, Stream, null_of
from segue.simulation.step_limits import for_canary

NEARLY = 1.1
"""Within a tenth nothing is called blind: the calculation is no finer."""
MANY_DAYS = 3650.0
TWO_WEEKS = 14.0
USUAL_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
DROPS = np.geomspace(0.0005, 0.95, 260)
"""Drops that are tried, 3 % apart."""
MARGINS = tuple(Null("safe", margin=float(drop)) for drop in DROPS)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a step can see of a gate on a slice (the total: ''), with all steps before it, at 80 % power.

    Drops are shares of badness. `outcomes` are labelled units of the candidate by the end of the step's hold. `excludes` is the
    smallest harm it excludes if the candidate is equal, `rolls_back_on` the smallest drop it rolls back by itself;
    `None` where no drop is large enough. `asked` is the rung it has to exclude, `None` where nothing waits for this cell;
    `asked_days` is how long the step then takes, `None` for never. `limit` is the gate's hold limit; `better_share` for
    `better_days` would exclude it.
    """

    step: int
    share: float
    gate: str
    metric: str
    slice: str
    days: float
    outcomes: float
    excludes: float | None
    rolls_back_on: float | None
    asked: float | None
    asked_days: float | None
    limit: float
    better_share: float | None
    better_days: float | None

    @property
    def is_blind(self) -> bool:
        """Whether the step cannot exclude its own rung within its hold, or nearly so."""
        return self.asked is not None and (self.asked_days is None or self.asked_days > NEARLY * self.days)


def sights_of(setting: Setting, per_day: float) -> tuple[Sight, ...]:
    """Every step and gate, on the cells that matter: the total, those that have to be safe, and the smallest of the others."""
    known: _Known = {}
    # A gate whose limits are others in some steps shares its weight with them.
    setting = replace(setting, weights=for_canary(setting).weights[: len(setting.gates)])
    return tuple(
        _Cell(setting, per_day, row, cell, known).sight(place)
        for place in range(len(setting.steps))
        for row, gate in enumerate(setting.gates)
        for cell in _told(setting, gate)
    )


def _told(setting: Setting, gate: GateSetting) -> tuple[int, ...]:
    others = [cell for cell in gate.watched if cell and cell not in gate.required]
    smallest = [min(others, key=lambda cell: setting.shares[cell])] if others else []
    return tuple(dict.fromkeys((*(cell for cell in gate.watched if not cell), *gate.required, *smallest)))


_Known = dict[tuple[int, float, tuple[Null, ...], bool], Growth]


@dataclass(frozen=True, slots=True)
class _Cell:
    """One gate on one slice, at a traffic. `known` keeps growths, which are the same on every slice."""

    setting: Setting
    per_day: float
    row: int
    cell: int
    known: _Known

    @property
    def gate(self) -> GateSetting:
        return self.setting.gates[self.row]

    @property
    def stream(self) -> Stream:
        return self.setting.streams[self.gate.stream]

    def sight(self, place: int) -> Sight:
        """What step `place` sees."""
        setting, stream, step = self.setting, self.stream, self.setting.steps[place]
        asked = [self.asked_by(index, place) for index in range(place + 1)]
        shares = [one.share for one in setting.steps[: place + 1]]
        alpha = setting.alpha_of("canary")
        weight = max(float(setting.weights[self.row, self.cell]), 1e-12)
        safe = [(n, self.growth(MARGINS, share)) for n, share in zip(asked, shares, strict=True)]
        limits = setting.plan.limits_of(setting.plan.gates[self.row], place)
        back = (null_of(limits[1], stream, "harm"),)
        harm = [(n, self.growth(back, share, is_harm=True)) for n, share in zip(asked, shares, strict=True)]
        rung = step.nulls[self.row]
        hold = null_of(limits[0], stream, "harm")
        better = self.better(Null("safe", margin=hold.margin, ratio=hold.ratio), -log(alpha))
        is_required = self.cell in self.gate.required
        return Sight(
            step=place,
            share=step.share,
            gate=self.gate.title,
            metric=stream.metric,
            slice=setting.slices[self.cell],
            days=step.hold,
            outcomes=sum(asked) * stream.answered,
            excludes=_smallest(reaches(safe, -log(alpha))),
            rolls_back_on=_smallest(reaches(harm, -log(alpha * weight))),
            asked=_slack(rung, stream.rate) if is_required else None,
            asked_days=_or_never(self.days_for(rung, place, -log(alpha))) if is_required else None,
            limit=_slack(hold, stream.rate),
            better_share=better[0],
            better_days=better[1],
        )

    def growth(self, nulls: tuple[Null, ...], share: float, *, is_harm: bool = False) -> Growth:
        """Of harm at every drop, or of safety of an equal candidate."""
        key = (self.gate.stream, share, nulls, is_harm)
        if key not in self.known:
            drops = DROPS if is_harm else np.zeros(1)
            self.known[key] = growth_of(self.setting, self.stream, nulls, drops, share, cautious=not is_harm)
        return self.known[key]

    def daily(self, share: float, segment_share: float = 1.0) -> float:
        """Units of the candidate asked for a label a day."""
        units = self.per_day / self.setting.plan.requests_per_user * self.setting.shares[self.cell]
        return units * segment_share * share * self.stream.sampled

    def asked_by(self, index: int, place: int) -> float:
        """Units of step `index` that are old enough by the end of the hold of step `place`."""
        steps = self.setting.steps
        later = sum(steps[one].hold for one in range(index + 1, place + 1))
        days = max(0.0, min(steps[index].hold, steps[index].hold + later - self.stream.age))
        return days * self.daily(steps[index].share, steps[index].segment_share)

    def days_for(self, null: Null, place: int, level: float) -> float:
        """How long step `place` takes until a null of safety is rejected."""
        steps = self.setting.steps
        earlier = [(self.asked_by(one, place - 1), self.growth((null,), steps[one].share)) for one in range(place)]
        daily = self.daily(steps[place].share, steps[place].segment_share)
        needed = units_needed(earlier, self.growth((null,), steps[place].share), level)
        return needed / daily + self.stream.age if daily > 0 else inf

    def better(self, null: Null, level: float) -> tuple[float | None, float | None]:
        """A share and whole days that exclude a limit: the smallest share that does it in two weeks, the plan's own first."""
        found: tuple[float | None, float | None] = (None, None)
        own = sorted({step.share for step in self.setting.steps})
        for share in (*own, *(one for one in USUAL_SHARES if one not in own)):
            daily = self.daily(share)
            days = units_needed([], self.growth((null,), share), level) / daily if daily > 0 else inf
            if days > MANY_DAYS:
                continue
            days = float(ceil(days + self.stream.age))
            if days <= TWO_WEEKS:
                return share, days
            if found[1] is None or days < found[1]:
                found = (share, days)
        return found


def _smallest(seen: Array) -> float | None:
    """The smallest drop from which on all are seen."""
    unseen = np.flatnonzero(np.logical_not(seen))
    place = int(unseen[-1]) + 1 if len(unseen) else 0
    return float(DROPS[place]) if place < len(DROPS) else None


def _slack(null: Null, rate: float) -> float:
    return (null.ratio - 1) * rate + null.margin


def _or_never(days: float) -> float | None:
    return None if days > MANY_DAYS else float(days)
