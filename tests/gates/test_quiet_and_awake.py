"""The gate from one set of settings: quiet when nothing changed, awake when a slice fell."""

from __future__ import annotations

import pytest

from tests.gates.simulation import simulate

SEEDS = 500


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_quiet_without_a_difference_whatever_the_noise() -> None:
    """Ten slices, flips of 5–30 % in every case, no true difference: at most 5 % of 500 comparisons raise a block."""
    runs = [simulate(seed) for seed in range(SEEDS)]
    false_blocks = sum(bool(run.worse) for run in runs)
    assert false_blocks <= 0.05 * SEEDS
    # A gate that always says inconclusive would be quiet too: this one clears most totals.
    assert sum("" in run.not_worse | run.better for run in runs) >= 0.5 * SEEDS


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_awake_to_ten_points_lost_in_one_slice_of_three_hundred() -> None:
    """The same settings, a true drop of ten points in one slice of ten: blocked there in at least 90 % of 500 seeds."""
    runs = [simulate(seed, drop=0.10) for seed in range(SEEDS)]
    assert sum("s=0" in run.worse for run in runs) >= 0.90 * SEEDS
    # The other nine slices, which did not change, stay as quiet as before.
    assert sum(bool(run.worse - {"s=0", ""}) for run in runs) <= 0.05 * SEEDS
