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
from segue.gateway.http.known_heads import KnownHead, KnownHeads
from segue.gateway.http.limits import ServerLimits
from segue.gateway.http.request_reader import BETWEEN, BODY, HEAD, Refusal, Request, RequestReader, Stage

Handler = Callable[[HttpExchange], None]
RefusalText = Callable[[Refusal], tuple[Headers, bytes]]
EarlyAnswer = Callable[[Request], tuple[int, Headers, bytes] | None]
"""What can be answered by the head alone, while the body is still to come: then none of it is kept."""


class Answering(Protocol):
    """What a connection needs of whoever answers a request."""

    on_room: Callable[[], None] | None

    def lost(self) -> None:
        """The client is gone."""


class Shortcut(Protocol):
    """Takes requests whose head is known, on connections with nothing else on them."""

    def expects(self, head: KnownHead) -> bool:
        """Whether requests with this head are mostly taken: else their bodies are not waited for."""

    def __call__(self, head: KnownHead, body: bytes, connection: ServerConnection, /) -> Answering | None:
        """Take it, and answer later with `answer`; or do nothing, and the handler is asked as for any other."""


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def _to_nobody(data: bytes) -> None:
    """In the place of writing, where nobody is there any more."""


def plain_refusal(refusal: Refusal) -> tuple[Headers, bytes]:
    """A refusal as a line of text."""
    told = f"{refusal.reason} {refusal.fix}".rstrip()
    return [(b"content-type", b"text/plain; charset=utf-8")], told.encode() + b"\n"


class Home(Protocol):
    """What a connection needs of the server."""

    limits: ServerLimits
    clock: Clock
    handler: Handler
    refusal_text: RefusalText
    early_answer: EarlyAnswer | None
    shortcut: Shortcut | None
    known_heads: KnownHeads
    held_bytes: int
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
        "_awaited",
        "_current",
        "_discards",
        "_early",
        "_held",
        "_home",
        "_is_calm",
        "_is_handing_out",
        "_is_lingering",
        "_is_reading",
        "_last_head",
        "_limits",
        "_lingers_until",
        "_reader",
        "_transport",
        "_unsent",
        "_was_used",
        "deadline",
        "has_room",
        "is_closing",
        "write",
    )

    def __init__(self, home: Home) -> None:
        self._home = home
        self._limits = home.limits
        self._reader = RequestReader(home.limits, home.known_heads)
        self._transport: asyncio.Transport | None = None
        self._current: Answering | None = None
        self._last_head: KnownHead | None = None
        self._armed: Stage | None = None
        self._is_handing_out = self._is_lingering = self._was_used = False
        self._is_reading = True
        self._is_calm = False
        """Nothing stands against a shortcut for the next request, and nothing has been read since the last one was taken."""
        self._awaited: tuple[KnownHead, int, bytes] | None = None
        """A known head that came alone, as many SDKs send it; how long its body is to be, and its bytes. The reader has
        nothing of it: `_read_on` gives it that."""
        self._unsent = 0
        self._held = self._discards = 0
        self._lingers_until = 0.0
        self._early: tuple[int, Headers, bytes] | None = None
        self.has_room = True
        self.is_closing = False
        self.deadline = NEVER
        self.write: Callable[[bytes], None] = _to_nobody
        """Send, or keep until it can be sent: the transport's own, as long as there is one."""

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self.is_closing = self._home.is_stopping
        self.deadline = self._home.clock() + self._limits.head_s
        if not self._home.opened(self):
            self._refuse(Refusal(503, "Too many connections.", "Try again in a moment.", "too_many_connections"))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._is_calm:
            if self._current is None and self._take_shortcut(data):
                return
            self._is_calm = False
            if self._awaited is not None:
                self._read_on()
        elif self._is_lingering:
            self._discard(len(data))
            return
        reader = self._reader
        reader.feed(data)
        if reader.stage is BODY or self._held:
            self._look_at_body(reader)
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
        self.write = _to_nobody
        self._is_lingering = True
        self._is_calm = False
        self.deadline = NEVER
        self._hold(0)
        self._home.closed(self)
        self._lose()
        self._reader.close()

    def pause_writing(self) -> None:
        """More is waiting than the client reads."""
        self.has_room = self._is_calm = False
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

    # Called by whoever took a shortcut.

    def answer(self, mine: Answering, data: bytes) -> None:
        """A whole answer, head and body, if this one is waited for. The connection is kept."""
        if self._current is not mine:
            return
        if not self._is_calm or self._transport is None:
            self.write(data)
            self.exchange_ended(True)
            return
        self._transport.write(data)
        self._current = None
        if self._is_calm:  # as it is, unless more of this waits now than is good
            self._armed = BETWEEN
            self.deadline = self._home.clock() + self._limits.idle_s

    def hand_over(self, mine: Answering, exchange: HttpExchange) -> None:
        """Another goes on with the same request."""
        if self._current is mine:
            self._current = exchange

    # Called by the exchange.

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
                self._is_calm = True
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
        self._is_calm = False
        self._read_on()
        if self._current is None and self._transport is not None:
            if self._was_used and self._reader.stage is BETWEEN:
                self._close()
            else:
                self.deadline = min(self.deadline, self._home.clock() + self._limits.linger_s)

    def abort(self) -> None:
        """Reset the connection; what is unsent is lost."""
        self._lose()
        self._is_lingering = True
        self._is_calm, self._awaited = False, None
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
        self._read_on()
        unsent = transport.get_write_buffer_size()
        if self._is_lingering or unsent or not self.has_room:
            if unsent and unsent < self._unsent and self._limits.stall_s:
                self._unsent, self.deadline = unsent, now + self._limits.stall_s
            else:
                self.abort()
        elif self._reader.stage is BETWEEN:
            self._close()
        else:
            self._too_late()
            self.deadline = NEVER
            if self._current is None and self._reader.refusal is not None:
                self._refuse(self._reader.refusal)

    # Within.

    def _take_shortcut(self, data: bytes) -> bool:
        """Whether this is one request with a head that is known, which was taken; or such a head, and the body is to come."""
        home = self._home
        shortcut = home.shortcut
        if shortcut is None:
            return False
        found: tuple[KnownHead, bytes] | None = None
        if self._awaited is not None:
            if len(data) == self._awaited[1]:
                found = self._awaited[0], data
        else:
            last = self._last_head
            body = None if last is None else last.body_of(data)
            if last is not None and body is not None:
                found = last, body
            elif self._await_body(data, shortcut):
                return True
            else:
                found = home.known_heads.find(data)
        if found is None or len(found[1]) > self._limits.body_bytes:
            return False
        try:
            current = shortcut(*found, self)
        except Exception as error:
            home.report(error)
            current = None
        if current is None:
            self._last_head = None  # it may have been forgotten, and learnt anew as another
            return False
        self._last_head = found[0]
        self._current, self._armed, self._awaited, self.deadline = current, None, None, NEVER
        return True

    def _await_body(self, data: bytes, shortcut: Shortcut) -> bool:
        head = self._last_head
        length = 0 if head is None else head.length_of(data)
        if not length:
            found = self._home.known_heads.find_begun(data)
            if found is None:
                return False
            head, length = found
        if head is None or length > self._limits.body_bytes or not shortcut.expects(head):
            return False
        self._last_head, self._awaited, self._armed = head, (head, length, data), BODY
        self.deadline = self._home.clock() + self._limits.body_s
        return True

    def _read_on(self) -> None:
        """A head whose body was waited for is read as any other. What it says was looked at when it came."""
        if self._awaited is not None:
            begun, self._awaited, self._is_calm = self._awaited[2], None, False
            self._reader.feed(begun)
            self._reader.is_fresh = False

    def _hand_out(self) -> None:
        reader = self._reader
        ready = reader.ready
        self._is_handing_out = True
        # A client that asks without reading its answers gets no more of them for now.
        while ready and self._current is None and self.has_room and not self._is_lingering:
            self._was_used = True
            exchange = HttpExchange(ready.popleft(), self)
            self._current = exchange
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

    def _look_at_body(self, reader: RequestReader) -> None:
        """A body is not whole yet, or was not before: is it to be read at all, and is there room for it?"""
        head = reader.head
        if reader.is_fresh and head is not None:
            reader.is_fresh = False
            self._look_at_head(head)
        home, limits = self._home, self._limits
        self._hold(reader.held)
        if self._held and home.held_bytes > limits.held_bytes:
            told = f"Requests that are not whole yet take {limits.held_bytes} bytes together, which is the most."
            reader.refuse(503, told, "Try again in a moment.", "too_many_bodies")
        if reader.refusal is not None:
            self._hold(0)

    def _look_at_head(self, head: Request) -> None:
        if self._home.early_answer is None or self._reader.refusal is not None:
            return
        try:
            self._early = self._home.early_answer(head)
        except Exception as error:
            self._home.report(error)
        if self._early is not None:
            self._reader.refuse(self._early[0], "It was answered by its head alone.")

    def _hold(self, size: int) -> None:
        """So much of a body is kept here now."""
        if size != self._held:
            self._home.held_bytes += size - self._held
            self._held = size

    def _too_late(self) -> None:
        reader, limits = self._reader, self._limits
        what, wait = ("head", limits.head_s) if reader.stage is HEAD else ("body", limits.body_s)
        told = f"The {what} of the request did not arrive within {wait:g} s."
        reader.refuse(408, told, "Send it whole and at once: less of it, or over a faster line.", "request_timeout")
        self._hold(0)

    def _failed(self, exchange: HttpExchange, error: Exception) -> None:
        self._home.report(error)
        if exchange.has_started:
            exchange.abort()
        elif exchange.is_open:
            request = exchange.request
            told = Refusal(500, "The server failed to answer.", "", "broken", request.target, request.headers)
            exchange.respond(500, *self._home.refusal_text(told))

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
        headers, body = self._home.refusal_text(refusal) if self._early is None else self._early[1:]
        framing = b"content-length: %d\r\nconnection: close\r\n" % len(body)
        self._transport.write(message_head(status_line(refusal.status), headers, framing) + body)
        if self._transport.can_write_eof():
            limits = self._limits
            self._linger(limits.linger_s)
            self._discards, self._lingers_until = limits.body_bytes, self._home.clock() + limits.linger_in_all_s
            self._transport.write_eof()
        else:
            self._close()

    def _close(self) -> None:
        """Close when all is sent, or when the client has read nothing for too long."""
        self._linger(self._limits.stall_s)
        if self._transport is not None:
            self._transport.close()

    def _discard(self, size: int) -> None:
        """A client that is still sending has not looked for the answer yet; if it is reset, it never will."""
        if self._discards > 0:
            self._discards -= size
            if self._discards <= 0:
                self.abort()
            else:
                self.deadline = min(self._home.clock() + self._limits.linger_s, self._lingers_until)

    def _linger(self, wait_s: float) -> None:
        self._is_lingering = True
        self._is_calm, self._awaited = False, None
        self._hold(0)
        self._reader.is_done = True
        self._reader.ready.clear()
        self._unsent = self._transport.get_write_buffer_size() if self._transport is not None else 0
        self.deadline = self._home.clock() + wait_s

    def _lose(self) -> None:
        current, self._current = self._current, None
        if current is not None:
            current.lost()
