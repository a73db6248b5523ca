"""The least that a gateway in Python can be, as a yardstick: asyncio protocols with httptools and uvloop on both sides.

`bare` hands requests and answers through. `least` does the least of what a gateway is for: it looks up the caller's key, swaps
credentials, gives an id, keeps a deadline, puts a system prompt in and writes one line of JSON, without the bodies. Neither
bears what a real client or upstream may do wrong: no back-pressure, no limits, no broken connections, no streams. What Segue
costs above them is the price of the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import deque
from typing import Any, BinaryIO, cast

import httptools
import msgspec

from benchmarks.gateway_http_parts import pin

DEADLINE_S = 60.0
OWN = frozenset((b"content-length", b"authorization", b"host"))
PROMPT = msgspec.Raw(b'{"role":"system","content":"You are the customer service of a shop. Be brief and friendly."}')


class Line(msgspec.Struct):
    """What is kept of an exchange."""

    id: str
    at: float
    took: float
    status: int
    asked: int
    said: int


class Shared:
    """What all connections use."""

    def __init__(self, upstream: int, log: BinaryIO | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.upstream = upstream
        self.idle: deque[UpstreamPeer] = deque()
        self.log = log
        self.lines: list[Line] = []
        self.count = 0
        self.keys: dict[bytes, str] = {}
        self.encoder = msgspec.json.Encoder()
        self.decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self.messages = msgspec.json.Decoder(list[msgspec.Raw])

    def keep(self, line: Line) -> None:
        """In batches, as the facts have it."""
        self.lines.append(line)
        if len(self.lines) >= 64 and self.log is not None:
            self.log.write(b"\n".join(map(self.encoder.encode, self.lines)))
            self.lines.clear()


class ClientPeer(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.parser = httptools.HttpRequestParser(self)
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.headers, self.parts = {}, []

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        shared = self.shared
        body = b"".join(self.parts)
        if shared.log is not None:
            token = self.headers[b"authorization"]
            if token not in shared.keys:
                shared.keys[token] = hashlib.sha256(token).hexdigest()
            asked = shared.decoder.decode(body)
            asked["messages"] = msgspec.Raw(shared.encoder.encode([PROMPT, *shared.messages.decode(asked["messages"])]))
            asked["model"] = msgspec.Raw(b'"snapshot"')
            body = shared.encoder.encode(asked)
        head = [b"POST %b HTTP/1.1\r\nhost: there\r\nauthorization: Bearer other\r\n" % self.target]
        head += [b"%b: %b\r\n" % pair for pair in self.headers.items() if pair[0] not in OWN]
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        peer = shared.idle.pop() if shared.idle else None
        if peer is None:
            shared.loop.create_task(self.opened(b"".join(head), body))
        else:
            peer.ask(self, b"".join(head), body)

    async def opened(self, head: bytes, body: bytes) -> None:
        """On a new connection."""
        _, peer = await self.shared.loop.create_connection(lambda: UpstreamPeer(self.shared), "127.0.0.1", self.shared.upstream)
        peer.ask(self, head, body)


class UpstreamPeer(asyncio.Protocol):
    """One connection to the upstream."""

    client: ClientPeer

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.asked = 0
        self.began = 0.0
        self.deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, client: ClientPeer, head: bytes, body: bytes) -> None:
        """Send it; the answer goes to this client."""
        self.client, self.asked = client, len(body)
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        if self.shared.log is not None:
            self.began = time.perf_counter()
            self.deadline = self.shared.loop.call_later(DEADLINE_S, self.transport.abort)
        self.transport.write(head + body)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        shared, body = self.shared, b"".join(self.parts)
        status = self.parser.get_status_code()
        head = [b"HTTP/1.1 %d OK\r\n" % status, *[b"%b: %b\r\n" % pair for pair in self.headers]]
        if self.deadline is not None:
            self.deadline.cancel()
            shared.count += 1
            name = f"x-{shared.count:012x}"
            head.append(b"x-id: %b\r\n" % name.encode())
            took = time.perf_counter() - self.began
            shared.keep(Line(name, time.time(), took, status, self.asked, len(body)))
        head.append(b"\r\n")
        self.client.transport.write(b"".join(head) + body)
        shared.idle.append(self)


async def serve(given: argparse.Namespace) -> None:
    """Until standard input is closed."""
    with tempfile.TemporaryFile() as log:
        shared = Shared(given.upstream, cast("BinaryIO", log) if given.what == "least" else None)
        listener = await shared.loop.create_server(lambda: ClientPeer(shared), "127.0.0.1", 0, backlog=4096)
        print(json.dumps({"port": listener.sockets[0].getsockname()[1], "pid": os.getpid()}), flush=True)
        await shared.loop.run_in_executor(None, sys.stdin.read)
        os._exit(0)


def main() -> None:
    """One process."""
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("bare", "least"))
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--upstream", type=int, required=True)
    given: Any = parser.parse_args()
    pin(given.core)
    uvloop.run(serve(given))


if __name__ == "__main__":
    main()
