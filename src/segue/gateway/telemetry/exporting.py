"""Spans on their way to a collector: the SDK's exporter, in a thread of its own, behind a queue that never waits.

Where the collector is slow or gone, spans are dropped and counted; shipping goes on. Settings are OpenTelemetry's own variables
of the environment, read by the SDK: endpoint, headers, time-out, compression, certificates, resource, sampler.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from segue.exchanges.record import Logged
from segue.gateway.telemetry.models import ModelPlace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

MakeSpan = Callable[[Logged], "ReadableSpan | None"]

AT_ONCE = 512
MOST_WAITING = 16_384
"""Spans that wait for the collector; some 3 KB each."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wants_spans(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables name a collector, and do not turn spans off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return False
    return any(environ.get(name, "").strip() for name in _ENDPOINTS)


class SpanSender:
    """`take` spans, `close` at the end. `counted` are those sent and dropped, by reason, since the last look."""

    def __init__(self, exporter: SpanExporter, *, most_waiting: int = MOST_WAITING) -> None:
        self._exporter, self._most = exporter, most_waiting
        self._waiting: deque[ReadableSpan] = deque()
        self._counted: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._called = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="segue-spans", daemon=True)
        self._thread.start()

    def take(self, spans: Sequence[ReadableSpan]) -> None:
        """Send them soon; those for which there is no room are dropped."""
        with self._lock:
            room = max(0, self._most - len(self._waiting))
            self._waiting.extend(spans[:room])
            self._counted["queue_full"] += max(0, len(spans) - room)
        self._called.set()

    def counted(self) -> dict[str, int]:
        """`sent`, and why others were dropped; from the last look on."""
        with self._lock:
            found, self._counted = dict(self._counted), Counter()
        return {name: n for name, n in found.items() if n}

    def close(self, within_s: float = 10.0) -> None:
        """Send what waits, as far as that can be done in time."""
        self._is_ending = True
        self._called.set()
        self._thread.join(within_s)
        self._exporter.shutdown()

    def _run(self) -> None:
        while True:
            self._called.wait()
            self._called.clear()
            while self._send_some():
                pass
            if self._is_ending:
                return

    def _send_some(self) -> bool:
        from opentelemetry.sdk.trace.export import SpanExportResult

        with self._lock:
            spans = list(islice(self._waiting, AT_ONCE))
        if not spans:
            return False
        try:
            is_sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:
            # Whatever the collector or the network does to the exporter, the next ones are tried all the same.
            is_sent = False
        with self._lock:
            for _ in spans:
                self._waiting.popleft()
            self._counted["sent" if is_sent else "not_taken"] += len(spans)
        return True


def open_spans(version: str, place_of: Callable[[str], ModelPlace]) -> tuple[MakeSpan, SpanSender]:
    """What makes spans, and what sends them, as the environment says. Raises `ImportError` where the extra is missing."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from segue.gateway.telemetry.spans import SpanMaker

    # The SDK says on standard error what a collector answers, which may be anything; what is dropped is counted instead.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "segue-gateway"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    scope = InstrumentationScope("segue.gateway", version)
    return SpanMaker(resource, provider.sampler, place_of, scope), SpanSender(OTLPSpanExporter())
