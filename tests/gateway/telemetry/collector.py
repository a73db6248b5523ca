"""A collector on loopback: takes OTLP over HTTP, and decodes it with the protocol's own types."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came. `status` is what it answers with."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._came = threading.Condition()

    def take(self, body: bytes, headers: dict[str, str]) -> None:
        """One request."""
        with self._came:
            self.raw.append(body)
            self.headers.append(headers)
            self._came.notify_all()

    def requests(self) -> list[ExportTraceServiceRequest]:
        """Decoded."""
        return [ExportTraceServiceRequest.FromString(one) for one in self.raw]

    def spans(self) -> list[Span]:
        """All of them, in the order they came."""
        return [
            span for one in self.requests() for part in one.resource_spans for scope in part.scope_spans for span in scope.spans
        ]

    def wait_for(self, count: int) -> list[Span]:
        """Once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.spans()) >= count, 30), f"{len(self.spans())} spans came"
        return self.spans()


def attributes(span: Span) -> dict[str, Any]:
    """Name → value."""
    found: dict[str, Any] = {}
    for one in span.attributes:
        kind = one.value.WhichOneof("value")
        given = getattr(one.value, kind)
        found[one.key] = [item.string_value for item in given.values] if kind == "array_value" else given
    return found


@contextmanager
def a_collector() -> Iterator[Collector]:
    """Until left."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(collector.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()
            if self.path == "/v1/traces":
                collector.take(body, {name.lower(): value for name, value in self.headers.items()})

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
