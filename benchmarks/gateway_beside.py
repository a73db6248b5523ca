"""The whole gateway beside LiteLLM's proxy and Portkey's gateway, nginx and nothing: the same requests, bodies of 2 KB.

One worker each, on a core of its own; load and upstream have the other. Clients read HTTP properly, which costs the load more
than in `gateway`. Segue has everything on and logs both bodies; the others log nothing.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import gateway_others, table
from benchmarks.gateway import KEY, gateway, write_wire
from benchmarks.gateway_http import Process, kept_awake, nginx
from benchmarks.gateway_wires import write_asks


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=32, help="connections at saturation")
    parser.add_argument("--rates", type=float, nargs="*", default=[50.0, 200.0, 1000.0], help="open rates for the delay")
    parser.add_argument("--tools", type=Path, help="where the others are installed, or are to be; else in a temporary folder")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
        tools = (given.tools or root / "tools").resolve()
        gateway_others.install(tools)
        told = gateway_others.versions(tools)
        write_wire(root / "wire")
        load = Process("load", "--core", "0", "--wire", str(root / "wire"), module="benchmarks.gateway_load")
        stack.enter_context(kept_awake(1))
        rows = _rows(load, root, tools, given)
        load.end()
    for row in rows:
        row["what"] = " ".join((row["what"], told.get(row["what"], ""))).strip()
    _show(rows, given)
    table.save(results, "gateway_beside", {"rows": rows, "versions": told})


def _rows(load: Process, root: Path, tools: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    upstream = load.told["port"]
    rows = []

    def ask(what: str, port: int, pids: list[int], headers: dict[str, str]) -> None:
        write_asks(root / "wire", headers)
        found = load.order(kind="closed", ask="ask_plain", port=port, pids=pids, clients=given.clients, seconds=given.seconds)
        for rate in given.rates:
            # What it cannot keep up with has no delay: it has a queue.
            if found["per_second"] < 1.25 * rate:
                continue
            paced = load.order(kind="paced", ask="ask_plain", port=port, per_second=rate, seconds=given.seconds)
            found[f"p50 at {rate:g}/s"], found[f"p99 at {rate:g}/s"] = paced["p50_ms"], paced["p99_ms"]
            found["failed"] += paced["failed"] + paced["asked"] - paced["answered"]
        rows.append({"what": what, **found})

    ask("direct", upstream, [], {})
    if shutil.which("nginx"):
        with nginx(upstream, buffering="on") as (port, pids):
            ask("nginx", port, pids, {})
    for shadow in (False, True):
        with gateway(root / f"segue-{shadow}", upstream, shadow=shadow) as (port, _, everything):
            name = "Segue, all its processes" + (", 100 % shadow" if shadow else "")
            ask(name, port, everything, {"authorization": f"Bearer {KEY}"})
    with gateway_others.portkey(tools, upstream) as (port, pids, headers):
        ask("Portkey", port, pids, dict(headers))
    with gateway_others.litellm(tools, upstream) as (port, pids, headers):
        ask("LiteLLM", port, pids, dict(headers))
    return rows


def _show(rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    by_name = {row["what"]: row for row in rows}
    base, direct = by_name.get("nginx", {}), by_name["direct"]
    shown = []
    for row in rows:
        line = {
            "what": row["what"],
            "cpu µs/request": row["cpu_us"],
            "÷ nginx": row["cpu_us"] / base["cpu_us"] if row["cpu_us"] and base else None,
            "requests/s": row["per_second"],
            "busy": row["busy"],
            "failed": row["failed"],
        }
        for rate in given.rates:
            for point in ("p50", "p99"):
                key = f"{point} at {rate:g}/s"
                line[f"{point} added at {rate:g}/s, ms"] = row[key] - direct[key] if key in row else None
        shown.append(line)
    table.show(f"Bodies of 2 KB, {given.clients} connections", shown)
