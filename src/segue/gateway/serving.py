"""One request being served: who is asked in turn, what of the answer passes, and the record of it.

Until something of an answer has reached the client, another bundle may be asked instead: an answer is held until it is whole,
a stream until its first event that means something. After that nothing is spliced; a stream that breaks off ends with an error
event, and never looks complete. The exchange is kept before the last byte of the answer leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.errors import InputError
from segue.exchanges.record import BodyNote, ServedExchange, keep_body
from segue.gateway.answer import Answer, Teller
from segue.gateway.asking import Asking, Effects, ignored_headers, prepare, upstream_headers
from segue.gateway.http import Call, Header, Headers, HttpExchange, ResponseHead, UpstreamRequest, end_to_end, staying
from segue.gateway.last_word import Weight, Word, heavier
from segue.gateway.marked import Marking
from segue.gateway.target import Target
from segue.gateway.telemetry.traceparent import NAME as TRACE
from segue.gateway.telemetry.traceparent import passed_on
from segue.gateway.translated import Translation
from segue.gateway.unasked import Unasked
from segue.wire.neutral.client_error import ClientError

KEPT_BACK = staying((b"set-cookie", b"alt-svc", b"strict-transport-security", b"server", b"via", b"nel", b"report-to"))
"""Fields of the provider's answer that are between it and the gateway. A cookie would be shared by all users."""
_RESTS = Word(
    Weight.PASSING,
    "breaker open",
    ClientError("overloaded", "No bundle of this workflow takes calls at the moment.", code="breaker_open"),
)
_WRONG = ClientError("invalid_request", "The request was refused.")

NO_SPELL = -1
"""Of a call that no breaker counts."""
PATIENCE_S = 30.0
"""A client that leaves after so long without a word from the bundle counts as a failure of the bundle."""
HASTE_S = 0.5
"""One that leaves sooner says nothing of it: it types on, or has read enough. Between the two, several in a row do."""


class ServedRequest:
    """One request, from the moment its bundle is known. Make it, then `begin`."""

    __slots__ = (
        "_asked_ns",
        "_asking",
        "_call",
        "_chain",
        "_effects",
        "_exchange",
        "_has_ended",
        "_reply",
        "_resting",
        "_spell",
        "_target",
        "_ttft_ns",
        "_why",
        "_word",
        "stream_goes_on",
    )

    def __init__(self, exchange: HttpExchange, asking: Asking, effects: Effects) -> None:
        self._exchange = exchange
        self.stream_goes_on = exchange.write
        self._asking = asking
        self._effects = effects
        self._chain: Iterator[Target] = iter(asking.workflow.chain(asking.assigned))
        self._target: Target | None = None
        self._call: Call | None = None
        self._reply: Answer | None = None
        self._why: str | None = None
        self._word: Word | None = None
        self._resting: list[Target] | None = None
        self._spell = NO_SPELL
        self._asked_ns = 0
        self._ttft_ns: int | None = None
        self._has_ended = False

    def go_on(self, target: Target, spell: int, asked_ns: int, reply: Answer, call: Call) -> None:
        """The first bundle of the chain was asked by somebody else; from here on it is this one's."""
        next(self._chain)
        self._target, self._spell, self._asked_ns, self._reply, self._call = target, spell, asked_ns, reply, call
        self._exchange.on_gone = self._client_gone
        self._exchange.on_room = call.resume

    def begin(self) -> None:
        """Ask the first bundle of the chain."""
        self._exchange.on_gone = self._client_gone
        self._ask_next()

    # told by an answer

    def failed(self, why: str, error: ClientError, *, lasts: bool = False) -> None:
        """The bundle asked gave no answer: the next one is asked, or the client is told."""
        self._note(answered=False)
        self._hear(Weight.LASTING if lasts else Weight.PASSING, why, error)
        self._ask_next()

    def refused(self, head: ResponseHead, body: bytes) -> None:
        """The bundle asked says that the request is wrong. Of a candidate that may be its own fault: the incumbent is asked."""
        self._note(answered=True)
        assert self._target is not None, "somebody answered"
        if self._is_incumbent(self._target):
            self._refuse(head, body)
        else:
            self._hear(Weight.REFUSED, f"status {head.status}", _WRONG, refusal=(head, body))
            self._ask_next()

    def answered(self, head: ResponseHead, body: bytes, kept: bytes) -> None:
        """A whole answer; `kept` are the bytes it came as."""
        self._note(answered=True)
        self._keep(head.status, kept, None)
        self._exchange.respond(head.status, self._headers(head), body)

    def stream_begins(self, head: ResponseHead, held: bytes) -> bool:
        """The first event that means something is here. False: the client cannot keep up."""
        self._ttft_ns = self._effects.monotonic_ns() - self._asking.began_ns
        self._exchange.start(head.status, self._headers(head))
        return self._exchange.write(held)

    def stream_ends(self, head: ResponseHead, last: bytes, kept: bytes) -> None:
        """It said itself that it is whole."""
        self._note(answered=True)
        self._keep(head.status, kept, None)
        self._exchange.finish(last)

    def stream_breaks(self, head: ResponseHead, why: str, last: bytes, kept: bytes) -> None:
        """It broke off after its beginning: the client is told within the stream."""
        self._note(answered=False)
        self._keep(head.status, kept, why)
        self._exchange.finish(last)

    # within

    def _ask_next(self) -> None:
        """The next bundle whose breaker lets a call through and that can be told this request; else the client is told."""
        now = self._effects.monotonic_ns() / 1e9
        for target in self._chain:
            spell = target.breaker.admit(now)
            if spell is None:
                self._why = self._why or _RESTS.why
                self._rest(target)
            elif self._ask(target, spell):
                return
        resting, self._resting = self._resting or [], None
        while resting:
            # One that answers now and then is better than nobody, so one of them is asked. No breaker learns of it.
            if self._ask(resting.pop(0), NO_SPELL):
                self._word = heavier(self._word, _RESTS) if resting else self._word
                return
        self._give_up()

    def _rest(self, target: Target) -> None:
        """It is cut off: it is asked if nobody else answers, the incumbent before the others."""
        self._resting = self._resting or []
        self._resting.insert(0 if self._is_incumbent(target) else len(self._resting), target)

    def _hear(self, weight: Weight, why: str, error: ClientError, refusal: tuple[ResponseHead, bytes] | None = None) -> None:
        """What became of the bundle asked, which may be what the client is told in the end."""
        target = self._target
        assert target is not None, "somebody was asked"
        self._why = self._why or why
        self._word = heavier(self._word, Word(weight, why, error, target, self._is_incumbent(target), refusal))

    def _is_incumbent(self, target: Target) -> bool:
        return target.digest == self._asking.workflow.revision.route.incumbent

    def _give_up(self) -> None:
        """Nobody answered."""
        word = self._word
        assert word is not None, "a chain holds somebody"
        # Whose word it is: another bundle may have been asked since.
        self._target = word.target
        if word.refusal is not None:
            self._refuse(*word.refusal)
            return
        error = word.error
        body = self._asking.edge.error_body(error)
        self._keep(error.status, body, word.why)
        wait = [] if error.retry_after is None else [(b"retry-after", error.retry_after)]
        self._exchange.respond(error.status, [(b"content-type", b"application/json"), *wait, *self._own_headers()], body)

    def _ask(self, target: Target, spell: int) -> bool:
        """Ask this bundle; False if it cannot be told this request."""
        try:
            body, translation = prepare(self._asking, target)
        except InputError as fault:
            target.breaker.abandon(spell)
            error = ClientError("invalid_request", _told(fault), fault.faults[0].path, "not_served")
            self._why = self._why or "not_served"
            word = Word(Weight.NOT_SERVED, "not_served", error, is_incumbents=self._is_incumbent(target))
            self._word = heavier(self._word, word)
            return False
        self._target, self._spell, self._asked_ns = target, spell, self._effects.monotonic_ns()
        key = self._asking.idempotency_key
        headers: Sequence[Header] = upstream_headers(self._asking, target)
        if key is not None:
            headers = [*headers, (b"idempotency-key", key)]
        if self._asking.traceparent is not None:
            headers = [*headers, (TRACE, passed_on(self._asking.traceparent, self._asking.id))]
        answer = self._reply = expect_answer(self, self._asking, translation)
        # Once, where a kept connection was closed as it was used: official SDKs ask again then, too.
        request = UpstreamRequest(b"POST", target.path, headers, body, is_resendable=True)
        self._call = answer.call = target.upstream.send(request, answer, target.timeouts)
        self._exchange.on_room = self._call.resume
        return True

    def _refuse(self, head: ResponseHead, body: bytes) -> None:
        self._keep(head.status, body, f"status {head.status}")
        self._exchange.respond(head.status, self._headers(head), body)

    def _client_gone(self) -> None:
        """Nobody waits any more: the provider need not go on, and what is known is kept."""
        silent_s = self._silent_s()
        if self._call is not None:
            self._call.cancel()
        head = None if self._reply is None else self._reply.whole_head
        if self._reply is not None and head is not None:
            # It has all of the answer, and did not wait for the provider to close.
            self._note(answered=True)
            self._keep(head.status, self._reply.so_far(), None)
            return
        if self._target is not None:
            self._left(self._target, silent_s)
        self._keep(None, b"" if self._reply is None else self._reply.so_far(), "client gone")

    def _silent_s(self) -> float | None:
        """How long the bundle asked has said nothing: no word at all yet, or no more; `None` where nobody knows."""
        if self._reply is None or self._call is None:
            return None
        return self._waited_s() if self._reply.is_silent else self._call.silent_s()

    def _left(self, target: Target, silent_s: float | None) -> None:
        """The client left it. Whoever gave up on a bundle that said nothing has learnt something about it."""
        has_begun = self._reply is not None and not self._reply.is_silent
        # Who waited longer for others before is worn out by them.
        worn_s = 0.0 if has_begun else (self._asked_ns - self._asking.began_ns) / 1e9
        if silent_s is not None and silent_s >= PATIENCE_S:
            self._note(answered=False)
        elif silent_s is not None and silent_s >= HASTE_S and silent_s >= worn_s:
            if target.breaker.give_up(self._effects.monotonic_ns() / 1e9, self._spell):
                self._effects.breaker_moved(target)
        else:
            target.breaker.abandon(self._spell, is_well=has_begun and silent_s is not None)

    def _note(self, *, answered: bool) -> None:
        assert self._target is not None, "somebody was asked"
        if self._target.breaker.tell(self._effects.monotonic_ns() / 1e9, self._spell, answered=answered):
            self._effects.breaker_moved(self._target)

    def _waited_s(self) -> float:
        return (self._effects.monotonic_ns() - self._asked_ns) / 1e9

    def _headers(self, head: ResponseHead) -> Headers:
        return end_to_end(head.headers, KEPT_BACK) + self._own_headers()

    def _own_headers(self) -> Headers:
        own = [(b"segue-exchange", self._asking.id.encode()), *ignored_headers(self._asking)]
        if self._target is not None:
            own.append(self._target.named)
        return own

    def _keep(self, status: int | None, response: bytes, failure: str | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        asking, answered_by = self._asking, self._target
        route, assigned = asking.workflow.revision, asking.assigned
        fell = answered_by is not None and answered_by.digest != assigned.bundle
        request_note, request = keep_body(asking.body, asking.workflow.keep)
        response_note, kept = keep_body(response or None, asking.workflow.keep)
        passed = 0 if self._reply is None else self._reply.passed
        if response_note.kept == "full" and passed > len(response):
            response_note = BodyNote("cut", passed)
        record = ServedExchange(
            id=asking.id,
            at_ns=asking.at_ns,
            workflow=route.route.workflow,
            environment=route.route.environment,
            route_revision=route.revision,
            arm=assigned.arm,
            bundle=assigned.bundle,
            answered_by=None if answered_by is None else answered_by.digest,
            pair=asking.id if assigned.is_shadowed else None,
            unit=asking.unit,
            segment=assigned.segment,
            attributes=asking.attributes,
            dialect_in=asking.edge.codec,
            dialect_out=None if answered_by is None else answered_by.applied.dialect,
            status=status,
            latency_ns=self._effects.monotonic_ns() - asking.began_ns,
            ttft_ns=self._ttft_ns,
            failure=failure,
            fallback_from=assigned.bundle if fell else None,
            fallback_reason=self._why if fell else None,
            request=request_note,
            tags=asking.tags,
            response=response_note,
            traceparent=asking.traceparent,
        )
        self._effects.keep(record, request, kept)
        # Both know each other: without this the collector would have to find out that nobody else does.
        self._reply = self._call = None


def expect_answer(teller: Teller, asking: Asking, translation: Translation | Marking | Unasked | None) -> Answer:
    """The sink for what is asked of a bundle: what the request says of how it wants its answer."""
    fields, choices = asking.fields, 1
    wants_stream = "stream" in fields and bytes(fields["stream"]) == b"true"
    if wants_stream and "n" in fields:
        several = bytes(fields["n"])
        choices = max(1, int(several)) if several.isdigit() and len(several) < 4 else 1
    return Answer(teller, asking.edge, translation, wants_stream=wants_stream, choices=choices)


def _told(fault: InputError) -> str:
    """All faults of a request in one message, each with its remedy."""
    return " ".join(one.sentence() for one in fault.faults)
