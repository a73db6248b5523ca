"""Requests in the Messages API: every parameter is sent or refused by name, in both versions of the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from segue.errors import InputError
from segue.model import ImagePart, Message, Parameters, TextPart, ToolCall, ToolSpec
from segue.model.request import ModelRequest
from segue.wire.anthropic_messages import encode_request, parameter_faults
from segue.wire.profiles import ANTHROPIC

Build = Callable[..., ModelRequest]
OLD, NEW = ANTHROPIC["2023-06-01"], ANTHROPIC["2026-10-21"]
SMALLEST = Parameters(max_output_tokens=100)


def faults_of(request: ModelRequest, **given: object) -> dict[str, str]:
    """Path → the fault in a sentence."""
    with pytest.raises(InputError) as caught:
        encode_request(request, **given)  # type: ignore[arg-type]
    return {fault.path or "": fault.sentence() for fault in caught.value.faults}


def test_the_smallest_request(a_request: Build) -> None:
    """System is a field of its own, and the version a header."""
    wire = encode_request(a_request(parameters=SMALLEST, system="Be brief."))
    assert wire.headers == {"anthropic-version": "2023-06-01"}
    assert wire.body == {
        "model": "some-model-2026-01-01",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Where is my order?"}],
        "system": "Be brief.",
    }


def test_the_bound_on_the_output_has_no_secret_default(a_request: Build) -> None:
    """The API demands one; which one decides where replies are cut, so the bundle has to say it."""
    assert "parameters.max_output_tokens" in faults_of(a_request())


def test_every_parameter_reaches_the_wire(a_request: Build) -> None:
    """Effort and schema share one object; top_k goes through extra."""
    parameters = Parameters(
        max_output_tokens=4000,
        temperature=0,
        top_p=0.5,
        stop=("END",),
        reasoning_effort="xhigh",
        thinking_budget_tokens=2000,
        tool_choice="required",
        extra={"top_k": 5},
    )
    tools = (ToolSpec(name="find", description="Finds."), ToolSpec(name="get", parameters={"type": "object"}))
    body = encode_request(a_request(parameters=parameters, tools=tools, response_schema={"type": "object"}), stream=True).body
    assert {key: body[key] for key in body if key not in ("model", "messages")} == {
        "max_tokens": 4000,
        "temperature": 0,
        "top_p": 0.5,
        "stop_sequences": ["END"],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"effort": "xhigh", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "tools": [
            {"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}},
            {"name": "get", "input_schema": {"type": "object"}},
        ],
        "tool_choice": {"type": "any"},
        "top_k": 5,
        "stream": True,
    }


@pytest.mark.parametrize(
    "parameters",
    [Parameters(reasoning_effort="none"), Parameters(thinking_budget_tokens=0)],
)
def test_no_thinking_is_said_as_such(a_request: Build, parameters: Parameters) -> None:
    """Effort none and a budget of nothing both turn it off."""
    body = encode_request(a_request(parameters=parameters.model_copy(update={"max_output_tokens": 9}))).body
    assert body["thinking"] == {"type": "disabled"}
    assert "output_config" not in body


def test_what_the_api_does_not_have_is_refused_by_name() -> None:
    """Seed, penalties and log-probabilities: never dropped in silence."""
    parameters = Parameters(
        max_output_tokens=9,
        seed=1,
        frequency_penalty=0,
        presence_penalty=0,
        logprobs=True,
        top_logprobs=2,
        reasoning_effort="minimal",
        temperature=1.5,
    )
    assert {fault.path for fault in parameter_faults(parameters)} == {
        "parameters.seed",
        "parameters.frequency_penalty",
        "parameters.presence_penalty",
        "parameters.logprobs",
        "parameters.top_logprobs",
        "parameters.reasoning_effort",
        "parameters.temperature",
    }


def test_the_newer_version_has_no_sampling_parameters() -> None:
    """Even a default value is refused by the API, so it is refused here with the way out."""
    parameters = Parameters(max_output_tokens=9, temperature=1, top_p=1, extra={"top_k": 1})
    assert parameter_faults(parameters, OLD) == []
    faults = parameter_faults(parameters, NEW)
    assert {fault.path for fault in faults} == {"parameters.temperature", "parameters.top_p", "parameters.extra.top_k"}
    assert all("2023-06-01" in fault.fix for fault in faults)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"thinking_budget_tokens": 100}, "parameters.thinking_budget_tokens"),
        ({"thinking_budget_tokens": 5000}, "parameters.thinking_budget_tokens"),
        ({"thinking_budget_tokens": 1024, "reasoning_effort": "none"}, "parameters.reasoning_effort"),
    ],
)
def test_a_thinking_budget_has_its_bounds(given: dict[str, object], path: str) -> None:
    """At least 1,024, below the bound of the output, and not while thinking is off."""
    parameters = Parameters(max_output_tokens=5000, **given)  # type: ignore[arg-type]
    assert [fault.path for fault in parameter_faults(parameters)] == [path]


def test_results_of_parallel_calls_stand_in_one_user_turn(a_request: Build) -> None:
    """The API wants them together, right after the calls."""
    turns = (
        Message(role="user", content="both"),
        Message(
            role="assistant",
            content="Looking.",
            tool_calls=(ToolCall(name="a", arguments="{}", id="1"), ToolCall(name="b", arguments='{"x": 1}', id="2")),
        ),
        Message(role="tool", content="A", tool_call_id="1", name="a"),
        Message(role="tool", content="B", tool_call_id="2"),
        Message(role="user", content="and?"),
    )
    messages = encode_request(a_request(messages=turns, parameters=SMALLEST)).body["messages"]
    assert [turn["role"] for turn in messages] == ["user", "assistant", "user", "user"]
    assert messages[1]["content"] == [
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "1", "name": "a", "input": {}},
        {"type": "tool_use", "id": "2", "name": "b", "input": {"x": 1}},
    ]
    assert [block["tool_use_id"] for block in messages[2]["content"]] == ["1", "2"]


def test_messages_that_cannot_be_sent_are_named_by_place(a_request: Build) -> None:
    """Broken arguments, missing ids, a name, a system turn, an image where none can stand."""
    turns = (
        Message(role="system", content="x"),
        Message(role="user", content="x", name="ann"),
        Message(role="assistant", tool_calls=(ToolCall(name="a", arguments="{", id="1"), ToolCall(name="b"))),
        Message(role="tool", content="x"),
        Message(role="user", content=(ImagePart(url="data:text/plain,abc"),)),
        Message(role="assistant", content=(ImagePart(url="https://x/y.png"),)),
    )
    assert set(faults_of(a_request(messages=turns, parameters=SMALLEST))) == {
        "messages[0]",
        "messages[1].name",
        "messages[2].tool_calls[0].arguments",
        "messages[2].tool_calls[1]",
        "messages[3]",
        "messages[4].content[0]",
        "messages[5]",
    }


def test_images_go_by_address_or_as_data(a_request: Build) -> None:
    """A data URL is taken apart."""
    turns = (
        Message(
            role="user",
            content=(TextPart(text="see"), ImagePart(url="https://x/y.png"), ImagePart(url="data:image/png;base64,QUJD")),
        ),
    )
    content = encode_request(a_request(messages=turns, parameters=SMALLEST)).body["messages"][0]["content"]
    assert [block.get("source") for block in content] == [
        None,
        {"type": "url", "url": "https://x/y.png"},
        {"type": "base64", "media_type": "image/png", "data": "QUJD"},
    ]


@pytest.mark.parametrize(
    ("choice", "sent"), [("auto", {"type": "auto"}), ("none", {"type": "none"}), ("f", {"type": "tool", "name": "f"})]
)
def test_tool_choice_in_the_apis_words(a_request: Build, choice: str, sent: dict[str, str]) -> None:
    """A mode, or a tool by name."""
    parameters = Parameters(max_output_tokens=9, tool_choice=choice)
    assert encode_request(a_request(parameters=parameters, tools=(ToolSpec(name="f"),))).body["tool_choice"] == sent
    assert "parameters.tool_choice" in faults_of(a_request(parameters=parameters))


def test_extra_does_not_change_what_the_bundle_says(a_request: Build) -> None:
    """It adds; it overrides nothing."""
    parameters = Parameters(max_output_tokens=9, extra={"system": "x", "max_tokens": 1, "metadata": {}})
    assert set(faults_of(a_request(parameters=parameters))) == {"parameters.extra.system", "parameters.extra.max_tokens"}
