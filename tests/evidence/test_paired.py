"""Paired tests and intervals: exactness, agreement with independent implementations, coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar

from segue.evidence.paired import PairedSample, difference_interval, tango_interval, test_difference

judge = test_difference
counts = st.integers(0, 60)


def a_table(both: int = 0, only_old: int = 0, only_new: int = 0, neither: int = 0) -> PairedSample:
    """A sample from the four paired counts."""
    cells = {(1, 1.0, 1.0): both, (1, 1.0, 0.0): only_old, (1, 0.0, 1.0): only_new, (1, 0.0, 0.0): neither}
    return PairedSample.from_blocks({key: value for key, value in cells.items() if value})


@given(both=counts, only_old=counts, only_new=counts, neither=counts)
def test_single_pass_fail_is_the_exact_mcnemar_test(both: int, only_old: int, only_new: int, neither: int) -> None:
    """Two-sided p equals statsmodels' exact McNemar test."""
    sample = a_table(both, only_old, only_new, neither)
    theirs = mcnemar([[both, only_old], [only_new, neither]], exact=True).pvalue
    assert judge(sample).p_two_sided == pytest.approx(min(1.0, theirs), rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=11))
def test_repeats_are_judged_by_the_exact_permutation_test(pairs: list[tuple[int, int]]) -> None:
    """With averaged repeats p equals the share of all sign patterns, listed one by one."""
    sample = PairedSample.from_pairs((old / 3, new / 3) for old, new in pairs)
    differences = [new - old for old, new in pairs if new != old]
    sums = [
        sum(sign * one for sign, one in zip(signs, differences, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    seen = sum(differences)
    result = judge(sample)
    assert result.p_lower == pytest.approx(sum(one <= seen for one in sums) / len(sums), rel=1e-9)
    assert result.p_higher == pytest.approx(sum(one >= seen for one in sums) / len(sums), rel=1e-9)


def test_real_valued_scores_agree_with_scipys_permutation_test() -> None:
    """Scores that lie on no lattice agree with scipy's paired permutation test within its sampling error."""
    rng = np.random.default_rng(7)
    old = rng.random(40)
    new = np.clip(old - 0.04 + 0.1 * rng.standard_normal(40), 0, 1)
    ours = judge(PairedSample.from_pairs(zip(old, new, strict=True)))
    theirs = stats.permutation_test(
        (new, old),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        alternative="less",
        n_resamples=200_000,
        rng=3,
    )
    assert ours.p_lower == pytest.approx(theirs.pvalue, abs=0.004)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30), st.data())
def test_more_harm_never_lowers_the_evidence_of_harm(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    """Making one case worse by a whole point that it had never raises p for 'worse'."""
    binary = [(float(old > 0.5), float(new > 0.5)) for old, new in pairs]
    index = data.draw(st.integers(0, len(binary) - 1))
    harmed = [*binary]
    harmed[index] = (harmed[index][0], 0.0)
    assert judge(PairedSample.from_pairs(harmed)).log10_lower <= judge(PairedSample.from_pairs(binary)).log10_lower + 1e-9


@given(both=counts, only_old=counts, only_new=counts, neither=counts)
def test_swapping_the_arms_mirrors_everything(both: int, only_old: int, only_new: int, neither: int) -> None:
    """Old and new exchanged give the mirrored interval and p-values."""
    one, two = a_table(both, only_old, only_new, neither), a_table(both, only_new, only_old, neither)
    assert judge(one).log10_lower == pytest.approx(judge(two).log10_higher, abs=1e-9)
    low, high = difference_interval(one)
    assert difference_interval(two) == pytest.approx((-high, -low), abs=1e-9)


def test_tango_interval_solves_the_restricted_likelihood() -> None:
    """At the bound, the score statistic built from a numeric restricted maximum likelihood equals z (12 against 43 of 99)."""
    worse, better, n, z = 12, 43, 99, 1.959963984540054

    def statistic(delta: float) -> float:
        def minus_log_likelihood(q: float) -> float:
            return -(better * np.log(q + delta) + worse * np.log(q) + (n - better - worse) * np.log(1 - 2 * q - delta))

        low, high = max(0.0, -delta) + 1e-12, (1 - delta) / 2 - 1e-12
        q = optimize.minimize_scalar(minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
        return float((better - worse - n * delta) / np.sqrt(n * (2 * q + delta * (1 - delta))))

    low, high = tango_interval(worse, better, n, z)
    assert statistic(low) == pytest.approx(z, abs=1e-5)
    assert statistic(high) == pytest.approx(-z, abs=1e-5)


@pytest.mark.parametrize(("p_worse", "p_better"), [(0.02, 0.02), (0.10, 0.05), (0.2, 0.2)])
@pytest.mark.parametrize("n", [30, 120])
def test_interval_for_pass_fail_covers(p_worse: float, p_better: float, n: int) -> None:
    """The 95 % interval holds the truth in at least 93.5 % of seeded samples, also at n = 30."""
    rng = np.random.default_rng([n, int(p_worse * 1000), int(p_better * 1000)])
    hits = 0
    cache: dict[tuple[int, int], bool] = {}
    for better, worse, _ in rng.multinomial(n, [p_better, p_worse, 1 - p_better - p_worse], size=4000).tolist():
        key = (better, worse)
        if key not in cache:
            low, high = tango_interval(worse, better, n, 1.959963984540054)
            cache[key] = low <= p_better - p_worse <= high
        hits += cache[key]
    assert hits / 4000 >= 0.935


@pytest.mark.parametrize("clusters", [False, True])
def test_interval_for_repeats_and_clusters_covers(clusters: bool) -> None:
    """With three repeats a case, or eight cases a conversation, the 95 % interval covers in 93.5 % of 1,500 samples."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(1500):
        if clusters:
            lean = np.clip(rng.normal(0.7, 0.2, 40), 0.02, 0.98)
            shift = rng.normal(-0.05, 0.15, 40)
            blocks: dict[tuple[int, float, float], int] = {}
            for p, d in zip(lean, shift, strict=True):
                key = (8, float(rng.binomial(8, p)), float(rng.binomial(8, np.clip(p + d, 0, 1))))
                blocks[key] = blocks.get(key, 0) + 1
            sample = PairedSample.from_blocks(blocks)
            truth = -0.0551  # the mean of the clipped shift, over 4 million simulated blocks
        else:
            p = rng.beta(4, 1.5, 60)
            sample = PairedSample.from_pairs(zip(rng.binomial(3, p) / 3, rng.binomial(3, p) / 3, strict=True))
            truth = 0.0
        low, high = difference_interval(sample)
        hits += low <= truth <= high
    assert hits / 1500 >= 0.935


def test_no_churn_is_not_certainty() -> None:
    """Thirty cases without a flip leave a loss of several points open; so do repeats that all agree."""
    assert difference_interval(a_table(both=30))[0] < -0.05
    agreed = PairedSample.from_pairs([(2 / 3, 2 / 3)] * 30)
    assert difference_interval(agreed)[0] < -0.02


def test_an_empty_sample_shows_nothing() -> None:
    """Without cases: p is 1 and the interval is everything."""
    empty = PairedSample.from_blocks({})
    assert judge(empty).p_two_sided == 1.0
    assert difference_interval(empty) == (-1.0, 1.0)


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_repeats_chosen_by_spread_keep_the_level(rerun: int, seed: int) -> None:
    """Adding runs where the first ones differed, without looking at the direction, leaves p uniform under the null."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(150):
        p = rng.beta(2, 1, 40)
        old, new = rng.binomial(1, p).astype(float), rng.binomial(1, p).astype(float)
        differs = old != new
        more_old, more_new = rng.binomial(rerun, p), rng.binomial(rerun, p)
        old = np.where(differs, (old + more_old) / (1 + rerun), old)
        new = np.where(differs, (new + more_new) / (1 + rerun), new)
        alarms += judge(PairedSample.from_pairs(zip(old, new, strict=True))).p_lower <= 0.05
    assert alarms <= 18  # 150 · 0.05 = 7.5; P(more than 18) < 0.0004 at the level, and the test is discrete below it
