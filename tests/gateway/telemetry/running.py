"""A whole gateway with everything on, before a provider that is watched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.team import SEGUE


class Provider:
    """OpenAI's Chat Completions: answers with `text`, or with `status`; notes the headers that came."""

    def __init__(self, text: str) -> None:
        self.text, self.url, self.status = text, "", 200
        self.headers: list[dict[str, str]] = []


@contextmanager
def a_provider(text: str) -> Iterator[Provider]:
    """Until left."""
    provider = Provider(text)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            provider.headers.append({name.lower(): value for name, value in self.headers.items()})
            message = {"role": "assistant", "content": provider.text}
            said: dict[str, Any] = {"id": "chatcmpl-7", "object": "chat.completion", "created": 1, "model": "old-1-2026"}
            said |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
            said |= {"usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
            if provider.status != 200:
                said = {"error": {"message": provider.text, "type": "server_error"}}
            body = json.dumps(said).encode()
            self.send_response(provider.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Watched:
    """A gateway that runs, and all that it says."""

    url: str
    metrics: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        """Until it says nothing more."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.came:
                self.lines.append(line)
                self.came.notify_all()

    def events(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines of one event, once there are so many."""

        def found() -> list[dict[str, Any]]:
            return [one for one in map(json.loads, self.lines) if one["event"] == event]

        with self.came:
            assert self.came.wait_for(lambda: len(found()) >= count, 60), "".join(self.lines)
            return found()

    def read(self) -> str:
        """The metrics, as they are written out."""
        with urlopen(self.metrics, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def value(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.read())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def wait_for(self, name: str, value: float, **labels: str) -> None:
        """Until a metric is at least so much."""
        for _ in range(20_000):
            if self.value(name, **labels) >= value:
                return
        raise AssertionError(f"{name} is {self.value(name, **labels)}")


@contextmanager
def a_watched_gateway(root: Path, *options: str, environ: dict[str, str] | None = None, workers: int = 1) -> Iterator[Watched]:
    """`segue gateway --log access --metrics …`, until left."""
    command = [*SEGUE, "gateway", "--json", "--port", "0", "--workers", str(workers), "--metrics", "127.0.0.1:0", *options]
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    started = json.loads(line)
    watched = Watched(started["url"], started["metrics"], process)
    thread = threading.Thread(target=watched.listen)
    thread.start()
    try:
        yield watched
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
        thread.join()
        process.stdout.close()
        process.stderr.close()
        assert code == 0, "".join(watched.lines)
