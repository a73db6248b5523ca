"""The length scorer: characters or words of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.pure import PureScorer
from segue.scoring.settings import Settings


class LengthSettings(Settings):
    """Settings of `length`."""

    of: Literal["characters", "words"] = "characters"
    """What is counted: Unicode characters, or words between blanks."""


class LengthScorer(PureScorer[LengthSettings]):
    """How long the answer is. Not a quality: shorter counts as better unless the workflow says otherwise."""

    type = "length"
    version = "1"
    settings_model = LengthSettings

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:
        unit: Literal["characters", "count"] = "characters" if settings.of == "characters" else "count"
        return (Metric(name=spec.name, unit=unit, better=spec.better or "lower"),)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:  # noqa: ARG002  the case has no say in it
        text = final_text(exchange)
        return (Score(self.name, float(len(text) if self.settings.of == "characters" else len(text.split()))),)
