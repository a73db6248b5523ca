"""Rollbacks under load: from the decision until the last worker of the last gateway confirmed, and what became of the requests.

Several gateways of several workers serve an open load. In each round an upgrade is opened and the candidate is given half of
everyone, as a canary would; then it is rolled back by the functions that `segue rollback` calls: who may, the flip, the word of
the gateways; afterwards the entry of the log and the incident. Counted: requests that failed, and of those *sent* after a
rollback was confirmed and answered before the next candidate was let in, those that a candidate served.
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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.flips import KEY, STATE, WHO, database, gateway, row
from benchmarks.gateway_http import Process
from benchmarks.workspace import BESIDE, SEGUE
from segue.store.base import Store

WORKFLOW, PLACE = "bench", "production"
NOW = 1_767_225_600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite", help="where routes are kept")
    parser.add_argument("--postgres-url", help="of a PostgreSQL to use; without it, one is started (without fsync)")
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--workers", type=int, default=4, help="of each gateway")
    parser.add_argument("--rollbacks", type=int, default=1000, help="under load; the idle run makes a fifth of them")
    parser.add_argument("--per-second", type=float, default=200.0, help="requests, at an open rate, over all gateways")
    parser.add_argument("--connections", type=int, default=32, help="of the clients, over all gateways")
    parser.add_argument("--pause-ms", type=float, default=25.0, help="between a confirmation and the next flip")


@dataclass(frozen=True)
class Round:
    """When the candidate was let in, and when taking it back was decided and confirmed (ns)."""

    exposed: int
    decided: int
    confirmed: int

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.confirmed - self.decided) / 1e6


class Roller:
    """Lets a candidate in and takes it back, with an upgrade of its own each time."""

    def __init__(self, store: Store, folder: Path, pause_s: float) -> None:
        self._store, self._folder, self._pause_s = store, folder, pause_s
        self._digests = [store.find_bundle(WORKFLOW, label).bundle.digest for label in ("one", "two", "six")]
        self._rounds = 0

    @property
    def incumbent(self) -> str:
        """Whom everyone goes back to."""
        return self._digests[0]

    def once(self) -> Round:
        """One round."""
        from segue.controller.rolling_back import note_rollback, take_back
        from segue.gateway.control import confirm_flip

        store, self._rounds = self._store, self._rounds + 1
        exposed = time.perf_counter_ns()
        last = store.find_route(WORKFLOW, PLACE)
        change = {"incumbent": self.incumbent, "candidate": self._digests[1 + self._rounds % 2], "share": 0.5}
        route = last.route.model_copy(update=change)
        self._open(change["candidate"])
        who: dict[str, Any] = {**WHO}
        stepped = store.flip_route(route, follows=last.revision, reason="step", **who)
        self._confirmed(confirm_flip(store, self._folder, stepped))
        time.sleep(self._pause_s)
        said: dict[str, Any] = {"by": "benchmark", "reason": "it burns", "at": NOW}
        decided = time.perf_counter_ns()
        done = take_back(store, WORKFLOW, **said)
        found = confirm_flip(store, self._folder, done.revision)
        confirmed = time.perf_counter_ns()
        self._confirmed(found)
        noted = note_rollback(store, done, **said)
        assert done.is_new, done
        assert noted.incident is not None, noted
        time.sleep(self._pause_s)
        return Round(exposed, decided, confirmed)

    def _confirmed(self, found: list[Any]) -> None:
        assert found, "gateways are there"
        for one in found:
            assert one.fault is None, one

    def _open(self, candidate: Any) -> None:
        """An upgrade in canary."""
        from segue.model.plan import Plan, PlanStep
        from segue.model.plan_gate import PlanGate
        from segue.upgrade.log import Opening, UpgradeEntry

        plan = Plan(steps=(PlanStep(share=0.5, hold=1.0),), gates=(PlanGate(metric="right"),))
        name = f"bench-{self._rounds}"
        opening = Opening(
            upgrade=name, workflow=WORKFLOW, incumbent=self.incumbent, candidate=candidate, plan=plan, by="benchmark", at=NOW
        )
        self._store.open_upgrade(name, WORKFLOW, PLACE, opening.model_dump(mode="json"), **WHO)
        state = opening.state.model_copy(update={"stage": "canary", "number": 1})
        entry = UpgradeEntry(upgrade=name, number=1, event="passed", at=NOW, state=state)
        self._store.add_upgrade_entry(name, 1, entry.model_dump(mode="json"), ends=False, fence=None, **WHO)


def judge(rounds: list[Round], incumbent: str, requests: list[tuple[int, int, int, str]]) -> dict[str, int]:
    """What became of them."""
    confirmed = [one.confirmed for one in rounds]
    found = {
        "requests": len(requests),
        "failed": 0,
        "by a candidate": 0,
        "after a confirmation": 0,
        "of these by a candidate": 0,
    }
    for sent, done, status, bundle in requests:
        found["failed"] += status != 200
        strays = status == 200 and not incumbent.startswith(bundle)
        found["by a candidate"] += strays
        at = bisect.bisect_right(confirmed, sent) - 1
        if at >= 0 and status == 200 and (at + 1 == len(rounds) or done < rounds[at + 1].exposed):
            found["after a confirmation"] += 1
            found["of these by a candidate"] += strays
    return found


@contextmanager
def another_gateway(folder: Path, workers: int, address: str | None) -> Iterator[int]:
    """One more of the same workspace; its port."""
    environment = {**os.environ, **BESIDE, "SEGUE_BENCH_STATE": address or ""}
    command = [*SEGUE, "gateway", "--port", "0", "--json", "--workers", str(workers)]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@dataclass(frozen=True)
class Loads:
    """A process of clients for each gateway."""

    processes: list[tuple[Process, Path, int]]

    def begin(self, per_second: float, connections: int) -> None:
        """All of them, sharing the rate."""
        count = len(self.processes)
        for process, _, port in self.processes:
            process.order(kind="begin", port=port, per_second=per_second / count, connections=max(1, connections // count))

    def end(self) -> list[tuple[int, int, int, str]]:
        """What they saw."""
        for process, _, _ in self.processes:
            process.order(kind="end")
        return [tuple(one) for _, records, _ in self.processes for one in json.loads(records.read_text())]


@contextmanager
def stage(given: argparse.Namespace) -> Iterator[tuple[Roller, Loads]]:
    """Gateways, their clients, and whoever rolls back."""
    from segue.gateway.control import socket_folder
    from segue.store import open_store

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
        address = stack.enter_context(database(given))
        loads = []
        for number in range(given.gateways):
            load = Process(KEY, str(folder / f"records-{number}"), module="benchmarks.flips_parts")
            stack.callback(load.end)
            loads.append((load, folder / f"records-{number}"))
        ports = [stack.enter_context(gateway(folder, loads[0][0].told["port"], given.workers, address)).port]
        ports += [stack.enter_context(another_gateway(folder, given.workers, address)) for _ in range(given.gateways - 1)]
        store = open_store(address or folder / STATE)
        stack.callback(store.close)
        roller = Roller(store, socket_folder(folder / ".segue"), given.pause_ms / 1e3)
        yield roller, Loads([(load, records, port) for (load, records), port in zip(loads, ports, strict=True)])


def run(name: str, roller: Roller, number: int) -> list[Round]:
    """So many, one after the other."""
    rounds = []
    for done in range(number):
        rounds.append(roller.once())
        if (done + 1) % 100 == 0:
            print(f"  {name}: {done + 1} of {number}", file=sys.stderr)
    return rounds


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    rows: list[dict[str, Any]] = []
    with stage(given) as (roller, loads):
        idle = run("idle", roller, max(1, given.rollbacks // 5))
        rows.append(row("idle", [one.ms for one in idle]))
        what = f"{given.per_second:g} requests a second"
        loads.begin(given.per_second, given.connections)
        rounds = run(what, roller, given.rollbacks)
        requests = loads.end()
        rows.append(row(what, [one.ms for one in rounds], **judge(rounds, roller.incumbent, requests)))
        rows.append(row("  the requests of that run", [(done - sent) / 1e6 for sent, done, _, _ in requests]))
    columns = ("requests", "failed", "by a candidate", "after a confirmation", "of these by a candidate")
    shown = [{**one, **{name: one.get(name) for name in columns}} for one in rows]
    title = f"Rollbacks, {given.gateways} gateways of {given.workers} workers, {given.store}: decision to last confirmation"
    table.show(title, shown)
    table.save(results, f"rollbacks_{given.store}", {"rows": rows})
