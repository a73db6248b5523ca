"""One request on the fast path, from the moment it is sent: an answer that is whole and plain passes, anything else unfolds it.

Unfolding makes of it what the handler would have made at once: an exchange and a `ServedRequest` that waits for this very call.
From there on nothing tells the two apart. See `fast_path.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

import msgspec

from segue.exchanges.record import BodyNote, ServedExchange, keep_body
from segue.gateway.answer import Answer
from segue.gateway.applied import Fields
from segue.gateway.asking import Asking, Effects
from segue.gateway.edge import Edge
from segue.gateway.http import (
    Call,
    ClientConnection,
    Failure,
    HttpExchange,
    KnownHead,
    Request,
    ResponseHead,
    UpstreamRequest,
    join_head,
)
from segue.gateway.http.deadlines import NEVER
from segue.gateway.http.heads import PLAIN_CONNECTION
from segue.gateway.marked import Marking
from segue.gateway.serving import KEPT_BACK, ServedRequest, expect_answer
from segue.gateway.target import ServedWorkflow
from segue.routing import Assigned
from segue.wire.passing import may_hold_reasoning

_SENT = UpstreamRequest(b"POST", b"/", (), b"", is_resendable=True)
"""In the place of a call's request, which is in its head as the bytes it was sent as."""
_OK = b"HTTP/1.1 200 OK"
_MOST_PARTS = 256
"""An answer in more parts than these is no common one."""
_written = b": ".join

Facts = tuple[str, int, int, str | None, Fields, bytes, Marking]
"""Its id, when it came (UTC, and by the clock that never goes back; nanoseconds), the unit, the fields and bytes of its body,
and what its answer needs."""


class _PlainMessage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    annotations: msgspec.Raw = msgspec.Raw()


class _PlainChoice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    message: _PlainMessage
    index: int = 0
    finish_reason: str | None = None
    logprobs: None = None


class _PlainAnswer(msgspec.Struct, gc=False):
    """An answer of Chat Completions in whose messages there is no place for what would have to be marked."""

    choices: Annotated[list[_PlainChoice], msgspec.Meta(min_length=1)]
    error: None = None


_decode_plain = msgspec.json.Decoder(_PlainAnswer).decode


class Lane:
    """One bundle of one workflow, for the units that got it by one rule: all that does not depend on the request."""

    __slots__ = (
        *("_plain", "assigned", "attributes", "beginning", "breaker", "clock", "codec", "dress_plainly", "edge", "effects"),
        *("is_shadowed", "keep", "keeps_all", "marking", "named", "route", "target", "times", "upstream", "workflow"),
    )

    def __init__(
        self, effects: Effects, edge: Edge, workflow: ServedWorkflow, assigned: Assigned, attributes: Mapping[str, str]
    ) -> None:
        target = workflow.targets[assigned.bundle]
        self.effects = effects
        self.edge, self.codec = edge, edge.codec
        self._plain = _decode_plain if edge.codec == "openai_chat" else None
        self.workflow = workflow
        self.route = workflow.revision
        self.keep = workflow.keep
        self.keeps_all = workflow.keep == "full"
        self.assigned = assigned
        self.is_shadowed = assigned.is_shadowed
        self.attributes = attributes
        self.target = target
        self.named = b"segue-bundle: " + target.named[1]
        self.breaker = target.breaker
        self.upstream = target.upstream
        self.clock = target.upstream.clock
        self.times = target.timeouts
        self.beginning = target.upstream.beginning(b"POST", target.path, target.headers)
        self.marking = Marking(edge.codec, target.origin)
        self.dress_plainly = target.applied.dress_plainly

    def passes(self, body: bytes) -> bool:
        """Whether a body is an answer, and nothing in it has to be marked."""
        try:
            if not body.isascii():
                body.decode()
            if self._plain is not None:
                try:
                    self._plain(body)
                    return True
                except msgspec.ValidationError:
                    pass
            self.edge.check_answer(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False
        return not may_hold_reasoning(self.codec, body)

    def record(
        self, own: str, at_ns: int, unit: str | None, latency_ns: int, request: BodyNote, response: BodyNote
    ) -> ServedExchange:
        """The record of a request that the bundle assigned has answered."""
        route, assigned = self.route.route, self.assigned
        return ServedExchange(
            own,
            at_ns,
            route.workflow,
            route.environment,
            self.route.revision,
            assigned.arm,
            assigned.bundle,
            assigned.bundle,
            unit,
            assigned.segment,
            {},
            self.attributes,
            self.codec,
            self.target.applied.dialect,
            200,
            latency_ns,
            pair=own if self.is_shadowed else None,
            request=request,
            response=response,
        )


class FastCall(Call):
    """One request on the fast path: the call to the provider, the sink of what it says, and whom the client waits for."""

    __slots__ = ("_connection", "_facts", "_known", "_lane", "_parts", "_said", "_spell")

    on_room: Callable[[], None] | None = None

    def __init__(
        self,
        lane: Lane,
        connection: ClientConnection,
        known: KnownHead,
        facts: Facts,
        data: bytes,
        now: float,
    ) -> None:
        # Not by way of `Call`, of whose beginning only half is needed.
        times = lane.times
        self.request = _SENT
        self.head = data
        self.sink = self
        self.timeouts = times
        self.between_s, self.within_s = times.between_bytes_s, times.whole_s
        self.ends_at = now + times.whole_s
        self.has_head = self.is_cancelled = self.is_retry = False
        self._lane = lane
        self._connection = connection
        self._known = known
        self._facts = facts
        self._spell = lane.breaker.spell
        self._said: ResponseHead | None = None
        self._parts: list[bytes] | None = None

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

    def on_head(self, head: ResponseHead) -> None:
        """Nothing is done before it is seen whether the answer is whole."""
        self._said = head

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
            self._gather(chunk)
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
        effects.keep(lane.record(own, at_ns, unit, now_ns - began_ns, asked, answered), body, kept)
        by_name.pop(b"content-length", None)
        written: Iterable[bytes]
        if KEPT_BACK.isdisjoint(by_name):
            written = map(_written, by_name.items())
        else:
            written = [_written(pair) for pair in by_name.items() if pair[0] not in KEPT_BACK]
        parts = [_OK, *written, b"segue-exchange: " + own.encode(), lane.named]
        connection.answer(self, join_head(parts, b"content-length: %d\r\n" % len(chunk)) + chunk)

    def on_failure(self, failure: Failure) -> None:
        """No answer, or not all of it."""
        self._unfold()[0].on_failure(failure)

    # within

    def asking(self) -> Asking:
        """The request as all others know it."""
        lane = self._lane
        own, at_ns, began_ns, unit, fields, body, _ = self._facts
        return Asking(
            id=own,
            edge=lane.edge,
            workflow=lane.workflow,
            assigned=lane.assigned,
            fields=fields,
            body=body,
            at_ns=at_ns,
            began_ns=began_ns,
            unit=unit,
            attributes=lane.attributes,
        )

    def _gather(self, chunk: bytes) -> None:
        """One more part of an answer that is not whole yet."""
        parts = self._parts = self._parts or []
        parts.append(chunk)
        if len(parts) > _MOST_PARTS:
            self._unfold()

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
