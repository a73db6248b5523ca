"""What is drawn has the shape that was asked for: totals, slices, labels, clusters, hours."""

from __future__ import annotations

import numpy as np
import pytest

from segue.simulation import Traffic, block_hours
from segue.simulation.lag import Waiting
from segue.simulation.outcomes import EXPOSED, MISSING, Outcomes, block_of, unit_chances
from tests.simulation.builders import ERRORS, QUALITY, a_scenario, a_setting, flat

UNITS = np.tile([[40_000, 20_000]], (3, 1))
NOW = np.zeros(3)
SLICES = {"task=refund": 0.25, "task=other": 0.5, "lang=de": 0.4}


def drawn(text: str | None, *gates: dict[str, object], **fields: object) -> np.ndarray:
    setting = a_setting(*gates, **{"slices": SLICES, **fields})
    return Outcomes(setting, a_scenario(setting, text)).draw(UNITS, NOW, None, np.random.default_rng(5))


def test_slices_of_a_dimension_are_parts_of_the_total() -> None:
    """Every served unit counts once in the total, and in one slice of a dimension at most."""
    table = drawn("slice=refund quality -20pts", QUALITY, ERRORS)
    assert np.array_equal(table[:, 0, :, 0, EXPOSED], np.full((3, 2), 40_000))
    assert np.array_equal(table[:, 1, :, 0, EXPOSED], np.full((3, 2), 20_000))
    assert np.all(table[..., 1, EXPOSED] + table[..., 2, EXPOSED] < table[..., 0, EXPOSED])
    shares = table[:, 1, 0, 1:, EXPOSED].mean(0) / 20_000
    assert shares == pytest.approx([0.25, 0.5, 0.4], abs=0.01)


def test_a_regression_is_where_it_was_put() -> None:
    """On the candidate, on its slice, and by its share on the total and on slices of other dimensions."""
    table = drawn("slice=refund quality -20pts")
    rates = table[..., 1] / table[..., EXPOSED]
    assert rates[:, 1, 0].mean(0) == pytest.approx([0.15, 0.3, 0.1, 0.15], abs=0.01)
    assert rates[:, 0, 0].mean(0) == pytest.approx([0.1, 0.1, 0.1, 0.1], abs=0.01)


def test_labels_that_do_not_come_are_missing_and_not_well() -> None:
    """Of a tenth that is asked, a half answers; safety takes the others at their worst."""
    table = drawn(None, {**QUALITY, "sampled": 0.1, "answered": 0.5})
    assert table[:, 1, 0, 0, MISSING].mean() == pytest.approx(1_000, rel=0.1)
    assert table[:, 1, 0, 0, :MISSING].sum(-1).mean() == pytest.approx(1_000, rel=0.1)
    plain, careful = (block_of(table, [0], slice(None), cautious=one) for one in (False, True))
    missing = table[:, 1, 0, 0, MISSING]
    assert np.array_equal(careful.candidate[:, 0, 0, 1] - plain.candidate[:, 0, 0, 1], missing)
    assert np.array_equal(careful.control[:, 0, 0, 0] - plain.control[:, 0, 0, 0], table[:, 0, 0, 0, MISSING])
    assert np.array_equal(plain.asked, careful.asked)


@pytest.mark.parametrize("likeness", [0.0, 0.3])
def test_outcomes_of_a_user_are_as_alike_as_was_said(likeness: float) -> None:
    """The variance of a mean of m is p(1 − p)(ρ + (1 − ρ)/m)."""
    chances = unit_chances(np.array([0.2]), 5, likeness)[0]
    means = np.arange(6) / 5
    assert chances.sum() == pytest.approx(1.0)
    assert chances @ means == pytest.approx(0.2)
    assert chances @ means**2 - 0.04 == pytest.approx(0.16 * (likeness + (1 - likeness) / 5), rel=1e-3)


def test_each_metric_waits_for_its_own_age() -> None:
    """A day-old outcome comes out a day later than one that is judged at once, and of its own block."""
    waiting = Waiting.of_ages((0.0, 1.0), 12)
    step = np.zeros(1, np.int64)
    seen = []
    for block in range(4):
        waiting.add(np.full((1, 2, 2, 1, 4), float(block + 1)), step)
        seen.append(waiting.mature()[0, 0, :, 0, 0].tolist())
    assert seen == [[1.0, 0.0], [2.0, 0.0], [3.0, 1.0], [4.0, 2.0]]


def test_the_last_block_of_a_step_is_known_by_the_next() -> None:
    """So that outcomes at two shares are not pooled in one bet."""
    waiting = Waiting.of_ages((0.5,), 12)
    ends = []
    for place in (0, 0, 1, 1):
        waiting.add(np.zeros((1, 2, 1, 1, 4)), np.array([place]))
        ends.append(bool(waiting.ends_step()[0]))
    assert ends == [False, False, True, False]


def test_a_trace_of_an_hour_is_stretched_to_a_day_and_says_so() -> None:
    """Its shape stays: a busy half is a busy half-day."""
    seconds = [*np.linspace(0, 1799, 300), *np.linspace(1800, 3600, 900)]
    found = Traffic.of_trace(1_000, seconds)
    assert sum(found.hourly) == pytest.approx(1.0)
    assert sum(found.hourly[12:]) == pytest.approx(0.75, abs=0.02)
    assert "60 minutes" in found.remark
    assert "stretched" in found.remark


def test_a_trace_over_days_is_repeated() -> None:
    """Hour by hour, at the traffic that was asked for."""
    found = Traffic.of_trace(1_000, list(np.arange(0, 2 * 86_400, 600.0)))
    assert len(found.hourly) == 48
    assert found.per_block(6).sum() == pytest.approx(2_000)


@pytest.mark.parametrize("seconds", [[], [5.0] * 100, [1.0, 2.0]], ids=["none", "all-at-once", "two"])
def test_a_trace_without_a_shape_is_refused(seconds: list[float]) -> None:
    """There is nothing to stretch."""
    with pytest.raises(ValueError, match="at least 24 arrivals"):
        Traffic.of_trace(1_000, seconds)


def test_looks_are_as_frequent_as_length_and_traffic_allow() -> None:
    """Hourly in a fortnight of busy traffic; seldom where hours bring nobody, or the canary is long."""
    assert block_hours(flat(100_000), 14, 0.01) == 1
    assert block_hours(flat(400), 14, 0.01) == 6
    assert block_hours(flat(100_000), 45, 0.01) == 3
