"""Whether a plan fits its workflow: metrics, slices and segments exist, and its steps are long enough for outcomes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from segue.errors import Fault
from segue.model import Metric, Workflow
from segue.model.plan import Plan, PlanGate
from segue.model.plan_text import days_text
from segue.workspace.document import Document, ValuePath, clipped, likely_name, listed
from segue.workspace.partial import NOTHING, Lost


def check_plan(
    plan: Plan, document: Document, workflow: Workflow, metrics: Mapping[str, Metric], lost: Lost = NOTHING
) -> Iterator[Fault]:
    """Every fault of a plan whose form is right. `lost` is what faults hide of the workflow."""
    knows_slices = ("slices",) not in lost.paths
    for index, gate in enumerate(plan.gates):
        if not (gate.source == "scorer" and lost.may_measure(gate.metric)):
            yield from _check_gate(gate, document, ("gates", index), metrics)
        for place, name in enumerate(gate.only if knows_slices else ()):
            yield from _check_slice(workflow, document, ("gates", index, "only", place), name)
    yield from _check_twice(plan, document)
    for name in plan.slices if knows_slices else ():
        yield from _check_slice(workflow, document, ("slices", name), name)
    yield from _check_shares(plan, document)
    yield from _check_segments(plan, document)
    yield from _check_lengths(plan, document)
    yield from _check_people(plan, document)
    titles = [gate.title for gate in plan.gates]
    for name in plan.weights.pooled:
        if name not in titles:
            what = f"The plan has no gate '{clipped(name)}' to give a weight to."
            yield document.fault(
                ("weights", "pooled", name), what, f"Its gates are {listed(titles)}.", likely=likely_name(name, titles)
            )


def _check_gate(gate: PlanGate, document: Document, at: ValuePath, metrics: Mapping[str, Metric]) -> Iterator[Fault]:
    if gate.source == "served":
        return
    if gate.source == "outcome":
        if gate.better is None:
            what = f"Whether more of '{clipped(gate.metric)}' is better or worse is not said, and no scorer knows it."
            yield document.fault(at, what, "Add `better: lower` or `better: higher`.")
        return
    bounded = [name for name, metric in metrics.items() if metric.is_bounded]
    if gate.metric not in metrics:
        what = f"No scorer gives the metric '{clipped(gate.metric)}'."
        fix = f"Metrics of the scorers: {listed(bounded) or 'none'}. What users or reviewers say has `source: outcome`"
        fix += ", what the gateway sees `source: served`."
        yield document.fault((*at, "metric"), what, fix, likely=likely_name(gate.metric, bounded))
        return
    metric = metrics[gate.metric]
    if not metric.is_bounded:
        what = f"'{gate.metric}' is measured in {metric.unit}, and only metrics from 0 to 1 can gate a step."
        yield document.fault((*at, "metric"), what, f"Gate on one of {listed(bounded)}." if bounded else "Add a scorer.")
    elif gate.better is not None and gate.better != metric.better:
        what = f"Of '{gate.metric}' {metric.better} is better by its scorer, and {gate.better} here."
        yield document.fault((*at, "better"), what, "Delete the line.")


def _check_twice(plan: Plan, document: Document) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, gate in enumerate(plan.gates):
        if gate.title in seen:
            what = f"'{clipped(gate.title)}' is gated twice: gates[{seen[gate.title]}] and gates[{index}]."
            yield document.fault(("gates", index), what, "Keep one of the two, or name slices under `only`.")
        seen.setdefault(gate.title, index)


def _check_slice(workflow: Workflow, document: Document, at: ValuePath, name: str) -> Iterator[Fault]:
    key, equals, value = name.partition("=")
    known = [f"{one}={each}" for one, spec in workflow.slices.items() for each in spec.values]
    if not equals or not value:
        what = f"'{clipped(name)}' is not the name of a slice."
        likely = next((f"'{one}'" for one in known if one.partition("=")[2] == name), likely_name(name, known))
        yield document.fault(at, what, "Write name=value, such as task=refund.", likely=likely)
    elif key not in workflow.slices and key != "task" and workflow.slices:
        what = f"The slice '{clipped(key)}' is not declared."
        fix = f"Declared are {listed(sorted(workflow.slices))}."
        yield document.fault(at, what, fix, likely=likely_name(name, known) or likely_name(key, workflow.slices))
    elif key in workflow.slices and workflow.slices[key].values and value not in workflow.slices[key].values:
        own = [f"{key}={one}" for one in workflow.slices[key].values]
        what = f"The slice '{clipped(name)}' is not declared."
        yield document.fault(at, what, f"Declared are {listed(own)}.", likely=likely_name(name, own))


def _check_shares(plan: Plan, document: Document) -> Iterator[Fault]:
    """The values of one dimension are parts of the same traffic."""
    sums: dict[str, float] = defaultdict(float)
    for name, share in plan.slices.items():
        sums[name.partition("=")[0]] += share
    for key, total in sums.items():
        if total > 1 + 1e-9:
            what = f"The shares of {clipped(key)}=… add up to {total * 100:.4g} %."
            yield document.fault(("slices",), what, "They are parts of the same traffic: 100 % at most.")


def _check_segments(plan: Plan, document: Document) -> Iterator[Fault]:
    used = set()
    for index, step in enumerate(plan.canary):
        if step.segment is None:
            continue
        used.add(step.segment)
        if step.share == 1:
            what = f"The step takes all of '{clipped(step.segment)}': nobody of it is left to compare with."
            fix = "It will wait for a person to decide. Write 50%, so that the other half is the comparison."
            yield document.fault(("steps", index, "share"), what, fix, severity="warning")
        if step.segment not in plan.segments:
            what = f"The segment '{clipped(step.segment)}' is not described."
            fix = f"Add `segments: {{{clipped(step.segment)}: {{share: 2%, where: {{staff: yes}}}}}}`: who is in it."
            likely = likely_name(step.segment, plan.segments)
            yield document.fault(("steps", index, "segment") if plan.steps else ("preset",), what, fix, likely=likely)
    for name in plan.segments:
        if name not in used:
            what = f"No step is for the segment '{clipped(name)}'."
            yield document.fault(("segments", name), what, "Name it in a step, or delete it.", severity="warning")


def _check_people(plan: Plan, document: Document) -> Iterator[Fault]:
    """Steps that rules and limits name have to exist, and so have the gates."""
    steps, titles = len(plan.canary), [gate.title for gate in plan.gates]
    names: set[str] = set()
    for index, rule in enumerate(plan.approvals):
        if rule.step is not None and rule.step >= steps:
            what = f"There is no step {rule.step + 1}."
            fix = f"The plan has {steps}; 100 % is `before: everyone`."
            yield document.fault(("approvals", index, "before"), what, fix)
        if rule.name in names:
            what = f"Two rules of approval are called '{clipped(rule.name)}'."
            yield document.fault(("approvals", index, "name"), what, "Give each a name of its own.")
        names.add(rule.name)
    for index, step in enumerate(plan.steps):
        for title in step.limits:
            if title not in titles:
                what = f"The plan has no gate '{clipped(title)}' to set limits of."
                fix = f"Its gates are {listed(titles)}."
                yield document.fault(("steps", index, "limits", title), what, fix, likely=likely_name(title, titles))


def _check_lengths(plan: Plan, document: Document) -> Iterator[Fault]:
    for index, step in enumerate(plan.steps):
        if step.hold < plan.cycle - 1e-9:
            held, cycle = days_text(step.hold), days_text(plan.cycle)
            what = f"The step holds for {held}, less than a cycle of {cycle}; it will last a whole one."
            fix = "Write at least a cycle, or the cycle that this traffic has."
            yield document.fault(("steps", index, "hold"), what, fix, severity="warning")
    lengths = [(max(plan.longest(step), plan.cycle), f"step {place + 1}") for place, step in enumerate(plan.canary)]
    for index, gate in enumerate(plan.gates):
        counted = f"Outcomes of '{clipped(gate.metric)}' count after {days_text(gate.age)}"
        days, name = min(lengths)
        if gate.age >= days:
            what = f"{counted}; {name} lasts {days_text(days)} at most."
            yield document.fault(("gates", index, "age"), what, f"Judge it earlier, or let {name} last longer.")
        if plan.soak and gate.age >= plan.soak:
            what = f"{counted}; the soak lasts {days_text(plan.soak)}, so it would end before it has seen any."
            fix = f"Judge it earlier, or write a `soak` longer than {days_text(gate.age)}."
            yield document.fault(("gates", index, "age"), what, fix)
