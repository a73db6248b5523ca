"""What the parts of a worker cost, one upon the other, beside nginx in the same run: where a request's processor time goes.

*Protocols alone* are two asyncio protocols with httptools between them, no limits and no time-outs: the least Python can do
here. Then the gateway's connection layer, its handler with nothing kept, the log in memory, and the log as it is. Every part
has core 1 for itself, load and upstream share core 0; `gateway` measures real processes, shipping included.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

from benchmarks import table
from benchmarks.gateway import KEY, write_wire
from benchmarks.gateway_http import Process, nginx, proxy
from benchmarks.gateway_http_parts import pin

LOGS = ("nothing", "memory", "spool")
SYSTEM = "You are the customer service of a shop, version now. Be brief and friendly."


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=64, help="connections at saturation")
    parser.add_argument("--rounds", type=int, default=3, help="each is measured so often, in turn; medians are shown")
    parser.add_argument("--streams", type=int, default=500, help="for the cost of a chunk")
    parser.add_argument("--only", help="rows whose name holds this, and nginx")


class _There(asyncio.Protocol):
    """A connection to the upstream, for the least there is."""

    def __init__(self, free: list[_There]) -> None:
        import httptools

        self.parser = httptools.HttpResponseParser(self)
        self.free = free
        self.client: _Here | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body = body

    def on_message_complete(self) -> None:
        client, self.client = self.client, None
        assert client is not None
        self.free.append(self)
        client.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(self.body), self.body)
        )


class _Here(asyncio.Protocol):
    """A client's connection, for the least there is."""

    def __init__(self, free: list[_There], port: int) -> None:
        import httptools

        self.parser = httptools.HttpRequestParser(self)
        self.free, self.port = free, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body = body

    def on_message_complete(self) -> None:
        if self.free:
            self.ask(self.free.pop())
        else:
            self.opening = asyncio.get_running_loop().create_task(self.open())

    async def open(self) -> None:
        made = await asyncio.get_running_loop().create_connection(lambda: _There(self.free), "127.0.0.1", self.port)
        self.ask(made[1])

    def ask(self, there: _There) -> None:
        there.client = self
        there.transport.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: there\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(self.body), self.body)
        )


async def _serve_floor(upstream: int) -> int:
    free: list[_There] = []
    listener = await asyncio.get_running_loop().create_server(lambda: _Here(free, upstream), "127.0.0.1", 0, backlog=1024)
    return int(listener.sockets[0].getsockname()[1])


def _sources(upstream: int, *, is_shadowed: bool) -> Any:
    """Two workflows, one of them answered in streams, with a candidate and a segment each."""
    from segue.gateway.planes import Sources
    from segue.model import Bundle, ModelRef, Parameters, Prompt
    from segue.model.route import Route, RouteRevision
    from segue.providers.config import parse_provider

    bundles: dict[str, Bundle] = {}
    revisions, providers = [], {}
    for workflow, path in (("bench", "v1"), ("streams", "v1/stream")):
        made = [
            Bundle(
                workflow=workflow,
                model=ModelRef(provider=workflow, snapshot=label),
                prompt=Prompt(system=SYSTEM),
                parameters=Parameters(max_output_tokens=500),
            )
            for label in ("now", "next")
        ]
        bundles |= {one.digest: one for one in made}
        segment = {"segment": "banks", "share": 0.0, "where": {"tier": ["bank"]}}
        pair = {"incumbent": made[0].digest, "candidate": made[1].digest}
        mirrored = {"shadow": {"share": 1.0}} if is_shadowed else {}
        route = Route.model_validate({"workflow": workflow, **pair, "share": 0.0, "segments": [segment], **mirrored})
        revisions.append(RouteRevision(1, route, "bench", "bench", "t"))
        entry = {"type": "openai", "base_url": f"http://127.0.0.1:{upstream}/{path}"}
        providers[workflow] = parse_provider(workflow, entry)
    return Sources(tuple(revisions), bundles, providers, {})


async def _serve_gateway(upstream: int, log: str, spool: Any, *, is_shadowed: bool) -> int:
    """The worker's own parts in one process, without its keeper."""
    from segue.gateway.asking import Effects
    from segue.gateway.handler import Gateway
    from segue.gateway.http import Deadlines, Server, Upstream, UpstreamLimits
    from segue.gateway.keys import KeyRing, hash_key
    from segue.gateway.planes import Planes
    from segue.gateway.shadow import Shadows
    from segue.model.serving import GatewayKey

    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop.time, loop.call_later)
    limits = UpstreamLimits(connections=2048)
    planes = Planes(lambda origin: Upstream(origin, deadlines=deadlines, clock=loop.time, limits=limits), {})
    ids = count(1)

    def new_id() -> str:
        return f"{next(ids):022x}"

    kept: list[Any] = [None]

    def in_memory(*what: Any) -> int:
        kept[0] = what
        return 1

    keep = {"nothing": lambda *_: 1, "memory": in_memory}.get(log) or spool.append
    effects = Effects(time.perf_counter_ns, keep, lambda _: None)
    gateway = Gateway(
        plane=planes.build(_sources(upstream, is_shadowed=is_shadowed)),
        keys=KeyRing([GatewayKey(name="bench", hash=hash_key(KEY), workflows=("bench", "streams"))]),
        effects=effects,
        wall_ns=time.time_ns,
        new_id=new_id,
        shadows=Shadows(effects, new_id, loop.call_soon),
        readiness=lambda: {"ready": True},
    )
    server = Server(
        gateway,
        deadlines=deadlines,
        clock=loop.time,
        refusal_text=gateway.word_refusal,
        early_answer=gateway.answer_head,
        shortcut=gateway.shortcut,
    )
    port = await server.listen()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    return port


def run_part(part: str, upstream: int, *, is_shadowed: bool) -> None:
    """One part as a process: says its port, ends with its standard input."""
    import uvloop

    from segue.exchanges.spool import SpoolSettings, SpoolThread

    async def serve() -> None:
        with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
            thread = SpoolThread(SpoolSettings(Path(scratch), "w", total_bytes=64 << 30)) if part == "spool" else None
            stop = asyncio.get_running_loop().create_task(_sweep(Path(scratch)))
            spool = thread and thread.spool
            port = await (
                _serve_floor(upstream) if part == "floor" else _serve_gateway(upstream, part, spool, is_shadowed=is_shadowed)
            )
            print(json.dumps({"port": port, "pid": os.getpid()}), flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            stop.cancel()
            if thread is not None:
                thread.close()

    pin(1)
    uvloop.run(serve())


async def _sweep(folder: Path) -> None:
    """In the place of shipping: finished segments go, for the disk is not without end."""
    while True:
        await asyncio.sleep(1)
        for path in sorted(folder.glob("*.spool"))[:-3]:
            path.unlink(missing_ok=True)


@contextmanager
def _part(name: str, upstream: int, *, is_shadowed: bool = False) -> Iterator[tuple[int, list[int]]]:
    words = ["--shadow"] if is_shadowed else []
    process = Process("part", "--part", name, "--upstream", str(upstream), *words, module="benchmarks.gateway_parts")
    try:
        yield process.told["port"], [process.told["pid"]]
    finally:
        process.end()


def _round(load: Process, given: argparse.Namespace) -> list[dict[str, Any]]:
    upstream = load.told["port"]

    def asked(what: str, port: int, pids: list[int], *, streams: bool = False) -> dict[str, Any]:
        found = load.order(kind="saturate", port=port, pids=pids, clients=given.clients, seconds=given.seconds)
        found |= load.order(kind="trickle", port=port, per_second=200, seconds=given.seconds)
        if streams:
            order = {"streams": given.streams, "tick_s": 0.02, "seconds": given.seconds}
            told = load.order(kind="stream", port=port, pids=pids, **order)
            found |= {f"stream_{name}": value for name, value in told.items()}
        return {"what": what, **found}

    rows = [asked("direct", upstream, [])]
    if shutil.which("nginx"):
        with nginx(upstream, buffering="off") as (port, pids):
            rows.append(asked("nginx", port, pids, streams=True))
    parts = {"protocols alone": "floor", "connection layer": "", **{f"handler, log: {log}": log for log in LOGS}}
    for what, part in parts.items():
        if given.only and given.only not in what:
            continue
        if part:
            with _part(part, upstream) as (port, pids):
                rows.append(asked(what, port, pids, streams=part == "spool"))
        else:
            with proxy(upstream) as (port, pids, _):
                rows.append(asked(what, port, pids, streams=True))
    for log in LOGS:
        what = f"handler, log: {log}, 100 % shadow"
        if not given.only or given.only in what:
            with _part(log, upstream, is_shadowed=True) as (port, pids):
                rows.append(asked(what, port, pids))
    return rows


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        write_wire(Path(scratch) / "wire")
        load = Process("load", "--core", "0", "--wire", str(Path(scratch) / "wire"))
        for _ in range(given.rounds):
            rows += _round(load, given)
        load.end()
    names = list(dict.fromkeys(row["what"] for row in rows))
    found = [{"what": name, **_median([row for row in rows if row["what"] == name])} for name in names]
    base = next((row for row in found if row["what"] == "nginx"), {})
    table.show(
        f"Bodies of 2 KB, {given.clients} connections; {given.streams} streams, 50 chunks/s each; medians of {given.rounds}",
        [
            {
                "what": row["what"],
                "µs/request": row.get("cpu_us"),
                "÷ nginx": _ratio(row.get("cpu_us"), base.get("cpu_us")),
                "requests/s": row["per_second"],
                "busy": row.get("busy"),
                "p50 ms at 200/s": row["p50_ms"],
                "p99 ms": row["p99_ms"],
                "µs/chunk": row.get("stream_cpu_us_per_chunk"),
                "÷ nginx ": _ratio(row.get("stream_cpu_us_per_chunk"), base.get("stream_cpu_us_per_chunk")),
            }
            for row in found
        ],
    )
    table.save(results, "gateway_parts", {"rows": rows, "medians": found})


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        key: statistics.median(row[key] for row in rows) for key, value in rows[0].items() if isinstance(value, int | float)
    }


def main() -> None:
    """One of the processes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("part",))
    parser.add_argument("--part", choices=("floor", *LOGS))
    parser.add_argument("--upstream", type=int)
    parser.add_argument("--shadow", action="store_true")
    given = parser.parse_args()
    run_part(given.part, given.upstream, is_shadowed=given.shadow)


if __name__ == "__main__":
    main()
