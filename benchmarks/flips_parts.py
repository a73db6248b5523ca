"""The process of `flips` that loads the gateway at an open rate, and answers for its provider.

What is on its way and what came back is noted with the clock that all processes of a machine share, so that it can be said of
each request whether it was sent after a flip was confirmed, and which bundle served it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, cast

SAID = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is on its way."}}],
    "usage": {"prompt_tokens": 40, "completion_tokens": 6, "total_tokens": 46},
}
_BODY = json.dumps(SAID).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


def ask(key: str, number: int) -> bytes:
    """A request, of another user each time."""
    asked = {"model": "bench", "messages": [{"role": "user", "content": "Where is my order?"}], "user": f"user-{number}"}
    body = json.dumps(asked).encode()
    fields = ("host: bench", "content-type: application/json", f"authorization: Bearer {key}", f"content-length: {len(body)}")
    return "\r\n".join(("POST /v1/chat/completions HTTP/1.1", *fields, "", "")).encode() + body


class Messages(asyncio.Protocol):
    """Cuts what comes into messages, by the length that each states."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._have = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._have += data
        while True:
            head, found, rest = self._have.partition(b"\r\n\r\n")
            if not found:
                return
            fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:])
            length = int(fields[b"content-length"])
            if len(rest) < length:
                return
            self._have = rest[length:]
            self.heard(head, fields)

    def heard(self, head: bytes, fields: dict[bytes, bytes]) -> None:
        """A message is whole."""


class Provider(Messages):
    """Answers at once, the same each time."""

    def heard(self, _head: bytes, _fields: dict[bytes, bytes]) -> None:
        self.transport.write(ANSWER)


class Client(Messages):
    """One connection; a request at a time."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load
        self.sent_ns = 0

    def send(self, request: bytes) -> None:
        """Ask."""
        self.sent_ns = time.perf_counter_ns()
        self.transport.write(request)

    def heard(self, head: bytes, fields: dict[bytes, bytes]) -> None:
        status = int(head[9:12])
        self.load.done.append((self.sent_ns, time.perf_counter_ns(), status, fields.get(b"segue-bundle", b"").strip().decode()))
        self.sent_ns = 0
        self.load.free(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.sent_ns:
            self.load.done.append((self.sent_ns, time.perf_counter_ns(), 0, ""))


class Load:
    """So many requests a second, whether the ones before are answered or not."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.done: list[tuple[int, int, int, str]] = []
        self._free: list[Client] = []
        self._due: deque[bytes] = deque()
        self._clients: list[Client] = []
        self.is_on = True

    async def run(self, port: int, per_second: float, connections: int) -> None:
        """Until `is_on` is false and all is answered."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: Client(self), "127.0.0.1", port)
            self._clients.append(client)
        self._free = list(self._clients)
        number, due = 0, loop.time()
        while self.is_on:
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._due.append(ask(self._key, number))
            self._give()
            number, due = number + 1, due + 1 / per_second
        async with asyncio.timeout(30):
            while self._due or len(self._free) < connections:
                await asyncio.sleep(0.01)
        for client in self._clients:
            client.transport.abort()

    def free(self, client: Client) -> None:
        """It has its answer."""
        self._free.append(client)
        self._give()

    def _give(self) -> None:
        while self._due and self._free:
            self._free.pop(0).send(self._due.popleft())


async def work(key: str, records: Path) -> None:
    """Orders as lines of JSON on standard input, each answered by a line."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(Provider, "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    load, task = Load(key), None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order: dict[str, Any] = json.loads(line)
        if order.pop("kind") == "begin":
            load = Load(key)
            task = asyncio.create_task(load.run(**order))
            while len(load.done) < 50 and not task.done():
                await asyncio.sleep(0.01)
            print(json.dumps({"began": True}), flush=True)
        else:
            load.is_on = False
            assert task is not None, "it was begun before"
            await task
            records.write_text(json.dumps(load.done))
            print(json.dumps({"done": len(load.done)}), flush=True)


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("records", type=Path)
    given = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        asyncio.run(work(given.key, given.records))
    else:
        uvloop.run(work(given.key, given.records))


if __name__ == "__main__":
    main()
