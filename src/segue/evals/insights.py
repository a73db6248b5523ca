"""Looks behind the numbers: mechanical causes of new failures, hollow rises, the form of outputs, classes, judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from segue.drift import (
    Cause,
    RecordedRepair,
    diff_fingerprints,
    find_causes,
    fingerprint,
    flag_hollow_rise,
)
from segue.drift.pairs import MAX_INSPECTED, PairKey
from segue.evals.arms import PreparedArm, spec_of
from segue.evals.compare import Findings, Insights
from segue.evals.confidence import confidence_findings
from segue.evals.judge_standing import judge_standings
from segue.evals.pairs import StoredPairs
from segue.evals.scope import Scope
from segue.evidence.paired import PairedSample, test_difference
from segue.gates.findings import Finding
from segue.gates.report import CauseFinding, ClassRow, ClassTable, FormatShift, HollowRise, OneAnswer
from segue.gates.tally import TOTAL
from segue.model import Case, Exchange, ScorerSpec
from segue.scoring.base import Scorer
from segue.scoring.classes import ClassReport, summarise_classes
from segue.scoring.registry import build_scorers

MOST_SLICES = 3
"""Causes are looked for in the total, or in the worst slices, this many at most."""
MOST_FORMS = 4_000
"""The form of outputs is compared on this many pairs at most, evenly chosen."""
NEARLY_ALL, ONE_SIDED = 0.9, 0.2
"""A candidate gives one answer from this share on, if that is this much more than before and than would be right."""
SHIFT = 0.05
"""A trait of form that moved by less is not worth a line."""
MOST_CLASSES = 40
"""More labels than this are not classes."""
COMMON = 0.05
"""A cause that explains less than this share of the new failures, and one failure, is not worth a line."""


def look_behind(scope: Scope, found: Findings) -> Insights:
    """Everything beyond the numbers that the stored outputs tell."""
    gate = scope.question.workflow.gate
    gated = [one for one in found.findings if one.metric in (*gate.primary, *gate.guardrails)]
    causes: list[CauseFinding] = []
    hollow: list[HollowRise] = []
    failing, rising = list(_worth_a_cause(gated)), list(_worth_a_doubt(gated, gate.primary))
    scope = scope.sampled({TOTAL, *(one.where for one in (*failing, *rising))})
    for finding in failing:
        causes.extend(find_mechanical_causes(scope, finding))
    for finding in rising:
        hollow.extend(find_hollow_rise(scope, finding))
    primary = gate.primary[0] if gate.primary else None
    tables = tuple(class_tables(scope))
    return Insights(
        causes=tuple(causes),
        hollow=tuple(_without_repetition(hollow)),
        one_answers=tuple(one for one in map(find_one_answer, tables) if one is not None),
        judges=judge_standings(scope, found),
        confidence=tuple(confidence_findings(scope)),
        classes=tables,
        format_shifts=tuple(find_format_shifts(scope, primary)) if primary else (),
    )


def _worth_a_cause(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Per metric: the total if it fell, else its worst slices, else the total if it has new failures at all."""
    for metric in dict.fromkeys(one.metric for one in findings):
        own = [one for one in findings if one.metric == metric]
        total = [one for one in own if one.is_total]
        if any(one.verdict == "worse" for one in total):
            yield from total
            continue
        worse = sorted((one for one in own if one.verdict == "worse"), key=lambda one: one.gain or 0.0)
        yield from islice(worse, MOST_SLICES)
        if not worse:
            yield from (one for one in total if one.flips.only_old >= 5)


def _worth_a_doubt(findings: Sequence[Finding], primary: Sequence[str]) -> Iterator[Finding]:
    """Rises to look into: per primary metric the total, and the slices that rose most."""
    for metric in primary:
        rose = [one for one in findings if one.metric == metric and one.verdict == "better"]
        yield from (one for one in rose if one.is_total)
        slices = sorted((one for one in rose if not one.is_total), key=lambda one: -(one.gain or 0.0))
        yield from islice(slices, MOST_SLICES)


def find_mechanical_causes(scope: Scope, finding: Finding) -> list[CauseFinding]:
    """Causes of the new failures of one finding, the one that explains most first."""
    pairs = scope.pairs(finding.metric, finding.where)
    spec = spec_of(scope.question.workflow, finding.metric)
    if pairs is None or spec is None:
        return []
    scorer = scope.new.scorer_of(finding.metric)
    lower = finding.better_is == "lower"
    rescore = None
    if isinstance(scorer, Scorer) and spec.type != "recorded_label":
        fixed = scorer

        def rescore(case: Case, exchange: Exchange) -> bool | None:
            for score in fixed.score(case, exchange):
                if score.name == finding.metric and score.value is not None:
                    return score.value < 0.5 if lower else score.value > 0.5
            return None

    report = find_causes(pairs, rescore, _recorded_repairs(scope, spec, pairs, finding.metric, lower))
    found = []
    for cause in report.causes:
        share = cause.share_explained if cause.share_explained is not None else cause.share_affected
        if share < COMMON and (cause.n_explained or 0) <= 1:
            continue
        found.append(_cause_finding(finding, cause, cause.describe(report.counts), scope.question.workflow.gate.alpha))
    return found


def _cause_finding(finding: Finding, cause: Cause, sentence: str, alpha: float) -> CauseFinding:
    old_rate = new_rate = n = held = None
    if cause.repaired is not None and cause.repaired.counts.n:
        counts = cause.repaired.counts
        old_rate, new_rate, n = counts.old_rate, counts.new_rate, counts.n
        same = counts.n - counts.n_lost - counts.n_gained
        blocks = {(1, 1.0, 0.0): counts.n_lost, (1, 0.0, 1.0): counts.n_gained, (1, 1.0, 1.0): same}
        sample = PairedSample.from_blocks({key: value for key, value in blocks.items() if value})
        fell = test_difference(sample).p_lower <= alpha
        assert old_rate is not None, "a rate of pairs that are there is defined"
        assert new_rate is not None, "a rate of pairs that are there is defined"
        # Only of a score that fell can it be said that the form broke and not the ability.
        held = not fell and new_rate >= old_rate - finding.margin if finding.verdict == "worse" else None
    return CauseFinding(
        metric=finding.metric,
        where=finding.where,
        name=cause.name,
        sentence=sentence,
        n_failing=cause.n_inspected,
        n_present=cause.n_affected,
        n_explained=cause.n_explained or 0,
        present_share=cause.share_affected,
        explained_share=cause.share_explained,
        repaired_old=old_rate,
        repaired_new=new_rate,
        repaired_n=n,
        ability_held=held,
        examples=cause.examples,
    )


def _recorded_repairs(
    scope: Scope, spec: ScorerSpec, pairs: StoredPairs, metric: str, lower: bool
) -> Mapping[str, RecordedRepair] | None:
    """Labels recorded on repaired outputs, read with the scorer's own mapping."""
    if not spec.repaired:
        return None
    repairs = {}
    for repair, labeler in spec.repaired.items():
        renamed = spec.model_copy(update={"labeler": labeler})
        sides: list[dict[PairKey, float]] = []
        for arm, is_old in ((scope.old, True), (scope.new, False)):
            alone = scope.question.workflow.model_copy(update={"scorers": (renamed,)})
            scorer = build_scorers(alone, context=arm.context)[0]
            assert isinstance(scorer, Scorer), "a recorded label is read, not asked for"
            values: dict[PairKey, float] = {}
            for pair in pairs:
                for score in scorer.score(pair.case, pair.old if is_old else pair.new):
                    if score.name == metric and score.value is not None:
                        values[pair.key] = 1 - score.value if lower else score.value
            sides.append(values)
        repairs[repair] = RecordedRepair(old=sides[0], new=sides[1])
    return repairs


def find_hollow_rise(scope: Scope, finding: Finding) -> list[HollowRise]:
    """Whether a rise is one of outputs that say nothing."""
    pairs = scope.pairs(finding.metric, finding.where, most=MAX_INSPECTED)
    rise = flag_hollow_rise(pairs) if pairs is not None else None
    if rise is None:
        return []
    share = rise.n_newly_passing_hollow / rise.n_newly_passing if rise.n_newly_passing else 0.0
    where = f"{finding.where}: " if finding.where else ""
    return [
        HollowRise(
            finding.metric, finding.where, where + rise.describe(), rise.n_newly_passing, rise.n_newly_passing_hollow, share
        )
    ]


def _without_repetition(rises: Sequence[HollowRise]) -> list[HollowRise]:
    """A rise that is hollow in total needs no line for each slice."""
    totals = {one.metric for one in rises if one.where == TOTAL}
    return [one for one in rises if one.where == TOTAL or one.metric not in totals]


def find_format_shifts(scope: Scope, metric: str) -> list[FormatShift]:
    """Traits of form that one arm has more often, on up to `MOST_FORMS` pairs."""
    pairs = scope.pairs(metric, most=MOST_FORMS)
    if pairs is None:
        return []
    forms = [(fingerprint(one.old.reply), fingerprint(one.new.reply)) for one in pairs if one.old.reply and one.new.reply]
    shifts = diff_fingerprints([before for before, _ in forms], [after for _, after in forms])
    return [
        FormatShift(one.trait, one.n_old / one.n, one.n_new / one.n, one.n)
        for one in shifts
        if one.n and abs(one.share_change) >= SHIFT
    ]


def class_tables(scope: Scope) -> Iterator[ClassTable]:
    """Per-class figures of label scorers whose cases name a reference class."""
    for spec in scope.question.workflow.scorers:
        if spec.type != "label":
            continue
        reports = []
        for arm in (scope.old, scope.new):
            scorer = arm.scorer_of(spec.name)
            if scorer is not None:
                reports.append(summarise_classes(_references(scope, arm, arm.key_of(scorer), spec.name)))
        if (
            len(reports) == 2
            and all(one.classes for one in reports)
            and max(len(one.classes) for one in reports) <= MOST_CLASSES
        ):
            yield _class_table(spec.name, reports[0], reports[1])


def find_one_answer(table: ClassTable) -> OneAnswer | None:
    """Whether the candidate gives one answer nearly always, over a suite that asks for several."""
    totals = [sum(map(sum, confusion)) for confusion in (table.old_confusion, table.new_confusion)]
    if len([one for one in table.new if one.support]) < 2 or not all(totals):
        return None
    for index, label in enumerate(table.labels):
        before, after = (
            sum(row[index] for row in confusion) / total
            for confusion, total in zip((table.old_confusion, table.new_confusion), totals, strict=True)
        )
        wanted = sum(table.new_confusion[index]) / totals[1]
        if after >= NEARLY_ALL and after - before >= ONE_SIDED and after - wanted >= ONE_SIDED:
            sentence = (
                f"The candidate says '{label}' on {after:.0%} of the cases, whatever is asked (before: {before:.0%}; "
                f"right would be {wanted:.0%})."
            )
            return OneAnswer(table.metric, label, before, after, totals[1], sentence)
    return None


def _references(scope: Scope, arm: PreparedArm, digest: str, metric: str) -> Iterator[tuple[str, str | None]]:
    scores = scope.store.iter_scores(arm.behaviour, digest)
    row = next(scores, None)
    for case in scope.store.iter_cases(scope.question.suite):
        while row is not None and row[0] < case.case_id:
            row = next(scores, None)
        while row is not None and row[0] == case.case_id:
            if row[1] == case.input_digest and row[2] == 0 and isinstance(case.reference, str):
                label = next((one.label for one in row[3] if one.name == metric), None)
                yield case.reference, label
            row = next(scores, None)


def _class_table(metric: str, old: ClassReport, new: ClassReport) -> ClassTable:
    labels = tuple(dict.fromkeys([one.label for one in (*old.classes, *new.classes)]))
    columns = (*labels, None)

    def rows(report: ClassReport) -> tuple[ClassRow, ...]:
        by = {one.label: one for one in report.classes}
        return tuple(
            ClassRow(name, by[name].support, by[name].precision, by[name].recall, by[name].f1)
            if name in by
            else ClassRow(name, 0, None, None, None)
            for name in labels
        )

    def confusion(report: ClassReport) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(report.confusion.get((name, said), 0) for said in columns) for name in labels)

    return ClassTable(metric, labels, rows(old), rows(new), confusion(old), confusion(new))
