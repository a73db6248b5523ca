"""The word-level diff of two texts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.drift import Span, word_diff


def test_changed_words_are_marked_and_the_rest_is_kept() -> None:
    """A changed word is removed and added; what surrounds it is equal."""
    assert word_diff("The total is 12.50 EUR.", "The sum is 12.50 EUR.") == (
        Span("equal", "The "),
        Span("removed", "total"),
        Span("added", "sum"),
        Span("equal", " is 12.50 EUR."),
    )


def test_a_changed_phrase_reads_as_one_change() -> None:
    """Blanks between changed words do not cut the change in pieces."""
    assert word_diff("red green blue", "one two blue") == (
        Span("removed", "red green"),
        Span("added", "one two"),
        Span("equal", " blue"),
    )


def test_words_are_never_split() -> None:
    """'colour' to 'color' is one word for another, not a letter."""
    assert word_diff("my colour", "my color") == (Span("equal", "my "), Span("removed", "colour"), Span("added", "color"))


def test_equal_and_empty_texts() -> None:
    """Nothing to show for nothing; all equal for equal texts."""
    assert word_diff("", "") == ()
    assert word_diff("a b", "a b") == (Span("equal", "a b"),)
    assert word_diff("", "a") == (Span("added", "a"),)
    assert word_diff("a", "") == (Span("removed", "a"),)


words = st.lists(st.sampled_from(["alpha", "beta", " ", "\n", ".", "γ", "12", "_"]), max_size=60).map("".join)


@given(words | st.text(), words | st.text())
def test_the_spans_spell_both_texts_to_the_last_blank(old: str, new: str) -> None:
    """Equal and removed spell the old text, equal and added the new one; no two neighbours are of one kind."""
    spans = word_diff(old, new)
    assert "".join(span.text for span in spans if span.kind != "added") == old
    assert "".join(span.text for span in spans if span.kind != "removed") == new
    assert all(left.kind != right.kind for left, right in pairwise(spans))
    assert all(span.text for span in spans)


@pytest.mark.timeout(60)
def test_long_texts_are_compared_in_bounded_time() -> None:
    """A small change in a megabyte is found; two unlike megabytes are shown as a whole. Word by word it would take hours."""
    long = "word one, two; three\n" * 50_000
    changed = word_diff(long, long[:420_000] + "a new line\n" + long[420_000:])
    assert [span.text for span in changed if span.kind != "equal"] == ["a new line\n"]
    other = "\n".join(str(number) for number in range(200_000))
    assert len(word_diff(long, other)) == 2
    lines = "\n".join(f"line {number} a b c d e" for number in range(3_000))
    assert len(word_diff(lines, lines.replace(" c ", " x ", 5).replace("line 2999", "row 2999"))) > 2
