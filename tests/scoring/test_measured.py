"""length, latency, ttft, tokens, cost: what an exchange took."""

from __future__ import annotations

import pytest

from segue.model import Message, Usage
from tests.scoring.builders import HUGE, a_case, a_scorer, an_exchange, value_of


def test_length_in_characters_or_words():
    """Characters are Unicode characters, words stand between blanks."""
    assert value_of("length", "naïve café") == 10
    assert value_of("length", "naïve café", of="words") == 2
    assert value_of("length", "") == 0
    assert value_of("length", HUGE) == len(HUGE)


def test_the_length_of_a_conversation_is_that_of_its_last_answer():
    """Of a trajectory, the last assistant text is the answer."""
    turns = (
        Message(role="user", content="hi"),
        Message(role="assistant", content="the answer"),
        Message(role="tool", content="tool output", tool_call_id="t"),
        Message(role="assistant", content=""),
    )
    (score,) = a_scorer("length").score(a_case(), an_exchange("", trajectory=turns))
    assert score.value == len("the answer")


@pytest.mark.parametrize(
    ("scorer", "settings", "fields", "value", "unit"),
    [
        ("latency", {}, {"latency_ms": 812.5}, 812.5, "ms"),
        ("ttft", {}, {"ttft_ms": 90.0}, 90.0, "ms"),
        ("cost", {}, {"cost_microusd": 310.0}, 310.0, "microusd"),
        ("tokens", {}, {"usage": Usage(output_tokens=7)}, 7.0, "tokens"),
        ("tokens", {"of": "in"}, {"usage": Usage(input_tokens=9)}, 9.0, "tokens"),
        ("tokens", {"of": "reasoning"}, {"usage": Usage(reasoning_tokens=0)}, 0.0, "tokens"),
    ],
)
def test_what_was_measured_is_the_value(scorer, settings, fields, value, unit):
    """Lower is better, in the metric's own unit; zero is a measurement."""
    scorer = a_scorer(scorer, **settings)
    (score,) = scorer.score(a_case(), an_exchange("x", **fields))
    assert score.value == value
    assert [(metric.unit, metric.better) for metric in scorer.metrics] == [(unit, "lower")]


@pytest.mark.parametrize("scorer", ["latency", "ttft", "tokens", "cost"])
def test_what_was_not_measured_is_unknown_and_not_zero(scorer):
    """A recording without a latency has none."""
    (score,) = a_scorer(scorer).score(a_case(), an_exchange("x"))
    assert (score.value, score.status) == (None, "unscored")
    assert "not known" in score.reason


@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), float("inf")])
def test_a_measurement_that_cannot_be_is_unscored(nonsense):
    """A negative latency says something about the clock, not about the model."""
    (score,) = a_scorer("latency").score(a_case(), an_exchange("x", latency_ms=nonsense))
    assert score.status == "unscored"
