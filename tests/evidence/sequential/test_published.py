"""The formulas against published numbers and independent implementations, to the digits stated."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import betabinom, binom
from statsmodels.stats.proportion import proportion_confint

from segue.evidence.sequential.betting import Block, choose_fixed_stakes, choose_stakes, log_growth
from segue.evidence.sequential.combination import spread_weights
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.ratio_test import share_log_e
from segue.evidence.sequential.sequences import asymptotic_halfwidth, rate_interval, rate_log_e
from segue.evidence.sequential.wald import growth_rate, outcomes_needed, whole_outcomes
from tests.evidence.sequential.builders import YES_NO, counts


def test_the_beta_binomial_mixture_of_confseq() -> None:
    """Howard and Ramdas' own library: `BetaBinomialMixture(100, 0.05, 0.2, 0.8, two-sided).log_superMG(10, 100)` is −0.6941012.

    (gostevehoward/confseq, test/uniform_boundaries_unittest.cpp, values from a reference implementation in R.) There s = 10 and
    v = 100 at g = 0.2, h = 0.8 stand for 135 of 625; its tuned ρ is 12.60056, its prior Beta(r/h, r/g) with r = ρ − g·h.
    """
    r = 12.60056 - 0.2 * 0.8
    assert rate_log_e(135, 625, 0.2, a=r / 0.8, b=r / 0.2) == pytest.approx(-0.6941012, abs=1e-6)


def test_the_sample_ratio_test_of_lindon_and_malek() -> None:
    """The worked example of the savvi package for Lindon and Malek (2022): at n = 168 the sequential p is 0.04675270375081281.

    (assuncaolfi/savvi, README, "Inhomogeneous Poisson Counting Process": NumPy's legacy generator with seed 1, planned shares
    0.8 and 0.2, concentration 100; it is the first n with p ≤ 0.05.)
    """
    rng = np.random.RandomState(1)
    rng.multinomial(1, [0.1, 0.3, 0.6], size=1_000)
    three = np.array([0.1, 0.3, 0.6]) * [0.2, 0.3, 0.4]
    rng.multinomial(1, three / three.sum(), size=5_250)
    two = np.array([0.8, 0.2]) * np.exp([1.5, 2.0])
    seen = rng.multinomial(1, two / two.sum(), size=1_500).cumsum(0)
    p = [exp(-share_log_e(int(old), int(new), 0.2, 100.0)) for old, new in seen[:168]]
    assert min(p[:-1]) > 0.05
    assert p[-1] == pytest.approx(0.04675270375081281, rel=1e-10)


@pytest.mark.parametrize(
    ("old", "new", "alpha", "tuned_for", "halfwidth"),
    [
        ((900, 10_000), (520, 5_000), 0.05, 5_000, 0.01603892009832185),
        ((90, 1_000), (130, 1_000), 0.05, 5_000, 0.04362120107985243),
        ((1_800, 19_000), (120, 1_000), 0.01, 1_000, 0.0402590078441164),
        ((5, 60), (9, 50), 0.1, 600, 0.20563619795280597),
    ],
)
def test_the_asymptotic_sequence_of_gbstats(
    old: tuple[int, int], new: tuple[int, int], alpha: float, tuned_for: float, halfwidth: float
) -> None:
    """Half-widths of GrowthBook's `SequentialTwoSidedTTest` (gbstats 0.8.0, absolute difference), to twelve digits.

    Equations 9 and 161 of Waudby-Smith et al. (arXiv 2103.06476). The numbers are frozen, since gbstats pins numpy below 2.
    """
    variance = sum((bad / n) * (1 - bad / n) / n for bad, n in (old, new))
    ours = asymptotic_halfwidth(variance, old[1] + new[1], alpha, tuned_for=tuned_for)
    assert ours == pytest.approx(halfwidth, rel=1e-12)


@given(st.integers(0, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.99))
def test_the_mixture_is_scipys_beta_binomial(pair: tuple[int, int], rate: float) -> None:
    """Robbins' mixture over one binomial likelihood: scipy's beta-binomial over its binomial, to nine digits."""
    bad, n = pair
    theirs = betabinom.logpmf(bad, n, 0.5, 0.5) - binom.logpmf(bad, n, rate)
    assert rate_log_e(bad, n, rate) == pytest.approx(theirs, rel=1e-9, abs=1e-8)


@given(st.integers(0, 5_000), st.integers(0, 500), st.floats(0.005, 0.5), st.sampled_from([30.0, 1_000.0, 30_000.0]))
def test_the_sample_ratio_test_is_scipys_beta_binomial(old: int, new: int, share: float, concentration: float) -> None:
    """For two groups a Dirichlet-multinomial is a beta-binomial; the binomial coefficients cancel. Nine digits."""
    theirs = betabinom.logpmf(new, old + new, concentration * share, concentration * (1 - share)) - binom.logpmf(
        new, old + new, share
    )
    assert share_log_e(old, new, share, concentration) == pytest.approx(theirs, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("bad", "n"), [(0, 50), (3, 40), (120, 1_000), (999, 1_000)])
def test_a_rate_interval_is_wider_than_one_for_a_single_look(bad: int, n: int) -> None:
    """It contains statsmodels' Clopper–Pearson interval, and is less than 2.5 times as wide."""
    ours = rate_interval(bad, n)
    low, high = proportion_confint(bad, n, 0.05, "beta")
    assert ours.low is not None
    assert ours.high is not None
    assert ours.low <= low
    assert high <= ours.high
    assert ours.high - ours.low < 2.5 * (high - low)


@given(
    st.floats(0.08, 0.5),
    st.sampled_from(
        [
            Null("harm", margin=0.02, effects=((1.5, 0.5), (4.0, 0.5))),
            Null("harm", margin=-0.01, floor=0.03, effects=((1.0, 1.0),)),
            Null("safe", margin=0.03, effects=((0.5, 0.5), (1.0, 0.5))),
        ]
    ),
    st.sampled_from([(1, 1), (10, 190), (10, 90), (30, 10)]),
)
def test_the_stakes_are_the_kl_projection(rate: float, null: Null, sizes: tuple[int, int]) -> None:
    """The boundary's nearest point in KL, found by scipy's scalar minimiser, is the growth at the alternative, to six digits.

    With the four rounds that the processes take it is reached to 1 %: growth is flat around its maximum.
    """
    n_new, n_old = sizes
    chosen = [choose_stakes(Questions.of([null], rounds=rounds), *counts(rate, 1.0, n_new, n_old)) for rounds in (60, 4)]
    for effect, (size, _) in enumerate(null.mixture):
        target = rate + null.margin + null.sign * size * max(null.margin, null.floor)

        def divergence(control: float, target: float = target) -> float:
            return n_new * kl(target, control + null.margin) + n_old * kl(rate, control)

        ends = sorted((rate, target - null.margin))
        best = float(minimize_scalar(divergence, bounds=ends, method="bounded", options={"xatol": 1e-12}).fun)
        for stakes, tolerance in zip(chosen, (1e-6, 0.01), strict=True):
            growth = n_new * mean_log(
                target, null.sign * stakes.candidate_stake[0, 0, effect], stakes.candidate_null[0, 0, effect]
            ) + n_old * mean_log(rate, -null.sign * stakes.control_stake[0, 0, effect], stakes.control_null[0, 0, effect])
            assert growth == pytest.approx(best, rel=tolerance)


def kl(p: float, q: float) -> float:
    """KL(Bernoulli(p) ‖ Bernoulli(q))."""
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def mean_log(rate: float, stake: float, at: float) -> float:
    """The mean logarithm of one outcome's factor."""
    return rate * log(1 + stake * (1 - at)) + (1 - rate) * log(1 - stake * at)


@pytest.mark.parametrize(("bad_new", "n_new", "bad_old", "n_old"), [(3, 10, 2, 10), (0, 5, 7, 45), (10, 10, 0, 90)])
def test_without_a_margin_the_bet_is_the_e_variable_of_turner_ly_and_gruenwald(
    bad_new: int, n_new: int, bad_old: int, n_old: int
) -> None:
    """Their theorem 1, as safestats computes it (`calculateETwoProportions`), to nine digits.

    e = θ_b^{k_b}(1−θ_b)^{n_b−k_b}·θ_a^{k_a}(1−θ_a)^{n_a−k_a} over θ₀^k(1−θ₀)^{n−k}, with θ₀ = (n_a·θ_a + n_b·θ_b)/n.
    """
    rate, effect = 0.2, 0.15
    null = Null("harm", margin=0.0, effects=((1.0, 1.0),))
    questions = Questions.of([null], distance=effect, rounds=60)
    stakes = choose_stakes(questions, *counts(rate, 1.0, n_new, n_old))
    growth = log_growth(questions, stakes, Block.of_counts(*counts(bad_new, n_new, bad_old, n_old)), YES_NO.nodes)
    theta = (n_old * rate + n_new * (rate + effect)) / (n_old + n_new)
    theirs = 0.0
    for bad, n, own in ((bad_new, n_new, rate + effect), (bad_old, n_old, rate)):
        theirs += bad * log(own) + (n - bad) * log(1 - own) - bad * log(theta) - (n - bad) * log(1 - theta)
    assert growth[0, 0, 0] == pytest.approx(theirs, rel=1e-9)


def test_against_a_level_the_bet_is_the_likelihood_ratio() -> None:
    """Wald's: 7 bad of 20, 25 % against 12 %."""
    questions = Questions.of([Null("harm", margin=0.02, effects=((1.0, 1.0),))], distance=0.13)
    stakes = choose_fixed_stakes(questions, *counts(0.10, 1.0))
    growth = log_growth(questions, stakes, Block.of_counts(*counts(7, 20, 0, 0)), YES_NO.nodes)
    assert growth[0, 0, 0] == pytest.approx(binom.logpmf(7, 20, 0.25) - binom.logpmf(7, 20, 0.12), rel=1e-9)


@given(
    st.sampled_from([Null("harm", margin=0.02), Null("safe", margin=0.02), Null("harm", ratio=1.2), Null("safe", ratio=1.5)]),
    st.floats(0.02, 0.5),
    st.floats(0.02, 0.6),
    st.sampled_from([1.0, 3.0, 19.0, 99.0]),
)
def test_growth_rates_agree_with_a_root_of_their_slope(null: Null, control: float, candidate: float, ratio: float) -> None:
    """By scipy's Brent on the derivative of the divergence along the boundary, to eight digits; 0 inside the null."""
    ours = growth_rate(null, control=control, candidate=candidate, ratio=ratio)
    if null.sign * (candidate - null.ratio * control - null.margin) <= 0:
        assert ours == 0.0
        return

    def slope(at: float) -> float:
        other = null.ratio * at + null.margin
        return ratio * (at - control) / (at * (1 - at)) + null.ratio * (other - candidate) / (other * (1 - other))

    low, high = 1e-6, min(1 - 1e-6, (1 - 1e-6 - null.margin) / null.ratio)
    at = brentq(slope, max(low, (1e-6 - null.margin) / null.ratio), high, xtol=1e-14)
    theirs = kl(candidate, null.ratio * at + null.margin) + ratio * kl(control, at)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    ("null", "candidate", "weight", "bound"),
    [
        (Null("harm", margin=0.02), 0.15, 1.0, 787),
        (Null("harm", margin=0.02), 0.20, 1.0, 122),
        (Null("harm", margin=0.02), 0.15, 0.5, 969),
        (Null("harm", margin=0.02), 0.20, 0.5, 150),
        (Null("safe", margin=0.02), 0.10, 1.0, 1_567),
    ],
    ids=["5 points", "10 points", "5 points in the grid", "10 points in the grid", "equal, to promote"],
)
def test_the_bounds_of_the_specification(null: Null, candidate: float, weight: float, bound: int) -> None:
    """Wald's bound at α = 0.05 and 19 control outcomes to one: the figures that the product is measured against."""
    needed = outcomes_needed(null, control=0.10, candidate=candidate, ratio=19.0, weight=weight)
    assert needed == pytest.approx(bound, abs=0.5)


def test_the_bound_of_one_slice_in_the_grid() -> None:
    """10 points in one slice of 40 with five metrics: 366 outcomes of that slice, at the weight that ships."""
    weight = float(spread_weights([f"m{i}" for i in range(5)], 40)[2, 7])
    needed = outcomes_needed(Null("harm", margin=0.02), control=0.10, candidate=0.20, ratio=19.0, weight=weight)
    assert needed == pytest.approx(366, abs=0.5)


def test_what_never_happens_takes_for_ever() -> None:
    """Rates inside the null, and no control: no number of outcomes; and evidence gathered already shortens the rest."""
    null = Null("harm", margin=0.02)
    assert whole_outcomes(outcomes_needed(null, control=0.10, candidate=0.12, ratio=19.0)) is None
    assert whole_outcomes(outcomes_needed(null, control=0.10, candidate=0.20, ratio=0.0)) is None
    assert whole_outcomes(outcomes_needed(null, control=0.10, candidate=0.20, ratio=19.0)) == 122
    halfway = outcomes_needed(null, control=0.10, candidate=0.20, ratio=19.0, log_e=log(20) / 2)
    assert halfway == pytest.approx(121.67 / 2, abs=0.1)
    assert outcomes_needed(null, control=0.10, candidate=0.20, ratio=19.0, log_e=9.0) == 0.0


@pytest.mark.parametrize(("control", "candidate"), [(0.0, 1.0), (0.0, 0.5), (1.0, 1.0), (0.5, 1.0), (0.0, 0.0)])
def test_growth_rates_at_the_ends_are_numbers(control: float, candidate: float) -> None:
    """Rates of 0 and 1 are seen, in small cells, every day."""
    for null in (Null("harm", margin=0.02), Null("safe", margin=0.02), Null("harm", ratio=1.2)):
        assert np.isfinite(growth_rate(null, control=control, candidate=candidate, ratio=19.0))
