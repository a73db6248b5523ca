"""Requests in Chat Completions: every parameter is sent or refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from segue.errors import InputError
from segue.model import ImagePart, Message, Parameters, TextPart, ToolCall, ToolSpec
from segue.model.request import ModelRequest
from segue.wire.openai_chat import encode_request
from segue.wire.profiles import OPENAI, OPENAI_COMPATIBLE

Build = Callable[..., ModelRequest]


def faults_of(request: ModelRequest, **given: object) -> dict[str, str]:
    """Path → the fault in a sentence."""
    with pytest.raises(InputError) as caught:
        encode_request(request, **given)  # type: ignore[arg-type]
    return {fault.path or "": fault.sentence() for fault in caught.value.faults}


def test_what_is_left_out_is_not_sent(a_request: Build) -> None:
    """The provider's defaults stay the provider's."""
    body = encode_request(a_request()).body
    assert body == {"model": "some-model-2026-01-01", "messages": [{"role": "user", "content": "Where is my order?"}]}


def test_every_parameter_reaches_the_wire(a_request: Build) -> None:
    """Those that are the same in name, and those that are not."""
    parameters = Parameters(
        temperature=0.2,
        top_p=0.9,
        max_output_tokens=300,
        stop=("END",),
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        reasoning_effort="low",
        logprobs=True,
        top_logprobs=3,
        tool_choice="required",
        extra={"top_k": 40, "verbosity": "low"},
    )
    request = a_request(parameters=parameters, system="Be brief.", tools=(ToolSpec(name="find"),))
    body = encode_request(request).body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert {key: body[key] for key in body if key not in ("model", "messages", "tools")} == {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 300,
        "stop": ["END"],
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "reasoning_effort": "low",
        "logprobs": True,
        "top_logprobs": 3,
        "tool_choice": "required",
        "top_k": 40,
        "verbosity": "low",
    }


def test_zero_and_false_are_values_and_are_sent(a_request: Build) -> None:
    """Temperature 0 is the commonest setting of all."""
    body = encode_request(a_request(parameters=Parameters(temperature=0, seed=0, logprobs=False))).body
    assert (body["temperature"], body["seed"], body["logprobs"]) == (0, 0, False)


def test_the_field_that_bounds_the_output_is_the_endpoints(a_request: Build) -> None:
    """OpenAI's reasoning models refuse the older field, and older servers do not know the newer one."""
    request = a_request(parameters=Parameters(max_output_tokens=5))
    assert "max_completion_tokens" in encode_request(request, profile=OPENAI).body
    assert "max_tokens" in encode_request(request, profile=OPENAI_COMPATIBLE).body


def test_a_parameter_the_dialect_lacks_is_refused_by_name(a_request: Build) -> None:
    """A thinking budget cannot be said, so it is not dropped in silence."""
    assert "parameters.thinking_budget_tokens" in faults_of(a_request(parameters=Parameters(thinking_budget_tokens=0)))


def test_all_faults_are_told_at_once(a_request: Build) -> None:
    """Nobody wants to find them one by one."""
    parameters = Parameters(
        thinking_budget_tokens=2048,
        top_logprobs=2,
        stop=("a", "b", "c", "d", "e"),
        tool_choice="find",
        extra={"model": "other", "n": 2, "temperature": 1, "stream": True},
        temperature=1,
    )
    assert set(faults_of(a_request(parameters=parameters))) == {
        "parameters.thinking_budget_tokens",
        "parameters.top_logprobs",
        "parameters.stop",
        "parameters.tool_choice",
        "parameters.extra.model",
        "parameters.extra.n",
        "parameters.extra.temperature",
        "parameters.extra.stream",
    }


def test_tool_choice_names_a_mode_or_a_tool(a_request: Build) -> None:
    """A tool by name is forced; a name that is no tool is a fault that lists the tools."""
    tools = (ToolSpec(name="find", description="Finds.", parameters={"type": "object"}),)
    forced = encode_request(a_request(tools=tools, parameters=Parameters(tool_choice="find"))).body
    assert forced["tool_choice"] == {"type": "function", "function": {"name": "find"}}
    assert forced["tools"][0]["function"] == {"name": "find", "description": "Finds.", "parameters": {"type": "object"}}
    assert "find" in faults_of(a_request(tools=tools, parameters=Parameters(tool_choice="fnd")))["parameters.tool_choice"]


def test_a_conversation_with_tools_goes_over_as_it_was(a_request: Build) -> None:
    """Broken arguments of an earlier call stay as the model wrote them."""
    turns = (
        Message(role="user", content="Find 7", name="ann"),
        Message(role="assistant", tool_calls=(ToolCall(name="find", arguments='{"id": 7', id="c1"),)),
        Message(role="tool", content="found", tool_call_id="c1", name="find"),
    )
    body = encode_request(a_request(messages=turns)).body
    assert body["messages"] == [
        {"role": "user", "content": "Find 7", "name": "ann"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": 7'}}],
        },
        {"role": "tool", "content": "found", "tool_call_id": "c1"},
    ]


def test_messages_that_cannot_be_sent_are_named_by_place(a_request: Build) -> None:
    """Ids that are missing, images and calls where none can stand."""
    turns = (
        Message(role="user", content="x", tool_calls=(ToolCall(name="a", id="1"),)),
        Message(role="assistant", tool_calls=(ToolCall(name="a"),)),
        Message(role="tool", content="x"),
        Message(role="assistant", content=(ImagePart(url="https://x/y.png"),)),
    )
    assert set(faults_of(a_request(messages=turns))) == {"messages[0]", "messages[1]", "messages[2]", "messages[3]"}


def test_images_become_parts_and_text_stays_text(a_request: Build) -> None:
    """Parts only where they are needed: not every compatible server takes them."""
    turns = (
        Message(role="user", content=(TextPart(text="a"), TextPart(text="b"))),
        Message(role="user", content=(TextPart(text="see"), ImagePart(url="https://x/y.png"))),
    )
    first, second = encode_request(a_request(messages=turns)).body["messages"]
    assert first["content"] == "ab"
    assert second["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]


def test_structured_output_and_streaming(a_request: Build) -> None:
    """The schema goes as response_format; a stream asks for its usage."""
    body = encode_request(a_request(response_schema={"type": "object"}), stream=True).body
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_faults_never_show_content(a_request: Build) -> None:
    """A message names the place, not what stands there."""
    turns = (Message(role="assistant", content="SECRET", tool_calls=(ToolCall(name="f", arguments="SECRET"),)),)
    assert "SECRET" not in str(faults_of(a_request(messages=turns)))
