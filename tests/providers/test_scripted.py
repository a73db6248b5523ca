"""A simulated model does what its declaration says, and always the same for the same call."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from segue.model import Case, Message, Parameters, ToolSpec
from segue.providers.base import ModelOutcome
from segue.providers.clock import ManualClock
from segue.providers.rendering import render_request
from segue.providers.scripted import ScriptedProvider
from segue.providers.scripted_config import ScriptedConfig, SliceShare

N = 2000


def provider_of(clock: ManualClock | None = None, *, realtime: float = 0.0, seed: int = 1, **models: Any) -> ScriptedProvider:
    """A provider with these models."""
    config = ScriptedConfig.model_validate({"type": "scripted", "seed": seed, "realtime": realtime, "models": models})
    return ScriptedProvider("sim", config, clock=clock or ManualClock())


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Cases of two slices, each with its right answer and two wrong ones."""
    return [
        Case(
            case_id=f"c{at}",
            messages=(Message(role="user", content=f"Question {at}"),),
            slice={"topic": "refund" if at % 2 else "shipping"},
            reference=f"right {at}",
            metadata={"wrong": [f"wrong {at}", f"worse {at}"], "name": "Ann"},
        )
        for at in range(N)
    ]


@pytest.fixture
def answers(a_bundle: Callable[..., Any], cases: list[Case]) -> Callable[..., list[ModelOutcome]]:
    """Asks for all cases, or those given."""

    def ask(
        provider: ScriptedProvider, model: str = "m", *, repeat: int = 0, of: list[Case] | None = None, **given: Any
    ) -> list[ModelOutcome]:
        bundle = a_bundle(model={"provider": "sim", "snapshot": model}, **given)

        async def all_of_them() -> list[ModelOutcome]:
            return [await provider.ask(render_request(bundle, case, repeat)) for case in (cases if of is None else of)]

        return asyncio.run(all_of_them())

    return ask


def right(outcomes: list[ModelOutcome]) -> list[bool]:
    """Which of them are right."""
    return [outcome.reply is not None and outcome.reply.text.startswith("right") for outcome in outcomes]


def texts(outcomes: list[ModelOutcome]) -> list[str]:
    """What they say."""
    return [outcome.reply.text if outcome.reply else "" for outcome in outcomes]


def test_the_same_call_gets_the_same_answer_in_any_process(answers: Any) -> None:
    """No hidden state, no order of asking."""
    model = {"accuracy": 0.7, "flip_probability": [0.05, 0.3], "failures": {"shares": {"server": 0.1}, "attempts": 0}}
    first = answers(provider_of(m=model))
    assert first == answers(provider_of(m=model))
    assert first != answers(provider_of(m=model), repeat=1)
    assert first != answers(provider_of(seed=2, m=model))


def test_accuracy_is_declared_by_slice(answers: Any, cases: list[Case]) -> None:
    """Refunds are worse, and only refunds."""
    found = right(answers(provider_of(m={"accuracy": {"default": 0.9, "topic=refund": 0.6}})))
    refunds = [hit for hit, case in zip(found, cases, strict=True) if case.slice["topic"] == "refund"]
    others = [hit for hit, case in zip(found, cases, strict=True) if case.slice["topic"] != "refund"]
    assert sum(refunds) / len(refunds) == pytest.approx(0.6, abs=0.04)
    assert sum(others) / len(others) == pytest.approx(0.9, abs=0.03)


def test_wrong_answers_are_the_cases_own(answers: Any) -> None:
    """All of those listed turn up."""
    found = texts(answers(provider_of(m={"accuracy": 0})))
    assert {text.split()[0] for text in found} == {"wrong", "worse"}


def test_two_models_of_equal_skill_are_right_on_the_same_cases(answers: Any) -> None:
    """A less skilled one loses the harder of them, so every flip is a loss."""
    provider = provider_of(a={"accuracy": 0.8}, b={"accuracy": 0.8}, c={"accuracy": 0.7})
    a, b, c = (right(answers(provider, name)) for name in "abc")
    assert a == b
    assert not any(worse and not better for better, worse in zip(a, c, strict=True))


def test_models_may_have_their_own_hard_cases(answers: Any) -> None:
    """As real ones have: equal in total, different in detail."""
    model = {"accuracy": 0.8, "shared_difficulty": 0}
    a, b = (right(answers(provider_of(a=model, b=model), name)) for name in "ab")
    assert sum(one != other for one, other in zip(a, b, strict=True)) / N == pytest.approx(0.32, abs=0.05)


@pytest.mark.parametrize(("flip", "share"), [(0.2, 0.2), ([0.05, 0.35], 0.2)])
def test_noise_flips_single_repeats(answers: Any, flip: Any, share: float) -> None:
    """Both ways, and anew in each repeat."""
    provider = provider_of(m={"accuracy": 1, "flip_probability": flip})
    first, second = right(answers(provider)), right(answers(provider, repeat=1))
    assert 1 - sum(first) / N == pytest.approx(share, abs=0.03)
    assert first != second


def test_format_troubles_are_settled_per_case(answers: Any) -> None:
    """A fence that was there once is there again, and what is inside is right."""
    provider = provider_of(
        m={"fence_share": 0.3, "prose_before_share": 0.2, "prose_before": ["Sure:"], "fence_language": "text"}
    )
    first, second = texts(answers(provider)), texts(answers(provider, repeat=1))
    assert first == second
    assert sum("```text\nright" in text for text in first) / N == pytest.approx(0.3, abs=0.04)
    assert sum(text.startswith("Sure:\n\n") for text in first) / N == pytest.approx(0.2, abs=0.04)


def test_refusals_and_truncation_by_slice(answers: Any) -> None:
    """A truncated reply says so in its finish reason."""
    provider = provider_of(m={"refuse_share": {"topic=refund": 1}, "truncate_share": 1, "refusals": ["No."]})
    found = answers(provider)
    assert texts(found)[1] == "No."
    assert all(outcome.reply.finish_reason == "length" for outcome in found[::2])
    assert all(0 < len(text) < len("right 1000") for text in texts(found)[::2])


def test_red_team_cases_can_be_named(answers: Any, a_case: Any) -> None:
    """By kind, and by being critical."""
    model = {"refuse_share": {"kind=red-team": 1, "critical=true": 1, "default": 0}, "refusals": ["No."]}
    asked = [a_case(reference="yes"), a_case(reference="yes", kind="red-team"), a_case(reference="yes", critical=True)]
    assert texts(answers(provider_of(m=model), of=asked)) == ["yes", "No.", "No."]


def test_templates_put_a_letter_around_the_answer(answers: Any, cases: list[Case]) -> None:
    """With what is known of the case."""
    model = {"templates": ["Hi {{metadata.name}},\n\n{{answer}} ({{slice.topic}}: {{input}})"]}
    assert texts(answers(provider_of(m=model), of=cases[:1])) == ["Hi Ann,\n\nright 0 (shipping: Question 0)"]


@pytest.mark.parametrize(
    ("model", "reference", "said"),
    [
        ({"templates": ["{{nobody}}"]}, "yes", "{{nobody}}"),
        ({}, None, "has no reference"),
        ({"right": "metadata.reply"}, "yes", "metadata.reply"),
    ],
)
def test_what_the_case_lacks_is_a_failure_that_names_it(
    answers: Any, a_case: Any, model: Any, reference: Any, said: str
) -> None:
    """A simulation invents nothing."""
    (outcome,) = answers(provider_of(m=model), of=[a_case(reference=reference)])
    assert outcome.failure is not None
    assert outcome.failure.kind == "refused_request"
    assert said in outcome.failure.detail


def test_an_undeclared_model_is_refused_with_the_likely_one(answers: Any, cases: list[Case]) -> None:
    """As a typing error would be."""
    (outcome,) = answers(provider_of(support={}), "suport", of=cases[:1])
    assert "'support'" in outcome.failure.detail


def test_objects_are_answered_as_json_and_spoilt_in_one_field(answers: Any, a_case: Any) -> None:
    """A wrong extraction has the right shape."""
    asked = [
        a_case(case_id=f"c{at}", reference={"total": 12.5, "paid": True, "items": ["a"], "name": "Ann"}) for at in range(50)
    ]
    reference = asked[0].reference
    assert {orjson.loads(text) == reference for text in texts(answers(provider_of(m={}), of=asked))} == {True}
    spoilt = [orjson.loads(text) for text in texts(answers(provider_of(m={"accuracy": 0}), of=asked))]
    assert all(set(one) == set(reference) for one in spoilt)
    assert all(sum(one[key] != reference[key] for key in reference) == 1 for one in spoilt)


ACCEPTED = {"expect": "calls", "accepted": {"play_1": {"artist": ["Swift"], "mode": [""]}, "play_2": {"artist": ["Maroon 5"]}}}
LISTED = {
    "tool_calls": [{"name": "play", "arguments": {"artist": "Swift"}}, {"name": "play", "arguments": {"artist": "Maroon 5"}}]
}


@pytest.mark.parametrize("reference", [ACCEPTED, LISTED])
def test_tool_calls_come_from_the_reference(answers: Any, a_case: Any, reference: Any) -> None:
    """Listed, or the first accepted values, optional arguments left out."""
    tools = (ToolSpec(name="play"), ToolSpec(name="stop"))
    (outcome,) = answers(provider_of(m={}), of=[a_case(reference=reference, tools=tools)])
    calls = [(call.name, orjson.loads(call.arguments)) for call in outcome.reply.tool_calls]
    assert calls == [("play", {"artist": "Swift"}), ("play", {"artist": "Maroon 5"})]
    assert outcome.reply.finish_reason == "tool_calls"


def test_wrong_calls_go_wrong_in_different_ways(answers: Any, a_case: Any) -> None:
    """No call, another tool, another argument; and a call where none was wanted."""
    tools = (ToolSpec(name="play"), ToolSpec(name="stop"))
    asked = [a_case(case_id=f"c{at}", reference=LISTED, tools=tools) for at in range(60)]
    found = answers(provider_of(m={"accuracy": 0}), of=asked)
    ways = {
        "none"
        if not outcome.reply.tool_calls
        else outcome.reply.tool_calls[0].name
        if outcome.reply.tool_calls[0].name != "play"
        else "argument"
        for outcome in found
    }
    assert ways == {"none", "stop", "argument"}
    no_call = [a_case(reference={"expect": "no_call"}, tools=tools)]
    assert answers(provider_of(m={"accuracy": 0}), of=no_call)[0].reply.tool_calls
    assert not answers(provider_of(m={}), of=no_call)[0].reply.tool_calls


def test_latency_is_log_normal_with_outliers(answers: Any) -> None:
    """Median, spread, and a few extreme ones; the first token comes at its share."""
    latency = {"median_ms": 800, "sigma": 0.4, "ttft_share": 0.25, "outlier_share": 0.02, "outlier_ms": 50_000}
    found = answers(provider_of(m={"latency": latency}))
    times = sorted(outcome.latency_ms for outcome in found)
    assert statistics.median(times) == pytest.approx(800, rel=0.05)
    assert sum(time > 10_000 for time in times) / N == pytest.approx(0.02, abs=0.01)
    assert found[0].ttft_ms == pytest.approx(found[0].latency_ms * 0.25)


def test_latency_is_waited_only_where_asked(a_request: Any) -> None:
    """Scaled, on the clock that was passed in."""
    clock = ManualClock()
    provider = provider_of(clock, realtime=0.5, m={"latency": {"median_ms": 1000, "sigma": 0}})
    request = a_request(snapshot="m", attributes={"reference": "yes"})
    outcome = asyncio.run(clock.run(provider.ask(request)))
    assert (clock.monotonic(), outcome.latency_ms) == (pytest.approx(0.5), pytest.approx(1000))


def test_tokens_and_cost_follow_length_and_declared_prices(answers: Any, cases: list[Case]) -> None:
    """Without a price the cost is unknown."""
    model = {"reasoning_tokens_median": 200, "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 10}}
    (priced,) = answers(provider_of(m=model), of=cases[:1])
    usage = priced.usage
    assert usage.input_tokens == 3
    assert usage.output_tokens == 2 + usage.reasoning_tokens
    assert priced.cost_microusd == usage.input_tokens + 10 * usage.output_tokens
    (free,) = answers(provider_of(m={}), of=cases[:1])
    assert (free.cost_microusd, free.usage.reasoning_tokens) == (None, None)


def test_the_bundles_bound_on_the_output_cuts(answers: Any, a_case: Any) -> None:
    """As it would with a real model."""
    asked = [a_case(reference="x" * 100)]
    (outcome,) = answers(provider_of(m={}), of=asked, parameters=Parameters(max_output_tokens=10))
    assert (len(outcome.reply.text), outcome.reply.finish_reason) == (40, "length")


def test_failures_pass_after_the_declared_attempts(a_request: Any) -> None:
    """Transient ones go through the next time; lasting ones never."""
    request = a_request(snapshot="m", attributes={"reference": "yes"})
    failures = {"shares": {"rate_limit": 1}, "attempts": 2, "retry_after_s": 3}

    async def ask(provider: ScriptedProvider) -> list[str]:
        return [
            (outcome.failure.kind if outcome.failure else "reply")
            for outcome in [await provider.ask(request) for _ in range(4)]
        ]

    assert asyncio.run(ask(provider_of(m={"failures": failures}))) == ["rate_limit", "rate_limit", "reply", "rate_limit"]
    assert asyncio.run(ask(provider_of(m={"failures": {**failures, "attempts": 0}}))) == ["rate_limit"] * 4
    assert asyncio.run(provider_of(m={"failures": failures}).ask(request)).retry_after_s == 3


def test_failures_come_in_their_declared_shares(answers: Any) -> None:
    """By kind."""
    found = answers(provider_of(m={"failures": {"shares": {"timeout": 0.1, "server": 0.05}}}))
    kinds = [outcome.failure.kind for outcome in found if outcome.failure]
    assert kinds.count("timeout") / N == pytest.approx(0.1, abs=0.025)
    assert kinds.count("server") / N == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    "model",
    [
        {"accuracy": 1.5},
        {"accuracy": {"refund": 0.5}},
        {"accuracy": {"topic=refund": "high"}},
        {"acuracy": 0.5},
        {"flip_probability": [0.3, 0.1]},
        {"failures": {"shares": {"timeout": 0.7, "server": 0.7}}},
        {"failures": {"shares": {"bad_mood": 0.1}}},
        {"templates": []},
        {"latency": {"median_ms": 0}},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(model: dict[str, Any]) -> None:
    """Unknown keys, shares beyond 1, slices without a value."""
    with pytest.raises(ValidationError):
        provider_of(m=model)


def test_a_share_is_a_number_or_goes_by_slice() -> None:
    """The first slice in the list that fits decides."""
    share = SliceShare.model_validate({"default": 0.1, "a=1": 0.2, "b=2": 0.3})
    assert [share.of(labels) for labels in ({}, {"a": "1", "b": "2"}, {"b": "2"}, {"b": "1"})] == [0.1, 0.2, 0.3, 0.1]
    assert SliceShare.model_validate(0.5).of({}) == 0.5
    assert SliceShare.model_validate(share.model_dump()) == share


def test_a_message_without_text_is_no_obstacle(answers: Any, a_case: Any) -> None:
    """A case whose messages are all the assistant's."""
    asked = [a_case(reference="yes", messages=(Message(role="assistant", content=None),))]
    assert texts(answers(provider_of(m={}), of=asked)) == ["yes"]
