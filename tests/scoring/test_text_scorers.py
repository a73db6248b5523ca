"""exact, normalised, contains, regex: what counts as the same text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scoring.builders import HUGE, a_case, a_scorer, an_exchange, score_of, value_of


def test_exact_takes_every_character_seriously():
    """A blank too many is another answer, unless the settings say otherwise."""
    assert value_of("exact", "Paris", "Paris") == 1.0
    assert value_of("exact", "Paris ", "Paris") == 0.0
    assert value_of("exact", " Paris\n", "Paris", strip=True) == 1.0


def test_a_list_of_references_accepts_each_of_them():
    """Several right answers are a list; numbers and truth values are compared as they are written."""
    assert value_of("exact", "grey", ["gray", "grey"]) == 1.0
    assert value_of("exact", "42", 42) == 1.0
    assert value_of("exact", "true", True) == 1.0


@pytest.mark.parametrize("scorer", ["exact", "normalised", "contains"])
@pytest.mark.parametrize("reference", [None, {}, {"a": 1}, [], [["nested"]]])
def test_a_case_without_a_readable_reference_is_unscored(scorer, reference):
    """Nothing to compare with is neither right nor wrong."""
    score = score_of(scorer, "anything", reference)
    assert (score.status, score.value) == ("unscored", None)
    assert "no reference" in score.reason


def test_a_reference_can_be_a_field_of_an_object():
    """One reference may serve several scorers, each reading its own field."""
    reference = {"answer": {"value": "Paris"}, "options": ["x", "Rome"]}
    assert value_of("exact", "Paris", reference, reference_field="answer.value") == 1.0
    assert value_of("exact", "Rome", reference, reference_field="options.1") == 1.0
    assert score_of("exact", "Rome", reference, reference_field="options.7").status == "unscored"


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("  The PARIS! ", "the paris"),
        ("“Paris”", "paris"),
        ("ﬁnance", "finance"),
        ("STRASSE", "straße"),
        ("**3.5**", "3.5"),
        ("well-known", "well known"),
        ("Ｐａｒｉｓ", "paris"),
    ],
)
def test_normalised_ignores_spelling_that_does_not_matter(answer, reference):
    """Case, blanks, quotes, emphasis, compatibility forms."""
    assert value_of("normalised", answer, reference) == 1.0


@pytest.mark.parametrize(("answer", "reference"), [("3.5", "35"), ("-5", "5"), ("12:30", "1230"), ("C++", "C"), ("50%", "50")])
def test_normalised_keeps_what_changes_a_number_or_a_name(answer, reference):
    """A decimal point, a sign or a plus is not decoration."""
    assert value_of("normalised", answer, reference) == 0.0


def test_a_reference_of_nothing_but_marks_is_not_met_by_silence():
    """Where normalisation would leave nothing, the texts themselves are compared."""
    assert value_of("normalised", "", "?") == 0.0
    assert value_of("normalised", "!", "?") == 0.0
    assert value_of("normalised", " ? ", "?") == 1.0
    assert value_of("normalised", "", "") == 1.0


def test_normalised_drops_articles_of_the_languages_named():
    """Articles are dropped only where asked for."""
    assert value_of("normalised", "the cat", "cat") == 0.0
    assert value_of("normalised", "the cat", "cat", articles=["en"]) == 1.0
    assert value_of("normalised", "Die Katze", "katze", articles=["en", "de"]) == 1.0


@given(st.text(max_size=60))
def test_every_text_equals_itself_under_every_comparison(text):
    """Whatever the characters, an answer equal to its reference is right."""
    assert value_of("exact", text, text) == 1.0
    assert value_of("normalised", text, text, articles=["en"]) == 1.0
    if text:
        assert value_of("contains", f"before {text} after", text) == 1.0


def test_contains_needs_all_phrases_or_any():
    """The phrases stand in the settings, or in the reference of the case."""
    assert value_of("contains", "Refund within 14 days", all=["refund", "14 days"]) == 1.0
    assert value_of("contains", "Refund within 14 days", all=["refund", "30 days"]) == 0.0
    assert value_of("contains", "Refund within 14 days", any=["30 days", "14 days"]) == 1.0
    assert value_of("contains", "Refund", ["refund", "days"]) == 0.0
    assert value_of("contains", "Refund", ["refund", "days"], of_reference="any") == 1.0
    assert value_of("contains", "Refund", "refund", ignore_case=False) == 0.0


def test_regex_matches_or_extracts():
    """A pattern can be looked for, be ruled out, or extract what is compared with the reference."""
    assert value_of("regex", "Total: 12 EUR", pattern=r"Total: \d+") == 1.0
    assert value_of("regex", "Total: 12 EUR", pattern=r"USD", expect="no_match") == 1.0
    settings = {"pattern": r"Answer: (\w+)", "expect": "reference", "group": 1}
    assert value_of("regex", "Answer: b. Answer: c", "c", which="last", **settings) == 1.0
    assert value_of("regex", "Answer: b. Answer: c", "b", **settings) == 1.0
    assert score_of("regex", "no idea", "b", **settings).reason == "the pattern extracts nothing"
    assert value_of("regex", "Answer: B", "b", ignore_case=True, **settings) == 1.0


def test_regex_does_not_try_an_answer_beyond_its_bound():
    """A pattern's time may grow with the square of the text, so the text has a greatest length."""
    assert score_of("regex", "x" * 101, pattern="x", max_characters=100).status == "unscored"
    assert value_of("regex", "x" * 100, pattern="x", max_characters=100) == 1.0


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "🙂" * 1000, HUGE])
@pytest.mark.parametrize(
    ("scorer", "settings"),
    [("exact", {}), ("normalised", {"articles": ["en"]}), ("contains", {}), ("regex", {"pattern": r"(a|b)+$"})],
)
def test_odd_answers_are_scored_and_never_raise(scorer, settings, text):
    """Empty, huge, half a surrogate pair: the outcome is a score."""
    (score,) = a_scorer(scorer, **settings).score(a_case("Paris"), an_exchange(text))
    assert score.value in (0.0, None)
