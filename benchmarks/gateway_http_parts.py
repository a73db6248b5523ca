"""The processes of `gateway_http`: a bare proxy on the gateway's HTTP layer, and load with an upstream in one process.

Load and upstream count bytes instead of parsing: every request and every answer has the size of the first one on its way. So
they take as little of their core as possible, and the proxy is what saturates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, cast

BODY = b"x" * 2048
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2048\r\n\r\n" + BODY
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":" word"}}],"id":"chatcmpl-1","object":"chunk"}\n\n'
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
FIELDS = (
    b"Host: bench\r\nAccept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.99\r\n"
    b"Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\nX-Stainless-Lang: python\r\nAccept-Encoding: gzip\r\n"
)
ASK = b"POST /v1/chat/completions HTTP/1.1\r\n" + FIELDS + b"Content-Length: 2048\r\n\r\n" + BODY
ASK_STREAM = b"POST /v1/stream HTTP/1.1\r\n" + FIELDS + b"Content-Length: 2\r\n\r\n{}"
WIRE = {"ask": ASK, "answer": ANSWER, "ask_stream": ASK_STREAM}
"""What is asked and answered; `--wire FOLDER` gives other ones."""


def pin(core: int) -> None:
    """Stay on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def used_s(pid: int) -> float:
    """Processor time of a process so far, of all its threads: its own `schedstat` would tell of the first one alone."""
    threads = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            threads += int((task / "schedstat").read_text().split()[0])
    # In ticks, but with threads that have ended.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return max(threads / 1e9, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


def run_proxy(given: argparse.Namespace) -> None:
    """Server, upstream and bridge with nothing between."""
    import uvloop

    from segue.gateway.http import Bridge, Deadlines, HttpExchange, Origin, Server, Upstream, UpstreamRequest, end_to_end

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop.time, loop.call_later)
        upstream = Upstream(Origin("127.0.0.1", given.upstream), deadlines=deadlines, clock=loop.time, limits=_wide())

        def handle(exchange: HttpExchange) -> None:
            asked = exchange.request
            headers = [pair for pair in end_to_end(asked.headers) if pair[0] != b"host"]
            bridge = Bridge(exchange)
            bridge.follow(upstream.send(UpstreamRequest(asked.method, asked.target, headers, asked.body), bridge))

        server = Server(handle, deadlines=deadlines, clock=loop.time)
        port = await server.listen()
        print(json.dumps({"port": port, "pid": os.getpid()}), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        print(json.dumps({"upstream_connections": upstream.opened_in_all}), flush=True)
        if given.profile:
            return
        os._exit(0)

    pin(given.core)
    runner: Callable[[Any], Any] = asyncio.run if given.stock else uvloop.run
    if given.profile:
        import cProfile

        cProfile.runctx("runner(serve())", {}, {"runner": runner, "serve": serve}, given.profile)
    else:
        runner(serve())


def _wide() -> Any:
    from segue.gateway.http import UpstreamLimits

    return UpstreamLimits(connections=4096)


def _length(head: bytes) -> int:
    """The length that a head states."""
    return next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))


class _Peer(asyncio.Protocol):
    """Writes; ends by being closed."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=1 << 24)


class Upstream(_Peer):
    """Answers what it is asked with a fixed answer; a stream goes on the list of those that the ticker feeds."""

    streams: list[asyncio.Transport]
    sizes: dict[bytes, int]
    after_s = 0.0
    """How long it takes over an answer."""
    late: ClassVar[deque[tuple[float, asyncio.Transport]]] = deque()
    """Answers to be given later, looked at in each turn of the loop, which never sleeps: the loop's own timer counts in whole
    milliseconds."""

    def __init__(self) -> None:
        self.waiting = 0
        self.size = 0

    def data_received(self, data: bytes) -> None:
        if not self.waiting:
            kind = data[:48]
            self.size = self.sizes.get(kind, 0)
            if not self.size:
                head, _, _ = data.partition(b"\r\n\r\n")
                self.size = self.sizes[kind] = len(head) + 4 + _length(head)
            if b"/v1/stream" in kind:
                self.transport.write(STREAM_HEAD)
                self.streams.append(self.transport)
                return
        self.waiting += len(data)
        while self.waiting >= self.size:
            self.waiting -= self.size
            if self.after_s:
                self.late.append((time.perf_counter() + self.after_s, self.transport))
            else:
                self.transport.write(WIRE["answer"])


class Load:
    """What the clients of one target have seen."""

    def __init__(self) -> None:
        self.size = 0
        self.done = 0
        self.received = 0
        self.is_on = True
        self.latencies: list[float] = []


class Client(_Peer):
    """Asks again as soon as it is answered, or (`is_open_loop`) when it is told to."""

    def __init__(self, load: Load, *, is_open_loop: bool = False) -> None:
        self.load = load
        self.have = 0
        self.asked_at = 0.0
        self.is_open_loop = is_open_loop
        self.is_busy = False

    def ask(self) -> None:
        self.is_busy = True
        self.asked_at = time.perf_counter()
        self.transport.write(WIRE["ask"])

    def data_received(self, data: bytes) -> None:
        load = self.load
        self.have += len(data)
        if not load.size:
            head, found, _ = data.partition(b"\r\n\r\n")
            assert found, "The first answer's head came in parts."
            assert head.startswith(b"HTTP/1.1 200"), head
            load.size = len(head) + 4 + _length(head)
        if self.have >= load.size:
            self.have -= load.size
            load.done += 1
            self.is_busy = False
            if self.is_open_loop:
                load.latencies.append(time.perf_counter() - self.asked_at)
            elif load.is_on:
                self.transport.write(WIRE["ask"])


class Stream(_Peer):
    """Asks for a stream and counts what comes."""

    def __init__(self, load: Load) -> None:
        self.load = load

    def data_received(self, data: bytes) -> None:
        self.load.received += data.count(b"data: ")


async def _connected(port: int, made: Callable[[], _Peer], count: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(made, "127.0.0.1", port))[1] for _ in range(count)]


def _close(peers: list[Any]) -> None:
    for peer in peers:
        peer.transport.abort()


@contextmanager
def awake() -> Iterator[None]:
    """Never sleep meanwhile: whoever writes to a process that sleeps pays for waking it, and in a virtual machine dearly.

    Beside a fast gateway the load never sleeps anyway, so that only a slow one would pay.
    """
    loop, is_on = asyncio.get_running_loop(), True

    def again() -> None:
        late = Upstream.late
        while late and late[0][0] <= time.perf_counter():
            late.popleft()[1].write(WIRE["answer"])
        if is_on:
            loop.call_soon(again)

    again()
    try:
        yield
    finally:
        is_on = False


async def saturate(port: int, pids: list[int], clients: int, seconds: float) -> dict[str, Any]:
    """As many as it can: closed loop."""
    load = Load()
    first = await _connected(port, lambda: Client(load), 1)
    first[0].transport.write(WIRE["ask"])
    while not load.done:
        await asyncio.sleep(0.01)
    peers = first + await _connected(port, lambda: Client(load), clients - 1)
    for peer in peers[1:]:
        peer.transport.write(WIRE["ask"])
    await asyncio.sleep(min(1.0, seconds / 3))
    began, done, used = time.perf_counter(), load.done, [used_s(pid) for pid in pids]
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    spent = sum(used_s(pid) for pid in pids) - sum(used)
    count = load.done - done
    load.is_on = False
    await asyncio.sleep(0.05)
    _close(peers)
    return {
        "per_second": count / took,
        "cpu_us": spent / count * 1e6 if pids else None,
        "busy": spent / took if pids else None,
    }


async def trickle(port: int, per_second: float, seconds: float, after_ms: float = 0.0) -> dict[str, Any]:
    """At an open rate: how long an answer takes, of which the upstream takes `after_ms`."""
    load = Load()
    Upstream.after_s = after_ms / 1e3
    peers = await _connected(port, lambda: Client(load, is_open_loop=True), 16 + int(2 * per_second * after_ms / 1e3))
    began = time.perf_counter()
    due = began
    while due < began + seconds:
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        free = next((peer for peer in peers if not peer.is_busy), None)
        if free is not None:
            free.ask()
        due += 1 / per_second
    await asyncio.sleep(0.1 + Upstream.after_s)
    Upstream.after_s = 0.0
    _close(peers)
    seen = sorted(load.latencies[len(load.latencies) // 10 :])
    p50, p99 = seen[len(seen) // 2], seen[int(len(seen) * 0.99)]
    return {"p50_ms": p50 * 1e3, "p99_ms": p99 * 1e3, "count": len(seen), "asked": load.done}


async def stream(port: int, pids: list[int], streams: int, tick_s: float, seconds: float) -> dict[str, Any]:
    """So many streams, a chunk on each at every tick."""
    load = Load()
    loop = asyncio.get_running_loop()
    Upstream.streams.clear()
    peers = await _connected(port, lambda: Stream(load), streams)
    for peer in peers:
        peer.transport.write(WIRE["ask_stream"])
    while len(Upstream.streams) < streams:
        await asyncio.sleep(0.01)
    sent = 0
    end = loop.time() + seconds * 4 / 3
    began = spent = took = 0.0
    received = 0
    due = loop.time()
    while loop.time() < end:
        for number, transport in enumerate(Upstream.streams):
            transport.write(CHUNK)
            if number % 50 == 49:
                await asyncio.sleep(0)
        sent += streams
        due = max(due + tick_s, loop.time())
        await asyncio.sleep(max(0.0, due - loop.time()))
        if not began and loop.time() > end - seconds:
            began, received, spent = time.perf_counter(), load.received, sum(used_s(pid) for pid in pids)
    took = time.perf_counter() - began
    spent = sum(used_s(pid) for pid in pids) - spent
    count = load.received - received
    patience = loop.time() + 5
    while load.received < sent and loop.time() < patience:
        await asyncio.sleep(0.01)
    lost = sent - load.received
    _close(peers)
    for transport in Upstream.streams:
        transport.abort()
    return {
        "chunks_per_second": count / took,
        "cpu_us_per_chunk": spent / count * 1e6 if pids else None,
        "busy": spent / took if pids else None,
        "not_arrived": lost,
    }


def run_load(given: argparse.Namespace) -> None:
    """The upstream, and orders as lines of JSON on standard input, each answered by a line of figures."""
    import uvloop

    async def work() -> None:
        loop = asyncio.get_running_loop()
        Upstream.streams, Upstream.sizes = [], {}
        listener = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=4096)
        print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
        kinds: dict[str, Callable[..., Any]] = {"saturate": saturate, "trickle": trickle, "stream": stream}
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            Upstream.sizes.clear()
            order = json.loads(line)
            with awake():
                print(json.dumps(await kinds[order.pop("kind")](**order)), flush=True)

    pin(given.core)
    uvloop.run(work())


def main() -> None:
    """One of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("proxy", "load"))
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--upstream", type=int, default=0)
    parser.add_argument("--stock", action="store_true")
    parser.add_argument("--profile")
    parser.add_argument("--wire", type=Path, help="a folder with files `ask` and `answer`")
    given = parser.parse_args()
    if given.wire:
        WIRE.update({name: (given.wire / name).read_bytes() for name in WIRE if (given.wire / name).exists()})
    (run_proxy if given.role == "proxy" else run_load)(given)


if __name__ == "__main__":
    main()
