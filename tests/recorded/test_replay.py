"""The recorded GPT-4 upgrade as live traffic on recorded arrivals: stopped early, and equal releases left alone."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.replay import Arrivals, Recorded, data_folder, read_task, read_trace, replay

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
