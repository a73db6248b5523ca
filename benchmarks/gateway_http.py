"""The gateway's HTTP layer alone, as a bare proxy, beside nginx `proxy_pass` and no proxy at all.

Load and upstream share one core, the proxy has another. Requests and answers have bodies of 2 KB. Processor time is that of the
proxy alone; quote it as a ratio to nginx in the same run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import table

NGINX = """
worker_processes 1;
worker_cpu_affinity {mask};
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 100000000;
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering {buffering};
    }}
  }}
}}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=64, help="connections at saturation")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--tick-ms", type=float, default=20.0, help="a chunk on each stream so often")
    parser.add_argument("--rounds", type=int, default=3, help="each is measured so often, in turn; medians are shown")
    parser.add_argument("--stock", action="store_true", help="also on the standard loop")


class Process:
    """A process that speaks in lines of JSON."""

    def __init__(self, *words: str, module: str = "benchmarks.gateway_http_parts") -> None:
        command = [sys.executable, "-m", module, *words]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = self._read()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        """Ended, also where nobody came to `end` it."""
        if self._process.poll() is None:
            self._process.kill()
        with self._process:
            pass

    def order(self, **order: Any) -> dict[str, Any]:
        """Have something done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def end(self, *, tells: bool = False) -> dict[str, Any]:
        """Close its standard input and wait."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        told = self._read() if tells else {}
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return told

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "A process of the benchmark ended early."
        told: dict[str, Any] = json.loads(line)
        return told


_SPIN = """
import os
os.sched_setaffinity(0, {core})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print(flush=True)
while True:
    pass
"""


@contextmanager
def kept_awake(core: int) -> Iterator[None]:
    """The core never sleeps meanwhile: a process runs on it when nothing else wants to.

    To wake a sleeping core of a virtual machine takes its host milliseconds at times, which are nobody's of those measured.
    """
    command = [sys.executable, "-c", _SPIN.format(core={core})]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


@contextmanager
def nginx(upstream: int, *, buffering: str) -> Iterator[tuple[int, list[int]]]:
    """One worker of nginx. Gives its port, and the pids whose processor time counts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        folder = Path(scratch)
        conf = folder / "conf"
        conf.write_text(NGINX.format(folder=folder, upstream=upstream, port=port, buffering=buffering, mask="10"))
        master = subprocess.Popen(["nginx", "-c", conf, "-p", folder, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
            yield port, [int(child) for child in children]
        finally:
            master.terminate()
            master.wait(30)


@contextmanager
def proxy(upstream: int, *words: str) -> Iterator[tuple[int, list[int], Process]]:
    """The bare proxy."""
    process = Process("proxy", "--core", "1", "--upstream", str(upstream), *words)
    try:
        yield process.told["port"], [process.told["pid"]], process
    finally:
        process.end()


def _measured(load: Process, port: int, pids: list[int], given: argparse.Namespace, *, parts: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "r" in parts:
        found |= load.order(kind="saturate", port=port, pids=pids, clients=given.clients, seconds=given.seconds)
        found |= load.order(kind="trickle", port=port, per_second=200, seconds=given.seconds)
    if "s" in parts:
        found |= {
            f"stream_{key}": value
            for key, value in load.order(
                kind="stream",
                port=port,
                pids=pids,
                streams=given.streams,
                tick_s=given.tick_ms / 1e3,
                seconds=given.seconds,
            ).items()
        }
    return found


def _round(load: Process, given: argparse.Namespace) -> list[dict[str, Any]]:
    upstream = load.told["port"]
    rows = [{"what": "direct", **_measured(load, upstream, [], given, parts="r")}]
    if shutil.which("nginx"):
        with nginx(upstream, buffering="on") as (port, pids):
            found = _measured(load, port, pids, given, parts="r")
        with nginx(upstream, buffering="off") as (port, pids):
            found |= _measured(load, port, pids, given, parts="s")
        rows.append({"what": "nginx", **found})
    for name, words in [("segue, bare", [])] + ([("segue, standard loop", ["--stock"])] if given.stock else []):
        with proxy(upstream, *words) as (port, pids, _):
            rows.append({"what": name, **_measured(load, port, pids, given, parts="rs")})
    return rows


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    if not shutil.which("nginx"):
        print("nginx is not on this machine: no ratio to it is shown. (Debian: apt-get install nginx-light)")
    load = Process("load", "--core", "0")
    rows: list[dict[str, Any]] = []
    for _ in range(given.rounds):
        rows += _round(load, given)
    with proxy(load.told["port"]) as (port, pids, process):
        load.order(kind="saturate", port=port, pids=pids, clients=given.clients, seconds=1.0)
        connections = process.end(tells=True)["upstream_connections"]
    load.end()
    found = [_median([row for row in rows if row["what"] == what]) for what in dict.fromkeys(row["what"] for row in rows)]
    by_name = {row["what"]: row for row in found}
    base = by_name.get("nginx", {})
    shown = [_row(row, by_name["direct"], base) for row in found]
    table.show(f"Bodies of 2 KB, {given.clients} connections; medians of {given.rounds}", shown)
    print(f"  upstream connections opened for {given.clients} clients: {connections}")
    table.show(
        f"{given.streams:,} streams, a chunk on each every {given.tick_ms:g} ms",
        [
            {
                "what": row["what"],
                "chunks/s": row.get("stream_chunks_per_second"),
                "cpu µs/chunk": row.get("stream_cpu_us_per_chunk"),
                "÷ nginx": _ratio(row, base, "stream_cpu_us_per_chunk"),
                "busy": row.get("stream_busy"),
                "not arrived": row.get("stream_not_arrived"),
            }
            for row in found
            if "stream_chunks_per_second" in row
        ],
    )
    table.save(results, "gateway_http", {"rows": rows, "medians": found, "upstream_connections": connections})


def _row(row: dict[str, Any], direct: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": row["what"],
        "cpu µs/request": row["cpu_us"],
        "÷ nginx": _ratio(row, base, "cpu_us"),
        "requests/s": row["per_second"],
        "busy": row["busy"],
        "p50 ms at 200/s": row["p50_ms"],
        "p50 added": row["p50_ms"] - direct["p50_ms"],
        "p99 added": row["p99_ms"] - direct["p99_ms"],
    }


def _ratio(row: dict[str, Any], base: dict[str, Any], key: str) -> float | None:
    mine, other = row.get(key), base.get(key)
    return mine / other if mine is not None and other else None


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: statistics.median(row[key] for row in rows) if isinstance(value, int | float) else value
        for key, value in rows[0].items()
    }
