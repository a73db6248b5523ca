"""The exact scorer: the answer is, character for character, what the reference says."""

from __future__ import annotations

from collections.abc import Sequence

from segue.model import Case, Exchange, Score
from segue.scoring.answer import final_text
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, accepted_texts, reference_of


class ExactSettings(ReferenceSettings):
    """Settings of `exact`."""

    strip: bool = False
    """Whether blanks and line breaks around the answer are ignored."""


class ExactScorer(PureScorer[ExactSettings]):
    """1 where the answer equals the reference, or one entry of it where it is a list."""

    type = "exact"
    version = "1"
    settings_model = ExactSettings

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        accepted = accepted_texts(reference_of(case, self.settings))
        if not accepted:
            return self.unscored(NO_REFERENCE)
        text = final_text(exchange)
        if self.settings.strip:
            text = text.strip()
            return self.passed(any(text == one.strip() for one in accepted))
        return self.passed(text in accepted)
