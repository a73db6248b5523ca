"""The contains scorer: the answer holds all, or any, of some phrases: those in the settings, or those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from segue.model import Case, Exchange, Score
from segue.scoring.answer import final_text
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, accepted_texts, reference_of


class ContainsSettings(ReferenceSettings):
    """Settings of `contains`."""

    all_of: tuple[str, ...] = Field(default=(), alias="all")
    """Phrases that all have to be there."""
    any_of: tuple[str, ...] = Field(default=(), alias="any")
    """Phrases of which one has to be there."""
    of_reference: Literal["all", "any"] = "all"
    """Where neither `all` nor `any` is set: how many of the reference's phrases have to be there."""
    ignore_case: bool = True
    """Whether upper and lower case are the same (full case folding)."""

    @model_validator(mode="after")
    def _phrases_say_something(self) -> ContainsSettings:
        if "" in self.all_of or "" in self.any_of:
            raise ValueError("an empty phrase is in every answer; take it out")
        return self


class ContainsScorer(PureScorer[ContainsSettings]):
    """1 where the phrases are there. The detail counts those that are missing."""

    type = "contains"
    version = "1"
    settings_model = ContainsSettings

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        settings = self.settings
        all_of, any_of = settings.all_of, settings.any_of
        if not all_of and not any_of:
            phrases = accepted_texts(reference_of(case, settings))
            if not phrases or "" in phrases:
                return self.unscored(NO_REFERENCE)
            all_of, any_of = (phrases, ()) if settings.of_reference == "all" else ((), phrases)
        text = final_text(exchange)
        if settings.ignore_case:
            text = text.casefold()
            all_of = tuple(phrase.casefold() for phrase in all_of)
            any_of = tuple(phrase.casefold() for phrase in any_of)
        missing = sum(phrase not in text for phrase in all_of)
        none_found = bool(any_of) and not any(phrase in text for phrase in any_of)
        if not missing and not none_found:
            return self.passed(True)
        reason = f"{missing} of {len(all_of)} phrases missing" if missing else "none of the phrases found"
        return self.passed(False, reason=reason)
