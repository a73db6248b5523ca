"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.papers.figures import amount, number, p_short, ratio_text, signed_points


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ms", "–"),
        (0.0, "ms", "0 ms"),
        (0.25, "ms", "0.25 ms"),
        (850.0, "ms", "850 ms"),
        (999.6, "ms", "1 s"),
        (1234.0, "ms", "1.23 s"),
        (59_996.0, "ms", "1 min"),
        (125_000.0, "ms", "2 min 05 s"),
        (7_923_000.0, "ms", "2 h 12 min"),
        (3_599_900.0, "ms", "1 h"),
        (5 * 86_400_000.0, "ms", "5 days"),
        (0.0, "microusd", "$0"),
        (1_234.0, "microusd", "$0.00123"),
        (12_340_000.0, "microusd", "$12.34"),
        (1_234.0, "tokens", "1,234"),
        (2.891, "tokens", "2.89"),
        (math.nan, "tokens", "–"),
    ],
)
def test_writes_an_amount_in_its_unit(value: float | None, unit: str, text: str) -> None:
    """Unknown is a dash; a call of 7,923 seconds is two hours and twelve minutes."""
    assert amount(value, unit) == text


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    """There is no minus zero on a screen."""
    assert [signed_points(share) for share in (-0.0001, 0.0, 0.464, -0.464, None)] == ["0.0", "0.0", "+46.4", "−46.4", "–"]


def test_p_values_stay_short() -> None:
    """A column of them has seven characters."""
    assert [p_short(p) for p in (None, 0.0, 5.2e-126, 2e-7, 0.0234, 0.9999)] == ["–", "<1e-300", "5e-126", "2e-7", "0.023", "1"]


def test_ratios_keep_two_digits() -> None:
    """A cost that falls to a thirteenth does not read as 0.0."""
    assert [ratio_text(ratio) for ratio in (None, 2.613, 0.0776, 31.4)] == ["–", "2.6 ×", "0.078 ×", "31 ×"]


@given(st.floats(min_value=1e-4, max_value=1e9))
def test_a_number_reads_back_as_itself(value: float) -> None:
    """Three digits are enough to be within half a per cent."""
    assert math.isclose(float(number(value).replace(",", "")), value, rel_tol=0.0051)
