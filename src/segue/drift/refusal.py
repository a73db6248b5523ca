"""Refusals and non-answers, read from stock phrases in the opening of an answer.

One rule for everyone: the refusal scorer, the format fingerprint and the cause finder. It knows neither the case nor
what would have been right; whether a refusal is wanted is for the caller to say. The phrases are in `refusal_phrases`.

A refusal says the model will not or may not do it ("I can't help with that"). A non-answer does not refuse, it declines
to commit itself ("this is subjective and depends on the person"). An apology alone is neither.
"""

from __future__ import annotations

import re

from segue.drift.output import output_text
from segue.drift.phrase_search import PhraseSearch, WordSearch
from segue.drift.refusal_phrases import DISCLAIMERS, NON_ANSWER_STEMS, NON_ANSWERS, REFUSALS, STEMS, TURN
from segue.model import Reply

OPENING = 420
"""How many characters of an answer are read. A refusal comes first; a caveat further down is not one."""


_MOSTLY_ENOUGH = OPENING + 60
_TYPEWRITTEN = (("’", "'"), ("‘", "'"), ("ʼ", "'"), ("´", "'"), ("“", '"'), ("”", '"'))
_MARKUP = "*_#>~"
_REFUSALS = {language: PhraseSearch(phrases) for language, phrases in REFUSALS.items()}
_STEMS_BY_LANGUAGE = {language: WordSearch(stems) for language, stems in STEMS.items()}
_STEMS = WordSearch([stem for stems in STEMS.values() for stem in stems])
_NON_ANSWER_STEMS = WordSearch(NON_ANSWER_STEMS)
_DISCLAIMER = PhraseSearch(DISCLAIMERS)
_NON_ANSWER = PhraseSearch(NON_ANSWERS)
_TURN = re.compile(TURN)
_OPTION = re.compile(r"\([a-z]\)")


def _opening(text: str) -> str:
    text = text.lstrip()
    # Nearly all texts have enough in little more than it, at half the price. What follows cannot change what comes before.
    opening = _plain(text[:_MOSTLY_ENOUGH])
    return opening if len(opening) == OPENING or len(text) <= _MOSTLY_ENOUGH else _plain(text[: OPENING * 2])


def _plain(start: str) -> str:
    start = start.replace("`", "'")
    if start.isascii():
        start = start.lower()  # the same, in a tenth of the time
    else:
        for sign, plain in _TYPEWRITTEN:
            start = start.replace(sign, plain)
        start = start.casefold()
    for sign in _MARKUP:
        start = start.replace(sign, "")
    start = start.replace("\n", " ")
    if not start.isprintable():  # what is printable has no blanks but spaces
        return " ".join(start.split())[:OPENING]
    while "  " in start:
        start = start.replace("  ", " ")
    return start.strip()[:OPENING]


def _refuses(opening: str) -> bool:
    if _STEMS.finds(opening):
        for language, stems in _STEMS_BY_LANGUAGE.items():
            if stems.finds(opening) and _REFUSALS[language].finds(opening):
                return True
    is_disclaimed = ("ai" in opening or "language model" in opening) and _DISCLAIMER.finds(opening)
    return is_disclaimed and _TURN.search(opening) is None


def _withholds(opening: str) -> bool:
    if not _NON_ANSWER_STEMS.finds(opening) or not _NON_ANSWER.finds(opening):
        return False
    return not (_TURN.search(opening) or _OPTION.search(opening))


def detect_refusal(text: str) -> bool:
    """Whether the opening of `text` refuses in a stock phrase of one of fourteen languages."""
    return _refuses(_opening(text))


def detect_non_answer(text: str) -> bool:
    """Whether the opening of `text` declines to commit itself and does not go on to an answer; False for a refusal."""
    opening = _opening(text)
    return _withholds(opening) and not _refuses(opening)


def read_opening(text: str) -> tuple[bool, bool]:
    """Whether `text` refuses, and whether it is a non-answer: `detect_refusal` and `detect_non_answer` in one reading."""
    opening = _opening(text)
    refuses = _refuses(opening)
    return refuses, not refuses and _withholds(opening)


def is_refusal(reply: Reply) -> bool:
    """Whether a reply refuses: the provider says so, or its text does and no tool was called."""
    return is_declared_refusal(reply) or (not reply.tool_calls and detect_refusal(output_text(reply)))


def is_declared_refusal(reply: Reply) -> bool:
    """Whether the provider says that the reply is a refusal."""
    return reply.refusal is not None or reply.finish_reason == "refusal"
