"""Intervals that hold at every look: their shape, their ends, and what they do with nothing."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.quantiles import GAMMA
from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.cells import Sketch
from segue.evidence.sequential.sequences import (
    DifferenceSequence,
    asymptotic_halfwidth,
    quantile_interval,
    rate_interval,
    rate_log_e,
)
from tests.evidence.sequential.builders import YES_NO, a_block


@given(st.integers(1, 3_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_rate_interval_holds_what_is_not_refuted(pair: tuple[int, int], alpha: float) -> None:
    """Both ends are where the e-value reaches 1/α, the estimate is inside, 0 and 1 stay where nothing speaks against them."""
    bad, n = pair
    interval = rate_interval(bad, n, alpha)
    assert interval.low is not None
    assert interval.high is not None
    assert 0.0 <= interval.low <= bad / n <= interval.high <= 1.0
    assert (interval.low == 0.0) is (bad == 0)
    assert (interval.high == 1.0) is (bad == n)
    for end in (interval.low, interval.high):
        if 0.0 < end < 1.0:
            assert rate_log_e(bad, n, end) == pytest.approx(-log(alpha), abs=1e-6)


def test_nothing_measured_is_nothing_known() -> None:
    """An end that is not known is `None`, never a neutral number."""
    assert (rate_interval(0, 0).low, rate_interval(0, 0).high) == (None, None)
    assert (quantile_interval(Sketch(), 0.5).low, quantile_interval(Sketch(), 0.5).high) == (None, None)
    assert asymptotic_halfwidth(0.1, 0) == inf
    empty = DifferenceSequence.start(2, YES_NO.nodes, scale=0.02, rate=0.1).intervals()
    assert [(one.low, one.high) for one in empty] == [(None, None)] * 2


def test_a_tail_is_bounded_only_by_enough_outcomes() -> None:
    """The 99th percentile of fifty values has no upper end; of twenty thousand it has both, around the truth."""
    rng = np.random.default_rng(2)
    few = quantile_interval(Sketch.of(rng.exponential(100.0, 50)), 0.99)
    assert few.high is None
    many = quantile_interval(Sketch.of(rng.exponential(100.0, 20_000)), 0.99)
    truth = 100.0 * log(100)
    assert many.low is not None
    assert many.high is not None
    assert truth * 0.8 < many.low < truth < many.high < truth * 1.25


@pytest.mark.parametrize("value", [100.0, 0.0, 3.3e-7, 1e12])
def test_values_that_are_all_alike_lie_inside_their_interval(value: float) -> None:
    """The ends are the ends of buckets and not their middles: a sketch never shifts the truth out of the interval."""
    interval = quantile_interval(Sketch.of([value] * 5_000), 0.5)
    assert interval.low is not None
    assert interval.high is not None
    assert interval.low <= value * (1 + 1e-12)
    assert value * (1 - 1e-12) <= interval.high
    assert interval.high - interval.low <= value * (GAMMA - 1) * 1.01


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_quantile_lies_between_the_ends(share: float) -> None:
    """The 0th and the 100th have no interval."""
    with pytest.raises(ValueError, match="share"):
        quantile_interval(Sketch.of([1.0]), share)


@given(st.integers(1, 200), st.floats(0.05, 0.95))
def test_more_outcomes_of_the_same_kind_narrow_an_interval(hundreds: int, share: float) -> None:
    """Ten times the data, at most half the width."""
    n = 100 * hundreds
    small, large = (rate_interval(share * size, size) for size in (n, 10 * n))
    assert small.low is not None
    assert small.high is not None
    assert large.low is not None
    assert large.high is not None
    assert large.high - large.low < (small.high - small.low) / 2


def test_the_asymptotic_halfwidth_is_narrowest_where_it_was_tuned() -> None:
    """Against fixed-n widths (z = 1.96): closest at the n it is tuned for, and never below."""
    at = [100, 1_000, 5_000, 25_000, 250_000]
    ratios = [asymptotic_halfwidth(1 / n, n) / (1.959964 / sqrt(n)) for n in at]
    assert min(ratios) == ratios[2]
    assert min(ratios) > 1


def test_a_difference_narrows_around_the_truth() -> None:
    """Candidate 15 % bad, control 10 %: after enough blocks the interval holds 5 points and neither 0 nor 12."""
    sequence = DifferenceSequence.start(1, YES_NO.nodes, scale=0.02, rate=0.1)
    for _ in range(60):
        sequence = sequence.advance(a_block(15, 100, 90, 900))
    (interval,) = sequence.intervals()
    assert interval.low is not None
    assert interval.high is not None
    assert 0.0 < interval.low < 0.05 < interval.high < 0.12


def test_an_interval_and_a_decision_agree() -> None:
    """A margin of the row is outside the interval exactly when its own bet says so, and the row holds 0."""
    sequence = DifferenceSequence.start(1, YES_NO.nodes, scale=0.05, rate=0.1)
    assert 0.0 in sequence.margins
    assert np.all(np.diff(sequence.margins) > 0)
    assert np.all(np.abs(sequence.margins) < 1)
    for _ in range(20):
        sequence = sequence.advance(Block.of_counts(*(np.array([[x]], float) for x in (40, 100, 100, 1_000))))
    (interval,) = sequence.intervals(0.05)
    below = sequence.process.log_e[: len(sequence.margins), 0] >= log(40)
    assert interval.low == max(sequence.margins[below])
    assert interval.low > 0.15


@pytest.mark.parametrize("scale", [0.0, 1.0, -0.1, float("nan")])
def test_a_difference_needs_a_scale(scale: float) -> None:
    """It sizes the bets and the row of margins."""
    with pytest.raises(ValueError, match="scale"):
        DifferenceSequence.start(1, YES_NO.nodes, scale=scale)
