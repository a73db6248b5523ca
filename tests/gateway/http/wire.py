"""A pretend wire: a transport that keeps what is written, a clock that is told the time, and a connection between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from segue.gateway.http import Deadlines, HttpExchange, Server, ServerLimits
from segue.gateway.http.connection import ServerConnection


class ManualClock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        """The time."""
        return self.now


class Nothing:
    """A timer that never fires: tests sweep by hand."""

    def cancel(self) -> None:
        """Call it off."""


class Wire(asyncio.Transport):
    """Keeps what is written. `is_stuck`: the peer reads nothing."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.unsent = 0
        self.high = 64 * 1024
        self.is_stuck = self.is_paused = self.is_closed = self.has_ended = self.is_reading_paused = False
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        assert not self.is_closed, "Written after the end."
        self.written += bytes(data)
        if self.is_stuck:
            self.unsent += len(data)
            if self.unsent > self.high and not self.is_paused:
                self.is_paused = True
                self.protocol.pause_writing()

    def drain(self, size: int | None = None) -> None:
        """The peer reads."""
        self.unsent = 0 if size is None else max(0, self.unsent - size)
        if self.is_paused and self.unsent <= self.high // 4:
            self.is_paused = False
            self.protocol.resume_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or self.high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def pause_reading(self) -> None:
        assert not self.is_reading_paused
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        assert self.is_reading_paused
        self.is_reading_paused = False

    def close(self) -> None:
        if not self.is_closed and not self.unsent:
            self.abort()

    def abort(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    # What the peer does.

    def feed(self, data: bytes) -> None:
        """Bytes from the peer, as far as they would still be read."""
        if not self.is_closed:
            self.protocol.data_received(data)

    def hang_up(self) -> None:
        """The peer closes its side."""
        if not self.is_closed:
            self.protocol.eof_received()
            self.close()

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self.written = self.written, b""
        return data


class Desk:
    """A server without a network: connections made by hand, requests noted, answered by `handler` or by the test."""

    def __init__(self, handler: Callable[[HttpExchange], None] | None = None, **limits: Any) -> None:
        self.clock = ManualClock()
        self.deadlines = Deadlines(self.clock.time, lambda _delay, _wake: Nothing())
        self.exchanges: list[HttpExchange] = []
        self.failures: list[BaseException] = []
        self._handler = handler
        self.server = Server(
            self._handle,
            deadlines=self.deadlines,
            clock=self.clock.time,
            limits=ServerLimits(**limits),
            report=self.failures.append,
        )

    def _handle(self, exchange: HttpExchange) -> None:
        self.exchanges.append(exchange)
        if self._handler is not None:
            self._handler(exchange)

    def connect(self) -> Wire:
        """A client connects."""
        connection = self.server.connect()
        assert isinstance(connection, ServerConnection)
        return Wire(connection)

    def pass_time(self, seconds: float) -> None:
        """And look at the deadlines."""
        self.clock.now += seconds
        self.deadlines.sweep()


def say_ok(exchange: HttpExchange) -> None:
    """Answer at once."""
    exchange.respond(200, [(b"content-type", b"text/plain")], b"ok")
