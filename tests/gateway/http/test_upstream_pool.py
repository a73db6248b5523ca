"""Connections to an upstream when they are scarce, stale, or no longer wanted."""

from __future__ import annotations

import asyncio

import pytest

from segue.gateway.http import FailureKind, Upstream, UpstreamRequest
from tests.gateway.http.stage import ASK, RESENDABLE, Noting, Theatre, answering, read_request, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_no_connection_in_time_is_named(stage: Theatre) -> None:
    """While all are taken; and when the queue is full, at once."""
    gate, asked = asyncio.Event(), asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await gate.wait()
        writer.write(OK)

    upstream = await stage.upstream(script, connections=1, waiting=1)
    taken, waits, crowded = Noting(), Noting(), Noting()
    upstream.send(ASK, taken)
    upstream.send(ASK, waits)
    upstream.send(ASK, crowded)
    assert crowded.failure is None  # never from within `send`
    await crowded.ended.wait()
    assert crowded.failure is not None
    assert crowded.failure.kind is FailureKind.BUSY
    assert upstream.waiting == 1
    await asked.wait()
    await stage.pass_time(6)
    assert waits.failure is not None
    assert waits.failure.kind is FailureKind.CONNECT_TIMEOUT
    gate.set()
    await taken.ended.wait()
    assert taken.has_end


async def test_waiting_calls_share_few_connections(stage: Theatre) -> None:
    """In turn, and none is lost when a connection is closed under them."""
    upstream = await stage.upstream(answering(OK, OK, OK), connections=2, waiting=100)
    heard = await asyncio.gather(*(stage.ask(upstream) for _ in range(20)))
    assert all(one.body == b"ok" or one.failure is not None for one in heard)
    assert sum(one.has_end for one in heard) >= 12
    assert upstream.in_use == 0
    assert upstream.waiting == 0


async def _leave_a_stale_connection(stage: Theatre, behaviour: str) -> tuple[list[int], Upstream]:
    served: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = stage.connections
        await read_request(reader)
        served.append(number)
        writer.write(OK)
        if number > 1 and behaviour == "once":
            return
        await read_request(reader)
        if behaviour == "half":
            writer.write(b"HTTP/1.1 2")
            await writer.drain()

    upstream = await stage.upstream(script)
    assert (await stage.ask(upstream)).has_end
    return served, upstream


@pytest.mark.parametrize("request_", [ASK, RESENDABLE], ids=["not resendable", "resendable"])
async def test_a_stale_connection_is_replaced_only_if_the_caller_allows(stage: Theatre, request_: UpstreamRequest) -> None:
    """A kept connection that closes on the next request, with nothing received: once, on a fresh one."""
    served, upstream = await _leave_a_stale_connection(stage, "once")
    heard = await stage.ask(upstream, request_)
    if request_.is_resendable:
        assert heard.has_end
        assert served == [1, 2]
    else:
        assert heard.failure is not None
        assert heard.failure.kind is FailureKind.CLOSED_EARLY
        assert served == [1]


async def test_nothing_is_sent_again_after_the_first_byte(stage: Theatre) -> None:
    """The upstream may have acted on it."""
    served, upstream = await _leave_a_stale_connection(stage, "half")
    heard = await stage.ask(upstream, RESENDABLE)
    assert heard.failure is not None
    assert served == [1]


async def test_a_fresh_connection_that_closes_is_not_tried_again(stage: Theatre) -> None:
    """Only a kept one can be stale."""
    upstream = await stage.upstream(answering(b""))
    heard = await stage.ask(upstream, RESENDABLE)
    assert heard.failure is not None
    assert stage.connections == 1


async def test_a_connection_closed_while_unused_is_not_used(stage: Theatre) -> None:
    """Nor one on which something came that nobody asked for, nor one unused for long."""
    gate = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = stage.connections
        await read_request(reader)
        writer.write(OK)
        if number == 2:
            await until(lambda: upstream.unused == 1)
            writer.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            await gate.wait()
        if number >= 3:
            await gate.wait()

    upstream = await stage.upstream(script, idle_s=30)
    for expected in (1, 2, 3):
        assert (await stage.ask(upstream)).has_end
        assert stage.connections == expected
        if expected < 3:
            await until(lambda: upstream.unused == 0)
    await stage.pass_time(31)
    await until(lambda: upstream.unused == 0)
    gate.set()
    assert (await stage.ask(upstream)).has_end
    assert stage.connections == 4


async def test_a_cancelled_call_is_heard_of_no_more(stage: Theatre) -> None:
    """On a connection (which is given up), while one is opened, and while it waits."""
    gate = asyncio.Event()
    closed = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await reader.read()
        closed.set()
        await gate.wait()

    upstream = await stage.upstream(script, connections=1)
    active, waits = Noting(), Noting()
    call = upstream.send(ASK, active)
    waiting = upstream.send(ASK, waits)
    await active.moved.wait()
    waiting.cancel()
    call.cancel()
    call.cancel()
    await closed.wait()
    opened = Noting()
    upstream.send(ASK, opened).cancel()
    await until(lambda: upstream.unused == 1)
    assert not active.ended.is_set()
    assert not waits.ended.is_set()
    assert not opened.ended.is_set()
    assert opened.head is None
    gate.set()


async def test_stopping_fails_what_is_under_way(stage: Theatre) -> None:
    """And refuses what comes later."""
    gate = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()

    upstream = await stage.upstream(script, connections=1)
    under_way, waits, late = Noting(), Noting(), Noting()
    upstream.send(ASK, under_way)
    while not stage.connections:
        await asyncio.sleep(0)
    upstream.send(ASK, waits)
    await upstream.stop()
    await under_way.ended.wait()
    assert waits.failure is not None
    assert waits.failure.kind is FailureKind.STOPPED
    upstream.send(ASK, late)
    await late.ended.wait()
    assert late.failure is not None
    assert late.failure.kind is FailureKind.STOPPED
    gate.set()
