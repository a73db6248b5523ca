"""Compares two stored arms on one suite and judges them: the product's main question, answered from the store alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segue.evals.amounts import AMOUNTS, Amounts, CostOf
from segue.evals.pair_pass import compared_alone
from segue.evals.slicing import CaseFilter, SlicePlan, plan_slices
from segue.evals.walk import ArmRef, WalkedCase, walk
from segue.gates.decision import decide
from segue.gates.findings import Finding, judge_findings
from segue.gates.operations import Operation, compare_amounts, judge_operations
from segue.gates.recommendation import recommend
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
from segue.gates.reruns import tell_reruns
from segue.gates.tally import CONFIRMATION, TOTAL, Observed, Tally
from segue.gates.too_few import tell_too_small
from segue.gates.verdict import Outcome
from segue.gates.watch import choose_watch
from segue.model import Json, Metric, Workflow
from segue.store.base import ArmRow, CaseRow, Store


@dataclass(frozen=True)
class Side:
    """One arm as the comparison is told of it."""

    arm: Arm
    ref: ArmRef


@dataclass(frozen=True)
class Question:
    """What is compared: the workflow, both sides, the suite, and the metrics its scorers give.

    `reprice` works out the costs of the old and the new arm anew, where they were paid by different price lists.

    `pairwise` are the metrics that compare the outputs of both arms.

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
    pairwise: frozenset[str] = frozenset()


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
    slices = plan_slices(workflow, filter(question.only.admits, store.iter_case_rows(question.suite)), question.only)
    better = {metric.name: metric.better for metric in question.metrics}
    bounded = [metric.name for metric in question.metrics if metric.is_bounded]
    units = {metric.name: metric.unit for metric in question.metrics if not metric.is_bounded}
    tally = Tally(bounded=bounded, better=better)
    before, after = (Amounts(cost_of) for cost_of in question.reprice or (None, None))
    count = _Counting()
    for walked in walk(store, question.suite, question.old.ref, question.new.ref):
        if not question.only.admits(walked.row):
            continue
        count.add(walked)
        old, new = [_observe(row) for row in walked.old], [_observe(row) for row in walked.new]
        if question.pairwise:
            old = compared_alone(question.pairwise, walked.old, walked.new, old)
            new = compared_alone(question.pairwise, walked.new, walked.old, new)
        tally.add(
            task=walked.row.task,
            kind=walked.row.kind,
            slices=slices.of(walked.row),
            applicable={name: question.applies(name, walked.row) for name in bounded},
            cluster=walked.row.cluster,
            old=old,
            new=new,
        )
        before.add(walked.old)
        after.add(walked.new)
        if on_case is not None:
            on_case(walked)
    gated = (*workflow.gate.primary, *workflow.gate.guardrails)
    findings = judge_findings(tally, workflow.gate, gated=gated, critical=slices.critical, part=question.only.part)
    operations: dict[str, Operation] = {}
    for name, unit, _ in AMOUNTS:
        operations[name] = compare_amounts(name, unit, before.spread(name), after.spread(name))
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
        is_part=bool(question.only.wanted),
    )
    too_small = tell_too_small(found.findings, settings, is_part=bool(question.only.wanted))
    remarks = [
        *found.slices.notes,
        *notes,
        *tell_reruns(found.findings, settings.primary, runs=found.coverage.repeats),
        *(() if too_small is None else (too_small,)),
        *(line for one in insights.confidence for line in one.sentences),
    ]
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
        headline=headline(outcome, found.findings, insights, settings.primary, is_part=bool(question.only.wanted)),
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


def headline(
    outcome: Outcome, findings: Sequence[Finding], insights: Insights, primary: Sequence[str], *, is_part: bool = False
) -> str:
    """One sentence a product manager understands. `is_part`: what was judged is a part of the suite, which has no total."""
    text = HEADLINES[outcome]
    totals = [one for one in findings if one.where == TOTAL and one.metric in primary]
    worse = [one for one in findings if one.verdict == "worse" and one.where != TOTAL and one.metric in primary]
    if is_part:
        return f"Worse on {_list(worse)}." if worse and outcome in ("fail", "caution") else text
    if outcome in ("fail", "caution") and totals:
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
        has_old, has_new = self._look_at(walked.old), self._look_at(walked.new)
        self.common += has_old and has_new
        self.only_old += has_old and not has_new
        self.only_new += has_new and not has_old
        self.neither += not has_old and not has_new
        self.old_errored += bool(walked.old) and not has_old
        self.new_errored += bool(walked.new) and not has_new
        self.stale += walked.stale_old + walked.stale_new

    def _look_at(self, rows: Sequence[ArmRow]) -> bool:
        """Whether an arm replied to a case at all; counts its runs."""
        has_reply, runs = False, 0
        for row in rows:
            has_reply = has_reply or row.status == "reply"
            runs += row.repeat < CONFIRMATION
        if runs > self.repeats:
            self.repeats = runs
        return has_reply

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
