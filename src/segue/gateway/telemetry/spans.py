"""An exchange as an OpenTelemetry span, by the conventions for generative AI. Imports the SDK (the extra `otel`).

A span is made when its exchange is shipped, from the record's times: named `chat <model>`, a child of the client's span where
the client sent one, else the root of a trace of its own. A shadow is no part of what the user waited for: it has a trace of
its own, with a link to the exchange that it mirrors. No body, no header and no unit comes in here, but for the provider's own
identifier of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from segue.exchanges.record import Logged, ServedExchange
from segue.gateway.telemetry.metrics import failure_word
from segue.gateway.telemetry.models import ModelPlace
from segue.gateway.telemetry.traceparent import parent_of, span_id_of, trace_id_of
from segue.model.digest import short_id

_NS = 1e-9
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_LONGEST_ID = 200
_LARGEST_LOOKED_AT = 64 * 1024
"""Bytes of an answer in which its identifier is looked for."""


class SpanMaker:
    """`sampler` decides as it would in an application; `resource` says whose spans these are."""

    def __init__(
        self, resource: Resource, sampler: Sampler, place_of: Callable[[str], ModelPlace], scope: InstrumentationScope
    ) -> None:
        self._resource, self._sampler, self._place_of, self._scope = resource, sampler, place_of, scope

    def __call__(self, logged: Logged) -> ReadableSpan | None:
        """The span of an exchange; `None` where its trace is not sampled."""
        one = logged.exchange
        parent, served = _parent(one), None
        trace_id = trace_id_of(one.id) if parent is None else parent.trace_id
        place = self._place_of(one.answered_by or one.bundle)
        name = f"chat {place.model}"
        if one.arm == "shadow" and one.pair is not None:
            # Sampled as what it mirrors is, so that a link never leads to nothing.
            mirrored_id = trace_id_of(one.pair) if parent is None else parent.trace_id
            served = SpanContext(mirrored_id, span_id_of(one.pair), is_remote=True, trace_flags=_SAMPLED)
            is_sampled = self._is_sampled(parent, mirrored_id, name)
            parent, trace_id = None, trace_id_of(one.id)
        else:
            is_sampled = self._is_sampled(parent, trace_id, name)
        if not is_sampled:
            return None
        end = one.at_ns + (one.latency_ns or 0)
        word = failure_word(one.failure)
        return ReadableSpan(
            name,
            context=SpanContext(trace_id, span_id_of(one.id), is_remote=False, trace_flags=_SAMPLED),
            parent=parent,
            resource=self._resource,
            attributes=_attributes(logged, place, word),
            links=() if served is None else (Link(served, {"segue.link": "mirrors"}),),
            kind=SpanKind.CLIENT,
            status=Status(StatusCode.ERROR) if word else Status(StatusCode.UNSET),
            start_time=one.at_ns,
            end_time=end,
            instrumentation_scope=self._scope,
        )

    def _is_sampled(self, parent: SpanContext | None, trace_id: int, name: str) -> bool:
        context = None if parent is None else set_span_in_context(NonRecordingSpan(parent))
        decision = self._sampler.should_sample(context, trace_id, name, SpanKind.CLIENT).decision
        return decision is Decision.RECORD_AND_SAMPLE


def _parent(one: ServedExchange) -> SpanContext | None:
    if one.traceparent is None:
        return None
    found = parent_of(one.traceparent)
    return SpanContext(found.trace_id, found.span_id, is_remote=True, trace_flags=TraceFlags(found.flags))


def _attributes(logged: Logged, place: ModelPlace, word: str) -> Mapping[str, str | int | float | bool | tuple[str, ...]]:
    one = logged.exchange
    said = _said(logged)
    found: dict[str, str | int | float | bool | tuple[str, ...] | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": place.provider,
        "gen_ai.request.model": place.model,
        "gen_ai.response.model": said.model,
        "gen_ai.response.id": said.id,
        "gen_ai.response.finish_reasons": None if one.finish_reason is None else (one.finish_reason,),
        "gen_ai.request.stream": True if one.ttft_ns is not None else None,
        "gen_ai.response.time_to_first_chunk": None if one.ttft_ns is None else one.ttft_ns * _NS,
        "gen_ai.usage.input_tokens": one.input_tokens,
        "gen_ai.usage.output_tokens": one.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": one.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": one.reasoning_tokens,
        "server.address": place.address,
        "server.port": place.port,
        "http.response.status_code": one.status,
        "error.type": word or None,
        "segue.exchange": one.id,
        "segue.workflow": one.workflow,
        "segue.environment": one.environment,
        "segue.bundle": short_id(one.answered_by or one.bundle),
        "segue.arm": one.arm,
        "segue.route.revision": one.route_revision,
        "segue.fallback": one.fallback_from is not None,
        "segue.fallback.from": None if one.fallback_from is None else short_id(one.fallback_from),
        "segue.fallback.reason": None if one.fallback_from is None else failure_word(one.fallback_reason) or "other",
        "segue.cost_usd": None if one.cost_microusd is None else one.cost_microusd / 1e6,
    }
    return {name: value for name, value in found.items() if value is not None}


class _Said(msgspec.Struct):
    """What the provider says of an answer at its top: nothing beneath it is read."""

    id: str | None = None
    model: str | None = None


class _Begun(msgspec.Struct):
    """The first event of a stream: OpenAI's has it at the top, Anthropic's in `message`, Responses' in `response`."""

    id: str | None = None
    model: str | None = None
    message: _Said | None = None
    response: _Said | None = None


_decode = msgspec.json.Decoder(_Begun).decode
_NOTHING = _Said()


def _said(logged: Logged) -> _Said:
    """The provider's identifier of its answer and the model it names; nothing where the answer was not kept or is no JSON."""
    body = logged.response
    if logged.exchange.response.kept not in ("full", "cut") or (logged.exchange.status or 999) >= 300:
        return _NOTHING
    if body.lstrip()[:1] != b"{":
        _, _, body = body[:_LARGEST_LOOKED_AT].partition(b"data:")
        body = body.partition(b"\n")[0]
    elif len(body) > _LARGEST_LOOKED_AT:
        return _NOTHING
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING
    inner = found.message or found.response or _NOTHING
    return _Said(_short(found.id or inner.id), _short(found.model or inner.model))


def _short(text: str | None) -> str | None:
    return text if text and len(text) <= _LONGEST_ID else None
