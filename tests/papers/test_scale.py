"""Axes: places in per cent, round ticks that do not run into each other."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from segue.papers.scale import NEAREST, AmountScale, GainScale

shares = st.floats(min_value=-1, max_value=1)
amounts = st.floats(min_value=1e-3, max_value=1e12)


@given(st.lists(shares))
def test_every_gain_and_zero_are_inside_the_drawing(values: list[float]) -> None:
    """Also for one value, none, or all equal."""
    scale = GainScale.over(values)
    assert all(0 <= scale.at(value) <= 100 for value in (*values, 0.0))
    assert any(tick.label == "0" for tick in scale.ticks())
    assert len(scale.ticks()) <= 8


@given(st.lists(amounts, min_size=1))
def test_every_amount_is_inside_the_drawing(values: list[float]) -> None:
    """From a thousandth of a millisecond to decades."""
    scale = AmountScale.over(values, "tokens")
    assert scale is not None
    assert all(0 <= scale.at(value) <= 100 for value in values)


@given(st.lists(amounts, min_size=2), st.sampled_from(["ms", "tokens", "microusd"]))
def test_labels_keep_their_distance(values: list[float], unit: str) -> None:
    """They are read on a phone too."""
    scale = AmountScale.over(values, unit)
    assert scale is not None
    places = [float(tick.x.rstrip("%")) for tick in scale.ticks()]
    assert all(after - before >= NEAREST - 0.02 for before, after in pairwise(places))


def test_zero_stands_at_the_edge_of_a_logarithmic_axis() -> None:
    """Free calls exist, and zero has no logarithm."""
    scale = AmountScale.over([0.0, 10.0, 1000.0], "microusd")
    assert scale is not None
    assert scale.at(0.0) == 0.0
    assert AmountScale.over([0.0, 0.0], "microusd") is None
    assert AmountScale.over([math.inf], "ms") is None


def test_where_less_is_better_the_axis_is_turned_round() -> None:
    """Better stays on the right; the labels keep the metric's own direction."""
    labels = [tick.label for tick in GainScale.over([-0.2, 0.1]).ticks(less_is_better=True)]
    assert labels == ["+20", "+10", "0", "−10"]
