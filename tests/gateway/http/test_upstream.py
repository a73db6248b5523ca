"""Connections to an upstream: kept, limited, retried, timed out, and what is said when it fails."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from segue.gateway.http import FailureKind, Timeouts, UpstreamRequest
from tests.gateway.http.stage import ASK, RESENDABLE, Noting, Theatre, always, answering, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: a\r\n\r\nok"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-Trailer: t\r\n\r\n"


@pytest.mark.parametrize("answer", [OK, CHUNKED_OK], ids=["length", "chunked"])
async def test_one_connection_serves_many_calls(stage: Theatre, answer: bytes) -> None:
    """Sequential requests open no new connection, however their answers end."""
    upstream = await stage.upstream(always(answer))
    for _ in range(50):
        heard = await stage.ask(upstream)
        assert heard.head is not None
        assert (heard.head.status, heard.body, heard.has_end) == (200, b"ok", True)
    assert upstream.opened_in_all == 1
    assert stage.connections == 1
    assert upstream.in_use == 0


async def test_an_answer_is_the_same_wherever_it_is_cut(stage: Theatre) -> None:
    """Sent byte by byte, after an interim answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + CHUNKED_OK:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)

    upstream = await stage.upstream(script)
    for _ in range(3):
        heard = await stage.ask(upstream)
        assert heard.head is not None
        assert heard.head.headers == [(b"transfer-encoding", b"chunked")]
        assert heard.body == b"ok"
    assert upstream.opened_in_all == 1


async def test_the_request_is_written_as_told(stage: Theatre) -> None:
    """With host and length; a large body whole; a body of none has a length only where one could be."""
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await read_request(reader))
            writer.write(OK)

    upstream = await stage.upstream(script)
    host = b"127.0.0.1:%d" % upstream.origin.port
    await stage.ask(upstream)
    assert seen[-1] == b"POST /ask HTTP/1.1\r\nhost: " + host + b"\r\naccept: */*\r\ncontent-length: 8\r\n\r\nquestion"
    await stage.ask(upstream, UpstreamRequest(b"GET", b"/", []))
    assert seen[-1] == b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n"
    await stage.ask(upstream, UpstreamRequest(b"POST", b"/", []))
    assert seen[-1].endswith(b"\r\ncontent-length: 0\r\n\r\n")
    await stage.ask(upstream, UpstreamRequest(b"POST", b"/", [], b"x" * 3_000_000))
    assert len(seen[-1]) > 3_000_000


async def test_headers_in_a_tuple_are_written_once(stage: Theatre) -> None:
    """Method, target and body may differ all the same."""
    seen: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await read_request(reader))
            writer.write(OK)

    upstream = await stage.upstream(script)
    headers = ((b"x-name", b"v"),)
    for method, target, body in [(b"POST", b"/a", b"1"), (b"POST", b"/a", b"22"), (b"GET", b"/a", b""), (b"GET", b"/b", b"")]:
        request = UpstreamRequest(method, target, headers, body)
        await stage.ask(upstream, request)
        assert seen[-1] == request.head(upstream.host_field) + body
    for number in range(600):
        await stage.ask(upstream, UpstreamRequest(b"GET", b"/", ((b"x-number", b"%d" % number),)))
        assert b"x-number: %d\r\n" % number in seen[-1]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"and more than that",
        OK + OK,
    ],
    ids=["close", "1.0", "more than the length", "a second answer"],
)
async def test_a_connection_that_is_not_clean_is_not_used_again(stage: Theatre, answer: bytes) -> None:
    """The answer counts; what comes behind it never becomes the next call's answer."""
    upstream = await stage.upstream(always(answer))
    for _ in range(3):
        assert (await stage.ask(upstream)).body == b"ok"
    assert upstream.opened_in_all == 3


async def test_an_answer_may_end_with_its_connection(stage: Theatre) -> None:
    """Where it has neither length nor chunks."""
    upstream = await stage.upstream(answering(b"HTTP/1.1 200 OK\r\n\r\nall of it"))
    heard = await stage.ask(upstream)
    assert (heard.body, heard.has_end) == (b"all of it", True)


async def test_an_answer_to_head_has_no_body(stage: Theatre) -> None:
    """Whatever length it states."""
    upstream = await stage.upstream(always(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"))
    heard = await stage.ask(upstream, UpstreamRequest(b"HEAD", b"/", []))
    assert heard.head is not None
    assert (heard.head.length, heard.body, heard.has_end) == (5000, b"", True)


FAULTS = {
    "garbage": (b"SSH-2.0-OpenSSH_9.2\r\n", FailureKind.GARBAGE, False),
    "two framings": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", FailureKind.GARBAGE, False),
    "another coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", FailureKind.GARBAGE, False),
    "another protocol": (
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        FailureKind.GARBAGE,
        False,
    ),
    "a bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n", FailureKind.GARBAGE, False),
    "a large head": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 5000, FailureKind.HEAD_TOO_LARGE, False),
    "many fields": (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 60 + b"\r\n", FailureKind.HEAD_TOO_LARGE, False),
    "endless interim answers": (b"HTTP/1.1 100 Continue\r\n\r\n" * 200, FailureKind.HEAD_TOO_LARGE, False),
    "an endless trailer": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 600_000,
        FailureKind.HEAD_TOO_LARGE,
        True,
    ),
    "nothing": (b"", FailureKind.CLOSED_EARLY, False),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", FailureKind.CLOSED_EARLY, False),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", FailureKind.CLOSED_EARLY, True),
    "half a stream": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", FailureKind.CLOSED_EARLY, True),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_named(stage: Theatre, name: str) -> None:
    """And said whether the head had been passed on already. The connection is gone."""
    answer, kind, after_head = FAULTS[name]
    upstream = await stage.upstream(answering(answer), head_bytes=4000, headers=50)
    heard = await stage.ask(upstream, RESENDABLE)
    assert heard.failure is not None
    assert (heard.failure.kind, heard.failure.after_head) == (kind, after_head)
    assert not heard.has_end
    assert (heard.head is not None) is after_head
    assert upstream.in_use == 0


async def test_a_reset_is_named(stage: Theatre) -> None:
    """In the middle of an answer."""

    sink = Noting()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await sink.moved.wait()  # a reset overtakes what is under way
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    (await stage.upstream(script)).send(ASK, sink)
    await sink.ended.wait()
    assert sink.failure is not None
    assert (sink.failure.kind, sink.failure.after_head) == (FailureKind.RESET, True)


async def test_nobody_listening_is_named(stage: Theatre) -> None:
    """A refused connection, and a name without an address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        heard = await stage.ask(stage.pool(probe.getsockname()[1]))
    assert heard.failure is not None
    assert heard.failure.kind is FailureKind.REFUSED


async def test_silence_is_timed_out(stage: Theatre) -> None:
    """Before the first byte, within the answer, and of a stream that never ends although it speaks."""
    gate, asked = asyncio.Event(), asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        asked.set()
        if b"/speaks" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not gate.is_set():
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        await gate.wait()

    upstream = await stage.upstream(mute)
    first = Noting()
    upstream.send(ASK, first)
    await asked.wait()
    await stage.pass_time(21)
    assert first.failure is not None
    assert first.failure.kind is FailureKind.FIRST_BYTE_TIMEOUT
    endless = Noting()
    upstream.send(UpstreamRequest(b"GET", b"/speaks", []), endless)
    for _ in range(8):
        endless.moved.clear()
        await endless.moved.wait()
        assert endless.failure is None
        await stage.pass_time(8)
    assert endless.failure is not None
    assert endless.failure.kind is FailureKind.TOO_LONG
    gate.set()


async def test_silence_within_an_answer_is_timed_out_unless_we_paused(stage: Theatre) -> None:
    """A paused call is not the upstream's fault."""
    gate = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await gate.wait()

    upstream = await stage.upstream(script)
    sink = Noting()
    call = upstream.send(ASK, sink)
    await sink.moved.wait()
    call.pause()
    await stage.pass_time(15)
    assert sink.failure is None
    call.resume()
    await stage.pass_time(11)
    assert sink.failure is not None
    assert sink.failure.kind is FailureKind.STALLED
    gate.set()


async def test_time_for_one_call_can_be_its_own(stage: Theatre) -> None:
    """Instead of the pool's."""
    gate = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()

    upstream = await stage.upstream(script)
    heard = await stage.ask(upstream, timeouts=Timeouts(first_byte_s=0.01))
    assert heard.failure is not None
    assert heard.failure.kind is FailureKind.FIRST_BYTE_TIMEOUT
    gate.set()
