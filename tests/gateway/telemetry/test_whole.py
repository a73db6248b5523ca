"""A whole gateway with metrics, spans and the access log on: what is seen of an exchange, and what never is."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from segue.gateway.telemetry.traceparent import span_id_of
from tests.gateway.team import HELLO, Team
from tests.gateway.telemetry.collector import a_collector, attributes
from tests.gateway.telemetry.running import Provider, Watched, a_provider, a_watched_gateway
from tests.gateway.wiring import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SENTINEL = "XYZZY-SECRET"


@pytest.fixture
def providers() -> Iterator[tuple[Provider, Provider]]:
    """Of the old bundle and the new one; all that they say is content."""
    with a_provider(f"{SENTINEL}-answer") as old, a_provider(f"{SENTINEL}-shadow") as new:
        yield old, new


@pytest.fixture
def team(tmp_path: Path, providers: tuple[Provider, Provider]) -> Team:
    """A team with a route on which the old bundle serves, and the new one hears all."""
    made = Team(tmp_path, dict(zip(("old", "new"), (one.url for one in providers), strict=True)))
    for name in ("old", "new"):
        made.settings["providers"][name] |= {"api_key_env": "SEGUE_TEST_PROVIDER_KEY"}
    made.configure()
    made.segue("route", "set", "mail", "old", "--candidate", "new", "--shadow", "100%")
    return made


def ask(watched: Watched, **headers: str) -> str:
    """One request through the official SDK; gives its exchange."""
    with openai.OpenAI(base_url=f"{watched.url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="mail",
            messages=[{"role": "user", "content": f"{SENTINEL}-question"}],
            user=f"{SENTINEL}-user",
            extra_headers=headers,
        )
        return raw.headers["segue-exchange"]


def post(watched: Watched, body: bytes, key: str) -> int:
    """A request as it may come, and the status it gets."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        with urlopen(Request(f"{watched.url}/v1/chat/completions", body, headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return int(error.code)


def test_all_that_is_seen_of_exchanges_and_nothing_of_what_they_hold(team: Team, providers: tuple[Provider, Provider]) -> None:
    """Marks in the body, the answer, the unit, keys and headers are in no metric, span, line or readiness."""
    old, new = providers
    hidden = {
        "segue-unit": f"{SENTINEL}-unit",
        "segue-attributes": f"tier={SENTINEL}-tier",
        "idempotency-key": f"{SENTINEL}-idempotency",
        "x-other": f"{SENTINEL}-header",
        "tracestate": f"vendor={SENTINEL.lower()}",
        "baggage": f"user={SENTINEL}",
        "cookie": f"session={SENTINEL}",
    }
    client = TracerProvider(shutdown_on_exit=False)
    finished = InMemorySpanExporter()
    client.add_span_processor(SimpleSpanProcessor(finished))
    with a_collector() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "SEGUE_TEST_PROVIDER_KEY": f"{SENTINEL}-provider-key"}
        with a_watched_gateway(team.root, "--log", "access", environ=environ) as watched:
            carried: dict[str, str] = {}
            with client.get_tracer("app").start_as_current_span("reply"):
                TraceContextTextMapPropagator().inject(carried)
                exchange = ask(watched, **hidden, **carried)
            assert post(watched, f'{{"model": "mail", "{SENTINEL}'.encode(), KEY) == 400
            assert post(watched, f'{{"model": "{SENTINEL}", "messages": []}}'.encode(), KEY) == 404
            assert post(watched, b'{"model": "mail", "messages": []}', f"{SENTINEL}-key") == 401
            old.status = 500
            assert post(watched, json.dumps({"model": "mail", "messages": HELLO, "user": SENTINEL}).encode(), KEY) == 502
            lines = watched.events("exchange", 4)
            spans = {attributes(one)["segue.exchange"]: one for one in collector.wait_for(4)}
            watched.wait_for("segue_exchanges_total", 4)
            watched.wait_for("segue_spans_exported_total", 4)
            watched.wait_for("segue_spool_kept_total", 4)
            watched.wait_for("segue_refused_total", 1, reason="invalid_api_key")
            watched.wait_for("segue_refused_total", 3)
            text = watched.read()
            assert watched.value("segue_exchanges_total", arm="incumbent", status="2xx", failure="") == 1
            assert watched.value("segue_exchanges_total", arm="shadow", status="2xx") == 2
            assert watched.value("segue_exchanges_total", arm="incumbent", status="5xx") == 1
            assert watched.value("gen_ai_client_token_usage_sum", segue_arm="incumbent", gen_ai_token_type="input") == 7
            assert watched.value("segue_ready", worker="0") == 1
            assert watched.value("segue_route_revision", worker="0", workflow="mail") == 1
            assert watched.value("segue_shadow_mirrored_total", workflow="mail") == 2
            assert watched.value("segue_breaker_workers", state="closed") == 2
            with urlopen(f"{watched.url}/readyz", timeout=30) as answer:
                ready = answer.read().decode()
        said = "".join(watched.lines)
    (app,) = finished.get_finished_spans()
    (line,) = [one for one in lines if one["id"] == exchange]
    assert (line["arm"], line["status"], line["input_tokens"], line["trace"]) == (
        "incumbent",
        200,
        7,
        f"{app.context.trace_id:032x}",
    )
    span = spans[exchange]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (f"{app.context.trace_id:032x}", f"{app.context.span_id:016x}")
    assert (span.name, attributes(span)["gen_ai.response.id"]) == ("chat old-1", "chatcmpl-7")
    shadow = next(one for one in spans.values() if one.links and one.links[0].span_id == span.span_id)
    assert (attributes(shadow)["segue.arm"], shadow.trace_id == span.trace_id) == ("shadow", False)
    told = {one.get("traceparent") for one in old.headers}
    ours = f"00-{app.context.trace_id:032x}-{span_id_of(exchange):016x}-{carried['traceparent'][-2:]}"
    assert told == {ours, None}, "the provider's span joins ours"
    assert not any("traceparent" in one for one in new.headers), "a shadow's trace is its own"
    assert not any(name in one for one in old.headers for name in ("tracestate", "baggage", "cookie", "x-other"))
    seen = {"lines": said, "metrics": text, "readiness": ready, "spans": repr([one.decode("latin-1") for one in collector.raw])}
    for where, what in seen.items():
        assert SENTINEL.lower() not in what.lower(), where
        assert KEY not in what, where
    assert exchange in said
    assert exchange in seen["spans"]
    assert team.kept()[0].workflow == "mail"
    assert exchange in {one.id for one in team.kept() if one.traceparent and one.traceparent[3:35] == line["trace"]}


def test_what_happens_to_a_gateway_is_a_line_of_json_each(team: Team) -> None:
    """Start, workers, flips, a kill, the end; and counts go on where a worker does not."""
    with a_watched_gateway(team.root, "--log", "json", environ={"SEGUE_TEST_PROVIDER_KEY": "k"}) as watched:
        assert watched.events("gateway_started")[0]["metrics"] == watched.metrics
        (worker,) = watched.events("worker_serves")
        ask(watched)
        watched.wait_for("segue_spool_kept_total", 2)
        team.segue("route", "flip", "mail", "--share", "100%")
        assert watched.events("route_loaded", 2)[1]["revision"] == 2
        watched.wait_for("segue_route_revision", 2, workflow="mail")
        os.kill(worker["pid"], signal.SIGKILL)
        assert watched.events("worker_lost")[0]["worker"] == 0
        watched.events("worker_serves", 2)
        ask(watched)
        watched.wait_for("segue_spool_kept_total", 3)
        watched.wait_for("segue_worker_restarts_total", 1)
    assert watched.events("gateway_stopped")
    lines: list[dict[str, Any]] = [json.loads(line) for line in watched.lines]
    assert all(list(one)[-4:] == ["time", "level", "event", "text"] for one in lines), "every line is one of ours"
    assert "exchange" not in {one["event"] for one in lines}


def test_without_a_collector_the_providers_hear_of_no_trace(team: Team, providers: tuple[Provider, Provider]) -> None:
    """And the log keeps none."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "SEGUE_TEST_PROVIDER_KEY": "k"}
    with a_watched_gateway(team.root, "--log", "json", environ=environ) as watched:
        ask(watched, traceparent=trace)
        watched.wait_for("segue_exchanges_total", 2)
    assert providers[0].headers
    assert not any("traceparent" in one for provider in providers for one in provider.headers)
    assert {one.traceparent for one in team.kept()} == {None}
