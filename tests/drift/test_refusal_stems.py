"""What is looked for before the phrases is in every text that a phrase finds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.drift.refusal import detect_non_answer, detect_refusal, read_opening
from segue.drift.refusal_phrases import NON_ANSWER_STEMS, NON_ANSWERS

WITHHELD = [
    *(
        "this is subjective",
        "that is highly personal",
        "it depends on the person",
        "the answer may vary by individual",
    ),
    *("this varies from person to person", "the response depends on personal views", "answers? the answer varies with opinion"),
    *("this cannot be determined", "it can't be answered", "can not be known", "cannot be generalised", "can't be provided"),
    *(
        "there is no right answer",
        "there's no single answer",
        "not enough information",
        "insufficient data given",
    ),
    *("das ist subjektiv", "das hängt von der person ab", "cela dépend de chaque personne", "c'est subjectif"),
    *("es subjetivo", "depende de cada persona", "dipende dalla singola persona", "è soggettivo", "é subjetivo"),
]


@pytest.mark.parametrize("phrase", NON_ANSWERS, ids=[f"phrase{number}" for number in range(len(NON_ANSWERS))])
def test_every_phrase_is_reached(phrase: str) -> None:
    """Each phrase finds one of these texts at least, and each text that it finds holds a stem: else nobody would look."""
    found = [text for text in WITHHELD if re.search(phrase, text)]
    assert found
    assert [text for text in found if not any(stem in text for stem in NON_ANSWER_STEMS)] == []


@given(
    st.lists(
        st.sampled_from(
            ["I cannot help with that. ", "This is subjective. ", "It depends on the person. ", "However, it may be ", "(a) "]
        ),
        max_size=4,
    ).map("".join)
)
def test_one_reading_says_what_the_two_questions_say(text: str) -> None:
    """`read_opening` answers both at once, for callers that need both."""
    assert read_opening(text) == (detect_refusal(text), detect_non_answer(text))
