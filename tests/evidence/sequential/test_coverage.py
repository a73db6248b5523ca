"""Simulated coverage of the intervals on screens: over all looks together they miss the truth in at most 5 % of streams."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.cells import Sketch
from segue.evidence.sequential.sequences import DifferenceSequence, Interval, quantile_interval, rate_interval, rate_log_e
from tests.evidence.sequential.builders import TENTHS, YES_NO

pytestmark = pytest.mark.slow


def misses(interval: Interval, truth: float) -> bool:
    """Whether an end that is known lies beyond the truth."""
    return (interval.low is not None and interval.low > truth) or (interval.high is not None and interval.high < truth)


@pytest.mark.parametrize(("rate", "difference"), [(0.1, 0.05), (0.3, -0.08), (0.02, 0.0)], ids=str)
def test_a_difference_is_inside_at_every_look(rate: float, difference: float) -> None:
    """150 streams of yes/no outcomes with a drifting control, 30 looks."""
    rng = np.random.default_rng(61)
    streams = 150
    sequence = DifferenceSequence.start(streams, YES_NO.nodes, scale=0.02, rate=rate, points=41)
    ever = np.zeros(streams, bool)
    for look in range(30):
        now = rate * (1 + 0.3 * np.sin(look / 5))
        new = rng.binomial(30, np.clip(now + difference, 0, 1), (1, streams))
        old = rng.binomial(120, now, (1, streams))
        sequence = sequence.advance(Block.of_counts(new, np.full(new.shape, 30), old, np.full(old.shape, 120)))
        ever |= [misses(interval, difference) for interval in sequence.intervals()]
    assert ever.mean() <= 0.05


def test_a_difference_of_scores_is_inside_at_every_look() -> None:
    """100 streams of graded outcomes, split between nodes: true means 0.30 and 0.34."""
    rng = np.random.default_rng(67)
    streams = 100
    sequence = DifferenceSequence.start(streams, TENTHS.nodes, scale=0.02, rate=0.3, points=41)
    ever = np.zeros(streams, bool)

    def drawn(a: float, b: float, n: int) -> NDArray[np.float64]:
        at = rng.beta(a, b, (1, streams, n)) * 10
        left = np.minimum(at.astype(int), 9)
        part = at - left
        nodes = np.arange(11)
        return ((left[..., None] == nodes) * (1 - part)[..., None] + (left[..., None] + 1 == nodes) * part[..., None]).sum(-2)

    for _ in range(20):
        new, old = drawn(3.4, 6.6, 20), drawn(3.0, 7.0, 60)
        sequence = sequence.advance(Block(new, old, new.sum(-1), old.sum(-1), new.sum(-1)))
        ever |= [misses(interval, 0.04) for interval in sequence.intervals()]
    assert ever.mean() <= 0.05


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_a_rate_is_inside_at_every_look(rate: float) -> None:
    """500 streams of 2,000 outcomes, 50 looks. An interval misses exactly where the e-value of the truth has reached 20."""
    rng = np.random.default_rng(71)
    bad = rng.binomial(40, rate, (500, 50)).cumsum(1)
    ever = [
        any(rate_log_e(int(count), 40 * (look + 1), rate) >= log(20) for look, count in enumerate(stream)) for stream in bad
    ]
    assert np.mean(ever) <= 0.05
    for stream in bad[:10]:
        for look in (0, 9, 49):
            refuted = rate_log_e(int(stream[look]), 40 * (look + 1), rate) >= log(20)
            assert misses(rate_interval(int(stream[look]), 40 * (look + 1)), rate) is bool(refuted)


@pytest.mark.parametrize(("share", "truth"), [(0.5, 100.0 * log(2)), (0.9, 100.0 * log(10))], ids=["median", "p90"])
def test_a_quantile_is_inside_at_every_look(share: float, truth: float) -> None:
    """100 streams of exponential latencies, 10 looks."""
    rng = np.random.default_rng(73)
    ever = []
    for _ in range(100):
        sketch, missed = Sketch(), False
        for _ in range(10):
            sketch = sketch + Sketch.of(rng.exponential(100.0, 90).tolist())
            missed = missed or misses(quantile_interval(sketch, share), truth)
        ever.append(missed)
    assert np.mean(ever) <= 0.05
