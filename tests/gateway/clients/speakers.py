"""The official Python SDKs, each asked for the same few things in its words: an answer, a stream, a tool, a form, a picture.

A speaker returns plain values, so that one test holds for every dialect, whole and streamed, with or without `async`. Nothing
of the SDKs is replaced: base URL, key and workflow are all that is given.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import anthropic
import openai
from pydantic import BaseModel

from tests.gateway.clients.shop import Shop

QUESTION = "What is the weather in Bern?"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Bern", "Oslo"]}},
    "required": ["city"],
    "additionalProperties": False,
}
FOUND = "18 degrees"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one red pixel
assert base64.b64decode(PIXEL)


class Order(BaseModel):
    """What a structured answer holds."""

    number: int
    paid: bool
    items: list[str]


@dataclass(frozen=True)
class Called:
    """A tool the model asked for, and what it said once it had the result."""

    name: str
    arguments: dict[str, Any]
    answer: str


class Way:
    """A client of either kind, driven from a test that is neither."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._runner = asyncio.Runner() if hasattr(client, "__aenter__") else None

    def run(self, value: Any) -> Any:
        """What a call comes to."""
        if self._runner is None:
            return value
        return self._runner.run(_settled(value))

    def items(self, stream: Any) -> list[Any]:
        """All of a stream."""
        return list(stream) if self._runner is None else self._runner.run(_drained(stream))

    def within(self, manager: Any) -> tuple[list[Any], Any]:
        """The events of a streaming helper, and its final object."""
        if self._runner is not None:
            return self._runner.run(_entered(manager))
        with manager as stream:
            return list(stream), _final(stream)()

    def close(self) -> None:
        """Let the connections go."""
        self.run(self.client.close())
        if self._runner is not None:
            self._runner.close()


async def _settled(value: Any) -> Any:
    return await value


async def _drained(stream: Any) -> list[Any]:
    return [one async for one in await stream]


async def _entered(manager: Any) -> tuple[list[Any], Any]:
    async with manager as stream:
        return [one async for one in stream], await _final(stream)()


def _final(stream: Any) -> Callable[[], Any]:
    names = ("get_final_completion", "get_final_response", "get_final_message")
    return next(getattr(stream, name) for name in names if hasattr(stream, name))


class Speaker(Protocol):
    """One dialect of one client."""

    way: Way

    def say(self, model: str, **given: Any) -> str:
        """An answer, whole."""

    def stream(self, model: str) -> tuple[str, int]:
        """An answer, streamed: its text, and in how many pieces it came."""

    def call(self, model: str, *, streamed: bool) -> Called:
        """A question with a tool, the tool's result, and the answer."""

    def order(self, model: str) -> Order:
        """An answer in a form, through the SDK's own helper."""

    def look(self, model: str) -> str:
        """What it says to a picture."""


class ChatSpeaker:
    """`client.chat.completions`."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.api = way.client.chat.completions
        self.tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA, "strict": True}}]

    def say(self, model: str, **given: Any) -> str:
        found = self.way.run(self.api.create(model=model, messages=[_user(QUESTION)], **given))
        assert found.usage.total_tokens > 1
        assert found.choices[0].finish_reason == "stop"
        return str(found.choices[0].message.content)

    def stream(self, model: str) -> tuple[str, int]:
        options = {"include_usage": True}
        chunks = self.way.items(self.api.create(model=model, messages=[_user(QUESTION)], stream=True, stream_options=options))
        texts = [one.choices[0].delta.content for one in chunks if one.choices and one.choices[0].delta.content]
        assert chunks[-1].usage.completion_tokens > 1
        return "".join(texts), len(texts)

    def call(self, model: str, *, streamed: bool) -> Called:
        turns: list[Any] = [_user(QUESTION)]
        if streamed:
            _, found = self.way.within(self.api.stream(model=model, messages=turns, tools=self.tools))
        else:
            found = self.way.run(self.api.create(model=model, messages=turns, tools=self.tools))
        choice = found.choices[0]
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls
        turns += [_bare(choice.message.to_dict()), {"role": "tool", "tool_call_id": call.id, "content": FOUND}]
        last = self.way.run(self.api.create(model=model, messages=turns, tools=self.tools))
        return Called(call.function.name, json.loads(call.function.arguments), str(last.choices[0].message.content))

    def order(self, model: str) -> Order:
        found = self.way.run(self.api.parse(model=model, messages=[_user(QUESTION)], response_format=Order))
        parsed = found.choices[0].message.parsed
        assert isinstance(parsed, Order)
        return parsed

    def look(self, model: str) -> str:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        parts = [{"type": "text", "text": QUESTION}, picture]
        found = self.way.run(self.api.create(model=model, messages=[{"role": "user", "content": parts}]))
        return str(found.choices[0].message.content)


class ResponsesSpeaker:
    """`client.responses`."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.api = way.client.responses
        self.tools = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]

    def say(self, model: str, **given: Any) -> str:
        found = self.way.run(self.api.create(model=model, input=QUESTION, **given))
        assert (found.status, found.usage.total_tokens > 1) == ("completed", True)
        return str(found.output_text)

    def stream(self, model: str) -> tuple[str, int]:
        events = self.way.items(self.api.create(model=model, input=QUESTION, stream=True))
        texts = [one.delta for one in events if one.type == "response.output_text.delta"]
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        assert events[-1].response.output_text == "".join(texts)
        return "".join(texts), len(texts)

    def call(self, model: str, *, streamed: bool) -> Called:
        turns: list[Any] = [_user(QUESTION)]
        if streamed:
            _, found = self.way.within(self.api.stream(model=model, input=turns, tools=self.tools))
        else:
            found = self.way.run(self.api.create(model=model, input=turns, tools=self.tools))
        (call,) = [one for one in found.output if one.type == "function_call"]
        turns += [*found.output, {"type": "function_call_output", "call_id": call.call_id, "output": FOUND}]
        last = self.way.run(self.api.create(model=model, input=turns, tools=self.tools))
        return Called(call.name, json.loads(call.arguments), str(last.output_text))

    def order(self, model: str) -> Order:
        found = self.way.run(self.api.parse(model=model, input=QUESTION, text_format=Order))
        parsed = found.output_parsed
        assert isinstance(parsed, Order)
        return parsed

    def look(self, model: str) -> str:
        picture = {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PIXEL}"}
        parts = [{"type": "input_text", "text": QUESTION}, picture]
        return str(self.way.run(self.api.create(model=model, input=[{"role": "user", "content": parts}])).output_text)


class MessagesSpeaker:
    """`client.messages`."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.api = way.client.messages
        self.tools = [{"name": "weather", "input_schema": SCHEMA}]

    def say(self, model: str, **given: Any) -> str:
        found = self.way.run(self.api.create(model=model, max_tokens=500, messages=[_user(QUESTION)], **given))
        assert (found.type, found.role, found.stop_reason) == ("message", "assistant", "end_turn")
        assert found.usage.output_tokens > 1
        return _text(found)

    def stream(self, model: str) -> tuple[str, int]:
        asked = self.api.stream(model=model, max_tokens=500, messages=[_user(QUESTION)])
        events, final = self.way.within(asked)
        texts = [one.text for one in events if one.type == "text"]
        assert _text(final) == "".join(texts)
        assert final.usage.output_tokens > 1
        return "".join(texts), len(texts)

    def call(self, model: str, *, streamed: bool) -> Called:
        turns: list[Any] = [_user(QUESTION)]
        given = {"model": model, "max_tokens": 500, "tools": self.tools}
        if streamed:
            _, found = self.way.within(self.api.stream(messages=turns, **given))
        else:
            found = self.way.run(self.api.create(messages=turns, **given))
        assert found.stop_reason == "tool_use"
        (call,) = [one for one in found.content if one.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": FOUND}
        turns += [{"role": "assistant", "content": found.content}, {"role": "user", "content": [result]}]
        last = self.way.run(self.api.create(messages=turns, **given))
        return Called(call.name, dict(call.input), _text(last))

    def order(self, model: str) -> Order:
        found = self.way.run(self.api.parse(model=model, max_tokens=500, messages=[_user(QUESTION)], output_format=Order))
        parsed = found.parsed_output
        assert isinstance(parsed, Order)
        return parsed

    def look(self, model: str) -> str:
        source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
        parts = [{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]
        return _text(self.way.run(self.api.create(model=model, max_tokens=500, messages=[{"role": "user", "content": parts}])))


def _bare(said: Any) -> dict[str, Any]:
    """A message without what the streaming helper of Chat leaves in it and the API has no field for."""
    calls = [
        {"id": one["id"], "type": one["type"], "function": {name: one["function"][name] for name in ("name", "arguments")}}
        for one in said["tool_calls"]
    ]
    return {"role": said["role"], "content": said.get("content"), "tool_calls": calls}


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _text(message: Any) -> str:
    return "".join(one.text for one in message.content if one.type == "text")


SPEAKERS: dict[str, Callable[[Shop], Speaker]] = {
    "chat": lambda shop: ChatSpeaker(Way(openai.OpenAI(**shop.openai))),
    "chat-async": lambda shop: ChatSpeaker(Way(openai.AsyncOpenAI(**shop.openai))),
    "responses": lambda shop: ResponsesSpeaker(Way(openai.OpenAI(**shop.openai))),
    "responses-async": lambda shop: ResponsesSpeaker(Way(openai.AsyncOpenAI(**shop.openai))),
    "messages": lambda shop: MessagesSpeaker(Way(anthropic.Anthropic(**shop.anthropic))),
    "messages-async": lambda shop: MessagesSpeaker(Way(anthropic.AsyncAnthropic(**shop.anthropic))),
}
"""By the name of what it speaks."""
