"""Whether judged metrics may gate: each judge is held against people's labels on both arms' outputs."""

from __future__ import annotations

from collections.abc import Iterator

from segue.errors import Fault, InputError
from segue.evals.arms import PreparedArm
from segue.evals.compare import Findings
from segue.evals.judgements import correct_preference
from segue.evals.scope import Scope
from segue.evidence.agreement import Estimate
from segue.evidence.judge_calibration import JudgeCalibration, LabelPair, calibrate_judge
from segue.evidence.judge_labels import calibration_from_labels
from segue.evidence.judge_rates import correct_difference
from segue.evidence.verdict_means import PairedTable, clustered_flips, mean_verdicts
from segue.gates.report import JudgeStanding, plain
from segue.model import ScorerSpec
from segue.scoring.label_roles import role_of

JUDGED_TYPES = ("judge", "pairwise")


def is_judged(spec: ScorerSpec) -> bool:
    """Whether the scores come from a judge model: one that is asked, or whose labels were recorded."""
    if spec.type != "recorded_label":
        return spec.type in JUDGED_TYPES
    settings = spec.settings()
    return role_of(str(settings.get("labeler", "")), settings.get("role")) == "judge"


def judge_standings(scope: Scope, found: Findings) -> tuple[JudgeStanding, ...]:
    """One standing per judged scorer of the workflow. Without human labels to hold it against, a judge may not gate."""
    return tuple(_standing(scope, spec, found) for spec in scope.question.workflow.scorers if is_judged(spec))


def _standing(scope: Scope, spec: ScorerSpec, found: Findings) -> JudgeStanding:
    if spec.calibrate is None:
        return JudgeStanding(
            spec.name,
            False,
            ("It was never held against people's labels: the scorer has no calibrate setting.",),
        )
    calibration = calibrate_scorer(scope, spec)
    corrected = Estimate.unknown("Nothing was judged.")
    table = _verdicts(scope, spec, found)
    level = 1 - 2 * scope.question.workflow.gate.alpha
    if spec.type == "pairwise":
        corrected = correct_preference(scope, spec.name, found.tally.cell(spec.name).sample(), calibration, level)
    elif table is not None:
        corrected = correct_difference(table, calibration.old.counts, calibration.new.counts, level).corrected
    return JudgeStanding(
        spec.name,
        calibration.may_gate,
        tuple(calibration.sentences()),
        plain(calibration),
        corrected.value,
        corrected.low,
        corrected.high,
    )


def _verdicts(scope: Scope, spec: ScorerSpec, found: Findings) -> PairedTable | None:
    """What the judge said yes to on either arm, over all cases; `None` where it said nothing, or compared the arms itself.

    Grades are a yes above the middle of their scale, since that is what the judge was calibrated on.
    """
    total = next((one for one in found.findings if one.is_total and one.metric == spec.name), None)
    if total is None or not total.n or spec.type == "pairwise":
        return None
    # The finding counts as right what is wanted; a judge says yes whether that is wanted or not.
    flips = total.flips if total.better_is == "higher" else total.flips.mirrored()
    if total.is_binary:
        return flips
    sample = found.tally.cell(spec.name).sample()
    is_graded = any(one.name == spec.name and one.unit == "score" for one in scope.question.metrics)
    return clustered_flips(flips, sample) if is_graded else mean_verdicts(sample)


def calibrate_scorer(scope: Scope, spec: ScorerSpec) -> JudgeCalibration:
    """Hold the judge of `spec` against the labels of `spec.calibrate.against` on both arms.

    `InputError` for a label that the map leaves out.
    """
    assert spec.calibrate is not None, "only a scorer with a calibrate setting is calibrated"
    names = (scope.old.arm.label, scope.new.arm.label)
    if spec.type == "recorded_label":
        return calibration_from_labels(
            scope.store.iter_labels(scope.old.behaviour),
            scope.store.iter_labels(scope.new.behaviour),
            human=spec.calibrate.against,
            judge=str(spec.settings()["labeler"]),
            mapping=spec.calibrate.map,
            names=names,
        )
    return calibrate_judge(
        list(_scored_pairs(scope, scope.old, spec)), list(_scored_pairs(scope, scope.new, spec)), names=names
    )


def _scored_pairs(scope: Scope, arm: PreparedArm, spec: ScorerSpec) -> Iterator[LabelPair]:
    """People's label and the judge's score of the same output, one pair per case."""
    assert spec.calibrate is not None
    people: dict[str, int] = {}
    faults = []
    for label in scope.store.iter_labels(arm.behaviour, spec.calibrate.against):
        if label.repeat not in (None, 0):
            continue
        if label.label in spec.calibrate.map:
            people[label.case_id] = spec.calibrate.map[label.label]
        else:
            what = f"The label that {label.labeler} gave to case {label.case_id} is not in the map of '{spec.name}'."
            faults.append(Fault(what, "Add it to calibrate.map in workflow.yaml, as 1 or 0."))
    if faults:
        raise InputError.from_faults(faults, subject="the calibration labels")
    said: dict[str, int] = {}
    scorer = arm.scorer_of(spec.name)
    for case_id, _, repeat, scores in scope.store.iter_scores(arm.behaviour, arm.key_of(scorer)) if scorer else ():
        value = next((one.value for one in scores if one.name == spec.name), None)
        if repeat == 0 and case_id in people and value is not None:
            said[case_id] = int(value > 0.5)
    # Silence on an output that people labelled is an unusable verdict, not a pair less.
    for case_id, label_of_people in people.items():
        yield label_of_people, said.get(case_id)
