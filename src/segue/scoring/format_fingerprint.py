"""The format scorer: the traits of an output's format as proportions, for guardrails and for what is shown.

A trait is neither good nor bad in itself. By default more whole JSON is better, and less of every other trait; `better`
turns all of the chosen traits at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import Field, field_validator

from segue.drift.fingerprint import TRAITS, fingerprint
from segue.drift.language import guess_language
from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.answer import reply_of
from segue.scoring.context import ScoringContext
from segue.scoring.pure import PureScorer
from segue.scoring.settings import Settings

_MORE_IS_BETTER = frozenset({"json_whole"})


class FormatSettings(Settings):
    """Settings of `format`."""

    traits: tuple[str, ...] = TRAITS
    """The traits to give metrics for; all of them if not said."""
    language: str | None = Field(default=None, pattern=r"^[a-z]{2}$")
    """The language answers are expected in (ISO 639-1); the language of the case's last user message if not said."""

    @field_validator("traits")
    @classmethod
    def _traits_exist(cls, traits: tuple[str, ...]) -> tuple[str, ...]:
        for trait in traits:
            if trait not in TRAITS:
                near = get_close_matches(trait, TRAITS, n=1, cutoff=0.5)
                likely = f"did you mean '{near[0]}'? " if near else ""
                raise ValueError(f"there is no trait '{trait}'; {likely}the traits are {', '.join(TRAITS)}")
        return tuple(dict.fromkeys(traits))


class FormatScorer(PureScorer[FormatSettings]):
    """`<name>.<trait>` is 1 where the output has the trait; a trait that cannot be told for an output is left out."""

    type = "format"
    version = "1"
    settings_model = FormatSettings

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:
        """One proportion per trait."""
        return tuple(
            Metric(
                name=f"{spec.name}.{trait}",
                better=spec.better or ("higher" if trait in _MORE_IS_BETTER else "lower"),
            )
            for trait in settings.traits
        )

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """The fingerprint of one reply, as scores."""
        expected = self.settings.language
        if expected is None and "other_language" in self.settings.traits:
            asked = next((turn.text for turn in reversed(case.messages) if turn.role == "user"), "")
            expected = guess_language(asked)
        traits = fingerprint(reply_of(exchange), prompt_language=expected).traits()
        known = ((metric.name, traits[trait]) for metric, trait in zip(self.metrics, self.settings.traits, strict=True))
        return tuple([Score(name, 1.0 if has else 0.0) for name, has in known if has is not None])


def build_format(spec: ScorerSpec, context: ScoringContext) -> FormatScorer:
    """Build from a declaration; raises `InputError` with all faults."""
    return FormatScorer.build(spec, context)
