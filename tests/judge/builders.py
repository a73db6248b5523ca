"""The smallest valid objects the judge's tests need, and a judge model that answers what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.evidence.agreement import YesNoCounts
from segue.evidence.judge_calibration import LabelPair
from segue.model import Case, Exchange, Failure, Message, Reply, ScorerSpec
from segue.model.request import ModelOutcome, ModelRequest
from segue.scoring.context import ScoringContext
from segue.scoring.judge import JudgeScorer, PairwiseJudge, build_judge, build_pairwise


@dataclass
class AnsweringProvider:
    """A provider that gives these outcomes in turn, the last one for ever, and keeps what it was asked."""

    outcomes: Sequence[ModelOutcome | Callable[[ModelRequest], ModelOutcome]]
    name: str = "judges"
    asked: list[ModelRequest] = field(default_factory=list)

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        self.asked.append(request)
        outcome = self.outcomes[min(len(self.asked), len(self.outcomes)) - 1]
        return outcome(request) if callable(outcome) else outcome

    async def close(self) -> None:
        return None


def says(text: str, **fields: Any) -> ModelOutcome:
    """A judge's reply."""
    return ModelOutcome(reply=Reply(text=text, **fields), cost_microusd=10.0)


def verdict(value: object, why: str = "because") -> ModelOutcome:
    """A well-formed verdict."""
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return says(f'{{"why": "{why}", "verdict": {shown}}}')


def fails(kind: Any = "timeout") -> ModelOutcome:
    """A call that did not get through."""
    return ModelOutcome(failure=Failure(kind))


def a_case(text: str = "How do I reset my password?", **fields: Any) -> Case:
    """A case of one turn."""
    return Case(case_id="c1", messages=(Message(role="user", content=text),), **fields)


def an_exchange(text: str = "Click 'forgot password'.", **fields: Any) -> Exchange:
    """A reply to it."""
    return Exchange("behaviour", "c1", "input", reply=Reply(text=text, **fields))


def a_judge(*outcomes: Any, **settings: Any) -> tuple[JudgeScorer, AnsweringProvider]:
    """A pointwise judge and the provider behind it."""
    provider = AnsweringProvider(outcomes)
    spec = {"name": "helpful", "type": "judge", "provider": "judges", "snapshot": "judge-2025-01-01", "rubric": "Be helpful."}
    return build_judge(ScorerSpec(**{**spec, **settings}), ScoringContext(providers={"judges": provider})), provider


def a_pairwise(*outcomes: Any, **settings: Any) -> tuple[PairwiseJudge, AnsweringProvider]:
    """A pairwise judge and the provider behind it."""
    provider = AnsweringProvider(outcomes)
    spec = {"name": "liked", "type": "pairwise", "provider": "judges", "snapshot": "judge-2025-01-01", "rubric": "Be helpful."}
    return build_pairwise(ScorerSpec(**{**spec, **settings}), ScoringContext(providers={"judges": provider})), provider


def labelled(rng: np.random.Generator, n: int, yes: float, sensitivity: float, specificity: float) -> list[LabelPair]:
    """`n` outputs of which people say yes to a share, judged with these errors."""
    human = rng.random(n) < yes
    judge = np.where(human, rng.random(n) < sensitivity, rng.random(n) >= specificity)
    return [(int(one), int(other)) for one, other in zip(human, judge, strict=True)]


def calibration_counts(rng: np.random.Generator, n: int, yes: float, sensitivity: float, specificity: float) -> YesNoCounts:
    """The same, counted."""
    positives = int(rng.binomial(n, yes))
    hits, rejections = int(rng.binomial(positives, sensitivity)), int(rng.binomial(n - positives, specificity))
    return YesNoCounts(hits, positives - hits, n - positives - rejections, rejections)
