"""Clients that read a byte now and then, or send one: memory stays bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from segue.gateway.http import ServerLimits
from segue.gateway.http.connection import ServerConnection
from segue.gateway.http.request_reader import Stage
from tests.gateway.faults import heads
from tests.gateway.faults.provider import Line
from tests.gateway.faults.stage import ask, before
from tests.gateway.faults.words import LAST_CHUNK, STREAM_HEAD, TEXT, WORDS, chat_piece, chunk, whole
from tests.gateway.wiring import KEY, Wired

WORD = chunk(chat_piece("x" * 60_000))
MIB = 1 << 20


def request(*, stream: bool) -> bytes:
    """As bytes."""
    body = json.dumps({"model": "mail", "messages": [{"role": "user", "content": "Hi"}], "stream": stream, "user": "slow"})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


async def connect(wired: Wired) -> socket.socket:
    """A connection whose kernel takes little."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    host, port = wired.origin.removeprefix("http://").split(":")
    await asyncio.get_running_loop().sock_connect(line, (host, int(port)))
    return line


class Flood:
    """A provider that streams forty megabytes to whoever is slow, and answers others at once; it counts what it got rid of."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, line: Line) -> None:
        if b'"slow"' not in line.body:
            await line.send(whole(WORDS["openai"].answer))
            return
        await line.send(STREAM_HEAD)
        for _ in range(40 * MIB // len(WORD)):
            await line.send(WORD)
            self.sent += len(WORD)
        await line.send(chunk(WORDS["openai"].closing + WORDS["openai"].mark), LAST_CHUNK)


@pytest.mark.parametrize("reads", [0, 1], ids=["nothing", "a_byte_at_a_time"])
async def test_many_slow_readers_hold_little_and_hold_up_nobody(reads: int) -> None:
    """Twelve streams of forty megabytes each that nobody takes: the provider waits, and other clients are answered."""
    flood = Flood()
    loop = asyncio.get_running_loop()
    async with before(flood, alone=True) as wired:
        lines = [await connect(wired) for _ in range(12)]
        for line in lines:
            await loop.sock_sendall(line, request(stream=True))
            assert await loop.sock_recv(line, 1) == b"H"
        seen = -1
        while flood.sent != seen:
            seen = flood.sent
            for _ in range(20):
                assert (await ask(wired, "chat", stream=False, user="quick")).text == TEXT
            for line in lines:
                for _ in range(reads):
                    assert len(await loop.sock_recv(line, 1)) == 1
        # Both sides' kernels hold some megabytes of each; the gateway itself some hundred kilobytes.
        assert flood.sent < 12 * 12 * MIB
        transports = [one._transport for one in connections(wired)]
        held = sum(one.get_write_buffer_size() for one in transports if one is not None)
        assert held < 12 * MIB
        for line in lines:
            line.close()
        kept = await wired.kept(sum(1 for one in wired.log if one.record.unit == "quick") + 12)
        assert {one.record.failure for one in kept if one.record.unit == "slow"} == {"client gone"}


def connections(wired: Wired) -> list[ServerConnection]:
    """Those of clients, as the gateway has them."""
    return list(wired.server._connections)


async def test_heads_that_come_a_byte_at_a_time_hold_up_nobody() -> None:
    """Thirty of them: others are answered meanwhile, and another byte of a head prolongs its time by nothing."""
    loop = asyncio.get_running_loop()
    async with before(heads.says(whole(WORDS["openai"].answer)), alone=True) as wired:
        lines = [await connect(wired) for _ in range(30)]
        raw = request(stream=False)
        ends: dict[ServerConnection, float] = {}
        for at in range(40):
            for line in lines:
                await loop.sock_sendall(line, raw[at : at + 1])
            assert (await ask(wired, "chat", stream=False)).text == TEXT
            begun = {one: one.deadline for one in connections(wired) if one._reader.stage is Stage.HEAD}
            ends = ends or begun
            assert ends == begun
        assert len(ends) == 30
        assert max(ends.values()) < loop.time() + ServerLimits().head_s
        for line in lines:
            line.close()
