"""The number scorer: which number an answer ends on, and how close it has to be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.scoring.number_reading import NumberReader, last_boxed
from tests.scoring.builders import HUGE, score_of, value_of


def read(text: str, where: str = "boxed_or_last", **settings) -> Decimal | None:
    return NumberReader(**settings).read(text, where)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 42.", "42"),
        ("3 apples and 4 pears make 7", "7"),
        ("It costs $1,234,567.89 in total", "1234567.89"),
        ("-5", "-5"),
        ("−5 degrees", "-5"),
        ("10-5", "5"),
        ("1.5e3", "1500"),
        ("about 1.5 × 10^3", "1500"),
        (r"$2 \times 10^{-2}$", "0.02"),
        ("1’234", "1234"),
        ("1\u202f234,5", "5"),
        ("H2O at 20 C", "20"),
        ("version 1.2.3", "1.2"),
        (".5", "0.5"),
        ("5%", "5"),
        (r"so \boxed{12} (see 99)", "12"),
        (r"\boxed{\frac{1}{4}}", "0.25"),
        (r"\boxed{-\frac{1}{4}}", "-0.25"),
        (r"\boxed{3/4}", "0.75"),
        (r"\boxed{1} or rather \boxed{x = \text{2}}", "2"),
        (r"\boxed{0/5}", "0"),
        ("- 5", "5"),
    ],
)
def test_the_number_an_answer_ends_on(text, number):
    """The last number counts, or the last box; separators, signs and powers of ten are understood."""
    assert read(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "none", r"\boxed{}", r"\boxed{1", r"\boxed{1/0}", "abc123", "9" * 401])
def test_no_number_is_wrong_and_says_so(text):
    """An answer without a number is a wrong answer with a reason, not an unscored one."""
    settings = {"where": "boxed"} if "boxed" in text else {}
    score = score_of("number", text, 1, **settings)
    assert (score.value, score.reason) == (0.0, "no number could be read")


def test_where_to_look():
    """First, last, boxed, or the whole text."""
    text = r"First 1, then \boxed{2}, last 3"
    assert [read(text, where) for where in ("first", "last", "boxed")] == [1, 3, 2]
    assert read(" 1,000 ", "whole") == 1000
    assert read("5 %", "whole") == 5
    assert read("1000 or so", "whole") is None
    assert read("no box: 5", "boxed") is None


def test_the_other_decimal_mark():
    """With a decimal comma, points group thousands."""
    assert read("1.234,5 EUR", decimal=",") == Decimal("1234.5")
    assert value_of("number", "1.234,5", 1234.5, decimal=",") == 1.0


def test_per_cent_can_be_a_share():
    """Whether 5 % is 5 or 0.05 is the workflow's to say."""
    assert value_of("number", "5 %", 0.05, percent="share") == 1.0
    assert value_of("number", "5 per cent", 0.05, percent="share") == 1.0
    assert value_of("number", r"5\%", 5) == 1.0


def test_units_are_stripped_or_converted():
    """A unit behind the number is ignored, or multiplies it."""
    assert value_of("number", "12km", 12) == 1.0
    assert value_of("number", "1.5 km", 1500, units={"km": 1000, "m": 1}) == 1.0
    assert value_of("number", "1500 m", 1500, units={"km": 1000, "m": 1}) == 1.0
    assert value_of("number", "1500 metres", 1500, units={"km": 1000, "m": 7}) == 1.0


def test_tolerances():
    """The larger of the two allowances holds; the edge itself is inside."""
    assert value_of("number", "10.1", 10) == 0.0
    assert value_of("number", "10.1", 10, abs_tolerance=0.1) == 1.0
    assert value_of("number", "10.2", 10, abs_tolerance=0.1) == 0.0
    assert value_of("number", "102", 100, rel_tolerance=0.02) == 1.0
    assert value_of("number", "98", -100, rel_tolerance=0.02) == 0.0


def test_without_tolerance_numbers_are_equal_to_the_last_digit():
    """Decimal digits are compared as written, beyond what a float can hold."""
    assert value_of("number", "0.1", 0.1) == 1.0
    assert value_of("number", "9007199254740993", "9007199254740993") == 1.0
    assert value_of("number", "9007199254740993", "9007199254740992") == 0.0


@pytest.mark.parametrize("reference", [None, True, {}, [], [None], "no number", float("nan"), float("inf")])
def test_a_reference_that_is_no_number_leaves_the_case_unscored(reference):
    """A truth value or NaN is nothing to compare with."""
    assert score_of("number", "1", reference).status == "unscored"


def test_several_references_accept_each():
    """A list of references accepts each of them, numbers written as text included."""
    assert value_of("number", "7", [5, "7"]) == 1.0


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_a_number_is_read_as_it_was_written(number):
    """Plain or with thousands separators, what is written is what is read."""
    assert read(f"it is {number:f} then") == number
    assert read(f"it is {number:,f} then") == number


@given(st.text(max_size=200))
def test_any_text_is_read_without_raising(text):
    """Whatever the text, the outcome is a number or none."""
    for where in ("boxed_or_last", "boxed", "last", "first", "whole"):
        found = read(text, where, units={"km": 1000.0, "%": 0.01})
        assert found is None or found.is_finite()


@pytest.mark.parametrize("text", [HUGE, "9" * 1_000_000, r"\boxed{" * 20_000, "1e9999 " * 1000, "1e-9999", "1," * 100_000])
def test_huge_and_absurd_numbers_are_scored(text):
    """A million digits, ten thousand open boxes: an outcome, and soon."""
    assert value_of("number", text, 1, rel_tolerance=0.1, abs_tolerance=0.1) in (0.0, 1.0)


def test_boxes_nest():
    """Braces inside the box are balanced."""
    assert last_boxed(r"\boxed{\frac{1}{2}} \boxed{a{b}c} tail") == "a{b}c"
