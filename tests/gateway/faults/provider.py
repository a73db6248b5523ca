"""A provider that misbehaves: a bare socket server that does to each request what a test says, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import cast

_RESET = struct.pack("ii", 1, 0)


class Line:
    """One connection with one request on it. `number` counts the requests of the connection, from 1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._reader, self._writer = reader, writer
        self.number = number
        self.body = b""

    async def send(self, *parts: bytes) -> None:
        """Each part in a segment of its own, as far as that can be had."""
        for part in parts:
            self._writer.write(part)
            await self._writer.drain()
            # The peer is in the same loop: what was written is read before the next part is.
            for _ in range(3):
                await asyncio.sleep(0)

    async def silence(self) -> None:
        """Say nothing until the other side has had enough."""
        while await self._reader.read(65_536):
            pass

    def reset(self) -> None:
        """End with RST."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()


Act = Callable[[Line], Awaitable[bool | None]]
"""What is done to one request. The connection is closed after it, unless it gives `True`."""


class Provider:
    """`async with Provider(act) as port`. With `greets`, it acts as soon as somebody connects, and reads no request."""

    def __init__(self, act: Act, *, greets: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.act = act
        self.asked = 0
        self.connections = 0
        self._greets = greets
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 26)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "left without being entered"
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while True:
            number += 1
            line = Line(reader, writer, number)
            if not self._greets:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.startswith(b"content-length"))
                line.body = await reader.readexactly(length)
            self.asked += 1
            if not await self.act(line):
                return
