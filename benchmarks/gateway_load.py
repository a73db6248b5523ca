"""A process of the gateway's benchmarks: clients and an upstream that read HTTP properly, whatever stands between them.

Slower than the byte counting of `gateway_http_parts`, and so for what that cannot do: other gateways, whose answers vary in
size, open rates beyond sixteen connections, and streams, whose chunks say when they were sent. Orders come as lines of JSON on
standard input, each answered by a line of figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

from benchmarks.gateway_http_parts import awake, pin, used_s

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)
STAMP = b'"content":"@'


def framed(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stamped() -> bytes:
    """An event whose text is the time it was made."""
    return framed(EVENT % (b"@%.6f" % time.perf_counter()))


class Upstream(asyncio.Protocol):
    """Answers with a fixed answer, or begins a stream that the ticker feeds."""

    answer: bytes
    streams: set[Upstream]
    chunks: int
    asked: int

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=1 << 24)
        self.reader = httptools.HttpRequestParser(self)
        self.body = b""
        self.left = 0

    def connection_lost(self, _exc: Exception | None) -> None:
        Upstream.streams.discard(self)

    def data_received(self, data: bytes) -> None:
        self.reader.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        Upstream.asked += 1
        is_stream = b'"stream":true' in self.body or b'"stream": true' in self.body
        self.body = b""
        if is_stream:
            self.left = Upstream.chunks
            self.transport.write(STREAM_HEAD + stamped())
            Upstream.streams.add(self)
        else:
            self.transport.write(Upstream.answer)

    def feed(self) -> None:
        """The next chunk of the stream, or its end."""
        self.left -= 1
        if self.left:
            self.transport.write(stamped())
        else:
            self.finish()

    def finish(self) -> None:
        """Its last events."""
        self.transport.write(framed(LAST) + b"0\r\n\r\n")
        Upstream.streams.discard(self)


class Seen:
    """What the clients of one target have seen."""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.events = 0
        self.waits: list[float] = []
        self.firsts: list[float] = []
        self.delays: list[float] = []


class Client(asyncio.Protocol):
    """Asks, reads the answer, and says so."""

    transport: asyncio.Transport

    def __init__(self, ask: bytes, seen: Seen, free: Callable[[Client], None], *, is_probe: bool = True) -> None:
        self.wire, self.seen, self.free, self.is_probe = ask, seen, free, is_probe
        self.asked_at = 0.0
        self.is_first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self) -> None:
        self.reader = httptools.HttpResponseParser(self)
        self.asked_at, self.is_first = time.perf_counter(), True
        self.transport.write(self.wire)

    def data_received(self, data: bytes) -> None:
        self.reader.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.seen.events += body.count(b"\n\n")
        if self.is_probe and STAMP in body:
            now = time.perf_counter()
            if self.is_first:
                self.is_first = False
                self.seen.firsts.append(now - self.asked_at)
            _, _, rest = body.rpartition(STAMP)
            sent, end, _ = rest.partition(b'"')
            if end:
                self.seen.delays.append(now - float(sent))

    def on_message_complete(self) -> None:
        self.seen.done += 1
        if self.reader.get_status_code() != 200:
            self.seen.failed += 1
        self.seen.waits.append(time.perf_counter() - self.asked_at)
        # The parser is inside its own callback here; the next request has to wait until it is out.
        asyncio.get_running_loop().call_soon(self.free, self)


async def _connect(port: int, ask: bytes, seen: Seen, free: Callable[[Client], None], *, is_probe: bool = True) -> Client:
    loop = asyncio.get_running_loop()
    made = lambda: Client(ask, seen, free, is_probe=is_probe)  # noqa: E731
    return (await loop.create_connection(made, "127.0.0.1", port))[1]


async def closed(wire: bytes, port: int, pids: list[int], clients: int, seconds: float) -> dict[str, Any]:
    """Each client asks again as soon as it is answered."""
    is_on, warm, seen = True, Seen(), Seen()

    def again(client: Client) -> None:
        if is_on:
            client.ask()

    peers = [await _connect(port, wire, warm, again) for _ in range(clients)]
    for peer in peers:
        peer.ask()
    while warm.done < 2 * clients:
        await asyncio.sleep(0.01)
    for peer in peers:
        peer.seen = seen
    began, used = time.perf_counter(), sum(map(used_s, pids))
    await asyncio.sleep(seconds)
    took, spent, count = time.perf_counter() - began, sum(map(used_s, pids)) - used, seen.done
    is_on = False
    await asyncio.sleep(0.1)
    _close(peers)
    return {
        "per_second": count / took,
        "cpu_us": spent / count * 1e6 if pids and count else None,
        "busy": spent / took if pids else None,
        "failed": seen.failed + warm.failed,
        "answered": seen.done + warm.done,
    }


async def paced(wire: bytes, port: int, per_second: float, seconds: float) -> dict[str, Any]:
    """At an open rate: nobody waits for an earlier answer; a connection more is opened where all are busy."""
    seen, idle, peers = Seen(), list[Client](), list[Client]()
    for _ in range(16):
        peers.append(await _connect(port, wire, seen, idle.append))
    idle += peers
    began = due = time.perf_counter()
    asked = 0
    while due < began + seconds:
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        if not idle:
            if len(peers) >= 512:
                break
            peers.append(await _connect(port, wire, seen, idle.append))
            idle.append(peers[-1])
        idle.pop().ask()
        asked += 1
        due += 1 / per_second
    patience = time.perf_counter() + 10
    while seen.done < asked and time.perf_counter() < patience:
        await asyncio.sleep(0.01)
    _close(peers)
    settled = seen.waits[len(seen.waits) // 10 :]
    return {**_spread("", settled), "asked": asked, "answered": seen.done, "failed": seen.failed, "connections": len(peers)}


async def streams(
    wire: bytes, port: int, pids: list[int], streams: int, tick_s: float, seconds: float, resident: int | None = None
) -> dict[str, Any]:
    """So many streams at once, a chunk on each at every tick, all of them ended well at the end."""
    loop, seen = asyncio.get_running_loop(), Seen()
    Upstream.chunks = -1
    memory = _resident(resident)
    peers = [await _connect(port, wire, seen, _let_be, is_probe=not number % 40) for number in range(streams)]
    for number, peer in enumerate(peers):
        peer.ask()
        if number % 50 == 49:
            await asyncio.sleep(0.005)
    patience = loop.time() + 30
    while (len(Upstream.streams) < streams or seen.events < streams) and loop.time() < patience:
        await asyncio.sleep(0.01)
    # A shadow's streams come to this upstream, too, and not to these clients.
    held = seen.events
    each = (_resident(resident) - memory) / max(held, 1) if resident else None
    firsts, seen.firsts, seen.delays = seen.firsts, [], []
    events, used, began = seen.events, sum(map(used_s, pids)), loop.time()
    sent, due = 0, began
    while loop.time() < began + seconds:
        for number, stream in enumerate(list(Upstream.streams)):
            stream.feed()
            if number % 25 == 24:
                await asyncio.sleep(0)
        sent += held
        due = max(due + tick_s, loop.time())
        await asyncio.sleep(max(0.0, due - loop.time()))
    patience = loop.time() + 5
    while seen.events - events < sent and loop.time() < patience:
        await asyncio.sleep(0.01)
    took, spent, got = loop.time() - began, sum(map(used_s, pids)) - used, seen.events - events
    for number, stream in enumerate(list(Upstream.streams)):
        stream.finish()
        if number % 25 == 24:
            await asyncio.sleep(0)
    patience = loop.time() + 10
    while seen.done < held and loop.time() < patience:
        await asyncio.sleep(0.01)
    _close(peers)
    return {
        "held": held,
        "ended": seen.done,
        "failed": seen.failed,
        "per_second": got / took,
        "cpu_us": spent / got * 1e6 if pids and got else None,
        "busy": spent / took if pids else None,
        "not_arrived": sent - got,
        "kib_each": each,
        **_spread("crowd_first_", firsts),
        **_spread("delay_", seen.delays),
    }


async def first_texts(wire: bytes, port: int, per_second: float, seconds: float) -> dict[str, Any]:
    """Short streams begun at a steady rate: the time to their first text."""
    loop, seen, idle, peers = asyncio.get_running_loop(), Seen(), list[Client](), list[Client]()
    Upstream.chunks = 4
    feeding = asyncio.create_task(_feed_all(0.005))
    end = loop.time() + seconds
    asked = 0
    while loop.time() < end:
        if not idle:
            peers.append(await _connect(port, wire, seen, idle.append))
            idle.append(peers[-1])
        idle.pop().ask()
        asked += 1
        await asyncio.sleep(1 / per_second)
    patience = loop.time() + 10
    while seen.done < asked and loop.time() < patience:
        await asyncio.sleep(0.01)
    feeding.cancel()
    _close(peers)
    return {
        **_spread("first_", seen.firsts[len(seen.firsts) // 10 :]),
        "asked": asked,
        "ended": seen.done,
        "failed": seen.failed,
    }


async def _feed_all(tick_s: float) -> None:
    while True:
        for stream in list(Upstream.streams):
            stream.feed()
        await asyncio.sleep(tick_s)


def _let_be(_client: Client) -> None:
    """A stream is asked for once."""


def _resident(pid: int | None) -> float:
    """Memory of a process, in KiB."""
    if pid is None:
        return 0.0
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1])


def _spread(name: str, seen: list[float]) -> dict[str, Any]:
    ordered = sorted(seen)
    if not ordered:
        return {f"{name}p50_ms": None, f"{name}p99_ms": None, f"{name}count": 0}
    last = len(ordered) - 1
    return {
        f"{name}p50_ms": ordered[last // 2] * 1e3,
        f"{name}p99_ms": ordered[int(last * 0.99)] * 1e3,
        f"{name}count": len(ordered),
    }


def _close(peers: list[Client]) -> None:
    for peer in peers:
        peer.transport.abort()


def main() -> None:
    """Serve orders until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("load",))
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--wire", type=Path, required=True, help="a folder with `answer`, and a file for each way to ask")
    given = parser.parse_args()
    kinds: dict[str, Callable[..., Any]] = {
        "closed": closed,
        "paced": paced,
        "streams": streams,
        "first_texts": first_texts,
    }

    async def work() -> None:
        loop = asyncio.get_running_loop()
        Upstream.answer, Upstream.streams, Upstream.chunks = (given.wire / "answer").read_bytes(), set(), 0
        Upstream.asked = 0
        listener = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
        print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            wire = (given.wire / order.pop("ask")).read_bytes()
            with awake():
                print(json.dumps(await kinds[order.pop("kind")](wire, **order)), flush=True)

    pin(given.core)
    uvloop.run(work())


if __name__ == "__main__":
    main()
