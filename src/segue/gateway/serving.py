"""One request being served: who is asked in turn, what of the answer passes, and the record of it.

Until something of an answer has reached the client, another bundle may be asked instead: an answer is held until it is whole,
a stream until its first event that means something. After that nothing is spliced; a stream that breaks off ends with an error
event, and never looks complete. The exchange is kept before the last byte of the answer leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from segue.errors import InputError
from segue.exchanges.record import BodyNote, ServedExchange, keep_body
from segue.gateway.applied import Fields
from segue.gateway.edge import Edge, StreamWatch
from segue.gateway.http import Call, Failure, Headers, HttpExchange, ResponseHead, UpstreamRequest, end_to_end
from segue.gateway.target import ServedWorkflow, Target
from segue.routing import Assigned
from segue.wire.neutral.client_error import ClientError, ErrorKind

LONGEST_HELD = 1 << 20
"""Bytes of a stream that are held back while nothing in them means anything."""
LONGEST_KEPT = 16 << 20
"""Bytes of a stream that are kept for the record; what comes after them passes and is counted."""
LONGEST_ANSWER = 64 << 20
"""Bytes of an answer that is held until it is whole."""
CLIENTS_FAULT = frozenset((400, 413, 422))
"""Statuses that say the request itself is wrong: the incumbent's word on that is the client's to hear."""
_BY_STATUS: dict[int, ErrorKind] = {408: "timeout", 429: "rate_limit", 503: "overloaded", 504: "timeout", 529: "overloaded"}
_SLOW = frozenset(("connect_timeout", "first_byte_timeout", "stalled", "too_long"))
_KEPT_BACK = frozenset((b"set-cookie", b"alt-svc", b"strict-transport-security", b"server", b"via", b"nel", b"report-to"))
"""Fields of the provider's answer that are between it and the gateway. A cookie would be shared by all users."""

_check = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Asking:
    """What is known of a request before anybody is asked."""

    id: str
    edge: Edge
    workflow: ServedWorkflow
    assigned: Assigned
    fields: Fields
    body: bytes
    at_ns: int
    began_ns: int
    unit: str | None
    attributes: dict[str, str]
    idempotency_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What serving does to the world. Times in nanoseconds; `keep` gives None where the log could not take it."""

    monotonic_ns: Callable[[], int]
    keep: Callable[[ServedExchange, bytes, bytes], int | None]
    breaker_moved: Callable[[Target], None]


class ServedRequest:
    """One request, from the moment its bundle is known. Make it, then `begin`."""

    __slots__ = (
        "_asking",
        "_call",
        "_chain",
        "_effects",
        "_exchange",
        "_has_ended",
        "_refused_first",
        "_reply",
        "_target",
        "_ttft_ns",
        "_why",
    )

    def __init__(self, exchange: HttpExchange, asking: Asking, effects: Effects) -> None:
        self._exchange = exchange
        self._asking = asking
        self._effects = effects
        self._chain: Iterator[Target] = asking.workflow.chain(asking.assigned)
        self._target: Target | None = None
        self._call: Call | None = None
        self._reply: Answer | None = None
        self._why: str | None = None
        self._refused_first: tuple[ResponseHead, bytes] | None = None
        self._ttft_ns: int | None = None
        self._has_ended = False

    def begin(self) -> None:
        """Ask the first bundle of the chain."""
        self._exchange.on_gone = self._client_gone
        self._ask_next(ClientError("overloaded", "No bundle of this workflow takes calls at the moment.", code="breaker_open"))

    # told by an answer

    def failed(self, why: str, error: ClientError) -> None:
        """The bundle asked gave no answer: the next one is asked, or the client is told."""
        self._note(answered=False)
        self._why = self._why or why
        self._ask_next(error)

    def refused(self, head: ResponseHead, body: bytes) -> None:
        """The bundle asked says that the request is wrong. Of a candidate that may be its own fault: the incumbent is asked."""
        self._note(answered=True)
        assert self._target is not None, "somebody answered"
        if self._target.digest != self._asking.workflow.revision.route.incumbent and self._refused_first is None:
            self._refused_first = (head, body)
            self._why = self._why or f"status {head.status}"
            self._ask_next(ClientError("server", "The request was refused."))
        else:
            self._answer(head, body)

    def answered(self, head: ResponseHead, body: bytes) -> None:
        """A whole answer."""
        self._note(answered=True)
        self._answer(head, body)

    def stream_begins(self, head: ResponseHead, held: bytes) -> bool:
        """The first event that means something is here. False: the client cannot keep up."""
        self._ttft_ns = self._effects.monotonic_ns() - self._asking.began_ns
        self._exchange.start(head.status, self._headers(head))
        return self._exchange.write(held)

    def stream_goes_on(self, chunk: bytes) -> bool:
        """More of it."""
        return self._exchange.write(chunk)

    def stream_ends(self, head: ResponseHead, last: bytes, body: bytes) -> None:
        """It said itself that it is whole."""
        self._note(answered=True)
        self._keep(head.status, body, None)
        self._exchange.finish(last)

    def stream_breaks(self, head: ResponseHead, why: str, error: ClientError, body: bytes) -> None:
        """It broke off after its beginning: the client is told within the stream."""
        self._note(answered=False)
        self._keep(head.status, body, why)
        self._exchange.finish(self._asking.edge.error_frame(error))

    # within

    def _ask_next(self, error: ClientError) -> None:
        """The next bundle whose breaker lets a call through and that can be told this request; else `error` is the answer."""
        now = self._effects.monotonic_ns() / 1e9
        for target in self._chain:
            if target.applied.dialect != self._asking.edge.dialect:
                error = _other_dialect(target, self._asking.edge)
                continue
            if not target.breaker.allows(now):
                self._why = self._why or "breaker open"
                continue
            try:
                body = target.applied.apply(self._asking.fields)
            except InputError as fault:
                target.breaker.abandon()
                error = ClientError("invalid_request", _told(fault), fault.faults[0].path, "not_served")
                continue
            self._target = target
            key = self._asking.idempotency_key
            headers = target.headers if key is None else [*target.headers, (b"idempotency-key", key)]
            answer = self._reply = Answer(self, self._asking.edge)
            self._call = answer.call = target.upstream.send(
                UpstreamRequest(b"POST", target.path, headers, body, is_resendable=False), answer, target.timeouts
            )
            self._exchange.on_room = self._call.resume
            return
        if self._refused_first is not None:
            head, refusal = self._refused_first
            self._answer(head, refusal)
            return
        body = self._asking.edge.error_body(error)
        self._keep(error.status, body, self._why or error.code)
        self._exchange.respond(error.status, [(b"content-type", b"application/json"), *self._own_headers()], body)

    def _answer(self, head: ResponseHead, body: bytes) -> None:
        self._keep(head.status, body, None if head.status < 400 else f"status {head.status}")
        self._exchange.respond(head.status, self._headers(head), body)

    def _client_gone(self) -> None:
        """Nobody waits any more: the provider need not go on, and what is known is kept."""
        if self._call is not None:
            self._call.cancel()
        if self._target is not None:
            self._target.breaker.abandon()
        self._keep(None, b"" if self._reply is None else self._reply.so_far(), "client gone")

    def _note(self, *, answered: bool) -> None:
        assert self._target is not None, "somebody was asked"
        if self._target.breaker.tell(self._effects.monotonic_ns() / 1e9, answered=answered):
            self._effects.breaker_moved(self._target)

    def _headers(self, head: ResponseHead) -> Headers:
        return [pair for pair in end_to_end(head.headers) if pair[0] not in _KEPT_BACK] + self._own_headers()

    def _own_headers(self) -> Headers:
        own = [(b"segue-exchange", self._asking.id.encode())]
        if self._target is not None:
            own.append((b"segue-bundle", self._target.digest.encode()))
        return own

    def _keep(self, status: int | None, response: bytes, failure: str | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        asking, answered_by = self._asking, self._target
        route = asking.workflow.revision
        fell = answered_by is not None and answered_by.digest != asking.assigned.bundle
        request_note, request = keep_body(asking.body, asking.workflow.keep)
        response_note, kept = keep_body(response or None, asking.workflow.keep)
        passed = 0 if self._reply is None else self._reply.passed
        if response_note.kept == "full" and passed > len(response):
            response_note = BodyNote("cut", passed)
        record = ServedExchange(
            id=asking.id,
            at_ns=asking.at_ns,
            workflow=asking.workflow.name,
            environment=route.route.environment,
            route_revision=route.revision,
            arm=asking.assigned.arm,
            bundle=asking.assigned.bundle,
            answered_by=None if answered_by is None else answered_by.digest,
            pair=asking.id if asking.assigned.is_shadowed else None,
            unit=asking.unit,
            segment=asking.assigned.segment,
            attributes=asking.attributes,
            dialect_in=asking.edge.dialect,
            dialect_out=None if answered_by is None else answered_by.applied.dialect,
            status=status,
            latency_ns=self._effects.monotonic_ns() - asking.began_ns,
            ttft_ns=self._ttft_ns,
            failure=failure,
            fallback_from=asking.assigned.bundle if fell else None,
            fallback_reason=self._why if fell else None,
            request=request_note,
            response=response_note,
        )
        self._effects.keep(record, request, kept)


class Answer:
    """What comes back from one bundle: held until it is known to be an answer, then passed on. A sink of a call."""

    __slots__ = ("_edge", "_head", "_is_passing", "_parts", "_served", "_size", "_watch", "call")

    def __init__(self, served: ServedRequest, edge: Edge) -> None:
        self._served = served
        self._edge = edge
        self._head: ResponseHead | None = None
        self._watch: StreamWatch | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._is_passing = False
        self.call: Call | None = None

    def on_head(self, head: ResponseHead) -> None:
        """Whether it is a stream says its type."""
        self._head = head
        kind = head.header(b"content-type") or b""
        if head.status < 300 and kind.lower().startswith(b"text/event-stream"):
            self._watch = StreamWatch(self._edge)

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """The next part of it."""
        self._size += len(chunk)
        if not self._is_passing or self._size <= LONGEST_KEPT:
            self._parts.append(chunk)
        if self._watch is not None:
            self._stream(chunk, self._watch, is_last)
        elif is_last:
            self._whole()
        else:
            if self._size > LONGEST_ANSWER and self.call is not None:
                self.call.cancel()
                self._served.failed("too long", ClientError("server", "The provider's answer is too long.", code="too_long"))

    @property
    def passed(self) -> int:
        """Bytes of a stream that were passed on; 0 where it was held."""
        return self._size if self._is_passing else 0

    def so_far(self) -> bytes:
        """What has come of it."""
        return b"".join(self._parts)

    def on_failure(self, failure: Failure) -> None:
        """The provider could not be asked, or broke off."""
        kind: ErrorKind = "timeout" if failure.kind.value in _SLOW else "server"
        error = ClientError(kind, f"The provider did not answer ({failure.kind.value}).", code=failure.kind.value)
        if self._is_passing:
            assert self._head is not None, "a head came before"
            if self._watch is not None and self._watch.ended:
                self._served.stream_ends(self._head, b"", self.so_far())
            else:
                self._served.stream_breaks(self._head, failure.kind.value, error, self.so_far())
        else:
            self._served.failed(failure.kind.value, error)

    def _whole(self) -> None:
        head, body = self._head, b"".join(self._parts)
        assert head is not None, "a head came before"
        if head.status >= 300:
            if head.status in CLIENTS_FAULT:
                self._served.refused(head, body)
            else:
                kind = _BY_STATUS.get(head.status, "server")
                self._served.failed(
                    f"status {head.status}", ClientError(kind, f"The provider failed with status {head.status}.")
                )
            return
        try:
            _check(body)
        except (msgspec.DecodeError, RecursionError):
            self._served.failed(
                "bad_reply", ClientError("server", "The provider's answer was no JSON object.", code="bad_reply")
            )
        else:
            self._served.answered(head, body)

    def _stream(self, chunk: bytes, watch: StreamWatch, is_last: bool) -> None:
        head = self._head
        assert head is not None, "a head came before"
        watch.feed(chunk)
        if not self._is_passing:
            if watch.failed or (is_last and not watch.begun):
                if self.call is not None and not is_last:
                    self.call.cancel()
                error = ClientError("server", "The provider's stream ended without an answer.", code="bad_reply")
                self._served.failed("stream without an answer", error)
                return
            if not watch.begun and self._size < LONGEST_HELD:
                return
            self._is_passing = True
            held = b"".join(self._parts)
            if not is_last:
                self._go(self._served.stream_begins(head, held))
                return
            self._served.stream_begins(head, held)
            chunk = b""
        if not is_last:
            self._go(self._served.stream_goes_on(chunk))
        elif watch.ended:
            self._served.stream_ends(head, chunk, self.so_far())
        else:
            self._served.stream_goes_on(chunk)
            error = ClientError("server", "The provider's stream ended before the answer did.", code="closed_early")
            self._served.stream_breaks(head, "closed_early", error, self.so_far())

    def _go(self, has_room: bool) -> None:
        if not has_room and self.call is not None:
            self.call.pause()


def _other_dialect(target: Target, edge: Edge) -> ClientError:
    told = f"Bundle {target.digest[:10]} is answered in the dialect '{target.applied.dialect}', and this request speaks "
    return ClientError("invalid_request", f"{told}'{edge.dialect}'. Ask with a client of that dialect.", code="other_dialect")


def _told(fault: InputError) -> str:
    """All faults of a request in one message, each with its remedy."""
    return " ".join(one.sentence() for one in fault.faults)
