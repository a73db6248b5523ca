"""Reading a confidence off an output: stated in text or JSON, or from token probabilities."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.model import Case, Exchange, Message, Reply, Score, ScorerSpec, TokenLogprob
from segue.scoring.base import Scorer
from segue.scoring.confidence import ConfidenceScorer, build_confidence
from segue.scoring.context import ScoringContext

CASE = Case(case_id="c")


def a_scorer(**settings: Any) -> ConfidenceScorer:
    """A confidence scorer with these settings."""
    return build_confidence(ScorerSpec(name="sure", type="confidence", **settings), ScoringContext())


def read(scorer: ConfidenceScorer, text: str = "", logprobs: list[tuple[str, float]] | None = None, **reply: Any) -> Score:
    """The score of one reply."""
    tokens = None if logprobs is None else tuple(TokenLogprob(token, value) for token, value in logprobs)
    exchange = Exchange("b", "c", "i", reply=Reply(text=text, logprobs=tokens, **reply))
    (score,) = scorer.score(CASE, exchange)
    return score


@pytest.mark.parametrize(
    ("settings", "text", "value"),
    [
        ({"pattern": r"confidence: ([\d.]+)"}, "Berlin. confidence: 0.85", 0.85),
        ({"pattern": r"confidence: ([\d.]+)"}, "confidence: 0.2 at first, then confidence: 0.7", 0.7),
        ({"pattern": r"([\d.,]+) ?%", "percent": True}, "I am 85 % sure", 0.85),
        ({"pattern": r"sure: (\S+)"}, "sure: 85%", 0.85),
        ({"pattern": r"sure: (\S+)"}, "sure: 0,85", 0.85),
        ({"pattern": r"sure: (\S+)"}, "sure: 1", 1.0),
        ({"json_field": "confidence"}, '{"answer": 1, "confidence": 0.4}', 0.4),
        ({"json_field": "meta.confidence", "percent": True}, '```json\n{"meta": {"confidence": 40}}\n```', 0.4),
        ({"json_field": "confidence"}, '{"confidence": "0.4"}', 0.4),
        ({"json_field": "confidence"}, '{"confidence": 0}', 0.0),
    ],
)
def test_a_stated_confidence_is_read(settings: dict[str, Any], text: str, value: float) -> None:
    """From a pattern's last match or a field, in per cent or as a share."""
    score = read(a_scorer(**settings), text)
    assert score.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("settings", "text", "reason"),
    [
        ({"pattern": r"sure: (\S+)"}, "no idea", "no confidence is stated"),
        ({"pattern": r"sure: (\S+)"}, "", "no confidence is stated"),
        ({"pattern": r"sure: (\S+)"}, "sure: very", "not a number"),
        ({"pattern": r"sure: (\S+)"}, "sure: nan", "not between 0 and 1"),
        ({"pattern": r"sure: (\S+)"}, "sure: 85", "set percent"),
        ({"pattern": r"sure: (\S+)", "percent": True}, "sure: 101", "not between 0 and 1"),
        ({"pattern": r"sure: (-?\S+)"}, "sure: -0.1", "not between 0 and 1"),
        ({"pattern": r"sure: (\S+)", "max_characters": 5}, "sure: 0.5", "max_characters"),
        ({"json_field": "confidence"}, "plain text", "JSON"),
        ({"json_field": "confidence"}, '{"answer": 1}', "no field 'confidence'"),
        ({"json_field": "a.b"}, '{"a": 1}', "no field 'a.b'"),
        ({"json_field": "confidence"}, "[0.5]", "no field 'confidence'"),
        ({"json_field": "confidence"}, '{"confidence": true}', "not a number"),
        ({"json_field": "confidence"}, '{"confidence": null}', "not a number"),
        ({"json_field": "confidence"}, '{"confidence": [0.5]}', "not a number"),
        ({"json_field": "confidence"}, '{"confidence": 1e400}', "JSON|not between"),
    ],
)
def test_an_output_without_a_usable_confidence_is_unscored(settings: dict[str, Any], text: str, reason: str) -> None:
    """Each with its reason; never a 0."""
    score = read(a_scorer(**settings), text)
    assert (score.status, score.value) == ("unscored", None)
    assert any(part in score.reason for part in reason.split("|"))


TOKENS = [("The", math.log(0.9)), (" answer", math.log(0.8)), (" is", 0.0), (" y", math.log(0.6)), ("es", math.log(0.5))]


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"logprobs": "mean"}, (0.9 * 0.8 * 1 * 0.6 * 0.5) ** (1 / 5)),
        ({"logprobs": "min"}, 0.5),
        ({"logprobs": "label", "labels": ["yes", "no"]}, 0.6 * 0.5),
        ({"logprobs": "label", "labels": ["ANSWER"]}, 0.8),
    ],
)
def test_confidence_from_token_probabilities(settings: dict[str, Any], value: float) -> None:
    """Geometric mean, smallest, or the product over the tokens that spell the label."""
    assert read(a_scorer(**settings), logprobs=TOKENS).value == pytest.approx(value)


def test_the_last_label_counts_and_words_are_not_cut() -> None:
    """A label inside a longer word is none; of two labels that begin alike the longer is read."""
    tokens = [("No", math.log(0.3)), ("thing", -1.0), ("; ", 0.0), ("no", math.log(0.7)), (".", -2.0)]
    assert read(a_scorer(logprobs="label", labels=["no"]), logprobs=tokens).value == pytest.approx(0.7)
    tokens = [("not", math.log(0.5)), (" sure", math.log(0.5))]
    assert read(a_scorer(logprobs="label", labels=["not", "not sure"]), logprobs=tokens).value == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("logprobs", "reason"),
    [
        (None, "no log-probabilities"),
        ([], "no log-probabilities"),
        ([("a", math.nan)], "not a number below 0"),
        ([("a", 0.5)], "not a number below 0"),
    ],
)
def test_missing_or_broken_log_probabilities_are_unscored(logprobs: Any, reason: str) -> None:
    """A bundle that did not ask for them gets the reason, not a zero."""
    score = read(a_scorer(logprobs="mean"), "text", logprobs)
    assert (score.status, score.value) == ("unscored", None)
    assert reason in score.reason


def test_rounding_above_zero_and_impossible_tokens_are_taken_as_they_are_meant() -> None:
    """A log-probability a hair above 0 is certainty; minus infinity is probability 0."""
    assert read(a_scorer(logprobs="min"), logprobs=[("a", 1e-9)]).value == 1.0
    assert read(a_scorer(logprobs="min"), logprobs=[("a", -math.inf)]).value == 0.0
    assert (
        read(a_scorer(logprobs="label", labels=["b"]), logprobs=[("a", -1.0)]).reason
        == "none of the labels stands in the output"
    )


def test_a_conversation_is_read_at_its_last_answer() -> None:
    """Of a trajectory, the last assistant turn counts."""
    turns = (Message(role="assistant", content="sure: 0.9"), Message(role="user", content="sure: 0.1"))
    assert read(a_scorer(pattern=r"sure: (\S+)"), "", trajectory=turns).value == 0.9


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "exactly one"),
        ({"pattern": "(x)", "json_field": "y"}, "exactly one"),
        ({"pattern": "x"}, "exactly one group"),
        ({"pattern": "(x)(y)"}, "exactly one group"),
        ({"pattern": "(x"}, "does not compile"),
        ({"logprobs": "label"}, "labels go with"),
        ({"logprobs": "mean", "labels": ["a"]}, "labels go with"),
        ({"logprobs": "label", "labels": [" "]}, "label is empty"),
        ({"logprobs": "mean", "percent": True}, "percent"),
        ({"logprobs": "median"}, "mean"),
        ({"json_field": "a", "scale": 5}, "no setting 'scale'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], what: str) -> None:
    """Each wrong setting is a fault that says what is wrong."""
    with pytest.raises(InputError) as caught:
        a_scorer(**settings)
    assert any(what.casefold() in fault.sentence().casefold() for fault in caught.value.faults)


def test_identity_holds_every_setting_and_the_metric_is_a_score() -> None:
    """Two ways to read a confidence are two scorers."""
    one, other = a_scorer(json_field="confidence"), a_scorer(json_field="confidence", percent=True)
    assert one.identity.digest != other.identity.digest
    assert (one.metrics[0].name, one.metrics[0].unit) == ("sure", "score")
    assert isinstance(one, Scorer)


@given(st.text())
def test_any_text_gives_a_share_or_a_reason(text: str) -> None:
    """Whatever the output."""
    for settings in ({"pattern": r"(\S+)"}, {"json_field": "a"}):
        score = read(a_scorer(**settings), text)
        assert score.reason if score.value is None else 0 <= score.value <= 1


@given(st.lists(st.tuples(st.text(max_size=5), st.floats(-50, 0)), min_size=1, max_size=20))
def test_probabilities_stay_between_0_and_1_and_the_smallest_is_below_the_mean(tokens: list[tuple[str, float]]) -> None:
    """Whatever the tokens."""
    smallest, mean = (read(a_scorer(logprobs=kind), logprobs=tokens).value for kind in ("min", "mean"))
    assert smallest is not None
    assert mean is not None
    assert 0 <= smallest <= mean + 1e-12
    assert mean <= 1
