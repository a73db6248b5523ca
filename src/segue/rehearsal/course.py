"""How a rehearsal goes: traffic, troubles, people, looks; and what a plan says of its length, and asks of scorers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from segue.errors import Fault, InputError
from segue.model.plan import Plan
from segue.rehearsal.clock import DAY_S, HOUR_S
from segue.rehearsal.preparing import Prepared
from segue.rehearsal.troubles import Trouble
from segue.simulation import Traffic, block_hours
from segue.upgrade.state import Stage

PATIENCE_S = 2 * DAY_S
"""How long a rehearsal goes on that holds, with nobody in it to settle that."""


@dataclass(frozen=True)
class Course:
    """How a rehearsal goes: traffic, troubles, people, and how often the controller looks."""

    plan: Plan
    traffic: Traffic
    look_s: float
    seed: int = 1
    most_days: float = 400.0
    troubles: tuple[Trouble, ...] = ()
    approve_after_s: float | None = 0.0
    accept_after_s: float | None = 0.0
    """When somebody accepts what moved in staging; `None`: nobody does."""
    past: frozenset[Stage] = frozenset()
    plan_name: str = ""
    critical: tuple[str, ...] = ()
    patience_s: float = PATIENCE_S
    salt: str = "rehearsal"
    remarks: tuple[str, ...] = ()


def require_scores(prepared: Prepared, plan: Plan) -> tuple[str, ...]:
    """`InputError` where a required gate is on a metric that no scorer here gives; remarks on gates that only watch such."""
    tables = [row[0].scores for one in prepared.answers.values() for row in one.table[:1]]
    known = {*(name for one in prepared.answers.values() for name in one.better), *(name for one in tables for name in one)}
    unknown = [gate for gate in plan.gates if gate.source == "scorer" and gate.metric not in known]
    faults = [
        Fault(
            what=f"The plan gates on {gate.metric}, which no scorer that a rehearsal runs gives.",
            fix="Rehearse with a plan that gates on other metrics: judges are not asked, and commands not started.",
            path=f"gates: {gate.title}",
        )
        for gate in unknown
        if gate.required
    ]
    if faults:
        raise InputError.from_faults(faults, subject="the plan")
    return tuple(f"The gate on {gate.title} sees nothing: no scorer that a rehearsal runs gives it." for gate in unknown)


def planned_days(plan: Plan) -> float:
    """Shadow, steps and soak as planned."""
    return max(plan.shadow.length + sum(step.hold for step in plan.canary) + plan.soak, 1 / 24)


def longest_days(plan: Plan) -> float:
    """The same where everything is extended as far as it may be, with some days for people."""
    return 3 * (plan.shadow.length + plan.soak) + sum(plan.longest(step) for step in plan.canary) + 7


def look_seconds(plan: Plan, traffic: Traffic) -> float:
    """How often the controller looks: as in the plan's simulation."""
    least = min(step.share * (_part(plan, step.segment)) for step in plan.canary)
    return block_hours(traffic, sum(step.hold for step in plan.canary), least) * HOUR_S


def _part(plan: Plan, segment: str | None) -> float:
    spec = None if segment is None else plan.segments.get(segment)
    return 1.0 if spec is None or spec.share is None else spec.share


def primary_metric(prepared: Prepared, plan: Plan) -> str:
    """The metric that says which answers are right: the workflow's first primary, else the plan's first gate on a scorer's."""
    declared = prepared.workflow.gate.primary
    gated = [gate.metric for gate in plan.gates if gate.source == "scorer"]
    for name in (*declared, *gated):
        if any(name in one.better for one in prepared.answers.values()):
            return name
    raise InputError(
        f"No scorer of {prepared.workflow.name} that a rehearsal can run gives a metric that the plan gates on.",
        fix="Gate on a metric of a scorer that needs neither a judge nor a command.",
    )
