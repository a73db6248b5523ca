"""The normalised scorer: the answer equals the reference once spelling that does not matter is taken away.

Each step is a setting. Digits keep the signs that change a number: `3.5` is never `35`, `-5` never `5`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from pydantic import field_validator

from segue.model import Case, Exchange, Score
from segue.scoring.answer import final_text
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, accepted_texts, reference_of

ARTICLES = {
    "en": ("a", "an", "the"),
    "de": ("der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines"),
    "fr": ("le", "la", "les", "un", "une", "des", "du"),
    "es": ("el", "la", "los", "las", "un", "una", "unos", "unas"),
    "it": ("il", "lo", "la", "i", "gli", "le", "un", "uno", "una"),
    "pt": ("o", "a", "os", "as", "um", "uma", "uns", "umas"),
    "nl": ("de", "het", "een"),
}
"""Articles by language, as they are after folding of case."""

_BLANKS = re.compile(r"\s+")
_PUNCTUATION = re.compile(
    r"""[;!?…“”„«»‘’‚"'`()\[\]{}<>*_¿¡|]"""
    r"""|[.,:](?!\d)|(?<=[^\d\s])[.,:](?=\d)"""
    r"""|[-–—](?!\d)|(?<=\w)[-–—](?=\d)"""
)
"""Marks that carry no meaning: not those inside a number (`1.5`, `12:30`), not the sign before one."""


class NormalisedSettings(ReferenceSettings):
    """Settings of `normalised`."""

    unicode: Literal["NFKC", "NFC", "none"] = "NFKC"
    """Unicode normal form both sides are brought into; `NFKC` makes full-width, ligature and superscript forms plain."""
    ignore_case: bool = True
    """Whether upper and lower case are the same (full case folding)."""
    ignore_whitespace: bool = True
    """Whether runs of blanks count as one, and blanks around the answer as none."""
    ignore_punctuation: bool = True
    """Whether quotes, brackets, emphasis marks and sentence marks count as blanks; marks inside numbers stay."""
    articles: tuple[str, ...] = ()
    """Languages whose articles are dropped: de, en, es, fr, it, nl, pt."""

    @field_validator("articles")
    @classmethod
    def _known_languages(cls, articles: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(articles) - set(ARTICLES))
        if unknown:
            raise ValueError(f"there are no articles for {', '.join(unknown)}; there are {', '.join(sorted(ARTICLES))}")
        return articles


class NormalisedScorer(PureScorer[NormalisedSettings]):
    """1 where answer and reference (or one entry of it) are the same after normalisation."""

    type = "normalised"
    version = "1"
    settings_model = NormalisedSettings

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        accepted = accepted_texts(reference_of(case, self.settings))
        if not accepted:
            return self.unscored(NO_REFERENCE)
        answer = final_text(exchange)
        text = normalise(answer, self.settings)
        return self.passed(any(self._is_same(answer, text, one) for one in accepted))

    def _is_same(self, answer: str, normal: str, wanted: str) -> bool:
        # a reference of nothing but marks ("?") would equal every empty answer once they are gone
        normal_wanted = normalise(wanted, self.settings)
        return normal == normal_wanted if normal_wanted else answer.strip() == wanted.strip()


def normalise(text: str, settings: NormalisedSettings) -> str:
    """`text` with everything taken away that the settings ignore."""
    if settings.unicode != "none" and not text.isascii():
        text = unicodedata.normalize(settings.unicode, text)
    if settings.ignore_case:
        text = text.casefold()
    if settings.ignore_punctuation:
        text = _PUNCTUATION.sub(" ", text)
    if settings.articles:
        dropped = {word for language in settings.articles for word in ARTICLES[language]}
        text = " ".join(word for word in _BLANKS.split(text) if word.casefold() not in dropped)
    if settings.ignore_whitespace:
        text = " ".join(text.split())
    return text
