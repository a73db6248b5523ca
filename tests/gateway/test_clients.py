"""Clients that go away, read slowly, or are none: the provider is let go, memory stays bounded, and the record is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from segue.gateway.http import Deadlines, HttpExchange, Server
from segue.model import Bundle
from segue.providers.config import parse_provider
from segue.standin.settings import StandInSettings, Trouble
from tests.gateway.wiring import KEY, Wired, a_gateway

HANG = StandInSettings(troubles=(Trouble(kind="hang"),))
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 16_000 + b'"}}]}\n\n'


def request(*, stream: bool = False, path: str = "/v1/chat/completions", body: Any = None) -> bytes:
    """A request as bytes."""
    content = json.dumps(body or {"model": "mail", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def connect(wired: Wired) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection."""
    host, port = wired.origin.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port), limit=1024)


async def until(seen: Any) -> None:
    """Until it is so."""
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_lets_the_provider_go_and_leaves_a_record(stream: bool) -> None:
    """Nobody pays for an answer that nobody waits for."""
    async with a_gateway({"old": HANG}) as (wired, _):
        _, writer = await connect(wired)
        writer.write(request(stream=stream))
        (upstream,) = wired.planes.upstreams
        await until(lambda: upstream.in_use)
        writer.close()
        await until(lambda: wired.log)
        assert (wired.log[0].record.failure, wired.log[0].record.status) == ("client gone", None)
        await until(lambda: not upstream.in_use)
        assert not wired.moved


class Flood:
    """A provider that streams as fast as it is read, and counts."""

    def __init__(self, pieces: int) -> None:
        self.left, self.sent = pieces, 0

    def __call__(self, exchange: HttpExchange) -> None:
        exchange.start(200, [(b"content-type", b"text/event-stream")])
        exchange.on_room = lambda: self._go_on(exchange)
        self._go_on(exchange)

    def _go_on(self, exchange: HttpExchange) -> None:
        while self.left:
            self.left -= 1
            self.sent += len(PIECE)
            if not exchange.write(PIECE):
                return
        exchange.finish(b"data: [DONE]\n\n")


async def test_a_client_that_reads_slowly_slows_its_own_provider_down() -> None:
    """The gateway holds no more of a stream than its buffers; read at last, the whole of it is there."""
    loop = asyncio.get_running_loop()
    flood, pieces = Flood(4000), 4000
    deadlines = Deadlines(loop.time, loop.call_later)
    server = Server(flood, deadlines=deadlines, clock=loop.time)
    port = await server.listen()
    async with a_gateway({"old": StandInSettings()}) as (wired, bundles):
        wired.sources.providers["old"] = parse_provider("old", {"type": "openai", "base_url": f"http://127.0.0.1:{port}/v1"})  # type: ignore[index]
        wired.gateway.plane = wired.planes.build(wired.sources)
        assert isinstance(bundles["old"], Bundle)
        reader, writer = await connect(wired)
        writer.write(request(stream=True))
        seen = -1
        while flood.sent != seen:
            seen = flood.sent
            for _ in range(2000):
                await asyncio.sleep(0)
        assert flood.sent < 32 * 2**20 < pieces * len(PIECE)
        received = 0
        async with asyncio.timeout(60):
            while not wired.log:
                received += len(await reader.read(1 << 20))
        assert wired.log[0].record.failure is None
        note = wired.log[0].record.response
        assert (note.kept, note.length) == ("cut", pieces * len(PIECE) + len(b"data: [DONE]\n\n"))
        assert 15 * 2**20 < len(wired.log[0].response) <= 16 * 2**20
        writer.close()
    await server.stop(1.0)
    deadlines.close()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request(path="/v1/embeddings"), 404),
        (request(path="/"), 404),
        (b"GET /v1/messages HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"DELETE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"GET /readyz?now HTTP/1.1\r\nhost: x\r\n\r\n", 200),
        (b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", 401),
        (request(body=["mail"]), 400),
        (request(body={"model": 7}), 400),
        (request(body={"messages": []}), 400),
    ],
    ids=["embeddings", "root", "get", "delete", "alive", "ready", "no-key", "list", "number", "no-model"],
)
async def test_what_is_no_request_of_ours_is_told_so(raw: bytes, status: int) -> None:
    """With a status, and a body that says what there is."""
    async with a_gateway({"old": StandInSettings()}) as (wired, _):
        reader, writer = await connect(wired)
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        assert int(head.split(b" ")[1]) == status
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        body = await reader.readexactly(length)
        assert status == 200 or json.loads(body)["error"]["message"]
        assert not wired.log
        writer.close()


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_half_a_character_is_refused_or_passed_and_never_a_fault_of_ours(dialect: Any) -> None:
    """A client that cuts an emoji in two gets its answer where the bytes pass, and a clean 400 where they have to be read."""
    async with a_gateway({"old": StandInSettings(dialect=dialect)}) as (wired, _):
        body = b'{"model":"mail","messages":[{"role":"user","content":"\\ud83d"}]}'
        reader, writer = await connect(wired)
        fields = f"host: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(f"POST /v1/chat/completions HTTP/1.1\r\n{fields}".encode() + body)
        status = int((await reader.readuntil(b"\r\n")).split(b" ")[1])
        assert status in (200, 400)
        writer.close()
