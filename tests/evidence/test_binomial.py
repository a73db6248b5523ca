"""Binomial tails and intervals for one proportion, against scipy and statsmodels."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from segue.evidence.binomial import clopper_pearson, log_binomial_tail, wilson


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(-1, n + 1), st.just(n))))
def test_tail_agrees_with_scipy_in_logarithms(pair: tuple[int, int]) -> None:
    """The log-tail equals scipy's to nine digits over the whole range, the upper half included."""
    k, n = pair
    theirs = stats.binom.logcdf(k, n, 0.5)
    ours = log_binomial_tail(k, n)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12) or (ours == theirs == -math.inf)


def test_tail_is_a_number_where_floats_underflow() -> None:
    """A probability of 1e-337 keeps its logarithm."""
    assert log_binomial_tail(0, 1120) / math.log(10) == pytest.approx(-1120 * math.log10(2), rel=1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_agree_with_statsmodels(level: float, pair: tuple[int, int]) -> None:
    """Wilson and Clopper–Pearson equal statsmodels' to nine digits."""
    k, n = pair
    assert wilson(k, n, level) == pytest.approx(proportion_confint(k, n, 1 - level, "wilson"), abs=1e-9)
    assert clopper_pearson(k, n, level) == pytest.approx(proportion_confint(k, n, 1 - level, "beta"), abs=1e-9)


def test_no_data_leaves_everything_open() -> None:
    """Without a case the interval is everything: unknown is never zero."""
    assert wilson(0, 0) == (0.0, 1.0)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
