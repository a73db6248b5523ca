"""Compares two stored arms on one suite and judges them: the product's main question, answered from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segue.evals.slicing import CaseFilter, SlicePlan, plan_slices
from segue.evals.walk import ArmRef, WalkedCase, walk
from segue.gates.decision import choose_watch, decide, recommend
from segue.gates.findings import Finding, judge_findings
from segue.gates.operations import Operation, compare_amounts, judge_operations
from segue.gates.report import (
    Arm,
    CauseFinding,
    ClassTable,
    ConfidenceFinding,
    Coverage,
    FormatShift,
    HollowRise,
    JudgeStanding,
    OneAnswer,
    Report,
)
from segue.gates.tally import CONFIRMATION, TOTAL, Observed, Tally
from segue.gates.verdict import Outcome
from segue.model import Json, Metric, Workflow
from segue.store.base import ArmRow, CaseRow, Store

AMOUNTS: tuple[tuple[str, str, str], ...] = (
    ("latency", "ms", "latency_ms"),
    ("ttft", "ms", "ttft_ms"),
    ("cost", "microusd", "cost_microusd"),
    ("input_tokens", "tokens", "input_tokens"),
    ("output_tokens", "tokens", "output_tokens"),
    ("reasoning_tokens", "tokens", "reasoning_tokens"),
)
"""What every exchange carries, whatever the scorers: name, unit, field of an arm row."""


@dataclass(frozen=True)
class Side:
    """One arm as the comparison is told of it."""

    arm: Arm
    ref: ArmRef


CostOf = Callable[[ArmRow], float | None]
"""Cost of one exchange in millionths of a dollar, from its tokens; `None` where they or the price are unknown."""


@dataclass(frozen=True)
class Question:
    """What is compared: the workflow, both sides, the suite, and the metrics its scorers give.

    `reprice` works out the costs of the old and the new arm anew, where they were paid by different price lists.

    `applies` says of a case and a metric whether it is asked. `workflow.gate.primary` must name at least one metric to gate.
    """

    workflow: Workflow
    old: Side
    new: Side
    suite: str
    suite_name: str
    metrics: Sequence[Metric]
    scorers: Mapping[str, str]
    applies: Callable[[str, CaseRow], bool]
    only: CaseFilter = field(default_factory=lambda: CaseFilter({}))
    signed_off: str | None = None
    reprice: tuple[CostOf, CostOf] | None = None


@dataclass(frozen=True)
class Findings:
    """What the walk found, before causes and judges are looked into."""

    tally: Tally
    slices: SlicePlan
    findings: tuple[Finding, ...]
    operations: dict[str, Operation]
    coverage: Coverage


@dataclass(frozen=True)
class Insights:
    """What is known beyond the numbers: causes, hollow rises, judges, classes, the form of the outputs."""

    causes: tuple[CauseFinding, ...] = ()
    hollow: tuple[HollowRise, ...] = ()
    one_answers: tuple[OneAnswer, ...] = ()
    judges: tuple[JudgeStanding, ...] = ()
    confidence: tuple[ConfidenceFinding, ...] = ()
    classes: tuple[ClassTable, ...] = ()
    format_shifts: tuple[FormatShift, ...] = ()


def gather(store: Store, question: Question, *, on_case: Callable[[WalkedCase], None] | None = None) -> Findings:
    """Walk both arms once and judge every metric on every slice. `on_case` sees each case that was walked."""
    workflow = question.workflow
    slices = plan_slices(workflow, filter(question.only.admits, store.iter_case_rows(question.suite)))
    better = {metric.name: metric.better for metric in question.metrics}
    bounded = [metric.name for metric in question.metrics if metric.is_bounded]
    units = {metric.name: metric.unit for metric in question.metrics if not metric.is_bounded}
    tally = Tally(bounded=bounded, better=better)
    amounts = Tally(bounded=(), better={name: "lower" for name, _, _ in AMOUNTS})
    count = _Counting()
    costs_of = question.reprice or (_paid, _paid)
    for walked in walk(store, question.suite, question.old.ref, question.new.ref):
        if not question.only.admits(walked.row):
            continue
        count.add(walked)
        old, new = [_observe(row) for row in walked.old], [_observe(row) for row in walked.new]
        tally.add(
            task=walked.row.task,
            kind=walked.row.kind,
            slices=slices.of(walked.row),
            applicable={name: question.applies(name, walked.row) for name in bounded},
            cluster=walked.row.cluster,
            old=old,
            new=new,
        )
        amounts.add(
            task=walked.row.task,
            kind=walked.row.kind,
            slices=(),
            applicable=None,
            cluster=None,
            old=[_amounts_of(row, costs_of[0]) for row in walked.old],
            new=[_amounts_of(row, costs_of[1]) for row in walked.new],
        )
        if on_case is not None:
            on_case(walked)
    gated = (*workflow.gate.primary, *workflow.gate.guardrails)
    findings = judge_findings(tally, workflow.gate, gated=gated, critical=slices.critical)
    operations: dict[str, Operation] = {}
    for name, unit, _ in AMOUNTS:
        cell = amounts.cell(name)
        operations[name] = compare_amounts(name, unit, cell.old_values, cell.new_values)
    for name, unit in units.items():
        cell = tally.cell(name)
        operations.setdefault(name, compare_amounts(name, unit, cell.old_values, cell.new_values))
    return Findings(tally, slices, findings, operations, count.coverage(tally))


def conclude(
    question: Question, found: Findings, insights: Insights, *, at: str, run: str | None = None, notes: Iterable[str] = ()
) -> Report:
    """Apply the decision table and put everything into one report."""
    settings = question.workflow.gate
    outcome, reasons = decide(
        found.findings,
        settings=settings,
        by_task=found.tally.by_task,
        operation_reasons=judge_operations(
            found.operations, question.workflow.budgets, settings, signed_off=question.signed_off is not None
        ),
        judges=insights.judges,
        hollow=insights.hollow,
        one_answers=insights.one_answers,
        confidence=insights.confidence,
        critical=found.slices.critical,
        only=question.only.wanted,
    )
    recommendation, why = recommend(
        found.findings,
        found.operations,
        settings,
        sunset=question.old.arm.retires,
        outcome=outcome,
        judges=insights.judges,
    )
    remarks = [*found.slices.notes, *notes, *(line for one in insights.confidence for line in one.sentences)]
    if question.signed_off:
        remarks.append(f"The cost is signed for by {question.signed_off}.")
    return Report(
        workflow=question.workflow.name,
        at=at,
        incumbent=question.old.arm,
        candidate=question.new.arm,
        suite=question.suite,
        suite_name=question.suite_name,
        n_cases=found.tally.n_cases,
        outcome=outcome,
        headline=headline(outcome, found.findings, insights, settings.primary),
        reasons=reasons,
        recommendation=recommendation,
        recommendation_why=why,
        findings=found.findings,
        operations=tuple(found.operations.values()),
        coverage=found.coverage,
        watch=choose_watch(found.findings, settings),
        causes=insights.causes,
        hollow=insights.hollow,
        one_answers=insights.one_answers,
        judges=insights.judges,
        confidence=insights.confidence,
        classes=insights.classes,
        format_shifts=insights.format_shifts,
        scorers=question.scorers,
        settings=_settings(question),
        run=run,
        notes=tuple(remarks),
    )


HEADLINES: dict[Outcome, str] = {
    "pass": "Go on to staging and shadow.",
    "caution": "Go on with care: something is named below that has to be watched.",
    "hold": "Wait: the evidence is not enough to go on.",
    "fail": "Do not go on: harm is shown.",
}


def headline(outcome: Outcome, findings: Sequence[Finding], insights: Insights, primary: Sequence[str]) -> str:
    """One sentence a product manager understands."""
    text = HEADLINES[outcome]
    totals = [one for one in findings if one.where == TOTAL and one.metric in primary]
    if outcome in ("fail", "caution") and totals:
        worse = [one for one in findings if one.verdict == "worse" and one.where != TOTAL and one.metric in primary]
        fell = any(one.verdict == "worse" for one in totals)
        rose = any(one.verdict == "better" for one in totals)
        if rose and worse:
            text = f"Better in total, worse on {_list(worse)}."
        elif fell and {one.metric for one in findings if one.is_total and one.is_gated and one.verdict == "worse"} <= {
            one.metric for one in insights.causes if one.ability_held and one.where == TOTAL
        }:
            text = "The format broke, the ability did not: repair the form before judging the model."
        elif fell:
            text = "Quality falls in total."
        elif worse:
            text = f"The total holds, but {_list(worse)} got worse."
    return text


def _list(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(one.where for one in findings))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more slices" if len(names) > 3 else "")


def _observe(row: ArmRow) -> Observed:
    return Observed(row.repeat, row.scores, failed=row.status == "failure")


def _paid(row: ArmRow) -> float | None:
    return row.cost_microusd


def _amounts_of(row: ArmRow, cost_of: CostOf) -> Observed:
    values = {name: getattr(row, attribute) for name, _, attribute in AMOUNTS}
    values["cost"] = cost_of(row)
    return Observed(row.repeat, values, row.status == "failure")


def _settings(question: Question) -> Json:
    return {
        "gate": question.workflow.gate.model_dump(mode="json"),
        "budgets": question.workflow.budgets.model_dump(mode="json", exclude_none=True),
        "only": {name: sorted(values) for name, values in question.only.wanted.items()},
        "signed_off": question.signed_off,
        "incumbent_repeats": _repeats(question.old.ref),
        "candidate_repeats": _repeats(question.new.ref),
    }


def _repeats(ref: ArmRef) -> list[int] | None:
    return None if ref.repeats is None else sorted(ref.repeats)


class _Counting:
    """Counts which cases the arms have in common."""

    def __init__(self) -> None:
        self.suite = self.common = self.only_old = self.only_new = self.neither = 0
        self.old_errored = self.new_errored = self.stale = self.repeats = 0

    def add(self, walked: WalkedCase) -> None:
        self.suite += 1
        has_old = any(row.status == "reply" for row in walked.old)
        has_new = any(row.status == "reply" for row in walked.new)
        self.common += has_old and has_new
        self.only_old += has_old and not has_new
        self.only_new += has_new and not has_old
        self.neither += not has_old and not has_new
        self.old_errored += bool(walked.old) and not has_old
        self.new_errored += bool(walked.new) and not has_new
        self.stale += walked.stale_old + walked.stale_new
        for rows in (walked.old, walked.new):
            self.repeats = max(self.repeats, sum(row.repeat < CONFIRMATION for row in rows))

    def coverage(self, tally: Tally) -> Coverage:
        return Coverage(
            suite=self.suite,
            common=self.common,
            only_old=self.only_old,
            only_new=self.only_new,
            neither=self.neither,
            old_errored=self.old_errored,
            new_errored=self.new_errored,
            stale=self.stale,
            repeats=self.repeats,
            by_task=dict(sorted(tally.by_task.items())),
            by_kind=dict(sorted(tally.by_kind.items())),
        )
