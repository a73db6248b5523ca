"""An answer on its way from an upstream to a client, over real sockets on both loops."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from typing import Any

import pytest

from segue.gateway.http import Call, Failure, FailureKind, HttpExchange, Passed, ResponseHead
from segue.gateway.http.heads import end_to_end
from tests.gateway.http.stage import Theatre, always, answering, passing_on, read_request, until

ASK = b"POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nquestion"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Watching:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_head(self, head: ResponseHead) -> None:
        """The head."""
        self.seen.append(head.status)

    def on_chunk(self, chunk: bytes) -> None:
        """A part of the body."""
        self.seen.append(chunk)

    def on_end(self, passed: Passed) -> None:
        """The end."""
        self.seen.append(passed)


async def answer_to(port: int, data: bytes = ASK) -> bytes:
    """Everything until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


async def receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an answer with a length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return head, await reader.readexactly(length)


async def test_an_answer_is_passed_on_without_the_fields_of_its_connection(stage: Theatre) -> None:
    """Those of the list, and those its Connection field names; the length stays, and the client's connection is its own."""
    upstream = await stage.upstream(
        answering(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Secret\r\nX-Secret: s\r\nKeep-Alive: timeout=5\r\n"
            b"Proxy-Authenticate: b\r\nTrailer: t\r\nUpgrade: h2c\r\nX-Kept: k\r\nDate: d\r\n\r\nok"
        )
    )
    _, port = await stage.server(passing_on(upstream))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(ASK)
        head, body = await receive(reader)
        assert head == b"HTTP/1.1 200 OK\r\nx-kept: k\r\ndate: d\r\ncontent-length: 2\r\n\r\n"
        assert body == b"ok"
    writer.close()


def test_what_ends_at_this_hop() -> None:
    """In requests as in answers."""
    ends = [b"connection", b"keep-alive", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"]
    fields = [(name, b"x-a, X-B" if name == b"connection" else b"v") for name in ends]
    assert end_to_end([*fields, (b"x-a", b"1"), (b"x-b", b"2"), (b"x-c", b"3"), (b"content-length", b"4")]) == [(b"x-c", b"3")]


async def test_sequential_requests_open_no_upstream_connection(stage: Theatre) -> None:
    """A hundred through one connection on either side."""
    upstream = await stage.upstream(always(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    _, port = await stage.server(passing_on(upstream))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(100):
        writer.write(ASK)
        assert (await receive(reader))[1] == b"ok"
    assert upstream.opened_in_all == stage.connections == 1
    writer.close()


async def test_a_stream_is_passed_on_as_it_comes(stage: Theatre) -> None:
    """Each part before the next one exists; its head before its first part. The observer sees all of it, and the end."""
    steps = [asyncio.Event() for _ in range(4)]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for step, data in zip(steps, [STREAM, b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n", b"0\r\n\r\n"], strict=True):
            await step.wait()
            writer.write(data)
        await reader.read()

    watching = Watching()
    upstream = await stage.upstream(script)
    _, port = await stage.server(passing_on(upstream, observers=[watching]))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK)
    steps[0].set()
    assert b"transfer-encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
    for step, data in zip(steps[1:], [b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n", b"0\r\n\r\n"], strict=True):
        step.set()
        assert await reader.readexactly(len(data)) == data
    assert watching.seen == [200, b"data: 1\n\n", b"data: 2\n\n", Passed("whole", 18)]
    writer.close()


async def test_an_observer_that_fails_is_left_out(stage: Theatre) -> None:
    """Users notice nothing; the loop's handler hears of it."""

    class Failing(Watching):
        def on_head(self, head: ResponseHead) -> None:
            raise RuntimeError("broken observer")

    heard: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(str(context["exception"])))
    failing, watching = Failing(), Watching()
    upstream = await stage.upstream(always(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    _, port = await stage.server(passing_on(upstream, observers=[failing, watching]))
    answer = await answer_to(port, ASK.replace(b"Host", b"Connection: close\r\nHost"))
    assert answer.endswith(b"ok")
    assert heard == ["broken observer"]
    assert failing.seen == []
    assert watching.seen == [200, b"ok", Passed("whole", 2)]


@pytest.mark.parametrize(
    ("script", "status"),
    [(b"", 502), (b"not http\r\n\r\n", 502), (b"HTTP/1.1 200 OK\r\nContent-", 502)],
    ids=["nothing", "garbage", "half a head"],
)
async def test_a_failure_before_the_head_is_an_answer(stage: Theatre, script: bytes, status: int) -> None:
    """And the client's connection goes on."""
    upstream = await stage.upstream(answering(script))
    _, port = await stage.server(passing_on(upstream))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(ASK)
        head, _ = await receive(reader)
        assert head.startswith(b"HTTP/1.1 %d " % status)
    writer.close()


@pytest.mark.parametrize(
    "half",
    [
        STREAM + b"9\r\ndata: 1\n\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        STREAM + b"9\r\ndata: 1\n\n\r\nzz\r\n",
    ],
    ids=["stream", "length", "garbage"],
)
async def test_half_an_answer_never_looks_whole(stage: Theatre, half: bytes) -> None:
    """What came is passed on, and then the connection ends without the mark of an end; the observer is told why."""
    watching = Watching()
    head, _, rest = half.partition(b"\r\n\r\n")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head + b"\r\n\r\n")
        await until(lambda: watching.seen)
        writer.write(rest)

    upstream = await stage.upstream(script)
    _, port = await stage.server(passing_on(upstream, observers=[watching]))
    answer = await answer_to(port)
    assert not answer.endswith(b"0\r\n\r\n")
    assert b"data: 1\n\n" in answer or answer.endswith(b"half")
    assert watching.seen[-1].ending == "failed"
    assert watching.seen[-1].failure.after_head


async def test_half_an_answer_to_http_1_0_is_a_reset(stage: Theatre) -> None:
    """Its end is the connection's end, so nothing else can tell."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(STREAM + b"9\r\ndata: 1\n\n\r\n")
        await writer.drain()

    upstream = await stage.upstream(script)
    _, port = await stage.server(passing_on(upstream))
    with pytest.raises(ConnectionResetError):
        await answer_to(port, b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_a_client_that_goes_away_ends_the_upstream_call(stage: Theatre, how: str) -> None:
    """In the middle of a stream: nobody pays for an answer that nobody reads."""
    closed = asyncio.Event()
    watching = Watching()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(STREAM + b"9\r\ndata: 1\n\n\r\n")
        assert await reader.read() == b""
        closed.set()

    upstream = await stage.upstream(script)
    server, port = await stage.server(passing_on(upstream, observers=[watching]))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASK)
    await reader.readuntil(b"data: 1\n\n")
    if how == "half-close":
        writer.write_eof()
    elif how == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
    await closed.wait()
    await until(lambda: not len(server))
    assert watching.seen[-1] == Passed("client_gone", 9)
    assert upstream.in_use == 0
    writer.close()


async def test_memory_stays_bounded_while_a_client_does_not_read(stage: Theatre) -> None:
    """A stream that never ends, 400 MB if it were taken: the upstream is held up instead, and resumes when the client reads."""
    block = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(STREAM)
        while sent < 400_000_000:
            writer.write(block)
            sent += len(block)
            await writer.drain()

    upstream = await stage.upstream(script)
    _, port = await stage.server(passing_on(upstream))
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, ASK)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held, calm = -1, 0
    while calm < 20:
        held, calm = sent, calm + 1 if held == sent else 0
        await asyncio.sleep(0.005)
    assert sent < 40_000_000  # what the kernel's buffers on the way took
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB
    read = 0
    while read < 60_000_000:
        read += len(await loop.sock_recv(client, 1 << 20))
    assert sent > held
    client.close()
    await until(lambda: upstream.in_use == 0)


async def test_the_decision_what_a_failure_becomes_can_be_the_callers(stage: Theatre) -> None:
    """Here: an event of its own, and an orderly end."""
    from segue.gateway.http import Bridge, UpstreamRequest

    def sorry(exchange: HttpExchange, failure: Failure) -> None:
        exchange.finish(b"event: error\n\n" if failure.kind is FailureKind.CLOSED_EARLY else b"")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(STREAM + b"9\r\ndata: 1\n\n\r\n")

    upstream = await stage.upstream(script)

    def handle(exchange: HttpExchange) -> None:
        bridge = Bridge(exchange, on_failed=sorry, extra_headers=[(b"x-exchange", b"e1")])
        bridge.follow(upstream.send(UpstreamRequest(b"GET", b"/", []), bridge))

    _, port = await stage.server(handle)
    answer = await answer_to(port, ASK.replace(b"Host", b"Connection: close\r\nHost"))
    assert answer.endswith(b"data: 1\n\n\r\ne\r\nevent: error\n\n\r\n0\r\n\r\n")
    assert b"x-exchange: e1\r\n" in answer


async def test_pipelined_requests_come_back_in_order_over_upstreams_of_any_speed(stage: Theatre) -> None:
    """One at a time: the second is not asked before the first is answered."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await read_request(reader)
            body = asked.split()[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    calls: list[Call] = []
    upstream = await stage.upstream(script)
    _, port = await stage.server(passing_on(upstream, calls=calls))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(10)))
    for number in range(10):
        assert (await receive(reader))[1] == b"/%d" % number
    assert len(calls) == 10
    writer.close()
