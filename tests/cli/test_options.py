"""What is typed, read once into what it means; what cannot be meant is refused."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.cli.options import NEW, Condition, Money, Numbers, SignOff


def refused(kind: click.ParamType[object], text: str) -> bool:
    """Whether this text is no such value."""
    try:
        kind.convert(text, None, None)
    except click.BadParameter as error:
        return len(error.message) < 300
    return False


@pytest.mark.parametrize(
    ("typed", "microusd"), [("5usd", 5e6), ("$5", 5e6), ("0.50", 5e5), (" 5 USD ", 5e6), ("5$", 5e6), ("0.000001usd", 1.0)]
)
def test_money_is_dollars_in_any_spelling(typed: str, microusd: float) -> None:
    """Millionths of a dollar inside."""
    assert Money().convert(typed, None, None) == microusd


@pytest.mark.parametrize("typed", ["", "0", "0.00usd", "-1", "5eur", "1e3", "nan", "inf", "five", "5,50", "1_000", "٥"])
def test_what_is_no_money_is_refused(typed: str) -> None:
    """Nothing, less than nothing, other currencies, other spellings."""
    assert refused(Money(), typed)


@pytest.mark.parametrize(("typed", "numbers"), [("0", {0}), ("0,2", {0, 2}), ("0-3", {0, 1, 2, 3}), ("1-1, 4", {1, 4})])
def test_numbers_are_lists_and_ranges(typed: str, numbers: set[int]) -> None:
    """Whole numbers from 0."""
    assert Numbers().convert(typed, None, None) == numbers


@pytest.mark.parametrize("typed", ["", "a", "-1", "3-1", "0,,1", "0-", "1.5", "٥", "9999999", "0-9999999"])
def test_what_are_no_numbers_is_refused(typed: str) -> None:
    """Also what would take all the memory."""
    assert refused(Numbers(), typed)


@pytest.mark.parametrize("typed", ["", "Ada", "Ada:", ": because", " : "])
def test_a_signature_needs_a_name_and_a_reason(typed: str) -> None:
    """Neither may be empty."""
    assert refused(SignOff(), typed)
    assert SignOff().convert(" Ada Byron :twice the cost: half the tickets ", None, None) == (
        "Ada Byron: twice the cost: half the tickets"
    )


@pytest.mark.parametrize("typed", ["", "task", "=refund", "task="])
def test_a_condition_needs_a_name_and_a_value(typed: str) -> None:
    """The value may hold anything."""
    assert refused(Condition(), typed)
    assert Condition().convert("task=a=b", None, None) == ("task", "a=b")


@given(st.text(max_size=200))
def test_a_new_name_is_a_word_that_fits_anywhere(typed: str) -> None:
    """A folder, a line of YAML, a word on a command line: what is let through has nothing that any of them could misread."""
    if not refused(NEW, typed):
        name = NEW.convert(typed, None, None)
        assert name == typed
        assert not set(name) & set(" \t\r\n/\\\"'`$:;|&<>(){}[]*?!#~,@%=")
        assert name[0] not in ".-+"
        assert 0 < len(name) <= 120


@given(st.text(max_size=50))
def test_nothing_that_is_typed_breaks_an_option(typed: str) -> None:
    """It is read or refused."""
    for kind in (Money(), Numbers(), SignOff(), Condition(), NEW):
        refused(kind, typed)
