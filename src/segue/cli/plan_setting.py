"""A plan with what its workflow and its last verdict add to it: for a simulation, for an upgrade, or every fault there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from segue.cli.desk import open_desk
from segue.errors import InputError, SegueError
from segue.simulation import Facts, Setting, fill_plan, find_gaps, settle, watched_slices

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.gates.report import Report
    from segue.model import Metric, Workflow
    from segue.model.plan import Plan
    from segue.workspace.document import Document


def load_setting(ref: str) -> tuple[Setting, tuple[str, ...]]:
    """The setting of the plan that `ref` names, and remarks on what was taken from elsewhere. Raises all faults at once."""
    from segue.workspace.plan_file import find_plan

    with open_desk() as desk:
        workflow_name, name = find_plan(desk.workspace, ref)
        plan, facts, remarks = _read(desk, workflow_name, name)
    return settle(plan, facts, name=f"{workflow_name}/{name}"), remarks


def settled_plan(desk: Desk, workflow_name: str, name: str) -> tuple[Plan, tuple[str, ...], tuple[str, ...]]:
    """The plan that an upgrade is opened with: it stands alone; the critical slices; remarks on what was taken from elsewhere.

    `InputError` with all faults and gaps, each with its place and remedy.
    """
    plan, facts, remarks = _read(desk, workflow_name, name)
    return fill_plan(plan, facts), tuple(sorted(facts.critical)), remarks


def checked_plan(desk: Desk, workflow_name: str, name: str) -> tuple[Plan, Document, Workflow, dict[str, Metric]]:
    """A plan that fits its workflow, what it was read from, the workflow, and its metrics. `InputError` with all faults."""
    from segue.workspace.known_parts import metrics_of
    from segue.workspace.plan_check import check_plan
    from segue.workspace.plan_file import read_plan
    from segue.workspace.text_file import Root

    workflow = desk.workspace.load_workflow(workflow_name)
    folder = desk.workspace.folder(workflow_name)
    reading, document = read_plan(Root(desk.workspace.root), folder, name)
    file = f"workflows/{workflow_name}/plans/{name}.yaml"
    plan = reading.unwrap(file)
    assert document is not None, "a plan was read from a document"
    metrics = {metric.name: metric for metric in metrics_of(workflow)}
    faults = [one for one in check_plan(plan, document, workflow, metrics) if one.severity == "error"]
    if faults:
        raise InputError.from_faults(faults, subject=file)
    return plan, document, workflow, metrics


def _read(desk: Desk, workflow_name: str, name: str) -> tuple[Plan, Facts, tuple[str, ...]]:
    """A plan without faults and gaps, what workflow and last verdict add to it, and remarks on that."""
    plan, document, workflow, metrics = checked_plan(desk, workflow_name, name)
    facts = Facts(
        better={name: metric.better for name, metric in metrics.items()},
        slices=tuple(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.values),
        critical=frozenset(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.critical),
    )
    facts, remarks = _with_verdict(desk, workflow, plan, facts)
    gaps = [document.fault(gap.path, gap.what, gap.fix) for gap in find_gaps(plan, facts)]
    if gaps:
        raise InputError.from_faults(gaps, subject=f"workflows/{workflow_name}/plans/{name}.yaml")
    return plan, facts, remarks


def _with_verdict(desk: Desk, workflow: Workflow, plan: Plan, facts: Facts) -> tuple[Facts, tuple[str, ...]]:
    """The facts with the incumbent's rates and the slices' shares of the last verdict, as far as the plan leaves them out."""
    wanted = [gate.metric for gate in plan.gates if gate.baseline is None]
    unknown = [name for name in watched_slices(plan, facts) if name not in plan.slices]
    if not wanted and not unknown:
        return facts, ()
    report = _last_report(desk, workflow.name)
    if report is None:
        return facts, ()
    totals = {one.metric: one for one in report.findings if not one.where}
    rates = {name: totals[name].old.mean for name in wanted if name in totals}
    counts = {one.where: one.n for one in report.findings if one.where and one.metric == next(iter(totals), None)}
    whole = max((one.n for one in totals.values()), default=0)
    shares = {name: counts[name] / whole for name in unknown if whole and counts.get(name)}
    found = replace(
        facts, rates={name: rate for name, rate in rates.items() if rate is not None and 0 < rate < 1}, shares=shares
    )
    return found, _remarks(report, found)


def _remarks(report: Report, facts: Facts) -> tuple[str, ...]:
    said: Sequence[str] = [f"{name} {rate * 100:.3g} %" for name, rate in facts.rates.items()]
    remarks = [f"The incumbent's rates are those of the last verdict ({report.at[:10]}): {', '.join(said)}."] if said else []
    if facts.shares:
        remarks.append(
            "The slices' shares are those of the suite, not of the traffic: write `slices:` into the plan where they differ."
        )
    return tuple(remarks)


def _last_report(desk: Desk, workflow: str) -> Report | None:
    """`None` where there is none, or none that can still be read."""
    from segue.gates.report_reading import report_from_json

    found = desk.store.list_verdicts(workflow)
    if not found:
        return None
    try:
        return report_from_json(found[0][2])
    except SegueError:
        return None
