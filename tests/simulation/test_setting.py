"""From a plan to questions: limits as lines, ladders, weights, and what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.model.plan import Limit
from segue.simulation import Facts, find_gaps, settle
from segue.simulation.setting import Stream, null_of
from tests.simulation.builders import ERRORS, QUALITY, a_plan, a_setting

HIGHER = Stream("quality", "higher", 0.1, 0.0, 1.0, 1.0, in_shadow=True)
LOWER = Stream("errors", "lower", 0.1, 0.0, 1.0, 1.0, in_shadow=True)


@pytest.mark.parametrize(
    ("stream", "limit", "boundary"),
    [
        (HIGHER, Limit(amount=0.02), 0.12),
        (LOWER, Limit(amount=0.02), 0.12),
        (LOWER, Limit(amount=0.2, is_relative=True), 0.12),
        (HIGHER, Limit(amount=0.05, is_relative=True), 1 - 0.9 * 0.95),
    ],
    ids=["points-of-quality", "points-of-errors", "more-errors", "less-quality"],
)
def test_a_limit_is_a_line_through_both_rates(stream: Stream, limit: Limit, boundary: float) -> None:
    """ "5 % of quality" is a line in badness as well."""
    null = null_of(limit, stream, "harm")
    assert null.ratio * stream.rate + null.margin == pytest.approx(boundary)


def test_the_ladder_of_a_two_point_limit_is_that_of_the_statistics() -> None:
    """10 points at 1 %, 5 at 5 %, 2 before everyone."""
    setting = a_setting(preset="1-5-25-100", steps=())
    assert [step.nulls[0].margin for step in setting.steps] == pytest.approx([0.1, 0.05, 0.02])
    assert [step.hold for step in setting.steps] == [2, 4, 7]


def test_weights_lie_on_what_is_watched_and_add_up() -> None:
    """Half on the first gate's total; a gate without slices has none there."""
    slices = {"a=1": 0.5, "a=2": 0.5}
    setting = a_setting(QUALITY, {**ERRORS, "watch": "total"}, slices=slices)
    assert setting.weights.sum() == pytest.approx(1.0)
    assert setting.weights[0, 0] == pytest.approx(0.5)
    assert setting.weights[0, 1] == setting.weights[1, 0] == pytest.approx(0.5 / 3)
    assert not setting.weights[1, 1:].any()


@pytest.mark.parametrize(
    ("gate", "critical", "required"),
    [
        ({"watch": "slices"}, (), (1, 2)),
        ({"watch": "slices"}, ("a=2",), (2,)),
        ({"watch": "slices", "required": False}, (), ()),
        ({"watch": "slices", "only": ("a=1",)}, ("a=2",), (1,)),
        ({"watch": "both"}, (), (0,)),
        ({"watch": "both"}, ("a=2",), (0, 2)),
    ],
    ids=["slices", "slices-one-critical", "not-required", "only", "both", "both-one-critical"],
)
def test_a_required_gate_has_something_to_be_safe_on(
    gate: dict[str, Any], critical: tuple[str, ...], required: tuple[int, ...]
) -> None:
    """`required: true` is never without a cell, also where no slice is critical."""
    setting = a_setting({**QUALITY, **gate}, slices={"a=1": 0.5, "a=2": 0.5}, critical=critical)
    assert setting.gates[0].required == required


@pytest.mark.parametrize(
    ("gate", "seen"),
    [
        ({}, 90),
        ({"watch": "slices"}, 10),
        ({"watch": "slices", "only": ("a=2",)}, 60),
        ({"watch": "slices", "required": False}, 60),
    ],
    ids=["total", "fewest-of-the-required", "the-named", "most-of-those-not-required"],
)
def test_labels_are_counted_in_the_gates_own_cells(gate: dict[str, Any], seen: int) -> None:
    """A gate without the total does not take the total's labels for its own."""
    setting = a_setting({**QUALITY, **gate}, slices={"a=1": 0.1, "a=2": 0.6})
    assert setting.gates[0].seen(np.array([[90.0, 10.0, 60.0]])).tolist() == [seen]


def test_names_everything_that_is_missing_at_once() -> None:
    """Rates, directions, shares of slices and sizes of segments, each with what to write."""
    plan = a_plan(
        {"metric": "quality"},
        {"metric": "thumbs", "source": "outcome", "baseline": 0.1},
        steps=({"share": 0.05, "hold": 1, "segment": "staff"},),
    )
    gaps = list(find_gaps(plan, Facts(better={"quality": "higher"}, slices=("task=a", "task=b"))))
    assert [gap.path for gap in gaps] == [("gates", 0), ("gates", 1), ("slices",), ("segments",)]
    assert all(gap.fix for gap in gaps)


def test_takes_from_the_last_verdict_what_the_plan_leaves_out() -> None:
    """The plan's own word goes first."""
    facts = Facts(better={"quality": "higher"}, rates={"quality": 0.8}, shares={"task=a": 0.3}, slices=("task=a",))
    assert list(find_gaps(a_plan({"metric": "quality"}), facts)) == []
    setting = settle(a_plan({"metric": "quality"}), facts)
    assert (setting.streams[0].rate, setting.shares) == (pytest.approx(0.2), (1.0, 0.3))
    own = settle(a_plan({"metric": "quality", "baseline": 0.7}, slices={"task=a": 0.1}), facts)
    assert (own.streams[0].rate, own.shares) == (pytest.approx(0.3), (1.0, 0.1))
