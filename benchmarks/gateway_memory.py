"""Memory of the gateway's processes over a million requests, everything on; and whether the log holds them all.

Resident memory is read each tenth of the way. The first tenth warms up (connections, segments of the log); what counts is
whether the rest grows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.gateway import gateway, write_wire
from benchmarks.gateway_http import Process


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--shadow", action="store_true", help="with a full shadow")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    from segue.exchanges.query import ExchangeLog

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = Path(scratch)
        write_wire(root / "wire")
        load = Process("load", "--core", "0", "--wire", str(root / "wire"))
        with gateway(root / "segue", load.told["port"], shadow=given.shadow) as (port, workers, everything):
            log = ExchangeLog(root / "segue" / ".segue" / "spool", root / "segue" / ".segue" / "exchanges")
            others = [pid for pid in everything if pid not in workers]
            rows.append({"requests": 0, **_memory(workers, others)})
            began, asked, tenth = time.monotonic(), 0, given.requests // 10
            while asked < given.requests:
                rate = rows[-1].get("per_second") or 2000.0
                found = load.order(
                    kind="saturate", port=port, pids=workers, clients=given.clients, seconds=max(1.0, tenth / rate)
                )
                asked = _kept(log)
                rows.append({"requests": asked, **_memory(workers, others), "per_second": found["per_second"]})
                while log.recount().waiting > 200_000:
                    time.sleep(0.5)
            while log.recount().waiting:
                time.sleep(0.5)
            last = {"requests": _kept(log), **_memory(workers, others)}
            took = time.monotonic() - began
        load.end()
    rows.append(last)
    shown = [{key: row.get(key) for key in ("requests", "worker MiB", "others MiB", "per_second")} for row in rows]
    table.show(f"{last['requests']:,} requests in {took:,.0f} s", shown)
    table.save(results, "gateway_memory", {"rows": rows})


def _kept(log: Any) -> int:
    found = log.recount()
    return int(found.archived + found.waiting)


def _memory(workers: list[int], others: list[int]) -> dict[str, float]:
    """Anonymous memory: mapped files belong to the kernel, which takes them back."""
    return {
        "worker MiB": sum(map(_anonymous, workers)) / 1024,
        "others MiB": sum(map(_anonymous, others)) / 1024,
    }


def _anonymous(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
