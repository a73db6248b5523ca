"""One request on the fast path, from the moment it is sent: an answer that is whole and plain passes, anything else unfolds it.

Unfolding makes of it what the handler would have made at once: an exchange and a `ServedRequest` that waits for this very call.
From there on nothing tells the two apart. See `fast_path.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from segue.exchanges.record import BodyNote, keep_body
from segue.gateway.answer import Answer
from segue.gateway.http import ClientConnection, Failure, HttpExchange, KnownHead, Request, UpstreamRequest, join_head
from segue.gateway.http.deadlines import NEVER
from segue.gateway.http.heads import PLAIN_CONNECTION
from segue.gateway.lane import Facts, Lane, PlainCall
from segue.gateway.serving import KEPT_BACK, ServedRequest, expect_answer

_SENT = UpstreamRequest(b"POST", b"/", (), b"", is_resendable=True)
"""In the place of a call's request, which is in its head as the bytes it was sent as."""
_OK = b"HTTP/1.1 200 OK"
_written = b": ".join


class FastCall(PlainCall):
    """One request on the fast path: the call to the provider, the sink of what it says, and whom the client waits for."""

    __slots__ = ("_connection", "_known", "_spell")

    on_room: Callable[[], None] | None = None

    def __init__(
        self, lane: Lane, connection: ClientConnection, known: KnownHead, facts: Facts, data: bytes, now: float
    ) -> None:
        # Not by way of `Call`, of whose beginning only half is needed; and for each class its own, since the interpreter reads
        # and writes what it has always found in objects of one class several times as fast.
        times = lane.times
        self.request = _SENT
        self.head = data
        self.sink = self
        self.timeouts = times
        self.between_s, self.within_s = times.between_bytes_s, times.whole_s
        self.ends_at = now + times.whole_s
        self.has_head = self.is_cancelled = self.is_retry = False
        self._lane = lane
        self._facts = facts
        self._said = self._parts = None
        self._connection = connection
        self._known = known
        self._spell = lane.breaker.spell

    def expire(self, now: float) -> None:  # noqa: ARG002 - the others that may expire ask for the time
        """No connection in time, after the one it was sent on turned out to have been closed. A `Call` is told at its beginning
        whom to ask then, this one was not."""
        self.deadline = NEVER
        self._lane.upstream.give_up(self)

    # told by the client's connection

    def lost(self) -> None:
        """The client is gone."""
        self._unfold()[1].lost()

    # told by the upstream's connection

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """An answer, whole or in a few parts; or the beginning of something else."""
        said, lane, connection = self._said, self._lane, self._connection
        assert said is not None, "a head came before"
        own, at_ns, began_ns, unit, fields, body, _ = self._facts
        by_name = said.by_name
        if (
            said.status != 200
            or by_name is None
            or by_name.get(b"connection", b"close") not in PLAIN_CONNECTION
            or b"json" not in by_name.get(b"content-type", b"")
            or connection.is_closing
            or "stream" in fields
        ):
            self._unfold(chunk, is_last)
            return
        if not is_last:
            if not self._gather(chunk):
                self._unfold()
            return
        if self._parts is not None:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
        if not lane.passes(chunk):
            self._unfold(b"" if self._parts is not None else chunk, is_last)
            return
        effects = lane.effects
        now_ns = effects.monotonic_ns()
        if lane.breaker.tell(now_ns / 1e9, self._spell, answered=True):
            effects.breaker_moved(lane.target)
        if lane.keeps_all:
            asked, answered, kept = BodyNote("full", len(body)), BodyNote("full", len(chunk)), chunk
        else:
            asked, body = keep_body(body, lane.keep)
            answered, kept = keep_body(chunk, lane.keep)
        pair = own if lane.is_shadowed else None
        effects.keep(lane.record(own, pair, at_ns, unit, now_ns - began_ns, asked, answered), body, kept)
        by_name.pop(b"content-length", None)
        written: Iterable[bytes]
        if KEPT_BACK.isdisjoint(by_name):
            written = map(_written, by_name.items())
        else:
            written = [_written(field) for field in by_name.items() if field[0] not in KEPT_BACK]
        parts = [_OK, *written, b"segue-exchange: " + own.encode(), lane.named]
        connection.answer(self, join_head(parts, b"content-length: %d\r\n" % len(chunk)) + chunk)

    def on_failure(self, failure: Failure) -> None:
        """No answer, or not all of it."""
        self._unfold()[0].on_failure(failure)

    # within

    def _unfold(self, chunk: bytes | None = None, is_last: bool = False) -> tuple[Answer, HttpExchange]:
        """The same request, with all that any request may need, told of what has come: this chunk is the latest of it."""
        known, lane, connection, asking = self._known, self._lane, self._connection, self.asking()
        request = Request(known.method, known.target, known.fields(len(asking.body)), False, True)
        request.body, request.notes = asking.body, known.notes
        exchange = HttpExchange(request, connection)
        served = ServedRequest(exchange, asking, lane.effects)
        answer = expect_answer(served, asking, self._facts[-1])
        answer.call = self
        served.go_on(lane.target, self._spell, asking.began_ns, answer, self)
        if self.sink is self:
            self.sink = answer
        connection.hand_over(self, exchange)
        if self._said is not None:
            answer.on_head(self._said)
            for part in self._parts or ():
                answer.on_body(part, False)
            if chunk is not None:
                answer.on_body(chunk, is_last)
        return answer, exchange
