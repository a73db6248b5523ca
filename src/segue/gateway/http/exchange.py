"""One request and its answer, as the handler sees them.

A handler is a plain callable that is given an `HttpExchange` when the request is whole; it answers at once or later, with
`respond`, or with `start`, `write` and `finish`. It may set `on_gone` (the client went away; nothing more need be written) and
`on_room` (writing may go on after `write` returned False).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from segue.gateway.http.heads import Headers, message_head, status_line
from segue.gateway.http.request_reader import Request

_BODILESS = frozenset((204, 205, 304))
_COPIED_UP_TO = 16 * 1024
"""Smaller chunks are copied beside their framing, larger ones written apart."""


class Channel(Protocol):
    """What an exchange needs of its connection."""

    is_closing: bool
    """The server is being stopped: this is the last answer."""
    has_room: bool

    write: Callable[[bytes], None]
    """Send, or keep until it can be sent."""

    def exchange_ended(self, keeps_alive: bool) -> None:
        """The answer is whole."""

    def cut(self, *, by_reset: bool) -> None:
        """End the connection although the answer is not whole."""


class HttpExchange:
    """One request and its answer."""

    __slots__ = (
        "_channel",
        "_has_body",
        "_head",
        "_is_chunked",
        "_keeps_alive",
        "_left",
        "has_started",
        "on_gone",
        "on_room",
        "request",
    )

    def __init__(self, request: Request, channel: Channel) -> None:
        self.request = request
        self.has_started = False
        self.on_gone: Callable[[], None] | None = None
        self.on_room: Callable[[], None] | None = None
        self._channel: Channel | None = channel
        self._keeps_alive = request.keeps_alive
        self._has_body = True
        self._is_chunked = False
        self._left = -1
        self._head = b""

    @property
    def is_open(self) -> bool:
        """Whether anybody still waits for (the rest of) an answer."""
        return self._channel is not None

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """The whole answer. Field names in lower case, without length and connection."""
        if self._channel is not None:
            head = self._make_head(status, headers, len(body))
            channel = self._ended()
            if not self._has_body:
                channel.write(head)
            elif len(body) <= _COPIED_UP_TO:
                channel.write(head + body)
            else:
                channel.write(head)
                channel.write(body)
            channel.exchange_ended(self._keeps_alive)

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """The head of an answer whose body follows. It is sent with the first part of the body; `write(b"")` sends it alone.

        Without a length the body is sent in chunks (to HTTP/1.0: until the connection closes).
        """
        if self._channel is not None:
            self._head = self._make_head(status, headers, length)

    def write(self, chunk: bytes) -> bool:
        """A part of the body. False: the client reads slower than this writes; go on when `on_room` is called."""
        channel = self._channel
        if channel is None:
            return False
        if self._is_chunked and not self._head and chunk and self._has_body and len(chunk) <= _COPIED_UP_TO:
            channel.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))  # nearly all of a stream
            return channel.has_room
        if chunk and self._has_body:
            if self._is_chunked:
                if len(chunk) <= _COPIED_UP_TO:
                    chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
                else:
                    channel.write(b"%b%x\r\n" % (self._head, len(chunk)))
                    channel.write(chunk)
                    self._head, chunk = b"", b"\r\n"
            elif self._left >= 0 and not self._fits(chunk):
                return False
        else:
            chunk = b""
        if self._head:
            chunk, self._head = self._head + chunk, b""
        if chunk:
            channel.write(chunk)
        return channel.has_room

    def finish(self, chunk: bytes = b"") -> None:
        """The last part of the body, which may be empty."""
        channel = self._channel
        if channel is None:
            return
        if self._has_body:
            if self._is_chunked:
                if len(chunk) > _COPIED_UP_TO:
                    self.write(chunk)
                    chunk = b""
                chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk) if chunk else b"0\r\n\r\n"
            elif self._left >= 0:
                if chunk and not self._fits(chunk):
                    return
                if self._left:
                    channel.write(self._head + chunk)
                    self.abort()
                    return
        else:
            chunk = b""
        if self._head:
            if len(chunk) > _COPIED_UP_TO:
                channel.write(self._head)
            else:
                chunk = self._head + chunk
        if chunk:
            channel.write(chunk)
        self._ended()
        channel.exchange_ended(self._keeps_alive)

    def abort(self) -> None:
        """Cut the answer off, so that what was sent of it cannot look complete."""
        if self._channel is not None:
            channel = self._ended()
            # Without length and chunks the end of the connection is the end of the answer: only a reset says otherwise.
            channel.cut(by_reset=self.has_started and self._left < 0 and not self._is_chunked)

    def lost(self) -> None:
        """Called by the connection: the client is gone."""
        if self._channel is not None:
            tell = self.on_gone
            self._ended()
            if tell is not None:
                tell()

    def _ended(self) -> Channel:
        channel, self._channel = self._channel, None
        assert channel is not None
        # Whoever is to be told mostly holds this exchange: without the cycle all goes at once, with no work for the collector.
        self.on_gone = self.on_room = None
        return channel

    def _make_head(self, status: int, headers: Headers, length: int | None) -> bytes:
        assert not self.has_started, "An answer has one head."
        channel, request = self._channel, self.request
        assert channel is not None
        if channel.is_closing:
            self._keeps_alive = False
        framing = b""
        is_bodiless = status in _BODILESS
        self._has_body = not is_bodiless and request.method != b"HEAD"
        if length is not None:
            if not is_bodiless:
                framing = b"content-length: %d\r\n" % length
            elif status == 205:
                framing = b"content-length: 0\r\n"
            self._left = length
        elif not is_bodiless:
            if request.is_http_10:
                self._keeps_alive = False
            else:
                self._is_chunked = True
                framing = b"transfer-encoding: chunked\r\n"
        if not self._keeps_alive:
            framing += b"connection: close\r\n"
        elif request.is_http_10:
            framing += b"connection: keep-alive\r\n"
        head = message_head(status_line(status), headers, framing)
        self.has_started = True
        return head

    def _fits(self, chunk: bytes) -> bool:
        """Count a body of a stated length: more than that would be read as the next answer."""
        self._left -= len(chunk)
        if self._left < 0:
            self.abort()
            return False
        return True
