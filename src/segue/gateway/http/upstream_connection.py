"""One connection to an upstream: writes a request, reads the response, hands it to the call's sink, and returns to its pool."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from segue.gateway.http.call import Call
from segue.gateway.http.deadlines import NEVER, Clock
from segue.gateway.http.failures import Failure, FailureKind
from segue.gateway.http.limits import UpstreamLimits
from segue.gateway.http.response_reader import ResponseReader

_COPIED_UP_TO = 64 * 1024


class Pool(Protocol):
    """What a connection needs of its pool."""

    limits: UpstreamLimits
    clock: Clock

    def opened(self, connection: UpstreamConnection) -> None:
        """It is open."""

    def released(self, connection: UpstreamConnection) -> None:
        """It is free for the next call."""

    def closed(self, connection: UpstreamConnection) -> None:
        """It is gone."""

    def send_again(self, call: Call) -> None:
        """The connection was closed before anything came back, and the call may be sent a second time."""


class UpstreamConnection(asyncio.Protocol):
    """A connection to an upstream."""

    __slots__ = ("_call", "_has_received", "_is_paused", "_pool", "_reader", "_transport", "deadline", "is_open", "uses")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._reader = ResponseReader(pool.limits)
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._has_received = self._is_paused = False
        self.is_open = False
        self.uses = 0
        self.deadline = NEVER

    def start(self, call: Call) -> None:
        """Send the call's request."""
        request = call.request
        head, body = call.head, request.body
        now = self._pool.clock()
        if len(body) <= _COPIED_UP_TO:
            self.begin(call, head + body, now, is_answer_to_head=request.method == b"HEAD")
        else:
            self.begin(call, head, now, is_answer_to_head=request.method == b"HEAD")
            assert self._transport is not None
            self._transport.write(body)

    def begin(self, call: Call, data: bytes, now: float, *, is_answer_to_head: bool = False) -> None:
        """Send the beginning of a request, or all of it, as bytes. Whoever sends the rest of it does so at once."""
        transport = self._transport
        assert transport is not None
        assert self._call is None
        self._call = call
        call.carrier = self
        self.uses += 1
        self._has_received = False
        self._reader.expect(is_answer_to_head=is_answer_to_head)
        deadline = now + call.timeouts.first_byte_s
        self.deadline = deadline if deadline < call.ends_at else call.ends_at
        transport.write(data)

    def drop(self) -> None:
        """Nobody waits for the response any more: what comes of it is of no use, nor is the connection."""
        self._call = None
        self.abort()

    def pause(self) -> None:
        """Read nothing for now; silence is then not the upstream's."""
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
            if self._call is not None:
                self.deadline = self._call.ends_at

    def resume(self) -> None:
        """Read on."""
        if self._is_paused:
            self._is_paused = False
            if self._transport is not None:
                self._transport.resume_reading()
                self._wait_on()

    def streams(self) -> None:
        """From now on the times of a stream hold. What was just read is what sets the next deadline by them."""
        call = self._call
        if call is not None:
            call.between_s, call.within_s = call.timeouts.stream_idle_s, call.timeouts.stream_s
            call.ends_at = self._pool.clock() + call.within_s

    def silent_s(self) -> float | None:
        """Seconds since the last bytes, read off the deadline that they set; `None` while paused, or near the end."""
        call = self._call
        if call is None or self._is_paused or not call.has_head or self.deadline >= call.ends_at:
            return None
        return self._pool.clock() - (self.deadline - call.between_s)

    def abort(self) -> None:
        """Close at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the response."""
        call = self._call
        if call is None:
            self.abort()  # nothing was asked
            return
        self._has_received = True
        reader = self._reader
        reader.feed(data)
        if reader.is_complete and not call.has_head and reader.head is not None:
            # All of it at once, as short answers come.
            call.has_head = True
            call.sink.on_head(reader.head)
            if self._call is call:  # not cancelled while it was told
                chunk = reader.take()
                self._call = call.carrier = None
                self._give_back()
                call.release().on_body(chunk, True)
            return
        if not call.has_head or reader.is_complete or reader.fault is not None or self._is_paused:
            self._pass_on(call)
            return
        # One more part of a body: nearly all of a stream.
        chunk = reader.take()
        if chunk:
            call.sink.on_body(chunk, False)
            if self._call is not call:
                return
        if not self._is_paused:
            deadline = self._pool.clock() + call.between_s
            self.deadline = deadline if deadline < call.ends_at else call.ends_at

    def eof_received(self) -> None:
        """The upstream closed its side: that may be the end of the response."""
        self.is_open = False
        self._reader.keeps_alive = False
        call = self._call
        if call is not None:
            self._reader.feed_end()
            if self._reader.is_complete:
                self._pass_on(call)

    def connection_lost(self, error: BaseException | None) -> None:
        """Gone, with or without a call on it."""
        self._transport = None
        self.is_open = False
        self.deadline = NEVER
        self._pool.closed(self)
        self._reader.close()
        call, self._call = self._call, None
        if call is None:
            return
        call.carrier = None
        if self.uses > 1 and not self._has_received and call.request.is_resendable and not call.is_retry:
            self._pool.send_again(call)
        elif error is not None:
            call.release().on_failure(Failure(FailureKind.RESET, f"{type(error).__name__}", call.has_head))
        else:
            call.release().on_failure(Failure(FailureKind.CLOSED_EARLY, "", call.has_head))

    def expire(self, now: float) -> None:
        """Silence for too long, or the call as a whole takes too long, or nobody needed the connection."""
        call = self._call
        if call is None:
            self.abort()
        elif now >= call.ends_at:
            self._fail(FailureKind.TOO_LONG, f"The answer was not finished within {call.within_s:g} s.")
        elif call.has_head:
            self._fail(FailureKind.STALLED, f"Nothing more of the answer came within {call.between_s:g} s.")
        else:
            self._fail(FailureKind.FIRST_BYTE_TIMEOUT, f"No response in {call.timeouts.first_byte_s:g} s.")

    # Within.

    def _pass_on(self, call: Call) -> None:
        reader = self._reader
        has_news = False
        if not call.has_head and reader.head is not None:
            if reader.fault is not None:
                self._fail(*reader.fault)  # nothing was passed on: there may be an alternative
                return
            has_news = call.has_head = True
            call.sink.on_head(reader.head)
            if self._call is not call:
                return  # cancelled while it was told
        chunk = reader.take()
        if reader.is_complete:
            self._call = None
            call.carrier = None
            self._give_back()
            call.release().on_body(chunk, True)
            return
        if chunk or has_news:
            call.sink.on_body(chunk, False)
            if self._call is not call:
                return
        if reader.fault is not None:
            self._fail(*reader.fault)
        elif not self._is_paused:
            self._wait_on()

    def _wait_on(self) -> None:
        call = self._call
        if call is not None:
            wait = call.between_s if call.has_head else call.timeouts.first_byte_s
            deadline = self._pool.clock() + wait
            self.deadline = deadline if deadline < call.ends_at else call.ends_at

    def _give_back(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if self._transport is not None:
                self._transport.resume_reading()
        if self._reader.keeps_alive and self.is_open:
            pool = self._pool
            self.deadline = pool.clock() + pool.limits.idle_s
            pool.released(self)
        else:
            self.abort()

    def _fail(self, kind: FailureKind, detail: str) -> None:
        call, self._call = self._call, None
        self.abort()
        if call is not None:
            call.carrier = None
            call.release().on_failure(Failure(kind, detail, call.has_head))
