"""What judges were asked about two arms, and what it cost; and of pairwise judges, who won how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.evals.arms import PreparedArm, spec_of
from segue.evals.comparable import ASKED_TYPES
from segue.evals.pair_pass import preference_of
from segue.evals.scope import Scope
from segue.evidence.agreement import Estimate
from segue.evidence.flips import FlipCounts
from segue.evidence.judge_calibration import JudgeCalibration
from segue.evidence.judge_rates import correct_rate
from segue.evidence.paired import PairedSample
from segue.evidence.preferences import summarise_preferences
from segue.evidence.verdict_means import clustered_flips
from segue.gates.report import Judging, Preferences
from segue.gates.tally import CONFIRMATION
from segue.model import Json, Score
from segue.scoring.pairs import PairScorer, PairwisePreference

Costs = dict[str, float | None]
"""Question → what its answer cost: one that served twice was paid once."""


def judging_of(scope: Scope) -> tuple[Judging, ...]:
    """One entry per judge that is asked by Segue, from its stored scores on the cases that are compared."""
    found = []
    for scorer in scope.new.scorers:
        spec = spec_of(scope.question.workflow, scorer.identity.name)
        if spec is not None and spec.type in ASKED_TYPES:
            found.append(_judging(scope, spec.name, spec.type, is_pair=isinstance(scorer, PairScorer)))
    return tuple(found)


def _judging(scope: Scope, metric: str, kind: str, *, is_pair: bool) -> Judging:
    costs: Costs = {}
    verdicts = silent = 0
    preferences: dict[str, PairwisePreference] = {}
    # Of a pair the new arm's score says everything, and the old arm's the same turned round.
    for arm in (scope.new,) if is_pair else (scope.old, scope.new):
        for case_id, repeat, score in _scores(scope, arm, metric):
            verdicts += score.value is not None
            silent += score.value is None
            costs.update(_costs_of(score.detail))
            if is_pair and repeat < CONFIRMATION:
                preferences.setdefault(case_id, preference_of(case_id, score))
    known = [cost for cost in costs.values() if cost is not None]
    return Judging(
        metric,
        kind,
        verdicts,
        silent,
        len(costs),
        sum(known) if len(known) == len(costs) else None,
        _preferences(list(preferences.values())) if is_pair else None,
    )


def _scores(scope: Scope, arm: PreparedArm, metric: str) -> Iterator[tuple[str, int, Score]]:
    """The judge's scores of one arm on the cases as they are now, lower repeats first."""
    scorer = arm.scorer_of(metric)
    assert scorer is not None, "both arms have the same scorers"
    side = scope.question.old if arm is scope.old else scope.question.new
    question = scope.question
    wanted = {
        row.case_id: row.input_digest
        for row in scope.store.iter_case_rows(question.suite)
        if question.only.admits(row) and question.applies(metric, row)
    }
    for case_id, digest, repeat, scores in scope.store.iter_scores(arm.behaviour, arm.key_of(scorer)):
        if wanted.get(case_id) == digest and (side.ref.repeats is None or repeat in side.ref.repeats):
            yield from ((case_id, repeat, score) for score in scores if score.name == metric)


def _costs_of(detail: Json) -> Costs:
    """The questions behind a score; of a pair, those of both orders."""
    if not isinstance(detail, dict):
        return {}
    asked = detail.get("asked")
    found: Costs = dict(asked) if isinstance(asked, dict) else {}
    for order in ("old_first", "new_first"):
        found |= _costs_of(detail.get(order))
    return found


def _preferences(preferences: Sequence[PairwisePreference]) -> Preferences:
    summary = summarise_preferences(preferences)
    return Preferences(
        n=summary.n,
        wins=summary.wins,
        ties=summary.ties,
        losses=summary.losses,
        identical=summary.n_identical,
        preference=summary.score.value,
        low=summary.score.low,
        high=summary.score.high,
        p=summary.p,
        inconsistent=summary.inconsistency.value,
        position_bias=summary.position_bias.value,
        favoured_first=summary.favoured_first,
        sentence=summary.sentence(),
    )


def correct_preference(
    scope: Scope, metric: str, sample: PairedSample, calibration: JudgeCalibration, level: float
) -> Estimate:
    """Wins less losses with the judge's errors taken out: what people prefer on the new arm, less what they prefer on the old.

    One verdict stands behind both shares, and the labels of both arms may be of the same pairs, so nothing is gained from
    taking their errors as independent: the intervals are joined as if they always pulled the same way (Zou 2008 with a
    correlation of −1). Clusters of `sample` count as if all of their cases agreed.
    """
    found = next((one.preferences for one in judging_of(scope) if one.metric == metric), None)
    if found is None or not found.n:
        return Estimate.unknown("No pair was judged.")
    table = clustered_flips(FlipCounts(0, found.losses, found.wins, found.ties), sample)
    old = correct_rate(table.only_old, table.n, calibration.old.counts, level).corrected
    new = correct_rate(table.only_new, table.n, calibration.new.counts, level).corrected
    if old.value is None or new.value is None:
        return Estimate.unknown(old.reason or new.reason)
    before, after = old.numbers, new.numbers
    return Estimate(after[0] - before[0], after[1] - before[2], after[2] - before[1], found.n)


def preference_notes(judging: Sequence[Judging]) -> Iterator[str]:
    """Wins, ties and losses in words, for every way a report is shown."""
    for one in judging:
        if one.preferences is not None and one.preferences.n:
            yield f"{one.metric} compares the two answers of a case. {one.preferences.sentence}"
