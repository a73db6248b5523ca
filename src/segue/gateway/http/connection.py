"""One connection of a client: bytes in, requests to the handler one at a time, answers out in their order.

Time-outs are one `deadline`, whose meaning follows from where the connection is: between requests, within a head, within a
body, with bytes waiting that the client does not read, or lingering after a refusal. While a request is being answered there
is none: how long that may take is the handler's affair. A client that closes its side of the connection is taken to be gone,
as nginx does: one that hangs up cannot be told from one that only has nothing more to ask, and answers cost money.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Protocol, cast

from segue.gateway.http.deadlines import NEVER, Clock
from segue.gateway.http.exchange import HttpExchange
from segue.gateway.http.heads import Headers, message_head, status_line
from segue.gateway.http.known_heads import KnownHeads
from segue.gateway.http.limits import ServerLimits
from segue.gateway.http.request_reader import BETWEEN, HEAD, Refusal, RequestReader, Stage

Handler = Callable[[HttpExchange], None]
RefusalText = Callable[[Refusal], tuple[Headers, bytes]]
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def plain_refusal(refusal: Refusal) -> tuple[Headers, bytes]:
    """A refusal as a line of text."""
    return [(b"content-type", b"text/plain; charset=utf-8")], refusal.reason.encode() + b"\n"


class Home(Protocol):
    """What a connection needs of the server."""

    limits: ServerLimits
    clock: Clock
    handler: Handler
    refusal_text: RefusalText
    known_heads: KnownHeads
    is_stopping: bool

    def opened(self, connection: ServerConnection) -> bool:
        """A client connected. False: there are too many."""

    def closed(self, connection: ServerConnection) -> None:
        """It is gone."""

    def report(self, error: BaseException) -> None:
        """A handler failed."""


class ServerConnection(asyncio.Protocol):
    """A client's connection."""

    __slots__ = (
        "_armed",
        "_current",
        "_home",
        "_is_handing_out",
        "_is_lingering",
        "_is_reading",
        "_limits",
        "_reader",
        "_transport",
        "_unsent",
        "_was_used",
        "deadline",
        "has_room",
        "is_closing",
    )

    def __init__(self, home: Home) -> None:
        self._home = home
        self._limits = home.limits
        self._reader = RequestReader(home.limits, home.known_heads)
        self._transport: asyncio.Transport | None = None
        self._current: HttpExchange | None = None
        self._armed: Stage | None = None
        self._is_handing_out = self._is_lingering = self._was_used = False
        self._is_reading = True
        self._unsent = 0
        self.has_room = True
        self.is_closing = False
        self.deadline = NEVER

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self.is_closing = self._home.is_stopping
        self.deadline = self._home.clock() + self._limits.head_s
        if not self._home.opened(self):
            self._refuse(Refusal(503, "Too many connections."))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._is_lingering:
            return
        reader = self._reader
        reader.feed(data)
        if reader.ready:
            if self._current is None and self.has_room:
                self._hand_out()
            elif self._is_reading and self._transport is not None:
                self._is_reading = False
                self._transport.pause_reading()
        if self._current is None:
            self._go_on()
            self._arm()
        elif reader.stage is not BETWEEN:
            self._arm()
        elif self.has_room:
            self.deadline = NEVER
            self._armed = None

    def eof_received(self) -> None:
        """The client closed its side. What is already written is still sent; the transport closes itself."""
        self._lose()
        self._linger(self._limits.linger_s)

    def connection_lost(self, error: BaseException | None) -> None:  # noqa: ARG002 - gone is gone
        """Nothing more can be read or written."""
        self._transport = None
        self._is_lingering = True
        self.deadline = NEVER
        self._home.closed(self)
        self._lose()
        self._reader.close()

    def pause_writing(self) -> None:
        """More is waiting than the client reads."""
        self.has_room = False
        if self._transport is not None:
            self._unsent = self._transport.get_write_buffer_size()
        self.deadline = self._home.clock() + self._limits.stall_s

    def resume_writing(self) -> None:
        """The client has read most of it."""
        self.has_room = True
        current = self._current
        if not self._is_lingering:
            self._armed = None
            if current is None and not self._is_handing_out:
                self._hand_out()
            self._arm()
        if current is not None and current.on_room is not None:
            current.on_room()

    # Called by the exchange.

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        if self._transport is not None:
            self._transport.write(data)

    def exchange_ended(self, keeps_alive: bool) -> None:
        """The answer is whole: on to the next request, if there is one."""
        self._current = None
        if not keeps_alive or self.is_closing:
            self._close()
        elif not self._is_handing_out:
            reader = self._reader
            is_quiet = reader.stage is BETWEEN and not reader.ready and reader.refusal is None
            if not (is_quiet and self._is_reading and self.has_room):
                self._hand_out()
                self._arm()
            else:
                self._armed = BETWEEN
                self.deadline = self._home.clock() + self._limits.idle_s

    def cut(self, *, by_reset: bool) -> None:
        """End an answer that is not whole. What was written is still sent, unless only a reset tells that some is missing."""
        self._current = None
        if by_reset:
            self.abort()
        else:
            self._close()

    # Called by the server.

    def stop(self) -> None:
        """Finish what is being answered, then close. A connection that has not asked yet may just be about to."""
        self.is_closing = True
        if self._current is None and self._transport is not None:
            if self._was_used and self._reader.stage is BETWEEN:
                self._close()
            else:
                self.deadline = min(self.deadline, self._home.clock() + self._limits.linger_s)

    def abort(self) -> None:
        """Reset the connection; what is unsent is lost."""
        self._lose()
        self._is_lingering = True
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        transport = self._transport
        if transport is None:
            self.deadline = NEVER
            return
        unsent = transport.get_write_buffer_size()
        if self._is_lingering or unsent or not self.has_room:
            if unsent and unsent < self._unsent and self._limits.stall_s:
                self._unsent, self.deadline = unsent, now + self._limits.stall_s
            else:
                self.abort()
        elif self._reader.stage is BETWEEN:
            self._close()
        else:
            self._reader.refuse(408, "The request did not arrive in time.")
            self.deadline = NEVER
            if self._current is None and self._reader.refusal is not None:
                self._refuse(self._reader.refusal)

    # Within.

    def _hand_out(self) -> None:
        reader = self._reader
        ready = reader.ready
        self._is_handing_out = True
        # A client that asks without reading its answers gets no more of them for now.
        while ready and self._current is None and self.has_room and not self._is_lingering:
            self._was_used = True
            self._current = exchange = HttpExchange(ready.popleft(), self)
            try:
                self._home.handler(exchange)
            except Exception as error:
                self._failed(exchange, error)
        self._is_handing_out = False
        if self._current is None and not ready and not self._is_lingering:
            if not self._is_reading and self._transport is not None:
                self._is_reading = True
                self._transport.resume_reading()
            self._go_on()

    def _go_on(self) -> None:
        """Nothing is being answered: what may follow upon what has been read since."""
        reader = self._reader
        if reader.ready:
            return
        if reader.refusal is not None:
            self._refuse(reader.refusal)
        elif reader.wants_continue:
            reader.wants_continue = False
            self.write(CONTINUE)

    def _failed(self, exchange: HttpExchange, error: Exception) -> None:
        self._home.report(error)
        if exchange.has_started:
            exchange.abort()
        elif exchange.is_open:
            exchange.respond(500, *self._home.refusal_text(Refusal(500, "The server failed to answer.")))

    def _arm(self) -> None:
        """Set the deadline that belongs to where the connection is; a later part of the same head or body prolongs nothing."""
        if self._is_lingering or not self.has_room:
            return
        stage = self._reader.stage
        if stage is BETWEEN and self._current is not None:
            self.deadline, self._armed = NEVER, None
        elif stage is not self._armed and (self._was_used or stage is not BETWEEN):
            limits = self._limits
            self._armed = stage
            wait = limits.idle_s if stage is BETWEEN else limits.head_s if stage is HEAD else limits.body_s
            self.deadline = self._home.clock() + wait

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, and close in a way that lets the client read it although it may still be sending."""
        if self._transport is None or self._is_lingering:
            return
        headers, body = self._home.refusal_text(refusal)
        framing = b"content-length: %d\r\nconnection: close\r\n" % len(body)
        self._transport.write(message_head(status_line(refusal.status), headers, framing) + body)
        if self._transport.can_write_eof():
            self._linger(self._limits.linger_s)
            self._transport.write_eof()
        else:
            self._close()

    def _close(self) -> None:
        """Close when all is sent, or when the client has read nothing for too long."""
        self._linger(self._limits.stall_s)
        if self._transport is not None:
            self._transport.close()

    def _linger(self, wait_s: float) -> None:
        self._is_lingering = True
        self._reader.is_done = True
        self._reader.ready.clear()
        self._unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        self.deadline = self._home.clock() + wait_s

    def _lose(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.lost()
