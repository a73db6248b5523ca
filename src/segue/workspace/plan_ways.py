"""The eight ways in which upgrades go wrong, as the plan check sees them coming: each refused or warned of. Pure.

What is not known is told as a remark and passes for nothing: it is neither a fault nor its absence. The facts are gathered by
`segue.controller.plan_ways`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from segue.model import Json
from segue.model.plan import Plan, PlanGate
from segue.model.plan_text import days_text

Kind = Literal[
    "no-suite",
    "aggregate-only",
    "shadow-skipped",
    "short-canary",
    "rollback-by-deploy",
    "incumbent-removed",
    "cheaper-but-worse",
    "effort-ungated",
]
Severity = Literal["error", "warning", "remark"]
WAYS: Mapping[Kind, str] = {
    "no-suite": "no suite",
    "aggregate-only": "aggregate-only gating",
    "shadow-skipped": "shadow skipped",
    "short-canary": "canary shorter than a cycle",
    "rollback-by-deploy": "rollback by deploy",
    "incumbent-removed": "incumbent removed at cutover",
    "cheaper-but-worse": "cheaper but worse called an upgrade",
    "effort-ungated": "reasoning effort changed without cost and latency gates",
}
"""In the order of the product's own list."""
OF_THE_CANDIDATE: frozenset[Kind] = frozenset(("cheaper-but-worse", "effort-ungated"))
"""What a plan invites with one candidate and not with another: who answered for it did so for that one."""
LATENCY = ("slow", "slow_start")
PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Way:
    """One of the eight, as this plan invites it: why, and what to do instead."""

    kind: Kind
    severity: Severity
    what: str
    fix: str

    @property
    def title(self) -> str:
        """Its name in the product's words."""
        return WAYS[self.kind]

    def sentence(self) -> str:
        """In one line."""
        return f"{self.title[0].upper()}{self.title[1:]}: {self.what} {self.fix}"

    def as_json(self) -> dict[str, Json]:
        """For a program."""
        return {"kind": self.kind, "title": self.title, "severity": self.severity, "what": self.what, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Measured:
    """The last verdict on this candidate against this incumbent. `worse` names metrics shown to be worse on the whole suite or
    on a critical slice; `cost_ratio` is new over old, `None` where it is not known."""

    verdict: str
    worse: tuple[str, ...]
    cost_ratio: float | None


@dataclass(frozen=True, slots=True)
class WayFacts:
    """What the check needs beside the plan. `None` is unknown.

    `thin` says what the suite is short of; `slices` and `critical` are declared, as `name=value`. `route_serves` is the bundle
    that the route in force serves, empty where there is no route; `gateways` counts those that live. `effort` says how the
    reasoning dials change from incumbent to candidate.
    """

    workflow: str
    begins: date
    thin: tuple[str, ...] | None = None
    slices: tuple[str, ...] = ()
    critical: frozenset[str] = frozenset()
    environment: str = PRODUCTION
    route_serves: str | None = None
    gateways: int | None = None
    incumbent: str | None = None
    incumbent_model: str = ""
    retires: date | None = None
    measured: Measured | None = None
    effort: tuple[str, ...] | None = None


def ways_wrong(plan: Plan, facts: WayFacts) -> tuple[Way, ...]:
    """What this plan invites, in the order of the eight."""
    return (
        *_no_suite(facts),
        *_aggregate_only(plan, facts),
        *_shadow_skipped(plan),
        *_short_canary(plan),
        *_rollback_by_deploy(facts),
        *_incumbent_removed(plan, facts),
        *_cheaper_but_worse(plan, facts),
        *_effort_ungated(plan, facts),
    )


def _no_suite(facts: WayFacts) -> Iterator[Way]:
    if facts.thin is None:
        what = f"{facts.workflow} has no suite, so nothing shows what the candidate breaks before users meet it."
        fix = f"Write workflows/{facts.workflow}/suites/main.jsonl, or import one: segue import --help."
        yield Way("no-suite", "error", what, fix)
    for one in facts.thin or ():
        yield Way("no-suite", "error", one, f"See what is missing: segue suite stats {facts.workflow}.")


def _aggregate_only(plan: Plan, facts: WayFacts) -> Iterator[Way]:
    """Only what says something about quality counts: that no slice is slower does not show that none is worse."""
    looking = [gate for gate in plan.gates if gate.source != "served" and gate.watch != "total"]
    declared = {*plan.slices, *facts.slices, *(name for gate in plan.gates for name in gate.only)}
    hidden = "the average may rise while the one task that matters falls."
    if not looking:
        what = f"No gate on quality or outcomes looks at a slice: {hidden}"
        yield Way("aggregate-only", "error", what, "Write `watch: both` on the gates of quality.")
        return
    if not declared:
        what = f"Neither plan nor workflow names a slice, so only the total is watched: {hidden}"
        fix = f"Declare slices in workflows/{facts.workflow}/workflow.yaml."
        yield Way("aggregate-only", "error", what, fix)
        return
    seen = _looked_at(looking, plan, facts)
    waited_for = _looked_at([gate for gate in looking if gate.required], plan, facts)
    missed = sorted(facts.critical - seen)
    if missed:
        what = f"No gate on quality or outcomes looks at {', '.join(missed[:6])}, which the workflow calls critical."
        yield Way("aggregate-only", "error", what, "List them under `slices`, or leave `slices` out to watch all.")
    watched: tuple[tuple[frozenset[str], Severity, str], ...] = (
        ((facts.critical & seen) - waited_for, "error", ", which the workflow calls critical"),
        (seen - waited_for - facts.critical, "warning", ""),
    )
    for names, severity, called in watched:
        if names:
            what = f"Only gates that are not required look at {', '.join(sorted(names)[:6])}{called}:"
            what += " no step waits until the answers there are shown to be as good."
            yield Way("aggregate-only", severity, what, "Delete `required: false` on a gate of quality that looks at slices.")


def _looked_at(gates: Sequence[PlanGate], plan: Plan, facts: WayFacts) -> frozenset[str]:
    """The slices that these gates look at."""
    named = {name for gate in gates for name in gate.only}
    return frozenset(named.union(plan.slices or facts.slices) if any(not gate.only for gate in gates) else named)


def _shadow_skipped(plan: Plan) -> Iterator[Way]:
    if not plan.shadow.length or not plan.shadow.share:
        what = "Nothing is mirrored, so the first real requests that the candidate sees are those it answers."
        yield Way("shadow-skipped", "error", what, "Write `shadow: {length: 7d}`; `share` and `usd_per_day` bound its cost.")
    elif plan.shadow.length < plan.cycle - 1e-9:
        what = f"Shadow lasts {days_text(plan.shadow.length)}, less than a cycle of {days_text(plan.cycle)}."
        yield Way("shadow-skipped", "warning", what, "Let it last whole cycles: one to four weeks, by stakes.")


def _short_canary(plan: Plan) -> Iterator[Way]:
    cycle = days_text(plan.cycle)
    for place, step in enumerate(plan.canary, 1):
        if step.hold < plan.cycle - 1e-9:
            what = f"Step {place} holds for {days_text(step.hold)}, less than a cycle of {cycle}."
            what += " It sees some hours of the day and no others."
            yield Way("short-canary", "error", what, f"Hold it for {cycle} at least, or write the cycle this traffic has.")
    if plan.cycle < 1 - 1e-9:
        what = f"A cycle of {cycle} is shorter than the day that interactive traffic has."
        fix = "Write `cycle: 1d`, or `1w` where weekdays differ; go on only where the traffic is the same at all hours."
        yield Way("short-canary", "warning", what, fix)


def _rollback_by_deploy(facts: WayFacts) -> Iterator[Way]:
    name, environment = facts.workflow, facts.environment
    where = "" if environment == PRODUCTION else f" --environment {environment}"
    set_it = f"Put what serves today in force: segue route set {name} BUNDLE{where}"
    if facts.route_serves is None:
        yield Way("rollback-by-deploy", "remark", f"Whether {name} has a route in {environment} is not known.", set_it)
        return
    if not facts.route_serves:
        what = f"{name} has no route in {environment}: going back would be a deploy, in minutes or hours, and not a flip."
        yield Way("rollback-by-deploy", "error", what, set_it)
        return
    if facts.incumbent is not None and facts.incumbent != facts.route_serves:
        what = f"The route serves {facts.route_serves[:10]}, and the incumbent is {facts.incumbent[:10]}:"
        what += " rolling back would bring back a bundle that does not serve now."
        yield Way("rollback-by-deploy", "error", what, f"{set_it}, or name the bundle that serves as incumbent.")
    if facts.gateways == 0:
        what = f"No gateway of {environment} is alive, so no request goes by the route: flipping it would move nobody."
        yield Way("rollback-by-deploy", "warning", what, "Start one, and point the application at it: segue gateway --help.")


def _incumbent_removed(plan: Plan, facts: WayFacts) -> Iterator[Way]:
    if not plan.soak:
        what = "There is no soak: the incumbent goes the moment the candidate serves everyone, and late harm finds no way back."
        yield Way("incumbent-removed", "error", what, "Write `soak: 14d`.")
        return
    if plan.soak < plan.cycle - 1e-9:
        what = f"The soak lasts {days_text(plan.soak)}, less than a cycle of {days_text(plan.cycle)}."
        yield Way("incumbent-removed", "warning", what, "Let it last whole cycles; two weeks are usual.")
    ends = facts.begins + timedelta(days=plan.shadow.length + sum(step.hold for step in plan.canary) + plan.soak)
    if facts.retires is not None and facts.retires <= ends:
        what = f"The incumbent's model {facts.incumbent_model} retires on {facts.retires}, and the soak ends on {ends} at the"
        what += " earliest: from then on there is nothing to go back to."
        yield Way("incumbent-removed", "warning", what, "Begin earlier, or name a fallback that stays.")


def _cheaper_but_worse(plan: Plan, facts: WayFacts) -> Iterator[Way]:
    asking = [gate for gate in plan.gates if gate.source != "served"]
    if not asking:
        what = "No gate asks whether the answers are as good: what is cheaper or faster would pass for better."
        yield Way("cheaper-but-worse", "error", what, "Add a gate on a scorer's metric or on an outcome.")
    elif not any(gate.required for gate in asking):
        named = ", ".join(gate.title for gate in asking[:6])
        what = f"No gate on quality is required ({named}): silence would pass for answers that are as good, and every step"
        what += " would be left when its time is over, whatever is known by then."
        fix = "Delete `required: false` on a scorer's metric, or on an outcome that has labels."
        yield Way("cheaper-but-worse", "error", what, fix)
    found = facts.measured
    if found is None:
        what = "There is no verdict on this candidate against what serves now."
        fix = f"The upgrade begins with one; or see it first: segue eval {facts.workflow} --candidate BUNDLE."
        yield Way("cheaper-but-worse", "remark", what, fix)
    elif found.worse and found.cost_ratio is not None and found.cost_ratio < 1:
        saved = f"{(1 - found.cost_ratio) * 100:.0f} % cheaper"
        what = f"The candidate is {saved} and worse on {', '.join(found.worse[:6])} (verdict {found.verdict[:10]})."
        yield Way("cheaper-but-worse", "error", what, "A price is a reason where quality holds: re-tune it, or stay.")


def _effort_ungated(plan: Plan, facts: WayFacts) -> Iterator[Way]:
    if facts.effort is None:
        what = "Whether the reasoning effort changes is not known without both bundles."
        yield Way("effort-ungated", "remark", what, "Name the candidate; the incumbent is what the route serves.")
        return
    if not facts.effort:
        return
    served = {gate.metric for gate in plan.gates if gate.source == "served"}
    budgets = plan.budgets
    lacks = []
    if "cost" not in served and budgets.cost_usd_per_request is None:
        lacks.append("cost (`{metric: cost, source: served}`)")
    if not served.intersection(LATENCY) and budgets.latency_p99_ms is None and budgets.ttft_p95_ms is None:
        lacks.append("latency (`{metric: slow, source: served}`)")
    if lacks:
        what = f"The candidate changes {'; '.join(facts.effort)}, and no gate or budget looks at {' or '.join(lacks)}."
        yield Way("effort-ungated", "error", what, "Another effort may think ten times as long: add what is named.")
