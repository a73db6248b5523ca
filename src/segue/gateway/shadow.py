"""Shadow: the same request to the candidate, whose answer nobody sees.

Sent after all that users asked in the same turn of the event loop, and kept under the served exchange's id as its pair. It is
the first thing that gives way: at its caps, and when the process has much to do, a request is not mirrored, which is counted by
reason, for coverage is measured and never assumed. A shadow moves no breaker and fails no user. What its provider would do in
the world to answer it is done once, for the user: a request with such tools is not mirrored either (`provider_tools`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from segue.errors import InputError
from segue.exchanges.record import ServedExchange, keep_body
from segue.gateway.answer import LONGEST_ANSWER, LONGEST_HELD, PassingStream
from segue.gateway.asking import Asking, Effects, prepare, upstream_headers
from segue.gateway.http import Call, Failure, FailureKind, HeadError, ResponseHead, UpstreamRequest
from segue.gateway.provider_tools import acts_at_provider
from segue.gateway.shadow_money import ShadowMoney
from segue.gateway.target import Target
from segue.gateway.translated import TranslatedStream, Translation
from segue.model.route import ShadowRule

NS = 1_000_000_000
_NEVER_ASKED = frozenset(
    (
        FailureKind.NAME,
        FailureKind.REFUSED,
        FailureKind.UNREACHABLE,
        FailureKind.TLS,
        FailureKind.CONNECT_TIMEOUT,
        FailureKind.BUSY,
    )
)
"""Failures before a byte of the request was sent: no provider bills them."""


class Bucket:
    """So many a second, with a second's worth of them saved up at most."""

    __slots__ = ("_at_ns", "_left", "_most", "_per_second")

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._left = self._most
        self._at_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """Take one, if there is one."""
        if self._at_ns is not None:
            self._left = min(self._most, self._left + (now_ns - self._at_ns) / NS * self._per_second)
        self._at_ns = now_ns
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Tally:
    """How many shadows of one workflow were sent so far, and how many of them are under way."""

    __slots__ = ("in_flight", "mirrored", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.in_flight = self.mirrored = 0

    def began(self) -> None:
        """One more is sent."""
        self.in_flight += 1
        self.mirrored += 1


class Shadows:
    """All shadows of one process. `soon` calls back in the next turn of the event loop (`call_soon`); `is_busy` says when there
    is too much to do for what no user sees."""

    def __init__(
        self,
        effects: Effects,
        new_id: Callable[[], str],
        soon: Callable[[Callable[[], None]], object],
        is_busy: Callable[[], bool] = lambda: False,
        money: ShadowMoney | None = None,
        report: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._report = report
        self._soon = soon
        self._put_off: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._effects = effects
        self.new_id = new_id
        self._is_busy = is_busy
        self._money = money
        self._tallies: dict[str, Tally] = {}
        self._buckets: dict[tuple[str, float], Bucket] = {}
        self.shed: Counter[tuple[str, str]] = Counter()
        """By workflow and reason."""

    @property
    def in_flight(self) -> int:
        """Shadows under way."""
        return sum(tally.in_flight for tally in self._tallies.values())

    @property
    def mirrored(self) -> Counter[str]:
        """How many were sent so far, by workflow."""
        return Counter({name: tally.mirrored for name, tally in self._tallies.items() if tally.mirrored})

    def tally(self, name: str) -> Tally:
        """The one of this workflow."""
        return self._tallies.get(name) or self._tallies.setdefault(name, Tally(name))

    def put_off(self, ask: Callable[..., None], *told: Any) -> None:
        """Have a candidate asked by `ask` in the next turn of the loop, after the users' requests of this one."""
        put_off = self._put_off
        put_off.append((ask, told))
        if len(put_off) == 1:
            self._soon(self._ask_all)

    def _ask_all(self) -> None:
        put_off, self._put_off = self._put_off, []
        for ask, told in put_off:
            try:
                ask(*told)
            except Exception as error:  # a fault of one is none of the others'
                self._report(error)

    def mirror(self, asking: Asking) -> None:
        """Ask the candidate too, unless something speaks against it. Never raises, never waits."""
        try:
            self._mirror(asking)
        except Exception as error:
            self.broke(asking.workflow.name, error)

    def _mirror(self, asking: Asking) -> None:
        route = asking.workflow.revision.route
        if route.shadow is None or route.candidate is None:
            return
        reason = self.why_not(self.tally(route.workflow), route.shadow)
        if reason is None:
            self.ask(asking, asking.workflow.targets[route.candidate], route.shadow)
        else:
            self.shed[route.workflow, reason] += 1

    def why_not(self, tally: Tally, rule: ShadowRule) -> str | None:
        """Why a request of this tally's workflow is not mirrored now, whatever it asks. Where nothing speaks against it, it is
        counted as one of those that the rule lets through in a second."""
        if self._is_busy():
            return "busy"
        if tally.in_flight >= rule.max_in_flight:
            return "in flight"
        if rule.per_second is not None:
            bucket = self._buckets.setdefault((tally.name, rule.per_second), Bucket(rule.per_second))
            if not bucket.take(self._effects.monotonic_ns()):
                return "rate"
        return None

    def ask(self, asking: Asking, target: Target, rule: ShadowRule) -> None:
        """Mirror a request that nothing speaks against but what it asks itself."""
        reason = self._send(asking, target, rule)
        if reason is not None:
            self.shed[asking.workflow.name, reason] += 1

    def broke(self, name: str, error: Exception) -> None:
        """A fault of our own, which is no user's: it is reported, and counted as a request that was not mirrored."""
        self.shed[name, "fault"] += 1
        self._report(error)

    def ended(self, asking: Asking, target: Target, put_by: float | None, answer: bytes | None) -> None:
        """One has been answered, or has failed. `answer` is `None` where there is none that anybody bills."""
        self.tally(asking.workflow.name).in_flight -= 1
        self._settle(asking, target, put_by, answer)

    def _settle(self, asking: Asking, target: Target, put_by: float | None, answer: bytes | None) -> None:
        if put_by is not None and self._money is not None:
            self._money.settle(target, put_by, answer, asking.at_ns)

    def _send(self, asking: Asking, target: Target, rule: ShadowRule) -> str | None:
        try:
            body, translation = prepare(asking, target)
            request = UpstreamRequest(b"POST", target.path, upstream_headers(asking, target), body)
        except (InputError, HeadError):
            return "not representable"
        applied = target.applied
        if acts_at_provider(applied.dialect, (*asking.fields, *applied.owned), body):
            return "provider tool"
        put_by = None
        if rule.usd_per_day is not None:
            money = self._money
            found = "no price" if money is None else money.put_by(target, body, rule.usd_per_day, asking.at_ns)
            if isinstance(found, str):
                return found
            put_by = found
        translation = translation if isinstance(translation, Translation) else None
        began_ns = self._effects.monotonic_ns()
        answer = ShadowAnswer(self, asking, target, self._effects, self.new_id(), body, began_ns, translation, put_by)
        try:
            answer.call = target.upstream.send(request, answer, target.timeouts)
        except HeadError:
            self._settle(asking, target, put_by, None)
            return "not representable"
        self.tally(asking.workflow.name).began()
        return None


class _Start:
    """Looks for the first event of a stream that means something, which a user would have waited for; and at no more."""

    __slots__ = ("_seen", "_stream")

    def __init__(self, stream: PassingStream | TranslatedStream) -> None:
        self._stream: PassingStream | TranslatedStream | None = stream
        self._seen = 0

    def is_in(self, chunk: bytes, *, is_last: bool) -> bool:
        """Whether it came with this chunk."""
        stream = self._stream
        if stream is None:
            return False
        stream.feed(chunk, is_last=is_last)
        self._seen += len(chunk)
        if stream.begun or stream.failure is not None or stream.closed or self._seen > LONGEST_HELD:
            self._stream = None
        return stream.begun


class ShadowAnswer:
    """What the candidate said to a mirrored request: gathered, kept as a pair, and shown to nobody. A sink of a call."""

    __slots__ = (
        "_asking",
        "_began_ns",
        "_body",
        "_effects",
        "_head",
        "_id",
        "_parts",
        "_put_by",
        "_shadows",
        "_size",
        "_start",
        "_target",
        "_translation",
        "_ttft_ns",
        "call",
    )

    def __init__(
        self,
        shadows: Shadows,
        asking: Asking,
        target: Target,
        effects: Effects,
        own_id: str,
        body: bytes,
        began_ns: int,
        translation: Translation | None = None,
        put_by: float | None = None,
    ) -> None:
        self._shadows = shadows
        self._asking = asking
        self._target = target
        self._effects = effects
        self._id = own_id
        self._body = body
        self._translation = translation
        self._put_by = put_by
        self._began_ns = began_ns
        self._head: ResponseHead | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._start: _Start | None = None
        self._ttft_ns: int | None = None
        self.call: Call | None = None

    def on_head(self, head: ResponseHead) -> None:
        """Its status, and whether it is a stream."""
        self._head = head
        kind = head.header(b"content-type") or b""
        if head.status < 300 and kind.lower().startswith(b"text/event-stream"):
            translation = self._translation
            self._start = _Start(PassingStream(self._asking.edge) if translation is None else TranslatedStream(translation))

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """A part of it."""
        if self._start is not None and self._start.is_in(chunk, is_last=is_last):
            self._ttft_ns = self._effects.monotonic_ns() - self._began_ns
        self._parts.append(chunk)
        self._size += len(chunk)
        if is_last:
            assert self._head is not None, "a head came before"
            self._keep(None if self._head.status < 300 else f"status {self._head.status}")
        elif self._size > LONGEST_ANSWER and self.call is not None:
            self.call.cancel()
            self._keep("too long")

    def on_failure(self, failure: Failure) -> None:
        """The candidate's provider failed, which is a finding, not a failure of anybody's."""
        self._keep(failure.kind.value, was_asked=failure.kind not in _NEVER_ASKED)

    def _keep(self, failure: str | None, *, was_asked: bool = True) -> None:
        asking, route = self._asking, self._asking.workflow.revision
        whole = b"".join(self._parts)
        is_billed = was_asked and (self._head is None or self._head.status < 300)
        self._shadows.ended(asking, self._target, self._put_by, whole if is_billed else None)
        # What the candidate was asked differs from what the user's application sent: its own prompt is in it.
        request_note, request = keep_body(self._body, asking.workflow.keep)
        response_note, response = keep_body(whole or None, asking.workflow.keep)
        record = ServedExchange(
            id=self._id,
            at_ns=asking.at_ns,
            workflow=asking.workflow.name,
            environment=route.route.environment,
            route_revision=route.revision,
            arm="shadow",
            bundle=self._target.digest,
            answered_by=self._target.digest,
            unit=asking.unit,
            segment=asking.assigned.segment,
            attributes=asking.attributes,
            dialect_in=asking.edge.codec,
            dialect_out=self._target.applied.dialect,
            status=None if self._head is None else self._head.status,
            latency_ns=self._effects.monotonic_ns() - self._began_ns,
            ttft_ns=self._ttft_ns,
            failure=failure,
            pair=asking.id,
            tags=asking.tags,
            request=request_note,
            response=response_note,
            traceparent=asking.traceparent,
        )
        self._effects.keep(record, request, response)
