"""A gateway whose candidate is served by a provider that misbehaves, asked with the official SDKs in three dialects."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import anthropic
import openai

from segue.providers.config import parse_provider
from segue.standin.settings import StandInSettings
from tests.gateway.faults.provider import Act, Provider
from tests.gateway.faults.words import ProviderDialect
from tests.gateway.wiring import KEY, Wired, a_gateway

ClientDialect = Literal["chat", "responses", "messages"]
OLD_TEXT = "Die Antwort der Alten."
HELLO: Any = [{"role": "user", "content": "Hello"}]
PAIRS: list[tuple[ClientDialect, ProviderDialect]] = [
    ("chat", "openai"),
    ("chat", "anthropic"),
    ("messages", "anthropic"),
    ("messages", "openai"),
    ("responses", "openai"),
    ("responses", "anthropic"),
]


@dataclass
class Got:
    """What an application has in the end. `error` is what its SDK raised; `is_whole` says it saw the mark of a whole answer."""

    text: str = ""
    is_whole: bool = False
    error: Exception | None = None
    is_flagged: bool = False
    """The SDK showed an event that says that the answer failed."""


@asynccontextmanager
async def before(
    act: Act | None,
    dialect: ProviderDialect = "openai",
    *,
    base_url: str | None = None,
    timeout_s: float = 30.0,
    stream_timeout_s: float | None = None,
    connect_timeout_s: float = 10.0,
    alone: bool = False,
    old: StandInSettings | None = None,
    old_act: Act | None = None,
    provider: Provider | None = None,
    **route: Any,
) -> AsyncIterator[Wired]:
    """A gateway before it: the candidate has everyone, the incumbent answers well (`alone`: there is no incumbent but it).

    A stream that has begun may be silent for `timeout_s` as well, and goes on for as long, unless more is told.
    """
    settled = {"new": StandInSettings(dialect=dialect)} if alone else {"old": old or StandInSettings(text=OLD_TEXT)}
    if not alone:
        settled["new"] = StandInSettings(dialect=dialect)
        route = {"candidate": "new", "share": 1.0, **route}
    provider = provider or Provider(act or _unasked)
    async with provider as port, Provider(old_act or _unasked) as old_port, a_gateway(settled, **route) as (wired, _):
        home = f"http://127.0.0.1:{port}" if base_url is None else base_url.replace("{port}", str(port))
        entry = {
            "type": dialect,
            "base_url": home + ("/v1" if dialect == "openai" else ""),
            "timeout_s": timeout_s,
            "idle_timeout_s": timeout_s,
            "stream_timeout_s": stream_timeout_s or timeout_s,
            "connect_timeout_s": connect_timeout_s,
        }
        wired.sources.providers["new"] = parse_provider("new", entry)  # type: ignore[index]
        if old_act is not None:
            place = {"type": "openai", "base_url": f"http://127.0.0.1:{old_port}/v1"}
            wired.sources.providers["old"] = parse_provider("old", place)  # type: ignore[index]
        wired.gateway.plane = wired.planes.build(wired.sources)
        yield wired


async def _unasked(_: Any) -> None:
    raise AssertionError("nobody should get here")


async def ask(wired: Wired, dialect: ClientDialect, *, stream: bool, **given: Any) -> Got:
    """Ask as an application does, and take all that comes."""
    got = Got()
    try:
        if dialect == "messages":
            async with _anthropic(wired) as theirs:
                await _ask_messages(theirs, got, stream=stream, **given)
        else:
            async with _openai(wired) as ours:
                await (_ask_chat if dialect == "chat" else _ask_responses)(ours, got, stream=stream, **given)
    except (openai.APIError, anthropic.APIError) as error:
        got.error = error
    return got


@cache
def _no_tls() -> ssl.SSLContext:
    """Made once: reading the system's authorities is most of the price of a client."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _openai(wired: Wired) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(verify=_no_tls())
    return openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=KEY, max_retries=0, timeout=60, http_client=http)


def _anthropic(wired: Wired) -> anthropic.AsyncAnthropic:
    http = anthropic.DefaultAsyncHttpxClient(verify=_no_tls())
    return anthropic.AsyncAnthropic(base_url=wired.origin, api_key=KEY, max_retries=0, timeout=60, http_client=http)


async def _ask_chat(client: openai.AsyncOpenAI, got: Got, *, stream: bool, **given: Any) -> None:
    asked: Any = {"model": "mail", "messages": HELLO, **given}
    if not stream:
        found = await client.chat.completions.create(**asked)
        got.text, got.is_whole = found.choices[0].message.content, found.choices[0].finish_reason == "stop"
        return
    async for event in await client.chat.completions.create(**asked, stream=True):
        for choice in event.choices:
            got.text += choice.delta.content or ""
            got.is_whole = got.is_whole or choice.finish_reason is not None


async def _ask_responses(client: openai.AsyncOpenAI, got: Got, *, stream: bool, **given: Any) -> None:
    asked: Any = {"model": "mail", "input": "Hello", **given}
    if not stream:
        found = await client.responses.create(**asked)
        got.text, got.is_whole = found.output_text, found.status == "completed"
        return
    async for event in await client.responses.create(**asked, stream=True):
        if event.type == "response.output_text.delta":
            got.text += event.delta
        elif event.type == "response.completed":
            got.is_whole = True
        elif event.type in ("error", "response.failed"):
            got.is_flagged = True


async def _ask_messages(client: anthropic.AsyncAnthropic, got: Got, *, stream: bool, **given: Any) -> None:
    asked: Any = {"model": "mail", "messages": HELLO, "max_tokens": 99, **given}
    if not stream:
        found = await client.messages.create(**asked)
        got.text, got.is_whole = found.content[0].text, found.stop_reason == "end_turn"
        return
    async for event in await client.messages.create(**asked, stream=True):
        if event.type == "content_block_delta":
            got.text += event.delta.text
        elif event.type == "message_stop":
            got.is_whole = True
