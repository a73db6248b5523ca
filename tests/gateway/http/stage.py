"""Real sockets: an upstream that follows a script, a sink that notes what it is told, and all of it taken down afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from segue.gateway.http import (
    Bridge,
    Call,
    Deadlines,
    Failure,
    HttpExchange,
    Origin,
    ResponseHead,
    Server,
    ServerLimits,
    Timeouts,
    Upstream,
    UpstreamLimits,
    UpstreamRequest,
)

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASK = UpstreamRequest(b"POST", b"/ask", [(b"accept", b"*/*")], b"question")
RESENDABLE = UpstreamRequest(b"POST", b"/ask", [], b"question", is_resendable=True)


class Noting:
    """A sink that remembers, and lets a test wait for the end."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = b""
        self.failure: Failure | None = None
        self.has_end = False
        self.ended = asyncio.Event()
        self.moved = asyncio.Event()

    def on_head(self, head: ResponseHead) -> None:
        """The head."""
        assert self.head is None
        self.head = head

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """A part of the body."""
        assert self.head is not None
        assert not self.ended.is_set()
        self.body += chunk
        self.moved.set()
        if is_last:
            self.has_end = True
            self.ended.set()

    def on_failure(self, failure: Failure) -> None:
        """No more."""
        assert not self.ended.is_set()
        self.failure = failure
        self.ended.set()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request with a length, as bytes."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


async def until(condition: Any) -> None:
    """Let the loop turn until it holds. The test's own time-out is the limit."""
    while not condition():
        await asyncio.sleep(0.001)


def answering(*answers: bytes) -> Script:
    """Each request on a connection gets the next answer; after the last one the connection is closed."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return script


def always(answer: bytes) -> Script:
    """Every request gets this answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return script


class Theatre:
    """Upstreams and servers of one test."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines(self.clock, self.loop.call_later, every_s=0.005)
        self.skipped_s = 0.0
        self.connections = 0
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._upstreams: list[Upstream] = []
        self._servers: list[Server] = []
        self.faults: list[BaseException] = []

    def clock(self) -> float:
        """The loop's time, and what a test has skipped of it."""
        return self.loop.time() + self.skipped_s

    async def pass_time(self, seconds: float) -> None:
        """Skip, then let whatever expired be heard of."""
        self.skipped_s += seconds
        self.deadlines.sweep()
        for _ in range(5):
            await asyncio.sleep(0)

    async def upstream(
        self, script: Script, *, tls: Any = None, trusted: Any = None, host: str = "127.0.0.1", **limits: Any
    ) -> Upstream:
        """An upstream that follows the script on every connection, and a pool towards it."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await script(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            except Exception as error:
                self.faults.append(error)
            finally:
                writer.close()
                self._tasks.discard(task)

        listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self._listeners.append(listener)
        port = listener.sockets[0].getsockname()[1]
        return self.pool(port, host=host, is_tls=tls is not None, trusted=trusted, **limits)

    def pool(self, port: int, *, host: str = "127.0.0.1", is_tls: bool = False, trusted: Any = None, **limits: Any) -> Upstream:
        """A pool towards a port."""
        made = Upstream(
            Origin(host, port, is_tls),
            deadlines=self.deadlines,
            clock=self.clock,
            limits=UpstreamLimits(**limits),
            timeouts=Timeouts(connect_s=5, first_byte_s=20, between_bytes_s=10, whole_s=60),
            tls=trusted,
        )
        self._upstreams.append(made)
        return made

    def make_server(self, handler: Callable[[HttpExchange], None], **limits: Any) -> Server:
        """A server that does not listen yet."""
        made = Server(
            handler, deadlines=self.deadlines, clock=self.clock, limits=ServerLimits(**limits), report=self.faults.append
        )
        self._servers.append(made)
        return made

    async def server(self, handler: Callable[[HttpExchange], None], **limits: Any) -> tuple[Server, int]:
        """A server on a port of its own."""
        made = self.make_server(handler, **limits)
        return made, await made.listen()

    async def ask(self, upstream: Upstream, request: UpstreamRequest = ASK, timeouts: Timeouts | None = None) -> Noting:
        """Send, and wait for the end."""
        sink = Noting()
        upstream.send(request, sink, timeouts)
        await sink.ended.wait()
        return sink

    async def close(self) -> None:
        """Take everything down."""
        for server in self._servers:
            await server.stop(0.01)
        for upstream in self._upstreams:
            await upstream.stop()
        for listener in self._listeners:
            listener.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        for _ in range(3):
            await asyncio.sleep(0)
        self.deadlines.close()
        assert self.faults == []


def passing_on(upstream: Upstream, *, observers: Any = (), calls: list[Call] | None = None) -> Callable[[HttpExchange], None]:
    """A handler that passes every request on."""

    def handle(exchange: HttpExchange) -> None:
        asked = exchange.request
        kept = [pair for pair in asked.headers if pair[0] in (b"content-type", b"accept", b"authorization")]
        bridge = Bridge(exchange, observers)
        call = upstream.send(UpstreamRequest(asked.method, asked.target, kept, asked.body), bridge)
        bridge.follow(call)
        if calls is not None:
            calls.append(call)

    return handle


@asynccontextmanager
async def theatre() -> AsyncIterator[Theatre]:
    """For one test."""
    made = Theatre()
    try:
        yield made
    finally:
        await made.close()
