"""Whether a workflow hangs together: its scorers, its gate and its slices refer to each other and to things that exist. Pure,
but for the scorers' own check, which is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import get_args

from segue.errors import Fault
from segue.model import CaseKind, Metric, Workflow
from segue.wire.fields.responses import NEVER_SERVED
from segue.workspace.document import Document, ValuePath, clipped, likely_name, listed, read_path
from segue.workspace.partial import NOTHING, STAND_IN, Lost
from segue.workspace.suite_survey import SuiteSurvey

CheckScorers = Callable[[Workflow], list[Fault]]
"""The faults of a workflow's scorers, their paths from the root: `scorers[2].pattern`."""
MetricsOf = Callable[[Workflow], list[Metric]]
"""The metrics that the scorers without faults give."""

RESERVED_SLICES = ("case_kind", "critical")
"""What `when` and `--only` name beside the slices."""
CASE_KINDS = get_args(CaseKind)


def check_workflow(
    workflow: Workflow, document: Document, *, check_scorers: CheckScorers, metrics_of: MetricsOf, lost: Lost = NOTHING
) -> Iterator[Fault]:
    """Everything that can be said of `workflow.yaml` without looking at bundles and suites.

    `lost` is what the form's faults hide of it. No fault comes from another one: a metric is unknown only if no scorer with
    faults could give it.
    """
    own = check_scorers(workflow)
    for fault in own:
        place = read_path(fault.path or "scorers")
        yield document.fault(place, fault.what, fault.fix, likely=fault.likely, severity=fault.severity)
    lost = lost.with_scorers(own, workflow)
    units = {metric.name: metric for metric in metrics_of(workflow) if not metric.name.startswith(STAND_IN)}
    for name in workflow.slices:
        if name in RESERVED_SLICES or "=" in name:
            what = f"'{clipped(name)}' cannot be the name of a slice."
            yield document.fault(
                ("slices", name), what, f"Rename it: '=' and the words {listed(RESERVED_SLICES)} mean something else."
            )
    if not workflow.scorers and not lost.touches("scorers"):
        what = "The workflow has no scorers: nothing would be measured."
        yield document.fault((), what, "Add `scorers:`, for example `- {name: correct, type: exact}`.", severity="warning")
    elif not workflow.gate.primary and not (lost.touches("scorers") or lost.touches("gate", "primary")):
        bounded = _that_can_gate(workflow, units)
        known = f" Metrics: {listed(bounded)}." if bounded else ""
        yield document.fault(
            ("gate",), "The gate has no primary metric: it could not decide.", f"Add `primary: [NAME]` to `gate`.{known}"
        )
    yield from _check_gated(workflow, document, units, lost)
    yield from _check_margins(workflow, document, units, lost)
    for at, name in enumerate(workflow.serving.may_set):
        if name in NEVER_SERVED:
            what = f"'{name}' is never served, so this leave has no effect."
            fix = "Delete it; the application sends whole conversations, and waits for each answer."
            yield document.fault(("serving", "may_set", at), what, fix, severity="warning")


def _check_gated(workflow: Workflow, document: Document, metrics: Mapping[str, Metric], lost: Lost) -> Iterator[Fault]:
    bounded = _that_can_gate(workflow, metrics)
    named = [*bounded, *sorted(lost.scorers - set(metrics))]
    for key, names in (("primary", workflow.gate.primary), ("guardrails", workflow.gate.guardrails)):
        for index, name in enumerate(names):
            if name not in metrics:
                if lost.may_measure(name):
                    continue
                what = f"No scorer gives the metric '{clipped(name)}'."
                fix = f"Metrics of the scorers: {listed(named) or 'none'}."
                yield document.fault(("gate", key, index), what, fix, likely=likely_name(name, {*metrics, *named}))
            elif not metrics[name].is_bounded:
                what = f"'{name}' is measured in {metrics[name].unit}, and only metrics from 0 to 1 can gate."
                yield document.fault(("gate", key, index), what, _instead(metrics[name], bounded))
            if key == "guardrails" and name in workflow.gate.primary:
                what = f"'{clipped(name)}' is a primary metric and a guardrail."
                yield document.fault(("gate", key, index), what, "Keep it in one of the two.", severity="warning")


def _check_margins(workflow: Workflow, document: Document, metrics: Mapping[str, Metric], lost: Lost) -> Iterator[Fault]:
    bounded = [*_that_can_gate(workflow, metrics), *sorted(lost.scorers - set(metrics))]
    gated = (*workflow.gate.primary, *workflow.gate.guardrails)
    # A name among the gated that is told to be wrong may be meant for the metric that has the margin.
    is_gate_known = not (lost.touches("gate", "primary") or lost.touches("gate", "guardrails")) and set(gated) <= set(metrics)
    for name in workflow.gate.margins:
        at = ("gate", "margins", name)
        if "=" in name:
            if ("slices",) not in lost.paths or name.partition("=")[0] in RESERVED_SLICES:
                yield from _check_slice_name(workflow, document, at, name)
        elif name not in metrics:
            if lost.may_measure(name) or ("slices",) in lost.paths:
                continue
            known = [*bounded, *(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.values)]
            what = f"'{clipped(name)}' is neither a metric nor a slice."
            yield document.fault(at, what, f"Name a metric or a slice: {listed(known)}.", likely=likely_name(name, known))
        elif is_gate_known and name not in gated:
            what = f"'{name}' has a margin and gates nothing, so the margin has no effect."
            fix = "Name it under `primary` or `guardrails`, or delete the margin."
            yield document.fault(at, what, fix, severity="warning")


def _that_can_gate(workflow: Workflow, metrics: Mapping[str, Metric]) -> list[str]:
    """The metrics to offer. Clauses of a contract are left out, since the bundles say which there are."""
    contracts = tuple(f"{spec.name}." for spec in workflow.scorers if spec.type == "contract")
    return [name for name, metric in metrics.items() if metric.is_bounded and not name.startswith(contracts)]


def _instead(metric: Metric, bounded: Sequence[str]) -> str:
    """What to write in the place of a metric that cannot gate."""
    gate_on = f"Gate on one of {listed(bounded)}" if bounded else "Add a scorer of right and wrong, and gate on it"
    if metric.unit in ("ms", "tokens", "microusd"):
        return f"{gate_on}; limits of time, tokens and cost are `budgets`."
    return f"{gate_on}; a limit of its own for an output is a `contract`."


def _check_slice_name(workflow: Workflow, document: Document, at: ValuePath, name: str) -> Iterator[Fault]:
    key, _, value = name.partition("=")
    declared = {one: spec.values for one, spec in workflow.slices.items()}
    declared = {"task": (), "case_kind": CASE_KINDS, "critical": ("yes",), **declared}
    if key not in declared:
        what = f"The slice '{clipped(key)}' is not declared."
        likely = likely_name(key, declared)
        yield document.fault(at, what, f"Declared are {listed(sorted(declared))}.", likely=likely)
    elif declared[key] and value not in declared[key]:
        near = likely_name(value, declared[key])
        what = f"The slice '{clipped(name)}' is not declared."
        fix = f"Declared are {listed(f'{key}={one}' for one in declared[key])}."
        likely = f"'{key}={near.strip(chr(39))}'" if near else None
        yield document.fault(at, what, fix, likely=likely)


def check_slices(workflow: Workflow, document: Document, survey: SuiteSurvey) -> Iterator[Fault]:
    """Slices that the workflow names and no case of the suite has: critical ones, declared ones, those with a margin."""
    for name, spec in workflow.slices.items():
        there = survey.values_of(name)
        idle = []
        for value in dict.fromkeys((*spec.values, *spec.critical)):
            if survey.slices[(name, value)]:
                continue
            if value not in spec.critical:
                idle.append(value)
                continue
            what = f"The critical slice '{name}={clipped(value)}' has no cases in {survey.file}: it could not be judged."
            fix = f"Add cases with {name}={clipped(value)}{f'; there are {listed(_pairs(name, there))}' if there else ''}."
            yield document.fault(("slices", name, "critical"), what, fix, likely=_likely_pair(name, value, survey))
        if idle:
            what = f"No case in {survey.file} has {listed(_pairs(name, idle))}."
            yield document.fault(("slices", name), what, "Add cases, or delete the values.", severity="warning")
    for key in workflow.gate.margins:
        name, equals, value = key.partition("=")
        # Where values are declared, another one is an error already, and an idle one is told above.
        is_open = not workflow.slices[name].values if name in workflow.slices else name == "task"
        if equals and is_open and not survey.slices[(name, value)]:
            what = f"No case in {survey.file} has '{clipped(key)}', so its margin has no effect."
            likely = _likely_pair(name, value, survey)
            at = ("gate", "margins", key)
            yield document.fault(at, what, "Add cases, or correct the slice.", likely=likely, severity="warning")


def check_coverage(workflow: Workflow, document: Document, survey: SuiteSurvey) -> Iterator[Fault]:
    """What the workflow's suite leaves out: slices that it names, and cases of a task."""
    yield from check_slices(workflow, document, survey)
    wanted = workflow.gate.min_cases
    for task, count in sorted(survey.tasks.items()):
        if count < wanted:
            noun = "case" if count == 1 else "cases"
            what = f"The task '{clipped(task)}' has {count} {noun}; {wanted} are wanted before an upgrade is judged."
            fix = f"Add cases; `segue suite stats {workflow.name}` says which kinds are thin."
            file = None if survey.is_stored else survey.file
            yield Fault(what, fix, file=file or document.file, severity="warning")


def _pairs(name: str, values: Iterable[str]) -> list[str]:
    return [f"{name}={value}" for value in sorted(values)]


def _likely_pair(name: str, value: str, survey: SuiteSurvey) -> str | None:
    """The slice of the suite that was probably meant: this name with another value, or another name."""
    near = likely_name(value, survey.values_of(name)) or likely_name(value.strip(), survey.values_of(name))
    if near is not None:
        return f"'{name}={near.strip(chr(39))}'"
    return likely_name(f"{name}={value}", (f"{one}={other}" for one, other in survey.slices if one != name))
