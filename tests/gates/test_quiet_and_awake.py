"""The gate from one set of settings: quiet when nothing changed, awake when a slice fell."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from tests.gates.simulation import gather, gather_one_by_one, simulate
from tests.thorough import often

SEEDS = often(200, thorough=500)


@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_gathers_what_adding_case_by_case_does(repeats: int) -> None:
    """The simulation adds like cases together; its tally is that of a comparison, which adds them one by one."""
    rng = np.random.default_rng(repeats)
    old, new = (rng.random((2, repeats, 120)) < 0.8).astype(float)
    together, apart = gather(old, new, 40), gather_one_by_one(old, new, 40)
    assert list(together.cells()) == list(apart.cells())
    for key, cell in apart.cells().items():
        expected, found = asdict(cell), asdict(together.cells()[key])
        assert found.pop("within_sum") == pytest.approx(expected.pop("within_sum"), rel=1e-12)
        assert found == expected
    everything = ("bounded", "better", "unbounded", "n_cases", "by_task", "by_kind", "max_repeats")
    assert [getattr(together, name) for name in everything] == [getattr(apart, name) for name in everything]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_quiet_without_a_difference_whatever_the_noise() -> None:
    """Ten slices, flips of 5–30 % in every case, no true difference: at most 5 % of the comparisons raise a block."""
    runs = [simulate(seed) for seed in range(SEEDS)]
    false_blocks = sum(bool(run.worse) for run in runs)
    assert false_blocks <= 0.05 * SEEDS
    # A gate that always says inconclusive would be quiet too: this one clears most totals.
    assert sum("" in run.not_worse | run.better for run in runs) >= 0.5 * SEEDS


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_awake_to_ten_points_lost_in_one_slice_of_three_hundred() -> None:
    """The same settings, a true drop of ten points in one slice of ten: blocked there in at least 90 % of the seeds."""
    runs = [simulate(seed, drop=0.10) for seed in range(SEEDS)]
    assert sum("s=0" in run.worse for run in runs) >= 0.90 * SEEDS
    # The other nine slices, which did not change, stay as quiet as before.
    assert sum(bool(run.worse - {"s=0", ""}) for run in runs) <= 0.05 * SEEDS
