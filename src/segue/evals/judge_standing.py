"""Whether judged metrics may gate: each judge is held against people's labels on both arms' outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.errors import Fault, InputError
from segue.evals.arms import PreparedArm
from segue.evals.scope import Scope
from segue.evidence.judge_calibration import JudgeCalibration, LabelPair, calibrate_judge
from segue.evidence.judge_labels import calibration_from_labels
from segue.evidence.judge_rates import correct_difference
from segue.gates.findings import Finding
from segue.gates.report import JudgeStanding, plain
from segue.model import ScorerSpec

JUDGED_TYPES = ("judge", "pairwise")
JUDGE_PREFIX = "judge:"
"""Recorded labels of a labeler with this prefix come from a judge."""


def is_judged(spec: ScorerSpec) -> bool:
    """Whether the scores come from a judge model."""
    labeler = spec.settings().get("labeler")
    return spec.type in JUDGED_TYPES or (
        spec.type == "recorded_label" and isinstance(labeler, str) and labeler.startswith(JUDGE_PREFIX)
    )


def judge_standings(scope: Scope, findings: Sequence[Finding]) -> tuple[JudgeStanding, ...]:
    """One standing per judged scorer of the workflow. Without human labels to hold it against, a judge may not gate."""
    totals = {one.metric: one for one in findings if one.is_total}
    specs = [spec for spec in scope.question.workflow.scorers if is_judged(spec)]
    return tuple(_standing(scope, spec, totals.get(spec.name)) for spec in specs)


def _standing(scope: Scope, spec: ScorerSpec, total: Finding | None) -> JudgeStanding:
    if spec.calibrate is None:
        return JudgeStanding(
            spec.name,
            False,
            ("It was never held against people's labels: the scorer has no calibrate setting.",),
        )
    calibration = calibrate_scorer(scope, spec)
    corrected = None
    if total is not None and total.is_binary:
        level = 1 - 2 * scope.question.workflow.gate.alpha
        flips = total.flips if total.better_is == "higher" else total.flips.mirrored()
        corrected = correct_difference(flips, calibration.old.counts, calibration.new.counts, level)
    return JudgeStanding(
        spec.name,
        calibration.may_gate,
        tuple(calibration.sentences()),
        plain(calibration),
        None if corrected is None else corrected.corrected.value,
        None if corrected is None else corrected.corrected.low,
        None if corrected is None else corrected.corrected.high,
    )


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
