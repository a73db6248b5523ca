"""How well each arm's confidence tells right from wrong, and the threshold that keeps the old operating point."""

from __future__ import annotations

from collections.abc import Iterator

from segue.evals.arms import PreparedArm
from segue.evals.scope import Scope
from segue.evidence.calibration import Answer, compare_reliability
from segue.evidence.operating_point import keep_operating_point
from segue.gates.report import ConfidenceFinding, plain
from segue.model import ScorerSpec


def confidence_findings(scope: Scope) -> Iterator[ConfidenceFinding]:
    """One finding per confidence scorer, held against the first primary metric that gives right and wrong."""
    primary = scope.question.workflow.gate.primary
    for spec in scope.question.workflow.scorers:
        if spec.type == "confidence" and primary and spec.name not in primary:
            finding = _finding(scope, spec, primary[0])
            if finding is not None:
                yield finding


def _finding(scope: Scope, spec: ScorerSpec, primary: str) -> ConfidenceFinding | None:
    right = scope.pairs(primary)
    if right is None:
        return None
    old_values, new_values = (dict(_confidences(scope, arm, spec.name)) for arm in (scope.old, scope.new))
    old: list[Answer] = []
    new: list[Answer] = []
    for pair in right:
        case_id = pair.case.case_id
        old.append(Answer(old_values.get(case_id), None if pair.old_right is None else int(pair.old_right)))
        new.append(Answer(new_values.get(case_id), None if pair.new_right is None else int(pair.new_right)))
    shift = compare_reliability(old, new)
    settings = spec.settings()
    threshold, keep = settings.get("threshold"), settings.get("keep", "precision")
    point = None if threshold is None else keep_operating_point(old, new, threshold=float(threshold), keep=keep)
    sentences = [f"{scope.old.arm.label}: {shift.old.sentence()}", f"{scope.new.arm.label}: {shift.new.sentence()}"]
    if point is not None:
        sentences.append(point.sentence())
    return ConfidenceFinding(
        metric=spec.name,
        old_ece=shift.old.ece,
        new_ece=shift.new.ece,
        brier_worse=shift.brier.low is not None and shift.brier.low > 0,
        old_threshold=None if point is None else point.old_threshold,
        threshold=None if point is None else point.threshold,
        sentences=tuple(sentences),
        figures=plain({"calibration": shift, "operating_point": point}),
    )


def _confidences(scope: Scope, arm: PreparedArm, metric: str) -> Iterator[tuple[str, float]]:
    """The confidence of each case's first run."""
    scorer = arm.scorer_of(metric)
    if scorer is None:
        return
    for case_id, _, repeat, scores in scope.store.iter_scores(arm.behaviour, arm.key_of(scorer)):
        value = next((one.value for one in scores if one.name == metric), None)
        if repeat == 0 and value is not None:
            yield case_id, value
