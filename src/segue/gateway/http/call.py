"""One request to an upstream: what is sent, who is told what comes back, and the handle to pause or cancel it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from segue.gateway.http.deadlines import NEVER
from segue.gateway.http.failures import Failure
from segue.gateway.http.heads import Header, HeadError, message_head
from segue.gateway.http.limits import Timeouts
from segue.gateway.http.response_reader import ResponseHead

_LENGTH_EVEN_IF_EMPTY = frozenset((b"POST", b"PUT", b"PATCH"))


class UpstreamRequest:
    """What is asked. Field names in lower case, without host, length and connection; those this layer writes.

    Headers that are the same in many requests are best one tuple for all of them: an upstream writes it once and remembers it.
    `is_resendable`: it may be sent a second time if the connection it was sent on turns out to have been closed, with nothing
    received.
    """

    __slots__ = ("body", "headers", "is_resendable", "method", "target")

    def __init__(
        self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes = b"", *, is_resendable: bool = False
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.is_resendable = is_resendable

    def head(self, host: bytes) -> bytes:
        """The head as bytes."""
        return self.beginning(host) + self.ending()

    def beginning(self, host: bytes) -> bytes:
        """The part of the head that does not depend on the body."""
        if b" " in self.target or not self.target.startswith(b"/"):
            raise HeadError("The target of an upstream request is a path without spaces.")
        first = b"%b %b HTTP/1.1\r\nhost: %b" % (self.method, self.target, host)
        return message_head(first, self.headers, b"", lines=2)[:-2]

    def ending(self) -> bytes:
        """The part that does."""
        size = len(self.body)
        return b"content-length: %d\r\n\r\n" % size if size or self.method in _LENGTH_EVEN_IF_EMPTY else b"\r\n"


class Sink(Protocol):
    """Who is told what comes back. Never called from within `send`."""

    def on_head(self, head: ResponseHead) -> None:
        """The head is there. What has come of the body follows at once, if only as an empty part."""

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """A part of the body, as it came; may be empty. The last one has `is_last`."""

    def on_failure(self, failure: Failure) -> None:
        """There will be nothing (more). Called at most once, and not after the last part of the body."""


class _Nobody:
    """The sink of a call that is over."""

    def on_head(self, head: ResponseHead) -> None:
        pass

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        pass

    def on_failure(self, failure: Failure) -> None:
        pass


NOBODY = _Nobody()


class Carrier(Protocol):
    """The connection a call is on."""

    def drop(self) -> None:
        """Nobody waits for the response any more."""

    def pause(self) -> None:
        """Read nothing for now."""

    def resume(self) -> None:
        """Read on."""

    def streams(self) -> None:
        """The response is a stream that has begun: its own times hold from now on."""

    def silent_s(self) -> float | None:
        """How long nothing more of a response came, where that is known."""


class Call:
    """One request on its way. `Deadlines` watch it while it waits for a connection, and that connection afterwards."""

    __slots__ = (
        "_give_up",
        "between_s",
        "carrier",
        "deadline",
        "ends_at",
        "has_head",
        "head",
        "is_cancelled",
        "is_retry",
        "request",
        "sink",
        "timeouts",
        "within_s",
    )

    def __init__(
        self,
        request: UpstreamRequest,
        head: bytes,
        sink: Sink,
        timeouts: Timeouts,
        ends_at: float,
        give_up: Callable[[Call], None],
    ) -> None:
        self.request = request
        self.head = head
        self.sink: Sink = sink
        self.timeouts = timeouts
        self.between_s, self.within_s = timeouts.between_bytes_s, timeouts.whole_s
        self.ends_at = ends_at
        self.deadline = NEVER
        self.carrier: Carrier | None = None
        self.has_head = False
        self.is_cancelled = False
        self.is_retry = False
        self._give_up = give_up

    def release(self) -> Sink:
        """The sink, for the last word to it. A sink mostly holds its call: without the cycle both go at once, and the collector
        has nothing to find."""
        sink, self.sink = self.sink, NOBODY
        return sink

    def cancel(self) -> None:
        """Nobody waits for the response any more; the sink hears nothing of it."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self.sink = NOBODY
            carrier, self.carrier = self.carrier, None
            if carrier is not None:
                carrier.drop()

    def pause(self) -> None:
        """Whoever takes the response cannot keep up."""
        if self.carrier is not None:
            self.carrier.pause()

    def resume(self) -> None:
        """And now can again."""
        if self.carrier is not None:
            self.carrier.resume()

    def streams(self) -> None:
        """The response is a stream, and has begun: how long it may be silent, and may go on, is a matter of its own."""
        if self.carrier is not None:
            self.carrier.streams()

    def silent_s(self) -> float | None:
        """How long nothing more of a response that has begun came; `None` where nobody reads it, or that is not known."""
        return None if self.carrier is None else self.carrier.silent_s()

    def expire(self, now: float) -> None:  # noqa: ARG002 - the others that may expire ask for the time
        """No connection in time."""
        self.deadline = NEVER
        self._give_up(self)
