"""Whether a workflow hangs together: its scorers, its gate and its slices refer to each other and to things that exist. Pure,
but for the scorers' own check, which is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import get_args

from segue.errors import Fault
from segue.model import CaseKind, Workflow
from segue.workspace.document import Document, ValuePath, clipped, likely_name, listed, read_path
from segue.workspace.suite_survey import SuiteSurvey

CheckScorers = Callable[[Workflow], list[Fault]]
"""The faults of a workflow's scorers, their paths from the root: `scorers[2].pattern`."""
MetricNames = Callable[[Workflow], list[str]]
"""The names of the metrics that the scorers without faults give."""

RESERVED_SLICES = ("case_kind", "critical")
"""What `when` and `--only` name beside the slices."""
CASE_KINDS = get_args(CaseKind)


def check_workflow(
    workflow: Workflow, document: Document, *, check_scorers: CheckScorers, metric_names: MetricNames
) -> Iterator[Fault]:
    """Everything that can be said of `workflow.yaml` without looking at bundles and suites."""
    own = check_scorers(workflow)
    for fault in own:
        place = read_path(fault.path or "scorers")
        yield document.fault(place, fault.what, fault.fix, likely=fault.likely, severity=fault.severity)
    has_all_metrics = not any(fault.severity == "error" for fault in own)
    metrics = metric_names(workflow)
    for name in workflow.slices:
        if name in RESERVED_SLICES or "=" in name:
            what = f"'{clipped(name)}' cannot be the name of a slice."
            yield document.fault(
                ("slices", name), what, f"Rename it: '=' and the words {listed(RESERVED_SLICES)} mean something else."
            )
    if not workflow.scorers:
        what = "The workflow has no scorers: nothing would be measured."
        yield document.fault((), what, "Add `scorers:`, for example `- {name: correct, type: exact}`.", severity="warning")
    elif not workflow.gate.primary:
        known = f" Metrics: {listed(metrics)}." if metrics else ""
        yield document.fault(
            ("gate",), "The gate has no primary metric: it could not decide.", f"Add `primary: [NAME]` to `gate`.{known}"
        )
    if has_all_metrics:
        yield from _check_gate(workflow, document, metrics)


def _check_gate(workflow: Workflow, document: Document, metrics: list[str]) -> Iterator[Fault]:
    for key, names in (("primary", workflow.gate.primary), ("guardrails", workflow.gate.guardrails)):
        for index, name in enumerate(names):
            if name not in metrics:
                what = f"No scorer gives the metric '{clipped(name)}'."
                fix = f"Metrics of the scorers: {listed(metrics) or 'none'}."
                yield document.fault(("gate", key, index), what, fix, likely=likely_name(name, metrics))
            if key == "guardrails" and name in workflow.gate.primary:
                what = f"'{clipped(name)}' is a primary metric and a guardrail."
                yield document.fault(("gate", key, index), what, "Keep it in one of the two.", severity="warning")
    for name in workflow.gate.margins:
        at = ("gate", "margins", name)
        if "=" in name:
            yield from _check_slice_name(workflow, document, at, name)
        elif name not in metrics:
            known = [*metrics, *(f"{key}={value}" for key, spec in workflow.slices.items() for value in spec.values)]
            what = f"'{clipped(name)}' is neither a metric nor a slice."
            yield document.fault(at, what, f"Name a metric or a slice: {listed(known)}.", likely=likely_name(name, known))


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


def check_coverage(workflow: Workflow, document: Document, survey: SuiteSurvey) -> Iterator[Fault]:
    """What the workflow's suite leaves out: critical slices without cases, declared values without cases, too few of a task."""
    for name, spec in workflow.slices.items():
        empty = [value for value in spec.values if not survey.slices[(name, value)]]
        for value in spec.critical:
            if not survey.slices[(name, value)]:
                what = f"The critical slice '{name}={clipped(value)}' has no cases in {survey.file}: it could not be judged."
                yield document.fault(("slices", name, "critical"), what, f"Add cases with {name}={clipped(value)}.")
        idle = [value for value in empty if value not in spec.critical]
        if idle:
            what = f"No case in {survey.file} has {listed(f'{name}={value}' for value in idle)}."
            yield document.fault(("slices", name), what, "Add cases, or delete the values.", severity="warning")
    wanted = workflow.gate.min_cases
    for task, count in sorted(survey.tasks.items()):
        if count < wanted:
            noun = "case" if count == 1 else "cases"
            what = f"The task '{clipped(task)}' has {count} {noun}; {wanted} are wanted before an upgrade is judged."
            fix = f"Add cases; `segue suite stats {workflow.name}` says which kinds are thin."
            yield Fault(what, fix, file=survey.file, severity="warning")
