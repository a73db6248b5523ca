"""Flips under load: from the decision until the last worker of the gateway has confirmed, and what became of the requests.

A gateway of several workers serves an open load; the same functions that `segue route flip` calls put one bundle and the other
in force in turn, and wait. Beside it stand an idle run and, on PostgreSQL, flips that are confirmed through the database alone,
as those of other machines are, and a bare `NOTIFY` round trip between each two flips. Counted: requests that failed, and of
those *sent* after a flip was confirmed and before the next was decided, those that the old bundle served.
The idle run also counts the processor time of a flip, of all processes that take part: it depends less on who else is busy.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.gateway_http import Process
from benchmarks.gateway_http_parts import used_s
from benchmarks.workspace import BESIDE, SEGUE, write_json
from segue.store.base import Store

KEY = "sg-" + "5b" * 32
LABELS = ("one", "two", "six")
CPU = "cpu ms/flip"
STATE = ".segue/state.db"
WHO = {"author": "benchmark", "at": "2026-01-01T00:00:00Z"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite", help="where routes are kept")
    parser.add_argument("--postgres-url", help="of a PostgreSQL to use; without it, one is started (without fsync)")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--flips", type=int, default=1000, help="under load; the idle run makes a fifth of them")
    parser.add_argument("--per-second", type=float, default=200.0, help="requests, at an open rate")
    parser.add_argument("--connections", type=int, default=32, help="of the clients, over all workers")
    parser.add_argument("--pause-ms", type=float, default=25.0, help="between a confirmation and the next decision")


@dataclass(frozen=True)
class Flip:
    """One of them: when it was decided and confirmed (ns), and the bundle it put in force."""

    decided: int
    confirmed: int
    digest: str

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.confirmed - self.decided) / 1e6


@dataclass(frozen=True)
class Served:
    """A gateway that serves: its port, and the process that keeps the others."""

    port: int
    pid: int

    def used_ms(self) -> float:
        """Processor time of all its processes so far, and of this one, which flips."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(used_s(pid) for pid in (self.pid, os.getpid(), *map(int, children))) * 1e3


class Flipper:
    """Puts the one bundle and the other in force, in turn, as the command does."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        last = store.find_route("bench", "production")
        self._revision, self._route = last.revision, last.route
        self._digests = [store.find_bundle("bench", label).bundle.digest for label in LABELS]

    def flip(self, *, sockets: bool = True) -> Flip:
        """The next one. Without `sockets` it is confirmed through the store alone, as on another machine."""
        from segue.gateway.control import confirm_flip

        # Three in turn: an answer by the bundle before is then never taken for one by the bundle after.
        digest = self._digests[self._revision % 3]
        route = self._route.model_copy(update={"incumbent": digest})
        decided = time.perf_counter_ns()
        flipped = self._store.flip_route(route, follows=self._revision, reason="benchmark", **WHO)
        confirmed = confirm_flip(self._store, self._folder if sockets else self._folder / "none", flipped)
        done = time.perf_counter_ns()
        assert confirmed, "a gateway is there"
        for one in confirmed:
            assert one.fault is None, one
            assert one.revision == flipped.revision, one
        self._revision, self._route = flipped.revision, route
        return Flip(decided, done, digest)


@contextmanager
def gateway(folder: Path, upstream: int, workers: int, address: str | None) -> Iterator[Served]:
    """A workspace with two bundles and a route, and its gateway."""
    from segue.gateway.keys import hash_key

    entry = {"type": "openai", "base_url": f"http://127.0.0.1:{upstream}/v1"}
    keys = [{"name": "bench", "hash": hash_key(KEY), "workflows": ["bench"]}]
    state = "${SEGUE_BENCH_STATE}" if address else STATE
    write_json(folder / "segue.yaml", {"version": 1, "state": state, "providers": {"there": entry}, "gateway": {"keys": keys}})
    home = folder / "workflows" / "bench"
    scorer = {"name": "right", "type": "contains"}
    write_json(home / "workflow.yaml", {"scorers": [scorer], "gate": {"primary": ["right"]}})
    for label in LABELS:
        prompt = {"system": f"You are the customer service of a shop, version {label}. Be brief and friendly."}
        write_json(home / "bundles" / f"{label}.yaml", {"model": {"provider": "there", "snapshot": label}, "prompt": prompt})
    case = {"case_id": "c", "messages": [{"role": "user", "content": "Hi"}], "reference": "x"}
    write_json(home / "suites" / "main.jsonl", case)
    environment = {**os.environ, **BESIDE, "SEGUE_BENCH_STATE": address or ""}
    for label in LABELS:
        route = [*SEGUE, "route", "set", "bench", label]
        subprocess.run(route, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    command = [*SEGUE, "gateway", "--port", "0", "--json", "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield Served(int(json.loads(process.stdout.readline())["url"].rpartition(":")[2]), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@contextmanager
def database(given: argparse.Namespace) -> Iterator[str | None]:
    """The address of the PostgreSQL to use; none on SQLite."""
    if given.store == "sqlite":
        yield None
    elif given.postgres_url:
        yield given.postgres_url
    else:
        from tests.store.postgres import find_programs, running_server

        programs = find_programs()
        if programs is None:
            raise SystemExit("There is no PostgreSQL server program on this machine: name a server with --postgres-url.")
        with running_server(programs) as server:
            yield server.new_database()


@contextmanager
def bare_notify(address: str) -> Iterator[Callable[[], float]]:
    """Times a `NOTIFY` from one connection to another, in milliseconds: what no flip through the database can be below."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as sends, psycopg.connect(address, autocommit=True) as hears:
        hears.execute("LISTEN segue_benchmark")

        def once() -> float:
            began = time.perf_counter()
            sends.execute("NOTIFY segue_benchmark")
            for _ in hears.notifies(timeout=30, stop_after=1):
                pass
            return (time.perf_counter() - began) * 1e3

        yield once


def judge(flips: list[Flip], requests: list[tuple[int, int, int, str]]) -> dict[str, int]:
    """What became of them. One sent after a confirmation may be served by that flip, or by one decided before its answer."""
    confirmed = [flip.confirmed for flip in flips]
    found = {"requests": len(requests), "failed": 0, "after a confirmation": 0, "by the old pointer": 0}
    for sent, done, status, bundle in requests:
        found["failed"] += status != 200
        at = bisect.bisect_right(confirmed, sent) - 1
        if at >= 0 and status == 200 and (at + 1 == len(flips) or sent < flips[at + 1].decided):
            found["after a confirmation"] += 1
            allowed = [flip.digest for flip in flips[at:] if flip.decided < done]
            found["by the old pointer"] += not any(digest.startswith(bundle) for digest in allowed)
    return found


def run(name: str, make: Callable[[], Flip], number: int, pause_s: float, beside: Callable[[], object]) -> list[Flip]:
    """So many flips, with a pause after each."""
    flips = []
    for done in count(1):
        flips.append(make())
        beside()
        time.sleep(pause_s)
        if done == number:
            break
        if done % 100 == 0:
            print(f"  {name}: {done} of {number}", file=sys.stderr)
    return flips


def row(what: str, times: list[float], **more: Any) -> dict[str, Any]:
    """A line of the table."""
    ordered = sorted(times)
    at = {share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)}
    return {"what": what, "count": len(times), "p50 ms": at[0.5], "p99 ms": at[0.99], "max ms": ordered[-1], **more}


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    from segue.gateway.control import socket_folder
    from segue.store import open_store

    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
        address = stack.enter_context(database(given))
        load = Process(KEY, str(folder / "records"), module="benchmarks.flips_parts")
        stack.callback(load.end)
        served = stack.enter_context(gateway(folder, load.told["port"], given.workers, address))
        store = open_store(address or folder / STATE)
        stack.callback(store.close)
        flipper = Flipper(store, socket_folder(folder / ".segue"))
        notified: list[float] = []
        notify = stack.enter_context(bare_notify(address)) if address else None

        def beside() -> None:
            if notify is not None:
                notified.append(notify())

        def loaded(what: str, make: Callable[[], Flip]) -> None:
            load.order(kind="begin", port=served.port, per_second=given.per_second, connections=given.connections)
            flips = run(what, make, given.flips, given.pause_ms / 1e3, beside)
            load.order(kind="end")
            requests = [tuple(one) for one in json.loads((folder / "records").read_text())]
            took = [(done - sent) / 1e6 for sent, done, _, _ in requests]
            rows.append(row(what, [flip.ms for flip in flips], **judge(flips, requests)))
            rows.append(row("  the requests of that run", took))

        used = served.used_ms()
        idle = run("idle", flipper.flip, max(1, given.flips // 5), given.pause_ms / 1e3, beside)
        rows.append(row("idle", [flip.ms for flip in idle], **{CPU: (served.used_ms() - used) / len(idle)}))
        loaded(f"{given.per_second:g} requests a second", flipper.flip)
        if address:
            loaded(f"{given.per_second:g} a second, confirmed through the database", lambda: flipper.flip(sockets=False))
            rows.append(row("a bare NOTIFY round trip, in between", notified))
    columns = (CPU, "requests", "failed", "after a confirmation", "by the old pointer")
    shown = [{**one, **{name: one.get(name) for name in columns}} for one in rows]
    table.show(f"Flips of {given.workers} workers, {given.store}: decision to last confirmation", shown)
    table.save(results, f"flips_{given.store}", {"rows": rows})
