"""The LLM judge as a scorer: pointwise (`judge`), and pairwise with both orders (`pairwise`).

A judge is advisory until it is calibrated against people on both models' outputs (`segue.evidence.judge_calibration`). Its
identity holds model, rubric, prompt version and parameters, so that two arms judged differently are never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from segue.model import Case, Exchange, Json, Metric, Score, ScorerSpec
from segue.scoring.base import ScorerIdentity
from segue.scoring.context import ScoringContext
from segue.scoring.declared import judge_metrics, pairwise_metrics
from segue.scoring.judge_asking import Answered, Judge, JudgeSettings, Silence, identify_judge, read_judge, score_of
from segue.scoring.judge_prompts import PassFail, Points, Prefer, Verdict
from segue.scoring.pairs import Choice, PairwisePreference

MOST_POINTS = 10


class PointwiseSettings(JudgeSettings):
    """Settings of `judge`."""

    scale: Literal["pass/fail"] | int = "pass/fail"
    """`pass/fail`, or the best grade of a scale of whole numbers from 1 (at most 10)."""

    @model_validator(mode="after")
    def _scale_is_one(self) -> PointwiseSettings:
        if isinstance(self.scale, int) and not 2 <= self.scale <= MOST_POINTS:
            raise ValueError(f"scale is pass/fail, or a whole number from 2 to {MOST_POINTS}")
        return self


class PairwiseSettings(JudgeSettings):
    """Settings of `pairwise`."""


class JudgeScorer:
    """Asks a judge model about one output. An `AsyncScorer`.

    Scores 1 or 0 on pass/fail, evenly from 0 to 1 on points; the verdict itself is the score's label. A judge that refuses or
    cannot be understood leaves the score open (`unscored`), an unreachable one is an `error`; neither is ever a 0.
    """

    def __init__(self, judge: Judge, metrics: Sequence[Metric]) -> None:
        self._judge = judge
        self.metrics = metrics

    @property
    def identity(self) -> ScorerIdentity:
        """Who judged: model, rubric, prompt version, parameters."""
        return self._judge.identity

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """One score under the scorer's name."""
        assert exchange.reply is not None, "a scorer is asked only about exchanges that have a reply"
        answered = await self._judge.ask(case, [exchange.reply])
        name, scale = self.identity.name, self._judge.scale
        if isinstance(answered.verdict, Silence):
            return (score_of(name, answered.verdict, answered.spending()),)
        assert not isinstance(scale, Prefer)
        detail: dict[str, Json] = {"why": answered.verdict.why, **answered.spending()}
        value = scale.value_of(answered.verdict.value)
        return (Score(name, value, str(answered.verdict.value), detail=detail),)


class PairwiseJudge:
    """Asks a judge model which answer is better, once in either order. A `PairScorer`.

    Many judges favour a place. A preference counts only if it survives the swap; otherwise it is a tie, and marked.
    """

    def __init__(self, judge: Judge, metrics: Sequence[Metric]) -> None:
        self._judge = judge
        self.metrics = metrics

    @property
    def identity(self) -> ScorerIdentity:
        """Who judged: model, rubric, prompt version, parameters."""
        return self._judge.identity

    async def prefer(self, case: Case, old: Exchange, new: Exchange) -> PairwisePreference:
        """The preference on one case. Equal answers are a tie without asking; a missing reply leaves it open."""
        for arm, exchange in (("old", old), ("new", new)):
            if exchange.reply is None:
                return PairwisePreference(case.case_id, None, "unscored", f"The {arm} arm has no reply to compare.")
        assert old.reply is not None
        assert new.reply is not None
        if old.reply.text == new.reply.text and old.reply.as_json() == new.reply.as_json():
            return PairwisePreference(case.case_id, 0.5, identical=True, reason="The answers are identical.")
        choices: list[Choice] = []
        detail: dict[str, Json] = {}
        for key, first, second in (("old_first", old.reply, new.reply), ("new_first", new.reply, old.reply)):
            answered = await self._judge.ask(case, [first, second])
            detail[key] = _pair_detail(answered)
            if isinstance(answered.verdict, Silence):
                silence = answered.verdict
                return PairwisePreference(case.case_id, None, silence.status, silence.reason, tuple(choices), detail=detail)
            choices.append(_choice(answered.verdict, old_first=key == "old_first"))
        agreed = choices[0] == choices[1]
        value = {"new": 1.0, "old": 0.0, "tie": 0.5}[choices[0]] if agreed else 0.5
        return PairwisePreference(case.case_id, value, choices=tuple(choices), position_inconsistent=not agreed, detail=detail)


def build_judge(spec: ScorerSpec, context: ScoringContext) -> JudgeScorer:
    """A pointwise judge from its declaration. Raises `InputError` with all faults of the settings."""
    settings, rubric, provider = read_judge(PointwiseSettings, spec, context)
    identity = identify_judge(spec, settings, rubric)
    scale = Points(settings.scale) if isinstance(settings.scale, int) else PassFail()
    return JudgeScorer(Judge(identity, provider, settings, rubric, scale), judge_metrics(spec, settings))


def build_pairwise(spec: ScorerSpec, context: ScoringContext) -> PairwiseJudge:
    """A pairwise judge from its declaration. Raises `InputError` with all faults of the settings."""
    settings, rubric, provider = read_judge(PairwiseSettings, spec, context)
    judge = Judge(identify_judge(spec, settings, rubric), provider, settings, rubric, Prefer())
    return PairwiseJudge(judge, pairwise_metrics(spec, settings))


def _choice(verdict: Verdict, *, old_first: bool) -> Choice:
    if verdict.value == "tie":
        return "tie"
    return "old" if (verdict.value == "A") == old_first else "new"


def _pair_detail(answered: Answered) -> dict[str, Json]:
    detail = answered.spending()
    if isinstance(answered.verdict, Verdict):
        detail |= {"verdict": answered.verdict.value, "why": answered.verdict.why}
    return detail
