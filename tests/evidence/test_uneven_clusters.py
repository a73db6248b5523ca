"""Clusters of very uneven sizes: harm is not excluded more often than the level says."""

from __future__ import annotations

import numpy as np
import pytest

from segue.evidence.paired import PairedSample, difference_interval
from segue.gates.findings import is_dominated

RUNS = 1500
MARGIN = 0.05
GIANT = (400, *[5] * 40)
SIZES = {
    "one of 400 beside forty of 5": GIANT,
    "one of 100 beside forty of 5": (100, *[5] * 40),
    "two of 200 beside forty of 5": (200, 200, *[5] * 40),
    "five of 60 beside sixty of 5": (*[60] * 5, *[5] * 60),
    "one of 40 beside 260 single cases": (40, *[1] * 260),
    "forty of 10": (10,) * 40,
}


def a_sample(sizes: tuple[int, ...], worse: np.ndarray, better: np.ndarray) -> PairedSample:
    """Clusters that had all cases right but `better`, and lose `worse`."""
    blocks: dict[tuple[int, float, float], int] = {}
    for cases, lost, won in zip(sizes, worse.tolist(), better.tolist(), strict=True):
        key = (cases, float(cases - won), float(cases - lost))
        blocks[key] = blocks.get(key, 0) + 1
    return PairedSample.from_blocks(blocks)


def draw(rng: np.random.Generator, sizes: tuple[int, ...], spread: float, truth: float) -> PairedSample:
    """Every cluster has a shift of its own around `truth`, and churn of 10 % or as much as its shift asks for."""
    shift = np.clip(rng.normal(truth, spread, len(sizes)), -0.9, 0.9)
    churn = np.maximum(0.10, np.abs(shift))
    lost, won = (churn - shift) / 2, (churn + shift) / 2
    worse = rng.binomial(sizes, lost)
    better = rng.binomial(np.array(sizes) - worse, np.clip(won / np.maximum(1e-9, 1 - lost), 0, 1))
    return a_sample(sizes, worse, better)


def is_cleared(sample: PairedSample) -> bool:
    """Whether the gate would say *not worse*."""
    return not is_dominated(sample) and difference_interval(sample, 0.90)[0] > -MARGIN


@pytest.mark.parametrize("spread", [0.0, 0.15, 0.30])
@pytest.mark.parametrize("name", SIZES)
def test_a_loss_of_the_margin_is_seldom_cleared(name: str, spread: float) -> None:
    """At a true loss of exactly the margin, at most 5 % of 1,500 suites are called not worse, and two standard errors."""
    rng = np.random.default_rng([len(name), int(100 * spread)])
    cleared = sum(is_cleared(draw(rng, SIZES[name], spread, -MARGIN)) for _ in range(RUNS))
    assert cleared / RUNS <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / RUNS)


def test_clusters_that_fall_whole_and_seldom_are_not_cleared_either() -> None:
    """One cluster in twenty loses all its cases, the others none: forty clusters without a loss prove little."""
    rng = np.random.default_rng(8)
    for sizes in ((10,) * 40, (1,) * 80, SIZES["five of 60 beside sixty of 5"]):
        margin_hit = 0
        for _ in range(RUNS):
            worse = np.where(rng.random(len(sizes)) < MARGIN, sizes, 0)
            margin_hit += is_cleared(a_sample(sizes, worse, np.zeros(len(sizes), dtype=int)))
        assert margin_hit / RUNS <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / RUNS)


def test_without_churn_the_bound_is_that_of_as_many_single_cases() -> None:
    """Eighty clusters that all agreed leave as much open as eighty cases that agreed (Tango's bound), within a tenth."""
    clusters = a_sample((7,) * 80, np.zeros(80, dtype=int), np.zeros(80, dtype=int))
    single = PairedSample.from_pairs([(1.0, 1.0)] * 80)
    assert difference_interval(clusters, 0.90)[0] == pytest.approx(difference_interval(single, 0.90)[0], rel=0.1)


def test_many_even_clusters_are_still_cleared() -> None:
    """No true loss, 120 clusters of five: safe is said in most suites."""
    rng = np.random.default_rng(12)
    assert sum(is_cleared(draw(rng, (5,) * 120, 0.05, 0.0)) for _ in range(300)) >= 0.6 * 300


def test_a_cluster_with_a_fifth_of_the_cases_dominates() -> None:
    """Below that it does not; single cases never do, however few there are."""
    none = np.zeros(41, dtype=int)
    assert is_dominated(a_sample(GIANT, none, none))
    assert not is_dominated(a_sample((49, *[5] * 40), none, none))
    assert not is_dominated(PairedSample.from_pairs([(1.0, 1.0)] * 3))
    assert not is_dominated(PairedSample.from_blocks({}))


def test_the_effective_number_of_blocks_is_kishs() -> None:
    """All of them where they are alike, and little more than two beside a giant."""
    none = np.zeros(41, dtype=int)
    assert a_sample((5,) * 41, none, none).effective_blocks == pytest.approx(41)
    assert a_sample(GIANT, none, none).effective_blocks == pytest.approx(600**2 / (400**2 + 40 * 25))
    assert PairedSample.from_blocks({}).effective_blocks == 0.0
