"""Applications that hold a conversation through the official SDKs: each brings back what its SDK gave it, as it was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import anthropic
import openai

from segue.wire.neutral.conversation import Dialect
from tests.gateway.wiring import KEY, Wired


@dataclass
class Heard:
    """One answer: what the user reads, and the calls of tools by their ids."""

    text: str
    calls: list[str]


class Conversant(Protocol):
    """An application. `history` is what it will say again, as its SDK has it."""

    sdk: Any
    history: list[Any]

    async def say(self, text: str) -> Heard:
        """The user says something."""
        ...

    async def answer(self, calls: list[str], result: str) -> Heard:
        """Tools have run."""
        ...


@dataclass
class ChatApp:
    """By the Chat Completions API."""

    sdk: Any
    streams: bool
    history: list[Any] = field(default_factory=list)

    async def say(self, text: str) -> Heard:
        """The user says something."""
        self.history.append({"role": "user", "content": text})
        return await self._ask()

    async def answer(self, calls: list[str], result: str) -> Heard:
        """Tools have run."""
        self.history += [{"role": "tool", "tool_call_id": one, "content": result} for one in calls]
        return await self._ask()

    async def _ask(self) -> Heard:
        completions = self.sdk.chat.completions
        if self.streams:
            async with completions.stream(model="mail", messages=self.history) as stream:
                message: Any = (await stream.get_final_completion()).choices[0].message
        else:
            message = (await completions.create(model="mail", messages=self.history)).choices[0].message
        self.history.append(message)
        return Heard(message.content or "", [call.id for call in message.tool_calls or ()])


@dataclass
class ResponsesApp:
    """By the Responses API, keeping nothing at the provider."""

    sdk: Any
    streams: bool
    history: list[Any] = field(default_factory=list)

    async def say(self, text: str) -> Heard:
        """The user says something."""
        self.history.append({"role": "user", "content": text})
        return await self._ask()

    async def answer(self, calls: list[str], result: str) -> Heard:
        """Tools have run."""
        self.history += [{"type": "function_call_output", "call_id": one, "output": result} for one in calls]
        return await self._ask()

    async def _ask(self) -> Heard:
        given: Any = {"model": "mail", "input": self.history, "store": False, "include": ["reasoning.encrypted_content"]}
        if self.streams:
            async with self.sdk.responses.stream(**given) as stream:
                found: Any = await stream.get_final_response()
        else:
            found = await self.sdk.responses.create(**given)
        self.history += found.output
        return Heard(found.output_text, [item.call_id for item in found.output if item.type == "function_call"])


@dataclass
class MessagesApp:
    """By the Messages API."""

    sdk: Any
    streams: bool
    history: list[Any] = field(default_factory=list)

    async def say(self, text: str) -> Heard:
        """The user says something."""
        self.history.append({"role": "user", "content": text})
        return await self._ask()

    async def answer(self, calls: list[str], result: str) -> Heard:
        """Tools have run."""
        content = [{"type": "tool_result", "tool_use_id": one, "content": result} for one in calls]
        self.history.append({"role": "user", "content": content})
        return await self._ask()

    async def _ask(self) -> Heard:
        given: Any = {"model": "mail", "max_tokens": 9, "messages": self.history}
        if self.streams:
            async with self.sdk.messages.stream(**given) as stream:
                found: Any = await stream.get_final_message()
        else:
            found = await self.sdk.messages.create(**given)
        self.history.append({"role": "assistant", "content": found.content})
        text = "".join(block.text for block in found.content if block.type == "text")
        return Heard(text, [block.id for block in found.content if block.type == "tool_use"])


APPS: dict[Dialect, Any] = {
    "openai_chat": ChatApp,
    "openai_responses": ResponsesApp,
    "anthropic_messages": MessagesApp,
}


@asynccontextmanager
async def an_app(wired: Wired, client: Dialect, *, streams: bool = False) -> AsyncIterator[Conversant]:
    """An application that speaks this dialect with the gateway."""
    given: Any = {"api_key": KEY, "max_retries": 0}
    if client == "anthropic_messages":
        async with anthropic.AsyncAnthropic(base_url=wired.origin, **given) as messages:
            yield APPS[client](messages, streams)
    else:
        async with openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", **given) as others:
            yield APPS[client](others, streams)


def plain(value: Any) -> str:
    """Anything that was said, as text to look for words in."""
    return json.dumps(value, default=str)
