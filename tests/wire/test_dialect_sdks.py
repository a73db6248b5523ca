"""The unmodified official SDKs read what the gateway writes: answers put together from frames, and errors as their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import orjson
import pytest
from aiohttp import web
from tests.wire.dialect_values import ELSEWHERE, HEAD, thought

from segue.model import Failure
from segue.wire.dialects import CODECS
from segue.wire.neutral.client_error import STATUS, ClientError, ErrorKind
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import Answer, AnswerBlock, Tokens, unfold
from segue.wire.neutral.refusal import Refusal, RefusedError

THOUGHT = thought(ELSEWHERE, "anthropic_messages")
ANSWER = Answer(
    (
        AnswerBlock("reasoning", THOUGHT.text, reasoning=THOUGHT),
        AnswerBlock("text", "Let me look. Grüße."),
        AnswerBlock("tool_call", '{"id":7}', "call_1", "find"),
        AnswerBlock("tool_call", "{}", "call_2", "stop"),
    ),
    "tool_calls",
    Tokens(9, 4, 2, 0, 0),
)
CUT = Answer(ANSWER.blocks[:2], failure=Failure("overloaded", "The provider is overloaded."))
ASK: list[Any] = [{"role": "user", "content": "Hi"}]


@asynccontextmanager
async def gateway(status: int, content: bytes, kind: str = "application/json") -> AsyncIterator[str]:
    """A server on the loopback that gives one answer to all; its address."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, body=content, content_type=kind)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


GIVEN: Any = {"api_key": "k", "max_retries": 0, "_strict_response_validation": True}
"""`_strict` makes a client complain of wrong types."""


@asynccontextmanager
async def openai_client(status: int, content: bytes, kind: str = "application/json") -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client at such a gateway."""
    async with gateway(status, content, kind) as address, openai.AsyncOpenAI(base_url=address, **GIVEN) as client:
        yield client


@asynccontextmanager
async def anthropic_client(status: int, content: bytes, kind: str = "application/json") -> AsyncIterator[Any]:
    """The official client at such a gateway."""
    async with gateway(status, content, kind) as address, anthropic.AsyncAnthropic(base_url=address, **GIVEN) as client:
        yield client


def streamed(dialect: Dialect, answer: Answer) -> tuple[int, bytes, str]:
    """The frames of an answer, as a response."""
    stream = CODECS[dialect].answer_stream(HEAD)
    return 200, b"".join(stream.encode(event) for event in unfold(answer)), "text/event-stream"


async def test_the_openai_sdk_puts_a_chat_stream_together() -> None:
    """Text, both calls, the finish reason and the tokens; no reasoning."""
    options: Any = {"include_usage": True}
    async with (
        openai_client(*streamed("openai_chat", ANSWER)) as client,
        client.chat.completions.stream(model="w", messages=ASK, stream_options=options) as stream,
    ):
        found = await stream.get_final_completion()
    message = found.choices[0].message
    assert message.content == "Let me look. Grüße."
    assert [call.function.arguments for call in message.tool_calls or ()] == ['{"id":7}', "{}"]
    assert found.choices[0].finish_reason == "tool_calls"
    assert found.usage is not None
    assert found.usage.total_tokens == 13


async def test_the_openai_sdk_puts_a_responses_stream_together() -> None:
    """Reasoning, text, both calls, and the tokens."""
    async with (
        openai_client(*streamed("openai_responses", ANSWER)) as client,
        client.responses.stream(model="w", input="Hi") as stream,
    ):
        found = await stream.get_final_response()
    assert [item.type for item in found.output] == ["reasoning", "message", "function_call", "function_call"]
    assert found.output_text == "Let me look. Grüße."
    assert found.usage is not None
    assert found.usage.total_tokens == 13


async def test_the_anthropic_sdk_puts_a_stream_together() -> None:
    """Thinking with its signature, text, both calls, the stop reason and the tokens."""
    async with (
        anthropic_client(*streamed("anthropic_messages", ANSWER)) as client,
        client.messages.stream(model="w", max_tokens=9, messages=ASK) as stream,
    ):
        found = await stream.get_final_message()
    assert [block.type for block in found.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert found.content[0].to_dict()["signature"]
    assert [block.to_dict()["input"] for block in found.content[2:]] == [{"id": 7}, {}]
    assert (found.stop_reason, found.usage.input_tokens, found.usage.output_tokens) == ("tool_use", 9, 4)


async def chat(client: openai.AsyncOpenAI) -> None:
    """Read a Chat stream to its end."""
    async for _ in await client.chat.completions.create(model="w", messages=ASK, stream=True):
        pass


async def responses(client: openai.AsyncOpenAI) -> None:
    """Read a Responses stream to its end."""
    async with client.responses.stream(model="w", input="Hi") as stream:
        await stream.get_final_response()


@pytest.mark.parametrize(("dialect", "ask"), [("openai_chat", chat), ("openai_responses", responses)])
async def test_the_openai_sdk_sees_that_a_stream_broke(dialect: Dialect, ask: Callable[[Any], Awaitable[None]]) -> None:
    """An exception, never a short answer."""
    async with openai_client(*streamed(dialect, CUT)) as client:
        with pytest.raises((openai.APIError, RuntimeError)):
            await ask(client)


async def test_the_anthropic_sdk_sees_that_a_stream_broke() -> None:
    """The same."""
    async with (
        anthropic_client(*streamed("anthropic_messages", CUT)) as client,
        client.messages.stream(model="w", max_tokens=9, messages=ASK) as stream,
    ):
        with pytest.raises(anthropic.APIError):
            await stream.get_final_message()


@pytest.mark.parametrize("kind", STATUS)
async def test_errors_are_those_of_the_sdks(kind: ErrorKind) -> None:
    """The status decides the class, the body gives the message, the field and the code."""
    error = ClientError(kind, "That did not go well.", "messages", "why")
    body = orjson.dumps(CODECS["openai_chat"].error_json(error))
    async with openai_client(error.status, body) as client:
        with pytest.raises(openai.APIStatusError) as found:
            await client.chat.completions.create(model="w", messages=ASK)
    assert (found.value.status_code, found.value.param, found.value.code) == (error.status, "messages", "why")
    assert "That did not go well." in str(found.value)
    body = orjson.dumps(CODECS["anthropic_messages"].error_json(error))
    async with anthropic_client(error.status, body) as client:
        with pytest.raises(anthropic.APIStatusError) as told:
            await client.messages.create(model="w", max_tokens=9, messages=ASK)
    anthropic.types.ErrorResponse.model_validate(told.value.body, strict=True)
    assert "That did not go well." in str(told.value)


def test_a_refusal_is_an_error_that_names_field_and_remedy() -> None:
    """In every dialect."""
    refused = RefusedError([Refusal("seed", "anthropic_messages", "Only Chat has a seed.", "Leave it out.")])
    error = ClientError.from_refused(refused)
    assert (error.status, error.param) == (400, "seed")
    for codec in CODECS.values():
        said = codec.error_json(error)["error"]["message"]
        assert said == "seed: Only Chat has a seed. Leave it out."


def test_a_key_that_a_provider_refuses_is_no_fault_of_the_client() -> None:
    """It is the gateway's own key: a client that read 401 would change its own."""
    assert ClientError.from_failure(Failure("auth", "HTTP 401.")).status == 502
    assert ClientError.from_failure(Failure("rate_limit", "HTTP 429.")).status == 429
