"""When an exchange is over and whose answer it was, where providers end late or fail one after the other."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest

from segue.gateway.answer import Answer
from segue.gateway.serving import ServedRequest
from segue.gateway.shadow import ShadowAnswer
from segue.standin.settings import StandInSettings, Trouble
from tests.gateway.test_serving import HELLO, NEW, ask, chat, stream
from tests.gateway.wiring import KEY, Wired, a_gateway

EVENTS = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
ASK = b'{"model":"mail","stream":true,"messages":[{"role":"user","content":"Hello"}]}'


@asynccontextmanager
async def a_provider_that_stays(wired: Wired, said: bytes) -> AsyncIterator[asyncio.Event]:
    """Takes the place of the first provider: says this, and neither ends its answer nor closes until it is told to."""
    leave = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"%x\r\n%b\r\n" % (len(said), said))
        await leave.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = next(iter(wired.gateway.plane.workflows["mail"].targets.values()))
    target.upstream.origin = type(target.upstream.origin)("127.0.0.1", port)
    try:
        yield leave
    finally:
        leave.set()
        server.close()


async def asked(wired: Wired) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request on its own connection, as bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(wired.origin.rpartition(":")[2]))
    fields = f"Host: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: {len(ASK)}\r\n\r\n"
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\n" + fields.encode() + ASK)
    return reader, writer


async def test_a_stream_is_kept_at_its_end_mark_though_the_provider_stays() -> None:
    """Once, whole, and before the client has the mark; and the client's answer ends there, too."""
    async with a_gateway({"old": StandInSettings()}) as (wired, _), a_provider_that_stays(wired, EVENTS + DONE) as leave:
        reader, writer = await asked(wired)
        async with asyncio.timeout(10):
            await reader.readuntil(b"[DONE]")
            kept = [(one.record.status, one.record.failure, one.response) for one in wired.log]
            await reader.readuntil(b"0\r\n\r\n")
        writer.close()
        leave.set()
        assert kept == [(200, None, EVENTS + DONE)]
        await ask_of_nobody(wired)
        assert len(wired.log) == 1


async def test_a_client_that_leaves_before_the_end_mark_is_kept_as_gone() -> None:
    """The answer was not whole yet; nobody pretends it was."""
    said = EVENTS.partition(b"\n\n")[0] + b"\n\n"
    async with a_gateway({"old": StandInSettings()}) as (wired, _), a_provider_that_stays(wired, said):
        reader, writer = await asked(wired)
        async with asyncio.timeout(10):
            await reader.readuntil(b'"Hi"')
        writer.close()
        kept = await wired.kept(1)
        assert [(one.record.failure, one.response) for one in kept] == [("client gone", said)]


async def ask_of_nobody(wired: Wired) -> None:
    """One more turn around, so that all that was under way has ended."""
    async with chat(wired) as client:
        await client.models.list()


async def test_a_candidates_refusal_that_is_shown_in_the_end_bears_its_name() -> None:
    """The incumbent was asked since, with a wrong key: the client hears the candidate, and the record says so."""
    refuses = StandInSettings(text="never", troubles=(Trouble(kind="refused"),))
    fails = StandInSettings(text="never", troubles=(Trouble(kind="auth"),))
    async with a_gateway({"old": fails, "new": refuses}, candidate="new", share=1.0) as (wired, bundles):
        async with chat(wired) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model="mail", messages=HELLO)
        assert caught.value.response.headers["segue-bundle"] == bundles["new"].digest
        record = wired.log[0].record
        assert (record.answered_by, record.failure) == (bundles["new"].digest, "status 400")
        assert record.fallback_from is None


async def test_a_candidates_refusal_is_no_word_where_the_incumbent_answers() -> None:
    """The user gets the incumbent's answer, under its name."""
    refuses = StandInSettings(text="never", troubles=(Trouble(kind="refused"),))
    async with a_gateway({"old": NEW, "new": refuses}, candidate="new", share=1.0) as (wired, bundles):
        assert await ask(wired) == NEW.text
        record = wired.log[0].record
        assert (record.answered_by, record.fallback_reason) == (bundles["old"].digest, "status 400")


async def test_what_is_over_is_gone_without_the_collector() -> None:
    """Whole, streamed or shadowed: nothing of it holds itself, so memory stays flat and no pause comes of it."""
    async with a_gateway({"old": NEW, "new": NEW}, candidate="new", share=0.0, shadow={"share": 1.0}) as (wired, _):
        gc.collect()
        others = what_serves()
        gc.disable()
        try:
            assert [await ask(wired), await stream(wired)] == [NEW.text] * 2
            await wired.kept(4)
            left = [type(one).__name__ for one in what_serves() if all(one is not other for other in others)]
        finally:
            gc.enable()
        assert left == []


def what_serves() -> list[object]:
    """All that serves a request now; other tests in this process may have left some of theirs unfinished."""
    return [one for one in gc.get_objects() if isinstance(one, Answer | ServedRequest | ShadowAnswer)]
