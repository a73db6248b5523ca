"""Gathers what the plan check needs from workspace and store: for `segue plan check`, and for opening an upgrade."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from segue.errors import Fault, InputError, NotFoundError, SegueError

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.gates.report import Report
    from segue.model import Bundle, Workflow
    from segue.model.plan import Plan
    from segue.workspace.plan_ways import Measured, Way, WayFacts

PRODUCTION = "production"


def find_ways(
    desk: Desk,
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
    return ways_between(
        desk, workflow_name, plan, _stored(desk, incumbent_digest), _stored(desk, candidate_digest), environment=environment
    )


def ways_between(
    desk: Desk, workflow_name: str, plan: Plan, incumbent: Bundle | None, candidate: Bundle | None, *, environment: str
) -> list[Way]:
    """The same between bundles that need not be stored yet."""
    from segue.workspace.plan_ways import ways_wrong

    require_followable(plan, desk.workspace.load_workflow(workflow_name))
    return list(ways_wrong(plan, gather(desk, workflow_name, incumbent, candidate, environment=environment)))


def require_followable(plan: Plan, workflow: Workflow) -> None:
    """`InputError` for what no upgrade could follow, all of it at once.

    A step whose segment is a name alone: a gateway could not tell who belongs to it. A gate that nothing would ever measure: an
    upgrade would wait for its labels for ever.
    """
    from segue.cli.plan_labels import unmeasured

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
    desk: Desk, workflow_name: str, incumbent: Bundle | None, candidate: Bundle | None, *, environment: str = PRODUCTION
) -> WayFacts:
    """The facts, as they are now. Nothing is written."""
    from segue.workspace.plan_ways import WayFacts

    workflow = desk.workspace.load_workflow(workflow_name)
    serves = _route_serves(desk, workflow_name, environment)
    old = incumbent if incumbent is not None else _stored(desk, serves or None)
    model, retires = _sunset(desk, old)
    return WayFacts(
        workflow=workflow_name,
        begins=date.fromisoformat(desk.now()[:10]),
        thin=_thin(desk, workflow),
        slices=tuple(f"{key}={value}" for key, spec in workflow.slices.items() for value in (spec.values or spec.critical)),
        critical=frozenset(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.critical),
        environment=environment,
        route_serves=serves,
        gateways=len(desk.store.list_gateways(environment)),
        incumbent=None if incumbent is None else incumbent.digest,
        incumbent_model=model,
        retires=retires,
        measured=None if old is None or candidate is None else _measured(desk, workflow_name, old.digest, candidate.digest),
        effort=None if old is None or candidate is None else _effort(old, candidate),
    )


def _thin(desk: Desk, workflow: Workflow) -> tuple[str, ...] | None:
    """`None` where there is no suite. Otherwise what it is short of that an upgrade waits for, as in stage 0."""
    from segue.workspace.stats import suite_stats

    if workflow.suite in desk.workspace.suites(workflow.name):
        cases = desk.workspace.iter_suite(workflow.name, workflow.suite)
    else:
        stored = [one for one in desk.store.list_suites(workflow.name) if workflow.suite in (one.name, one.digest)]
        if not stored:
            return None
        cases = desk.store.iter_cases(stored[-1].digest)
    try:
        found = suite_stats(workflow, cases).thin
    except InputError as error:
        return tuple(fault.sentence() for fault in error.faults)
    return tuple(one.sentence() for one in found if one.kind in ("empty", "task"))


def _route_serves(desk: Desk, workflow: str, environment: str) -> str:
    try:
        return desk.store.find_route(workflow, environment).route.incumbent
    except NotFoundError:
        return ""


def _stored(desk: Desk, digest: str | None) -> Bundle | None:
    if digest is None:
        return None
    try:
        return desk.store.get_bundle(digest).bundle
    except NotFoundError:
        return None


def _sunset(desk: Desk, old: Bundle | None) -> tuple[str, date | None]:
    from segue.evals.arms import vendor_of_entry
    from segue.providers.catalogue import retirement

    if old is None:
        return "", None
    entry = desk.workspace.config.providers.get(old.model.provider)
    found = retirement(None if entry is None else vendor_of_entry(entry), old.model.snapshot)
    return old.model.snapshot, None if found is None else found.day


def _measured(desk: Desk, workflow: str, old: str, new: str) -> Measured | None:
    """The newest verdict on this pair that can still be read."""
    from segue.gates.report_reading import report_from_json
    from segue.workspace.plan_ways import Measured

    for verdict, _, body in desk.store.list_verdicts(workflow):
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
    from segue.model.bundle_diff import diff_bundles

    found = next((one for one in diff_bundles(old, new).changes if one.part == "parameters"), None)
    words = ("reasoning effort", "thinking budget", "extra parameter")
    dials = ("reasoning", "thinking", "effort")
    return tuple(
        one
        for one in (() if found is None else found.sentences)
        if one.startswith(words[:2]) or (one.startswith(words[2]) and any(dial in one.lower() for dial in dials))
    )
