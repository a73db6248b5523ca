"""Passes an upstream's response on to a client as it comes, with back-pressure, and lets observers look at what passes.

A `Bridge` is the sink of a call. Whoever decides first whether a response is passed on at all (fallback) stands before it as a
sink of its own and calls its `on_head`, `on_body` and `on_failure` later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from segue.gateway.http.call import Call
from segue.gateway.http.exchange import HttpExchange
from segue.gateway.http.failures import Failure, FailureKind
from segue.gateway.http.heads import Headers, end_to_end
from segue.gateway.http.response_reader import ResponseHead

_TOO_SLOW = frozenset((FailureKind.CONNECT_TIMEOUT, FailureKind.FIRST_BYTE_TIMEOUT, FailureKind.TOO_LONG))


@dataclass(frozen=True, slots=True)
class Passed:
    """How it ended. `byte_count` is of the body, as far as it was passed on."""

    ending: Literal["whole", "failed", "client_gone"]
    byte_count: int
    failure: Failure | None = None


class Observer(Protocol):
    """Looks at what passes; cannot change it. `on_end` comes before the last bytes are written."""

    def on_head(self, head: ResponseHead) -> None:
        """The head of the response."""

    def on_chunk(self, chunk: bytes) -> None:
        """A part of the body."""

    def on_end(self, passed: Passed) -> None:
        """It is over. Called once."""


OnFailed = Callable[[HttpExchange, Failure], None]


def plain_failure(exchange: HttpExchange, failure: Failure) -> None:
    """502 or 504 where nothing was sent yet; else the answer is cut off, so that it does not look complete."""
    if exchange.has_started:
        exchange.abort()
    else:
        text = b"The upstream did not answer: %b.\n" % failure.kind.value.encode()
        exchange.respond(504 if failure.kind in _TOO_SLOW else 502, [(b"content-type", b"text/plain")], text)


class Bridge:
    """One response on its way to one client."""

    __slots__ = ("_byte_count", "_call", "_exchange", "_extra", "_has_ended", "_observers", "_on_failed")

    def __init__(
        self,
        exchange: HttpExchange,
        observers: Sequence[Observer] = (),
        on_failed: OnFailed = plain_failure,
        extra_headers: Headers | None = None,
    ) -> None:
        self._exchange = exchange
        self._observers = observers
        self._on_failed = on_failed
        self._extra = extra_headers
        self._call: Call | None = None
        self._byte_count = 0
        self._has_ended = False

    def follow(self, call: Call) -> None:
        """The call whose response this is: paused while the client cannot keep up, cancelled when it goes away."""
        self._call = call
        self._exchange.on_gone = self._client_gone
        self._exchange.on_room = call.resume

    # Called by the call.

    def on_head(self, head: ResponseHead) -> None:
        """Pass the head on, without what belongs to the upstream's connection."""
        if self._observers:
            self._show("on_head", head)
        headers = end_to_end(head.headers)
        if self._extra:
            headers += self._extra
        self._exchange.start(head.status, headers, head.length)

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """Pass a part of the body on."""
        self._byte_count += len(chunk)
        if self._observers and chunk:
            self._show("on_chunk", chunk)
        if is_last:
            self._call = None  # it and this bridge hold each other
            if self._observers:
                self._end(Passed("whole", self._byte_count))
            self._exchange.finish(chunk)
        elif not self._exchange.write(chunk) and self._call is not None:
            if self._exchange.is_open:
                self._call.pause()
            else:
                self._client_gone()

    def on_failure(self, failure: Failure) -> None:
        """The upstream failed: what the client gets is for `on_failed` to say."""
        self._call = None
        self._end(Passed("failed", self._byte_count, failure))
        self._on_failed(self._exchange, failure)

    # Within.

    def _client_gone(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        self._end(Passed("client_gone", self._byte_count))

    def _end(self, passed: Passed) -> None:
        if not self._has_ended:
            self._has_ended = True
            if self._observers:
                self._show("on_end", passed)

    def _show(self, moment: str, what: object) -> None:
        """An observer that fails is left out from then on; the client notices nothing."""
        for observer in self._observers:
            try:
                getattr(observer, moment)(what)
            except Exception as error:
                self._observers = [one for one in self._observers if one is not observer]
                asyncio.get_running_loop().call_exception_handler({"message": "An observer failed.", "exception": error})
