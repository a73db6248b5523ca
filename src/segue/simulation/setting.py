"""What a plan means for the evidence: its gates as questions, its slices with their shares of traffic, its steps with rungs.

Made once from a `Plan` and the `Facts` around it; everything else of this package reads the result. It draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import POOLED
from segue.evidence.sequential.combination import alpha_of_start, split_alpha, spread_weights
from segue.evidence.sequential.grid import Rule
from segue.evidence.sequential.null import Null, Side
from segue.evidence.sequential.scale import GRADED, YES_NO, Scale
from segue.model.plan import Limit, Plan, PlanGate
from segue.model.workflow import Direction

TENTHS = GRADED - 1
"""Outcomes a user is averaged over at most: more would only be told apart by nodes that a scale has not got."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan may leave out, and where it was found. Rates are in the metric's own direction, slices as `name=value`."""

    better: Mapping[str, Direction] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    critical: frozenset[str] = frozenset()
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """What the simulation needs and neither the plan nor the facts have. `path` is the place in the plan."""

    path: tuple[str | int, ...]
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A metric as outcomes are drawn of it: `rate` is the incumbent's badness; `age` in days."""

    metric: str
    better: Direction
    rate: float
    age: float
    sampled: float
    answered: float
    in_shadow: bool

    def badness(self, amount: float, *, is_relative: bool) -> float:
        """A change of the metric, in its own direction, as a change of badness."""
        own = amount * (1 - self.rate if self.better == "higher" else self.rate) if is_relative else amount
        return -own if self.better == "higher" else own


@dataclass(frozen=True, slots=True)
class GateSetting:
    """A gate with its question: which stream it reads, which cells it watches, and which have to be safe to advance.

    `min_exposed` is what has to be seen: a gate that is not required keeps nothing waiting unless the plan writes a number.
    """

    title: str
    stream: int
    rule: Rule
    hold: Limit
    rollback: Limit
    watched: tuple[int, ...]
    required: tuple[int, ...]
    min_exposed: int
    steps: frozenset[int] | None = None
    """The canary's steps in which its limits count; `None` is all of them (`step_limits`)."""

    def seen(self, labels: Array) -> Array:
        """Labels that `min_exposed` is compared with, from those of every cell. Shape (…, cells) → (…).

        The total's, if the gate watches it. On slices alone: the fewest of those that have to be safe, so that a silent one
        is not hidden by the others; of a gate that keeps nothing waiting, the most.
        """
        if 0 in self.watched:
            return np.asarray(labels[..., 0])
        if self.required:
            return np.asarray(labels[..., list(self.required)].min(-1))
        return np.asarray(labels[..., list(self.watched)].max(-1))

    def wants(self, *, soaks: bool = False) -> int:
        """So many labels have to be seen before a step is left; in the soak one at least of a gate that is required, for
        silence passes nothing.
        """
        return max(self.min_exposed, 1 if soaks and self.required else 0)


@dataclass(frozen=True, slots=True)
class StepSetting:
    """A step: the candidate's share of its segment, the segment's share of all traffic, and the rung to leave it by."""

    share: float
    segment: str | None
    segment_share: float
    hold: float
    longest: float
    rung: float
    nulls: tuple[Null, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """All that is simulated. `slices[0]` is the total; `shares` are of the traffic; `weights` has a row per gate."""

    name: str
    streams: tuple[Stream, ...]
    gates: tuple[GateSetting, ...]
    slices: tuple[str, ...]
    shares: tuple[float, ...]
    critical: tuple[int, ...]
    steps: tuple[StepSetting, ...]
    weights: Array
    plan: Plan

    @property
    def outcomes(self) -> int:
        """Outcomes that a unit is averaged over."""
        return min(round(self.plan.requests_per_user), TENTHS)

    @property
    def scale(self) -> Scale:
        """Of every stream: badness, yes/no or a user's mean."""
        return Scale(size=YES_NO if self.outcomes == 1 else GRADED)

    def alpha_of(self, stage: Literal["shadow", "canary", "soak"], restarts: int = 0) -> float:
        """What the evidence of a stage may spend that has begun anew so often.

        Canary and soak have parts of the upgrade's one α, the soak none where there is none; shadow has an α of its own.
        """
        canary, soak = split_alpha(self.plan.alpha, soaks=bool(self.plan.soak))
        return alpha_of_start({"shadow": self.plan.alpha, "canary": canary, "soak": soak}[stage], restarts)

    @property
    def canary_days(self) -> float:
        """From the first step to everyone, if nothing has to be extended."""
        return sum(step.hold for step in self.steps)

    @property
    def planned_days(self) -> float:
        """From the first step to the end of the soak, if nothing has to be extended."""
        return self.canary_days + self.plan.soak

    @property
    def longest_days(self) -> float:
        """The same with every step extended as far as it may be."""
        return sum(step.longest for step in self.steps) + self.plan.soak


def find_gaps(plan: Plan, facts: Facts) -> Iterator[Gap]:
    """What has to be given before this plan can be simulated."""
    for index, gate in enumerate(plan.gates):
        if gate.baseline is None and gate.metric not in facts.rates:
            what = f"The incumbent's rate of '{gate.metric}' is not known."
            fix = "Write `baseline: 92%` there"
            fix += ", or run the eval first: the last verdict has the rate." if gate.source == "scorer" else "."
            yield Gap(("gates", index), what, fix)
        if gate.better is None and gate.metric not in facts.better:
            what = f"Whether more of '{gate.metric}' is better or worse is not known."
            yield Gap(("gates", index), what, "Write `better: lower` or `better: higher` there.")
    unknown = [name for name in watched_slices(plan, facts) if name not in plan.slices and name not in facts.shares]
    if unknown:
        shown = ", ".join(unknown[:6]) + (f" and {len(unknown) - 6} more" if len(unknown) > 6 else "")
        example = "{" + f"{unknown[0]}: 10%" + "}"
        what = f"Which share of the traffic is {shown} is not known."
        yield Gap(("slices",), what, f"Write `slices: {example}`, or set `watch: total` on gates that need no slices.")
    for index, gate in enumerate(plan.gates):
        if gate.watch == "slices" and not gate.only and not watched_slices(plan, facts):
            what = f"The gate on '{gate.metric}' watches slices, and there are none."
            yield Gap(("gates", index), what, "Declare slices in workflow.yaml, or write `watch: total`.")
    named = dict.fromkeys(step.segment for step in plan.canary if step.segment is not None)
    for name in (one for one in named if one not in plan.segments or plan.segments[one].share is None):
        yield Gap(("segments",), f"The size of the segment '{name}' is not known.", f"Write `segments: {{{name}: 2%}}`.")


def watched_slices(plan: Plan, facts: Facts) -> tuple[str, ...]:
    """The slices that the plan lists, else those of the workflow where a gate watches all; and those that a gate names."""
    names = list(plan.slices)
    if not names and any(gate.watch != "total" and not gate.only for gate in plan.gates):
        names = list(facts.slices or facts.shares)
    return tuple(dict.fromkeys([*names, *(name for gate in plan.gates for name in gate.only)]))


def fill_plan(plan: Plan, facts: Facts) -> Plan:
    """The plan with what it leaves to others written into it: rates, directions, and slices with their shares.

    It means the same alone as it does beside these facts, but for which slices are critical, which no plan says. For plans
    without gaps.
    """
    gates = tuple(
        gate.model_copy(
            update={
                "better": gate.better or facts.better.get(gate.metric),
                "baseline": facts.rates.get(gate.metric) if gate.baseline is None else gate.baseline,
            }
        )
        for gate in plan.gates
    )
    shares = {name: plan.slices.get(name, facts.shares.get(name, 0.0)) for name in watched_slices(plan, facts)}
    return plan.model_copy(update={"gates": gates, "slices": shares})


def settle(plan: Plan, facts: Facts, *, name: str = "plan") -> Setting:
    """The setting of a plan without gaps. `ValueError` for weights that name an unknown metric."""
    slices = (POOLED, *watched_slices(plan, facts))
    critical = tuple(slices.index(one) for one in slices[1:] if one in facts.critical)
    streams, rows = _streams(plan, facts)
    scale = Scale(size=YES_NO if min(round(plan.requests_per_user), TENTHS) == 1 else GRADED)
    rungs = tuple(enumerate(plan.rungs()))
    ladder = [[plan.limits_of(gate, place)[0].times(rung) for place, rung in rungs] for gate in plan.gates]
    gates = tuple(
        _gate(gate, row, streams[row], slices, critical, scale, limits)
        for gate, row, limits in zip(plan.gates, rows, ladder, strict=True)
    )
    steps = tuple(
        StepSetting(
            share=step.share,
            segment=step.segment,
            segment_share=1.0 if step.segment is None else plan.segments[step.segment].share or 0.0,
            hold=whole_cycles(step.hold, plan.cycle),
            longest=whole_cycles(plan.longest(step), plan.cycle),
            rung=rung,
            nulls=tuple(
                null_of(limits[place], streams[gate.stream], "safe") for gate, limits in zip(gates, ladder, strict=True)
            ),
            limits=tuple(limits[place] for limits in ladder),
        )
        for place, (step, rung) in enumerate(zip(plan.canary, plan.rungs(), strict=True))
    )
    shares = (1.0, *(plan.slices.get(one, facts.shares.get(one, 0.0)) for one in slices[1:]))
    return Setting(name, streams, gates, slices, shares, critical, steps, _weights(plan, gates, len(slices)), plan)


def whole_cycles(days: float, cycle: float) -> float:
    """A step lasts whole cycles of the workload."""
    return max(1, ceil(days / cycle - 1e-9)) * cycle


def null_of(limit: Limit, stream: Stream, side: Side) -> Null:
    """A limit as a line through both rates of badness.

    "20 % more errors" is b = 1.2 a. "5 % less quality" is 1 − b = 0.95 (1 − a), the same as b = 0.95 a + 0.05.
    """
    if not limit.is_relative:
        return Null(side, margin=limit.amount)
    if stream.better == "lower":
        return Null(side, ratio=1 + limit.amount)
    part = min(limit.amount, 0.9)
    return Null(side, margin=part, ratio=1 - part)


def _streams(plan: Plan, facts: Facts) -> tuple[tuple[Stream, ...], list[int]]:
    """A stream for each metric, and each gate's. Two gates on one metric read the same outcomes."""
    streams: dict[str, Stream] = {}
    for gate in plan.gates:
        better = gate.better or facts.better[gate.metric]
        rate = gate.baseline if gate.baseline is not None else facts.rates[gate.metric]
        bad = 1 - rate if better == "higher" else rate
        one = Stream(gate.metric, better, bad, gate.age, gate.sampled, gate.answered, gate.source == "scorer")
        streams.setdefault(gate.metric, one)
    names = list(streams)
    return tuple(streams.values()), [names.index(gate.metric) for gate in plan.gates]


def _gate(
    gate: PlanGate,
    row: int,
    stream: Stream,
    slices: tuple[str, ...],
    critical: tuple[int, ...],
    scale: Scale,
    limits: list[Limit],
) -> GateSetting:
    named = [slices.index(one) for one in gate.only] if gate.only else list(range(1, len(slices)))
    watched = (*((0,) if gate.watch != "slices" and not gate.only else ()), *(named if gate.watch != "total" else ()))
    required: tuple[int, ...] = ()
    if gate.required:
        # A gate on slices alone, none of them critical, has nothing else to be safe on: all of them have to be.
        required = tuple(one for one in watched if one == 0 or one in critical or gate.only) or watched
    rule = Rule(
        gate.title,
        rollback=null_of(gate.rollback, stream, "harm"),
        hold=null_of(gate.hold, stream, "harm"),
        safe=tuple(dict.fromkeys(null_of(limit, stream, "safe") for limit in limits)),
        scale=scale,
        rate=stream.rate,
    )
    return GateSetting(gate.title, row, rule, gate.hold, gate.rollback, watched, required, gate.least_exposed)


def _weights(plan: Plan, gates: tuple[GateSetting, ...], cells: int) -> Array:
    """The grid's weights, laid on the cells that are watched; what others would have had goes to them in proportion."""
    titles = [gate.title for gate in gates]
    pooled = plan.weights.pooled or None
    if pooled is None:
        first = next((gate.title for gate in gates if 0 in gate.watched), titles[0])
        pooled = {first: 1.0}
    weights = spread_weights(titles, cells - 1, pooled=pooled, pooled_share=plan.weights.pooled_share)
    mask = np.zeros(weights.shape)
    for row, gate in enumerate(gates):
        mask[row, list(gate.watched)] = 1.0
    kept = weights * mask
    totals = np.zeros(weights.shape)
    for row, gate in enumerate(gates):
        totals[row, 0] = gate.title in pooled
    main, rest = (kept * totals).sum(), (kept * (1 - totals)).sum()
    if not main or not rest:
        return np.asarray(kept / kept.sum())
    return np.asarray(kept * np.where(totals > 0, 1.0, (1 - main) / rest))


Reach = Literal["within", "hold", "rollback"]


def reach_of(setting: Setting, shifts: Array) -> Reach:
    """Beyond which limit the candidate truly is, on any watched cell. `shifts` are of badness, by stream and cell."""
    found: Reach = "within"
    for gate in setting.gates:
        rate = setting.streams[gate.stream].rate
        for cell in gate.watched:
            bad = rate + shifts[gate.stream, cell]
            for limit, null in (("rollback", gate.rule.rollback), ("hold", gate.rule.hold)):
                if bad > null.ratio * rate + null.margin + 1e-9:
                    found = "rollback" if limit == "rollback" or found == "rollback" else "hold"
    return found
