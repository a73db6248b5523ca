"""The quick searches find what the slow ones find."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.drift.phrase_search import PhraseSearch, WordSearch
from segue.drift.refusal_phrases import DISCLAIMERS, NON_ANSWER_STEMS, NON_ANSWERS, REFUSALS, STEMS

LISTS = {**REFUSALS, "disclaimers": DISCLAIMERS, "non-answers": NON_ANSWERS}
JOINED = {name: re.compile("|".join(f"(?:{phrase})" for phrase in phrases)) for name, phrases in LISTS.items()}
SEARCHES = {name: PhraseSearch(phrases) for name, phrases in LISTS.items()}
ODD = (r"\bnot ab?c", r"\b(?:a|bc|d?e) f\b|^g+|[|)]h|\(i\|", r"\b(?:j|k)? l", "mn", r"\bo'p\b", r"\b(?:q(?:r|s)|t)u")


def texts(phrases: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Texts that a phrase finds or nearly finds, among words and signs that may stand before and after."""
    found = st.one_of([st.from_regex(re.compile(phrase)) for phrase in phrases])
    other = st.sampled_from(["", " ", "x", "_", "'", ". ", "i ", "i can't ", "hi ", "this ", "\n", "é", "无"])
    return st.lists(st.one_of(other, found), max_size=6).map("".join)


@pytest.mark.parametrize("name", list(LISTS))
@given(st.data())
def test_finds_what_one_pattern_finds(name: str, data: st.DataObject) -> None:
    """For the phrases of every language, in texts made of pieces of them."""
    text = data.draw(texts(LISTS[name]))
    assert SEARCHES[name].finds(text) == (JOINED[name].search(text) is not None)


@given(texts(ODD))
@example("a f")
@example("xa f")
@example("not ac")
def test_reads_patterns_of_any_form(text: str) -> None:
    """Groups that may be absent, letters that may, brackets and bars that mean themselves."""
    assert PhraseSearch(ODD).finds(text) == (re.search("|".join(f"(?:{one})" for one in ODD), text) is not None)


WORDS = (*NON_ANSWER_STEMS, *(stem for stems in STEMS.values() for stem in stems), "(a|b)", "x{2}", "\\b", "[.]", "é")
SEARCH = WordSearch(WORDS)


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=3), st.just("\udc00")), max_size=5).map("".join))
def test_words_are_found_as_they_are_written(text: str) -> None:
    """Signs of patterns mean themselves, and half a character hides nothing."""
    assert SEARCH.finds(text) == any(word in text for word in WORDS)
