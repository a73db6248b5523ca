"""The official SDKs are the judges: their types read what the stand-in sends, and know every field that Segue sends.

The SDKs run unmodified against the stand-in, so that what is tested against it is tested against the published API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, get_type_hints

import anthropic
import openai
import pytest
from anthropic.types import MessageCreateParams as AnthropicParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming
from pydantic import TypeAdapter

from segue.model import ImagePart, Message, Parameters, TextPart, ToolCall, ToolSpec
from segue.model.request import ModelRequest
from segue.standin import StandIn, StandInSettings, Trouble
from segue.wire import anthropic_messages, openai_chat
from segue.wire.profiles import ANTHROPIC

TEXT = StandInSettings().text
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Bern"]}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city", "days"],
}
ASK: list[Any] = [{"role": "user", "content": "What will the weather be?"}]
CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
MESSAGE_TOOLS: list[Any] = [{"name": "weather", "input_schema": WEATHER}]


def openai_client(base_url: str, key: str = "k") -> openai.AsyncOpenAI:
    """The official client. Retries are tested where they are Segue's own. `_strict` makes it complain of wrong types."""
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True)


def anthropic_client(base_url: str, key: str = "k") -> anthropic.AsyncAnthropic:
    """The same for the other dialect."""
    return anthropic.AsyncAnthropic(base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True)


@pytest.fixture
async def chat() -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's SDK on a stand-in that reasons a little."""
    async with StandIn(StandInSettings(reasoning_tokens=12)) as base_url, openai_client(base_url) as client:
        yield client


@pytest.fixture
async def messages() -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Anthropic's SDK on a stand-in that reasons a little."""
    settings = StandInSettings(dialect="anthropic", reasoning_tokens=12)
    async with StandIn(settings) as base_url, anthropic_client(base_url) as client:
        yield client


async def test_openai_sdk_reads_a_reply(chat: openai.AsyncOpenAI) -> None:
    """Text, finish reason, usage and log-probabilities."""
    found = await chat.chat.completions.create(model="gpt-x", messages=ASK, logprobs=True, max_completion_tokens=500)
    choice = found.choices[0]
    assert (choice.message.content, choice.finish_reason) == (TEXT, "stop")
    assert found.usage is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.completion_tokens_details.reasoning_tokens == 12
    assert choice.logprobs is not None
    assert choice.logprobs.content


async def test_openai_sdk_reads_a_stream(chat: openai.AsyncOpenAI) -> None:
    """Piece by piece, with usage in the last chunk."""
    stream = await chat.chat.completions.create(
        model="gpt-x", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


async def test_openai_sdk_goes_round_with_a_tool(chat: openai.AsyncOpenAI) -> None:
    """The call, streamed and not, and the answer after its result."""
    first = await chat.chat.completions.create(model="gpt-x", messages=ASK, tools=CHAT_TOOLS)
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.arguments == '{"city":"Bern","days":2}'
    async with chat.chat.completions.stream(model="gpt-x", messages=ASK, tools=CHAT_TOOLS) as stream:
        streamed = await stream.get_final_completion()
    streamed_calls = streamed.choices[0].message.tool_calls
    assert streamed_calls is not None
    assert streamed_calls[0].function.arguments == calls[0].function.arguments
    result = {"role": "tool", "tool_call_id": calls[0].id, "content": "Rain."}
    turns = [*ASK, first.choices[0].message.model_dump(exclude_none=True), result]
    last = await chat.chat.completions.create(model="gpt-x", messages=turns, tools=CHAT_TOOLS)
    assert last.choices[0].message.content == TEXT


async def test_openai_sdk_gets_output_in_a_schema(chat: openai.AsyncOpenAI) -> None:
    """`response_format` is honoured."""
    schema: Any = {"type": "json_schema", "json_schema": {"name": "output", "schema": WEATHER}}
    found = await chat.chat.completions.create(model="gpt-x", messages=ASK, response_format=schema)
    assert found.choices[0].message.content == '{"city":"Bern","days":2}'


async def test_anthropic_sdk_reads_a_reply(messages: anthropic.AsyncAnthropic) -> None:
    """Thinking, text, stop reason and usage."""
    found = await messages.messages.create(model="claude-x", max_tokens=500, messages=ASK)
    assert [block.type for block in found.content] == ["thinking", "text"]
    assert (found.stop_reason, found.usage.output_tokens_details.thinking_tokens) == ("end_turn", 12)  # type: ignore[union-attr]


async def test_anthropic_sdk_reads_a_stream(messages: anthropic.AsyncAnthropic) -> None:
    """The SDK puts the same message together."""
    whole = await messages.messages.create(model="claude-x", max_tokens=500, messages=ASK)
    async with messages.messages.stream(model="claude-x", max_tokens=500, messages=ASK) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        streamed = await stream.get_final_message()
    assert text == TEXT
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert [block.type for block in streamed.content] == [block.type for block in whole.content]


async def test_anthropic_sdk_goes_round_with_a_tool(messages: anthropic.AsyncAnthropic) -> None:
    """The call, streamed and not, and the answer after its result."""
    first = await messages.messages.create(model="claude-x", max_tokens=500, messages=ASK, tools=MESSAGE_TOOLS)
    call = first.content[-1]
    assert call.type == "tool_use"
    assert call.input == {"city": "Bern", "days": 2}
    async with messages.messages.stream(model="claude-x", max_tokens=500, messages=ASK, tools=MESSAGE_TOOLS) as stream:
        streamed = await stream.get_final_message()
    assert streamed.content[-1].input == call.input  # type: ignore[union-attr]
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain."}]}
    last = await messages.messages.create(
        model="claude-x", max_tokens=500, messages=[*ASK, first.to_param(), result], tools=MESSAGE_TOOLS
    )
    assert last.stop_reason == "end_turn"


async def test_a_refusal_is_one_for_both_sdks() -> None:
    """Each in its own place."""
    async with StandIn(StandInSettings(refusal="No.")) as base_url, openai_client(base_url) as client:
        found = await client.chat.completions.create(model="gpt-x", messages=ASK)
        assert found.choices[0].message.refusal == "No."
    settings = StandInSettings(dialect="anthropic", refusal="No.")
    async with StandIn(settings) as base_url, anthropic_client(base_url) as claude:
        message = await claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)
        assert message.stop_reason == "refusal"
        assert message.stop_details is not None
        assert message.stop_details.explanation == "No."


@pytest.mark.parametrize(
    ("kind", "openai_error", "anthropic_error"),
    [
        ("rate_limit", openai.RateLimitError, anthropic.RateLimitError),
        ("overloaded", openai.InternalServerError, anthropic.APIStatusError),
        ("server_error", openai.InternalServerError, anthropic.InternalServerError),
        ("auth", openai.AuthenticationError, anthropic.AuthenticationError),
        ("refused", openai.BadRequestError, anthropic.BadRequestError),
    ],
)
async def test_the_sdks_take_the_stand_ins_errors_for_the_real_ones(
    kind: Any, openai_error: type[Exception], anthropic_error: type[Exception]
) -> None:
    """Status and body lead to the error class that a user of the SDK would catch."""
    trouble = (Trouble(kind=kind),)
    async with StandIn(StandInSettings(troubles=trouble)) as base_url, openai_client(base_url) as client:
        with pytest.raises(openai_error):
            await client.chat.completions.create(model="gpt-x", messages=ASK)
    async with (
        StandIn(StandInSettings(dialect="anthropic", troubles=trouble)) as base_url,
        anthropic_client(base_url) as claude,
    ):
        with pytest.raises(anthropic_error):
            await claude.messages.create(model="claude-x", max_tokens=9, messages=ASK)


async def test_an_error_inside_a_stream_reaches_the_sdks() -> None:
    """After the reply has begun with status 200."""
    trouble = (Trouble(kind="error_in_stream"),)
    async with StandIn(StandInSettings(troubles=trouble)) as base_url, openai_client(base_url) as client:
        stream = await client.chat.completions.create(model="gpt-x", messages=ASK, stream=True)
        with pytest.raises(openai.APIError):
            _ = [chunk async for chunk in stream]
    async with (
        StandIn(StandInSettings(dialect="anthropic", troubles=trouble)) as base_url,
        anthropic_client(base_url) as claude,
    ):
        events = await claude.messages.create(model="claude-x", max_tokens=9, messages=ASK, stream=True)
        with pytest.raises(anthropic.APIStatusError):
            _ = [event async for event in events]


async def test_keys_are_checked_as_the_real_apis_check_them() -> None:
    """A wrong key is an authentication error in both SDKs."""
    async with StandIn(StandInSettings(key="right")) as base_url:
        async with openai_client(base_url, "right") as client:
            assert (await client.chat.completions.create(model="gpt-x", messages=ASK)).choices
        async with openai_client(base_url, "wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="gpt-x", messages=ASK)


async def test_sampling_is_refused_in_the_version_the_sdk_speaks(messages: anthropic.AsyncAnthropic) -> None:
    """The SDK sends version 2026-10-21, which has no temperature."""
    with pytest.raises(anthropic.BadRequestError, match="Extra inputs are not permitted"):
        await messages.messages.create(model="claude-x", max_tokens=9, messages=ASK, extra_body={"temperature": 1.0})


FULL_TURNS = (
    Message(role="user", content=(TextPart(text="see"), ImagePart(url="data:image/png;base64,QUJD"))),
    Message(role="assistant", content="Looking.", tool_calls=(ToolCall(name="f", arguments='{"x": 1}', id="c1"),)),
    Message(role="tool", content="found", tool_call_id="c1"),
    Message(role="user", content="Thanks."),
)
FULL_TOOLS = (ToolSpec(name="f", description="Finds.", parameters={"type": "object", "properties": {}}),)


def check_against(params: Any, body: dict[str, Any]) -> None:
    """Every field is one the SDK declares, and of the type it declares."""
    assert set(body) <= set(get_type_hints(params)), "a field that the official SDK does not know"
    read = TypeAdapter(params).validate_python(body)
    # Iterables are checked as they are gone through.
    assert len(list(read["messages"])) == len(body["messages"])
    assert len(list(read["tools"])) == len(body["tools"])


@pytest.mark.parametrize("stream", [False, True])
def test_openai_sdk_knows_every_field_of_a_full_request(a_request: Callable[..., ModelRequest], stream: bool) -> None:
    """Names and types of a request that sets all there is."""
    parameters = Parameters(
        temperature=0.5,
        top_p=0.5,
        max_output_tokens=9,
        stop=("a",),
        seed=1,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        reasoning_effort="minimal",
        logprobs=True,
        top_logprobs=2,
        tool_choice="f",
    )
    request = a_request(
        messages=FULL_TURNS, system="s", parameters=parameters, tools=FULL_TOOLS, response_schema={"type": "object"}
    )
    body = openai_chat.encode_request(request, stream=stream).body
    check_against(CompletionCreateParamsStreaming if stream else CompletionCreateParamsNonStreaming, body)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_sdk_knows_every_field_of_a_full_request(a_request: Callable[..., ModelRequest], stream: bool) -> None:
    """Names and types of a request that sets all there is in the version the SDK speaks."""
    parameters = Parameters(
        max_output_tokens=5000, stop=("a",), reasoning_effort="max", thinking_budget_tokens=2000, tool_choice="required"
    )
    request = a_request(
        messages=FULL_TURNS, system="s", parameters=parameters, tools=FULL_TOOLS, response_schema={"type": "object"}
    )
    body = anthropic_messages.encode_request(request, profile=ANTHROPIC["2026-10-21"], stream=stream).body
    check_against(MessageCreateParamsStreaming if stream else AnthropicParams.__args__[0], body)  # type: ignore[attr-defined]
