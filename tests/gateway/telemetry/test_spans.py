"""Exchanges as OpenTelemetry spans, by the conventions for generative AI."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from segue.gateway.telemetry.exporting import SpanSender, open_spans, wants_spans
from segue.gateway.telemetry.spans import SpanMaker
from segue.gateway.telemetry.traceparent import parent_of, span_id_of, trace_id_of
from tests.gateway.telemetry.builders import CLIENT, NEW, NOW_NS, OLD, a_log, places
from tests.gateway.telemetry.collector import Collector, a_collector, attributes

CHAT = b'{"id":"chatcmpl-7","object":"chat.completion","model":"old-1-2026","choices":[{"message":{"content":"SECRET"}}]}'


def maker(sampler: Sampler | None = None) -> SpanMaker:
    """As with the SDK's usual settings."""
    return SpanMaker(Resource({}), sampler or ParentBased(ALWAYS_ON), places(), InstrumentationScope("segue.gateway", "1"))


def a_span(response: bytes = b"", sampler: Sampler | None = None, **given: Any) -> ReadableSpan:
    """Of an exchange."""
    span = maker(sampler)(a_log(response, **given))
    assert span is not None
    return span


def told(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes."""
    return dict(span.attributes or {})


def test_a_span_says_what_the_conventions_ask_for() -> None:
    """Name, kind, times, model, provider, tokens, reason and place; and Segue's own words."""
    span = a_span(
        CHAT,
        input_tokens=7,
        output_tokens=3,
        cached_tokens=2,
        reasoning_tokens=1,
        finish_reason="stop",
        cost_microusd=250_000.0,
    )
    assert (span.name, span.kind, span.status.status_code) == ("chat old-1", SpanKind.CLIENT, StatusCode.UNSET)
    assert (span.start_time, span.end_time) == (NOW_NS, NOW_NS + 1_500_000_000)
    assert told(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "old-1",
        "gen_ai.response.model": "old-1-2026",
        "gen_ai.response.id": "chatcmpl-7",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "segue.exchange": "x1",
        "segue.workflow": "mail",
        "segue.environment": "production",
        "segue.bundle": OLD.short,
        "segue.arm": "incumbent",
        "segue.route.revision": 3,
        "segue.fallback": False,
        "segue.cost_usd": 0.25,
    }


def test_its_names_are_those_of_the_conventions() -> None:
    """As OpenTelemetry's own package has them."""
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI")}
    span = a_span(CHAT, input_tokens=1, output_tokens=1, cached_tokens=1, reasoning_tokens=1, ttft_ns=1, finish_reason="stop")
    assert {name for name in told(span) if name.startswith("gen_ai.")} <= known


def test_a_failure_is_an_error_with_its_class_and_without_its_words() -> None:
    """A fallback says what failed, and who answered instead."""
    failed = a_span(b"SECRET", status=None, failure="stalled")
    assert (failed.status.status_code, failed.status.description, told(failed)["error.type"]) == (
        StatusCode.ERROR,
        None,
        "stalled",
    )
    fell = told(a_span(bundle=NEW.digest, fallback_from=NEW.digest, fallback_reason="status 503", arm="candidate"))
    assert (fell["segue.fallback"], fell["segue.fallback.from"], fell["segue.fallback.reason"]) == (True, NEW.short, "503")
    assert (fell["segue.bundle"], fell["gen_ai.request.model"]) == (OLD.short, "old-1")


def test_a_span_is_the_client_spans_child_where_there_is_one() -> None:
    """In its trace; else it is the root of a trace of its own."""
    child, root = a_span(traceparent=CLIENT), a_span()
    assert child.parent is not None
    assert (child.parent.span_id, child.parent.is_remote) == (parent_of(CLIENT).span_id, True)
    assert (child.context.trace_id, child.context.span_id) == (parent_of(CLIENT).trace_id, span_id_of("x1"))
    assert (root.parent, root.context.trace_id, root.context.span_id) == (None, trace_id_of("x1"), span_id_of("x1"))


def test_a_shadow_has_a_trace_of_its_own_with_a_link_to_what_it_mirrors() -> None:
    """What the user waited for does not hold it."""
    shadow = a_span(id="x2", arm="shadow", pair="x1", traceparent=CLIENT)
    assert (shadow.parent, shadow.context.trace_id) == (None, trace_id_of("x2"))
    assert [(one.context.trace_id, one.context.span_id) for one in shadow.links] == [
        (parent_of(CLIENT).trace_id, span_id_of("x1"))
    ]
    alone = a_span(id="x2", arm="shadow", pair="x1")
    assert [one.context.trace_id for one in alone.links] == [trace_id_of("x1")]


@pytest.mark.parametrize("arm", ["incumbent", "shadow"])
def test_the_clients_flag_holds_and_the_sampler_decides_on_the_rest(arm: str) -> None:
    """A shadow is sampled as what it mirrors is: a link never leads to nothing."""
    shadow = {"id": "x2", "arm": "shadow", "pair": "x1"} if arm == "shadow" else {}
    refused = f"{CLIENT[:-2]}00"
    assert maker()(a_log(traceparent=refused, **shadow)) is None
    assert maker(ParentBased(ALWAYS_OFF))(a_log(traceparent=CLIENT, **shadow)) is not None
    assert maker(ParentBased(ALWAYS_OFF))(a_log(**shadow)) is None
    ratio = maker(ParentBased(TraceIdRatioBased(0.5)))
    served = [f"x{number}" for number in range(400)]
    mirrored = {"arm": "shadow", "id": "s"} if arm == "shadow" else {}
    sampled = {one for one in served if ratio(a_log(**{"id": one, **mirrored, "pair": one})) is not None}
    assert sampled == {one for one in served if ratio(a_log(id=one)) is not None}
    assert 140 < len(sampled) < 260


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (CHAT, ("chatcmpl-7", "old-1-2026")),
        (
            b'{"id":"msg_1","type":"message","model":"m","content":[{"type":"tool_use","input":{"id":"SECRET"}}]}',
            ("msg_1", "m"),
        ),
        (b'data: {"id":"chatcmpl-8","model":"m","choices":[]}\n\ndata: [DONE]\n\n', ("chatcmpl-8", "m")),
        (
            b'event: message_start\r\ndata: {"type":"message_start","message":{"id":"msg_2","model":"m"}}\r\n\r\n',
            ("msg_2", "m"),
        ),
        (
            b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","model":"m"}}\n\n',
            ("resp_1", "m"),
        ),
        (b'{"model":"m","content":[{"type":"tool_use","input":{"id":"SECRET"}}]}', (None, "m")),
        (b'{"id":{"SECRET":1}}', (None, None)),
        (b'{"id":"' + b"SECRET" * 100 + b'"}', (None, None)),
        (b'{"choices":[{"message":{"content":"' + b"x" * 70_000 + b'"}}],"id":"SECRET"}', (None, None)),
        (b"SECRET", (None, None)),
        (b"data: SECRET", (None, None)),
    ],
    ids=[
        "chat",
        "messages",
        "chat stream",
        "messages stream",
        "responses stream",
        "none",
        "object",
        "long",
        "large",
        "text",
        "no JSON",
    ],
)
def test_the_providers_own_identifier_is_read_from_the_top_of_its_answer(
    body: bytes, said: tuple[str | None, str | None]
) -> None:
    """And from nowhere beneath: there is content."""
    attributes = told(a_span(body))
    assert (attributes.get("gen_ai.response.id"), attributes.get("gen_ai.response.model")) == said
    assert "SECRET" not in str(attributes)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
    ids=["nothing", "endpoint", "traces", "blank", "disabled", "none"],
)
def test_spans_are_made_where_a_collector_is_named(environ: dict[str, str], wanted: bool) -> None:
    """By OpenTelemetry's own variables."""
    assert wants_spans(environ) == wanted


class Slow(SpanExporter):
    """A collector that takes nothing until it is let."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.may_go.wait(30)
        self.taken += len(spans)
        if self.taken > 900:
            raise RuntimeError("It broke.")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.may_go.set()


def test_a_slow_collector_holds_nothing_up_and_what_is_dropped_is_counted() -> None:
    """Whoever brings spans never waits; nothing is lost without being counted."""
    exporter = Slow()
    sender = SpanSender(exporter, most_waiting=1000)
    span = a_span()
    for _ in range(3):
        sender.take([span] * 500)
    exporter.may_go.set()
    sender.close()
    counted = sender.counted()
    assert counted == {"sent": 512, "not_taken": 488, "queue_full": 500}
    assert sender.counted() == {}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that the environment names."""
    with a_collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=kettle")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=production")
        yield running


def test_a_collector_decodes_what_is_sent(collector: Collector) -> None:
    """With the protocol's own types; the SDK's variables say how."""
    make, sender = open_spans("1.2.3", places())
    span = make(a_log(CHAT, traceparent=CLIENT, input_tokens=7))
    assert span is not None
    sender.take([span])
    (came,) = collector.wait_for(1)
    sender.close()
    assert (came.trace_id.hex(), came.parent_span_id.hex()) == (CLIENT[3:35], CLIENT[36:52])
    assert (came.name, came.kind) == ("chat old-1", 3)
    assert attributes(came)["gen_ai.usage.input_tokens"] == 7
    assert attributes(came)["segue.exchange"] == "x1"
    resource = {one.key: one.value.string_value for one in collector.requests()[0].resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("segue-gateway", "production")
    assert (collector.headers[0]["x-tenant"], collector.headers[0]["content-encoding"]) == ("kettle", "gzip")
    assert sender.counted() == {"sent": 1}


class Root(logging.Handler):
    """What reaches the root of all loggers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


def test_what_a_collector_refuses_is_dropped_and_counted(collector: Collector, capfd: pytest.CaptureFixture[str]) -> None:
    """And nothing of its answer reaches the log."""
    collector.status = 400
    make, sender = open_spans("1.2.3", places())
    span = make(a_log())
    assert span is not None
    root = Root()
    logging.getLogger().addHandler(root)
    try:
        sender.take([span])
        sender.close()
    finally:
        logging.getLogger().removeHandler(root)
    assert sender.counted() == {"not_taken": 1}
    assert root.heard == []
    assert capfd.readouterr() == ("", "")
