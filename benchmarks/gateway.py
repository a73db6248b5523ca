"""The whole gateway, everything on: keys, sticky split, bundle applied, exchange log, cheap scorers; and with a full shadow.

One worker. It, the keeper and the shipping share one core, load and upstream have the other; bodies of 2 KB. Delays are
measured at open rates, once what saturation has left to ship is shipped. Processor time is counted twice: of the worker alone
while it is loaded, and of *every* process of the gateway, from a first drained log to the last, divided by the requests that
the log has got meanwhile, which have to be all that were answered. Quote ratios to nginx in the same run.

What is compared is compared within a round, too. Whoever else has work for this machine's host, or for its caches, makes
everything slower and nothing faster: of processor time, the least of all rounds is nearest to what the program itself takes.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.gateway_http import Process, kept_awake, nginx, proxy
from benchmarks.gateway_http_parts import used_s
from benchmarks.workspace import BESIDE, write_json

RATES = (200, 1000)
"""Open rates for the delay, a second."""
SEGUE = ("segue, all on", "segue, all on, 100 % shadow")
KEY = "sg-" + "5a" * 32
SAID = "Thank you for your message. " * 60
ASKED = "Where is my order? It was due on Monday. " * 42


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=64, help="connections at saturation")
    parser.add_argument("--rounds", type=int, default=3, help="each is measured so often, in turn; medians are shown")


def write_wire(folder: Path) -> None:
    """The request and the answer as bytes, bodies of about 2 KB each."""
    folder.mkdir()
    asked = {"model": "bench", "messages": [{"role": "user", "content": ASKED}], "user": "user-0123456789"}
    body = json.dumps(asked).encode()
    fields = (
        "host: bench\r\naccept: application/json\r\ncontent-type: application/json\r\nuser-agent: OpenAI/Python 2.1\r\n"
        f"authorization: Bearer {KEY}\r\nx-stainless-lang: python\r\n"
    )
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{fields}content-length: {len(body)}\r\n\r\n"
    (folder / "ask").write_bytes(head.encode() + body)
    body = json.dumps({**asked, "model": "streams", "stream": True}).encode()
    # Asked of a proxy that knows no workflows it is a stream too: the path says so.
    head = f"POST /v1/chat/completions?/v1/stream HTTP/1.1\r\n{fields}content-length: {len(body)}\r\n\r\n"
    (folder / "ask_stream").write_bytes(head.encode() + body)
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAID}}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 350, "total_tokens": 750},
    }
    said = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
    (folder / "answer").write_bytes(head.encode() + said)


@contextmanager
def least(upstream: int, what: str) -> Iterator[tuple[int, list[int]]]:
    """The yardsticks of `gateway_least`."""
    process = Process(what, "--upstream", str(upstream), module="benchmarks.gateway_least")
    try:
        yield process.told["port"], [process.told["pid"]]
    finally:
        process.end()


@contextmanager
def gateway(folder: Path, upstream: int, *, shadow: bool, base: str = "v1") -> Iterator[tuple[int, list[int], list[int]]]:
    """`segue gateway` with one worker. Gives its port, the worker's pid, and the pids of all its processes."""
    from segue.gateway.keys import hash_key

    entry = {"type": "openai", "base_url": f"http://127.0.0.1:{upstream}/{base}"}
    keys = [{"name": "bench", "hash": hash_key(KEY), "workflows": ["bench"]}]
    write_json(folder / "segue.yaml", {"version": 1, "providers": {"there": entry}, "gateway": {"keys": keys}})
    home = folder / "workflows" / "bench"
    scorer = {"name": "right", "type": "contains"}
    write_json(home / "workflow.yaml", {"scorers": [scorer], "gate": {"primary": ["right"]}})
    for label in ("old", "new"):  # of one length, for the load counts bytes
        prompt = {"system": f"You are the customer service of a shop, version {label}. Be brief and friendly."}
        bundle = {"model": {"provider": "there", "snapshot": label}, "prompt": prompt, "parameters": {"max_output_tokens": 500}}
        write_json(home / "bundles" / f"{label}.yaml", bundle)
    write_json(
        home / "suites" / "main.jsonl", {"case_id": "c", "messages": [{"role": "user", "content": "Hi"}], "reference": "x"}
    )
    segue: list[str] = [sys.executable, "-c", "from segue.cli import main; main()"]
    environment = {**os.environ, **BESIDE}
    route = ["route", "set", "bench", "old", "--candidate", "new", "--share", "0%", "--segment", "banks:0%:tier=bank"]
    route += ["--shadow", "100%"] if shadow else []
    subprocess.run([*segue, *route], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        [*segue, "gateway", "--port", "0", "--json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {1}),
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        everything = [process.pid, *map(int, children)]
        yield int(told["url"].rpartition(":")[2]), _workers(folder, process.pid), everything
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _workers(folder: Path, keeper: int) -> list[int]:
    import socket

    from segue.gateway.control import socket_folder

    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(socket_folder(folder / ".segue") / f"{keeper}.sock"))
        line.sendall(b'{"do": "sync"}\n')
        found = json.loads(b"".join(iter(lambda: line.recv(65_536), b"")))
    return [one["pid"] for one in found["workers"]]


@contextmanager
def warm_gateway(load: Process, folder: Path, *, shadow: bool) -> Iterator[tuple[int, list[int], list[int], Any]]:
    """A gateway that has served and shipped a little. Gives its port, the worker's pid, those of all processes, and its log."""
    from segue.exchanges.query import ExchangeLog

    with gateway(folder, load.told["port"], shadow=shadow) as (port, worker, everything):
        log = ExchangeLog(folder / ".segue" / "spool", folder / ".segue" / "exchanges")
        # Shipping imports what it needs when it starts and with its first batch: over a second, which is no request's.
        load.order(kind="saturate", port=port, pids=worker, clients=4, seconds=1.0)
        drained(log)
        yield port, worker, everything, log


def measure_segue(load: Process, folder: Path, given: argparse.Namespace, *, shadow: bool) -> dict[str, Any]:
    """Saturation and a trickle, then the whole bill."""
    name = SEGUE[shadow]
    with warm_gateway(load, folder, shadow=shadow) as (port, worker, everything, log):
        before, began = sum(map(used_s, everything)), log.recount().archived
        found = load.order(kind="saturate", port=port, pids=worker, clients=given.clients, seconds=given.seconds)
        # At a steady rate nothing waits to be shipped; what saturation left behind is not these requests' company.
        drained(log)
        found |= _delays(load, port, given)
        drained(log)
        spent = sum(map(used_s, everything)) - before
        kept = log.recount().archived - began
    per_request = 2 if shadow else 1
    return {"what": name, **found, "all_us": spent / (kept / per_request) * 1e6, "kept": kept}


def _delays(load: Process, port: int, given: argparse.Namespace) -> dict[str, Any]:
    """What an answer takes at each open rate."""
    found: dict[str, Any] = {}
    for rate in RATES:
        told = load.order(kind="trickle", port=port, per_second=rate, seconds=given.seconds)
        found |= {f"p50 at {rate}/s": told["p50_ms"], f"p99 at {rate}/s": told["p99_ms"]}
    return found


def drained(log: Any) -> None:
    """Wait until everything that was kept is in the archive."""
    while log.recount().waiting:
        time.sleep(0.2)


def _round(load: Process, root: Path, number: int, given: argparse.Namespace) -> list[dict[str, Any]]:
    upstream = load.told["port"]

    def ask(port: int, pids: list[int]) -> dict[str, Any]:
        found = load.order(kind="saturate", port=port, pids=pids, clients=given.clients, seconds=given.seconds)
        return found | _delays(load, port, given)

    rows = [{"what": "direct", **ask(upstream, [])}]
    if shutil.which("nginx"):
        with nginx(upstream, buffering="on") as (port, pids):
            rows.append({"what": "nginx", **ask(port, pids)})
    for what, name in [("bare", "httptools and uvloop, bare"), ("least", "the least of a gateway upon them")]:
        with least(upstream, what) as (port, pids):
            rows.append({"what": name, **ask(port, pids)})
    with proxy(upstream) as (port, pids, _):
        rows.append({"what": "segue's HTTP layer alone", **ask(port, pids)})
    for shadow in (False, True):
        rows.append(measure_segue(load, root / f"{number}-{shadow}", given, shadow=shadow))
    return rows


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = Path(scratch)
        write_wire(root / "wire")
        load = Process("load", "--core", "0", "--wire", str(root / "wire"))
        with kept_awake(1):
            for number in range(given.rounds):
                rows += _round(load, root, number, given)
        load.end()
    found = [_median([row for row in rows if row["what"] == what]) for what in dict.fromkeys(row["what"] for row in rows)]
    by_name = {row["what"]: row for row in found}
    base, direct = by_name.get("nginx", {}), by_name["direct"]
    shown = [
        {
            "what": row["what"],
            "worker µs/request": row.get("cpu_us"),
            "÷ nginx": _ratio(row.get("cpu_us"), base.get("cpu_us")),
            "all µs/request": row.get("all_us"),
            "÷ nginx ": _ratio(row.get("all_us"), base.get("cpu_us")),
            "requests/s": row["per_second"],
            "busy": row.get("busy"),
            **{f"{name}, ms": row[name] - direct[name] for name in row if name.startswith(("p50 at", "p99 at"))},
            "kept": row.get("kept"),
        }
        for row in found
    ]
    table.show(f"Bodies of 2 KB, {given.clients} connections, delays added; medians of {given.rounds}", shown)
    compared = _compared(rows)
    table.show("Within a round: median (least to most)", compared)
    table.save(results, "gateway", {"rows": rows, "medians": found, "within_a_round": compared})


def _compared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a round's rows say of each other; rows of one thing are in the order of their rounds."""

    def of(what: str, key: str) -> list[float]:
        return [row[key] for row in rows if row["what"] == what]

    def compared(name: str, one: list[float], other: list[float], by: Callable[[float, float], float]) -> dict[str, Any]:
        # Without nginx there is no other.
        return {"what": name, **_spread([by(a, b) for a, b in zip(one, other, strict=bool(other))])}

    alone = of("nginx", "cpu_us")
    delays = [f"p99 at {rate}/s" for rate in RATES]
    return [
        *(compared(f"{what}: worker ÷ nginx", of(what, "cpu_us"), alone, operator.truediv) for what in SEGUE),
        *(compared(f"{what}: all ÷ nginx", of(what, "all_us"), alone, operator.truediv) for what in SEGUE),
        *({"what": f"{what}: worker, µs", **_spread(of(what, "cpu_us"))} for what in ("nginx", *SEGUE)),
        compared("a shadow adds in the worker, µs", of(SEGUE[1], "cpu_us"), of(SEGUE[0], "cpu_us"), operator.sub),
        *(compared(f"{name} added, ms", of(SEGUE[0], name), of("direct", name), operator.sub) for name in delays),
        *(compared(f"{name} a shadow adds, ms", of(SEGUE[1], name), of(SEGUE[0], name), operator.sub) for name in delays),
    ]


def _spread(values: list[float]) -> dict[str, Any]:
    if not values:
        return {"median": None, "least": None, "most": None}
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    return {
        key: statistics.median(row[key] for row in rows) if isinstance(value, int | float) else value
        for key, value in first.items()
    }
