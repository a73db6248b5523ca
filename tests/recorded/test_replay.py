"""The recorded GPT-4 upgrade as live traffic on recorded arrivals: stopped early, and equal releases left alone."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.recorded_traffic import Arrivals, Recorded, data_folder, read_task, read_trace
from benchmarks.replay import replay
from benchmarks.replay_by_time import replay_by_time

from tests.thorough import often

FOLDER = data_folder()
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.slow,
    pytest.mark.skipif(FOLDER is None, reason="the recorded upgrades are absent: set SEGUE_DATA to their folder"),
    pytest.mark.xdist_group("replay"),
]


@pytest.fixture(scope="module")
def prime() -> Recorded:
    assert FOLDER is not None
    return read_task(FOLDER)


@pytest.fixture(scope="module")
def arrivals() -> Arrivals:
    assert FOLDER is not None
    return read_trace(FOLDER, "azure_llm_2023", "conv")


def test_gpt4_march_to_june_is_rolled_back_within_60_canary_outcomes(prime: Recorded, arrivals: Arrivals) -> None:
    """At a share of 5 %, in at least 95 % of 200 seeds."""
    stops = replay(prime, arrivals, seeds=200, share=0.05, same=False)
    assert np.mean(stops <= 60) >= 0.95


def test_the_same_release_on_both_sides_is_left_alone(prime: Recorded, arrivals: Arrivals) -> None:
    """Outcomes redrawn with replacement, looked at after every canary request: at most 5 % of 500 seeds."""
    stops = replay(prime, arrivals, seeds=500, share=0.05, same=True)
    assert np.isfinite(stops).mean() <= 0.05


def test_by_time_and_with_late_labels_the_upgrade_is_rolled_back_within_60_canary_outcomes(
    prime: Recorded, arrivals: Arrivals
) -> None:
    """The whole way that ships, looked at after every ten seconds' block: in at least 95 % of 60 seeds."""
    stops = [replay_by_time(prime, arrivals, seed=seed, share=0.05, same=False) for seed in range(60)]
    assert np.mean([one.outcomes <= 60 for one in stops]) >= 0.95
    assert all(one.exposed >= one.outcomes for one in stops)


def test_by_time_the_same_release_on_both_sides_is_left_alone(prime: Recorded, arrivals: Arrivals) -> None:
    """Bad news comes sooner on both sides, and nothing is alarmed at: at most one seed of 8, or of 20."""
    seeds = range(often(8, thorough=20))
    stops = [replay_by_time(prime, arrivals, seed=seed, share=0.05, same=True) for seed in seeds]
    assert sum(np.isfinite(one.outcomes) for one in stops) <= 1
