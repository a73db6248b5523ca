"""Gathers what the plan check needs from workspace and store: for `segue plan check`, and for admitting a candidate.

The ways themselves are `segue.workspace.plan_ways`; who may go on in spite of one is `segue.controller.admission`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from segue.controller.plan_labels import unmeasured
from segue.controller.reading import PRODUCTION
from segue.errors import Fault, InputError, NotFoundError, SegueError
from segue.evals.arms import vendor_of_entry
from segue.gates.report import Report
from segue.gates.report_reading import report_from_json
from segue.model import Bundle, Workflow
from segue.model.bundle_diff import diff_bundles
from segue.model.plan import Plan
from segue.providers.catalogue import retirement
from segue.store.base import Store
from segue.workspace import Workspace
from segue.workspace.plan_ways import Measured, Way, WayFacts, ways_wrong
from segue.workspace.stats import suite_stats


@dataclass(frozen=True, slots=True)
class Known:
    """Where the facts come from. `day` is today, UTC."""

    workspace: Workspace
    store: Store
    day: date


def find_ways(
    known: Known,
    workflow_name: str,
    plan: Plan,
    incumbent_digest: str | None,
    candidate_digest: str | None,
    *,
    environment: str = PRODUCTION,
) -> list[Way]:
    """What this plan invites of the eight ways. Without an incumbent, the bundle that the route serves is taken for it.

    `InputError` for a plan that no upgrade can follow at all.
    """
    old, new = (_stored(known.store, one) for one in (incumbent_digest, candidate_digest))
    return ways_between(known, workflow_name, plan, old, new, environment=environment)


def ways_between(
    known: Known, workflow_name: str, plan: Plan, incumbent: Bundle | None, candidate: Bundle | None, *, environment: str
) -> list[Way]:
    """The same between bundles that need not be stored yet."""
    require_followable(plan, known.workspace.load_workflow(workflow_name))
    return list(ways_wrong(plan, gather(known, workflow_name, incumbent, candidate, environment=environment)))


def require_followable(plan: Plan, workflow: Workflow) -> None:
    """`InputError` for what no upgrade could follow, all of it at once.

    A step whose segment is a name alone: a gateway could not tell who belongs to it. A gate that nothing would ever measure: an
    upgrade would wait for its labels for ever.
    """
    named = dict.fromkeys(step.segment for step in plan.canary if step.segment is not None)
    faults = [
        Fault(
            f"Nobody can tell who belongs to the segment '{name}'.",
            f"Write `segments: {{{name}: {{share: 2%, where: {{staff: yes}}}}}}`, with the attribute that your requests carry.",
            path=f"segments.{name}",
        )
        for name in named
        if name not in plan.segments or not plan.segments[name].where
    ]
    faults += unmeasured(plan, workflow)
    if faults:
        raise InputError.from_faults(faults, subject="the plan")


def gather(
    known: Known, workflow_name: str, incumbent: Bundle | None, candidate: Bundle | None, *, environment: str = PRODUCTION
) -> WayFacts:
    """The facts, as they are now. Nothing is written."""
    workflow = known.workspace.load_workflow(workflow_name)
    serves = _route_serves(known.store, workflow_name, environment)
    old = incumbent if incumbent is not None else _stored(known.store, serves or None)
    model, retires = _sunset(known.workspace, old)
    pair = None if old is None or candidate is None else (old, candidate)
    return WayFacts(
        workflow=workflow_name,
        begins=known.day,
        thin=_thin(known, workflow),
        slices=tuple(f"{key}={value}" for key, spec in workflow.slices.items() for value in (spec.values or spec.critical)),
        critical=frozenset(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.critical),
        environment=environment,
        route_serves=serves,
        gateways=len(known.store.list_gateways(environment)),
        incumbent=None if incumbent is None else incumbent.digest,
        incumbent_model=model,
        retires=retires,
        measured=None if pair is None else _measured(known.store, workflow_name, *(one.digest for one in pair)),
        effort=None if pair is None else _effort(*pair),
    )


def _thin(known: Known, workflow: Workflow) -> tuple[str, ...] | None:
    """`None` where there is no suite. Otherwise what it is short of that an upgrade waits for, as in stage 0."""
    if workflow.suite in known.workspace.suites(workflow.name):
        cases = known.workspace.iter_suite(workflow.name, workflow.suite)
    else:
        stored = [one for one in known.store.list_suites(workflow.name) if workflow.suite in (one.name, one.digest)]
        if not stored:
            return None
        cases = known.store.iter_cases(stored[-1].digest)
    try:
        found = suite_stats(workflow, cases).thin
    except InputError as error:
        return tuple(fault.sentence() for fault in error.faults)
    return tuple(one.sentence() for one in found if one.kind in ("empty", "task"))


def _route_serves(store: Store, workflow: str, environment: str) -> str:
    try:
        return store.find_route(workflow, environment).route.incumbent
    except NotFoundError:
        return ""


def _stored(store: Store, digest: str | None) -> Bundle | None:
    if digest is None:
        return None
    try:
        return store.get_bundle(digest).bundle
    except NotFoundError:
        return None


def _sunset(workspace: Workspace, old: Bundle | None) -> tuple[str, date | None]:
    if old is None:
        return "", None
    entry = workspace.config.providers.get(old.model.provider)
    found = retirement(None if entry is None else vendor_of_entry(entry), old.model.snapshot)
    return old.model.snapshot, None if found is None else found.day


def _measured(store: Store, workflow: str, old: str, new: str) -> Measured | None:
    """The newest verdict on this pair that can still be read."""
    for verdict, _, body in store.list_verdicts(workflow):
        if not _is_of(body, old, new):
            continue
        try:
            report = report_from_json(body)
        except SegueError:
            continue
        return Measured(verdict, _worse(report), _cost_ratio(report))
    return None


def _is_of(body: Any, old: str, new: str) -> bool:
    """Told from the raw body: reading every report of a year to find two digests takes long."""
    try:
        return bool(body["incumbent"]["digest"] == old and body["candidate"]["digest"] == new)
    except (KeyError, TypeError):
        return False


def _worse(report: Report) -> tuple[str, ...]:
    return tuple(
        f"{one.metric} on {one.where}" if one.where else one.metric
        for one in report.findings
        if one.verdict == "worse" and one.is_gated and (one.is_total or one.is_critical)
    )


def _cost_ratio(report: Report) -> float | None:
    return next((one.ratio for one in report.operations if one.unit == "microusd"), None)


def _effort(old: Bundle, new: Bundle) -> tuple[str, ...]:
    """The reasoning dials that differ, with what is sent to the provider as it is; in the words of `segue bundle diff`."""
    found = next((one for one in diff_bundles(old, new).changes if one.part == "parameters"), None)
    words = ("reasoning effort", "thinking budget", "extra parameter")
    dials = ("reasoning", "thinking", "effort")
    return tuple(
        one
        for one in (() if found is None else found.sentences)
        if one.startswith(words[:2]) or (one.startswith(words[2]) and any(dial in one.lower() for dial in dials))
    )
