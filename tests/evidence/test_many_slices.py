"""Multiplicity, flips, sample sizes and quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from segue.evidence.flips import FlipCounts
from segue.evidence.multiplicity import holm
from segue.evidence.quantiles import EXACT, Spread, order_statistic_interval
from segue.evidence.sample_size import Noise, RepeatTarget, cases_to_settle, plan_repeats


@settings(max_examples=25)  # statsmodels takes its time
@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=40))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    """Adjusted p-values equal statsmodels' Holm, in the order given."""
    ours = 10 ** np.array(holm(np.log10(p_values).tolist()))
    assert ours == pytest.approx(multipletests(p_values, method="holm")[1], rel=1e-9)


def test_no_slices_need_no_correction() -> None:
    """An empty family stays empty."""
    assert holm([]) == []


def test_an_empty_denominator_is_undefined() -> None:
    """No right answer before: backward trust is undefined, not 0 and not 1."""
    flips = FlipCounts(only_new=3, both_wrong=2)
    assert flips.backward_trust is None
    assert flips.backward_error == pytest.approx(0.4)
    assert flips.churn == pytest.approx(0.6)
    assert FlipCounts().negative_flip_rate is None


def test_flip_counts_add() -> None:
    """Two slices' tables add cell by cell."""
    assert FlipCounts(1, 2, 3, 4) + FlipCounts(4, 3, 2, 1) == FlipCounts(5, 5, 5, 5)


def test_cases_to_settle_is_the_published_rule() -> None:
    """n ≈ 6.18 · churn / δ² at 80 % power and α = 0.05."""
    assert cases_to_settle(0.15, 0.05) == 371
    assert cases_to_settle(0.10, 0.02) == 1546


def test_cases_to_settle_gives_the_power_it_promises() -> None:
    """At the promised n, non-inferiority is shown in about 80 % of simulated suites of two equally good arms."""
    from segue.evidence.paired import tango_interval

    n = cases_to_settle(0.15, 0.05)
    rng = np.random.default_rng(5)
    shown = [
        tango_interval(b, c, n, 1.6448536)[0] > -0.05 for b, c, _ in rng.multinomial(n, [0.075, 0.075, 0.85], 600).tolist()
    ]
    assert 0.74 <= np.mean(shown) <= 0.88


def test_repeats_are_asked_for_where_noise_within_cases_hides_a_drop() -> None:
    """A noisy slice asks for repeats, a quiet one for none, and one that only more cases could help asks for none."""
    noisy = RepeatTarget(Noise(cases=300, within=0.28, total=0.30), margin=0.08)
    quiet = RepeatTarget(Noise(cases=3000, within=0.02, total=0.05), margin=0.05)
    small = RepeatTarget(Noise(cases=20, within=0.02, total=0.20), margin=0.05)
    assert plan_repeats([noisy], most=10, alpha=0.005) > 1
    assert plan_repeats([quiet], most=10, alpha=0.005) == 1
    assert plan_repeats([small], most=10, alpha=0.005) == 1


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [5, 40, 400])
def test_quantile_interval_is_distribution_free(share: float, n: int) -> None:
    """P(X₍ₗ₎ ≤ q ≤ X₍ᵤ₎) is at least 95 % by the binomial; an end that cannot be bounded is absent."""
    low, high = order_statistic_interval(n, share)
    below = 0.0 if low is None else float(stats.binom.cdf(low - 1, n, share))
    above = 0.0 if high is None else 1 - float(stats.binom.cdf(high - 1, n, share))
    assert below <= 0.025 + 1e-12
    assert above <= 0.025 + 1e-12
    if share == 0.99 and n == 40:
        assert high is None


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=200))
def test_small_spreads_are_exact(values: list[float]) -> None:
    """The nearest-rank quantile of what was added, exactly."""
    spread = Spread()
    spread.extend(values)
    quantile = spread.quantile(0.5)
    assert quantile is not None
    assert quantile.value == sorted(values)[int(np.ceil(0.5 * len(values))) - 1]
    assert spread.largest == max(values)


def test_large_spreads_stay_small_and_close() -> None:
    """Past the exact size, quantiles are within half a per cent, and merging in another order gives the same."""
    rng = np.random.default_rng(1)
    values = rng.lognormal(6, 1.5, 60_000)
    whole, left, right = Spread(), Spread(), Spread()
    whole.extend(values.tolist())
    left.extend(values[:25_000].tolist())
    right.extend(values[25_000:].tolist())
    left.merge(right)
    assert not whole.is_exact
    assert EXACT < 60_000
    for share in (0.01, 0.5, 0.95, 0.999):
        quantile, merged = whole.quantile(share), left.quantile(share)
        assert quantile is not None
        assert merged == quantile
        assert quantile.value == pytest.approx(np.quantile(values, share, method="inverted_cdf"), rel=0.0051)
    assert len(whole._buckets) < 4_000


def test_an_empty_spread_has_no_quantile() -> None:
    """Nothing recorded is not zero."""
    assert Spread().quantile(0.5) is None
    assert Spread().mean is None
