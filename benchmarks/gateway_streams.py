"""Streams through the whole gateway beside nginx and nothing: per chunk, to the first text, between chunks, memory a stream.

One worker of each, on a core of its own; load and upstream have the other. Every chunk says when it was sent, so its delay is
measured by one clock. At the end all streams are ended well, and the exchange log has to hold each of them. Then once more as
much as anybody can take: `--offered` chunks a second, by a load that only counts bytes.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.gateway import KEY, gateway, write_wire
from benchmarks.gateway_http import Process, kept_awake, nginx
from benchmarks.gateway_wires import write_asks


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--streams", type=int, default=2000, help="at once")
    parser.add_argument("--tick-ms", type=float, default=200.0, help="a chunk on each stream so often")
    parser.add_argument("--dense", type=int, default=200, help="streams for the cost of a chunk; a chunk on each every 10 ms")
    parser.add_argument("--offered", type=int, default=100_000, help="chunks a second, on as many streams as at once")
    parser.add_argument("--rounds", type=int, default=3, help="of what is offered so; medians are shown")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-")))
        write_wire(root / "wire")
        load = Process("load", "--core", "0", "--wire", str(root / "wire"), module="benchmarks.gateway_load")
        with kept_awake(1):
            rows = _rows(load, root, given)
        load.end()
        offered = _offered(root, given)
    _show(rows, given)
    _show_offered(offered, given)
    table.save(results, "gateway_streams", {"rows": rows, "offered": offered})


def _rows(load: Process, root: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    upstream, rows = load.told["port"], []

    def ask(what: str, port: int, pids: list[int], headers: Mapping[str, str]) -> dict[str, Any]:
        write_asks(root / "wire", headers)
        resident = pids[0] if len(pids) == 1 else None
        found = load.order(kind="first_texts", ask="ask_stream", port=port, per_second=50, seconds=given.seconds)
        order = {"kind": "streams", "ask": "ask_stream", "port": port, "pids": pids, "seconds": given.seconds}
        dense = load.order(**order, streams=given.dense, tick_s=0.01, resident=resident)
        crowd = load.order(**order, streams=given.streams, tick_s=given.tick_ms / 1e3, resident=resident)
        found = {"what": what, **found} | {f"dense_{key}": value for key, value in dense.items()}
        found |= {f"crowd_{key}": value for key, value in crowd.items()}
        rows.append(found)
        return found

    ask("direct", upstream, [], {})
    if shutil.which("nginx"):
        with nginx(upstream, buffering="off") as (port, pids):
            ask("nginx", port, pids, {})
    for shadow in (False, True):
        with gateway(root / f"segue-{shadow}", upstream, shadow=shadow) as (port, workers, _):
            found = ask("Segue, 100 % shadow" if shadow else "Segue", port, workers, {"authorization": f"Bearer {KEY}"})
            ended = found["ended"] + found["dense_ended"] + found["crowd_ended"]
            found |= {"streams_ended": ended, "kept": _kept(root / f"segue-{shadow}", ended * (1 + shadow))}
    return rows


def _offered(root: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """More chunks than anybody passes one by one: what a chunk costs when whoever passes them never waits."""
    wire, rows = root / "bytes", list[dict[str, Any]]()
    wire.mkdir()
    write_asks(wire, {"authorization": f"Bearer {KEY}"})
    asked = (wire / "ask_stream").read_bytes()
    # What the upstream of this load takes for a stream.
    (wire / "ask_stream").write_bytes(asked.replace(b"/completions HTTP", b"/completions?/v1/stream HTTP"))
    with Process("load", "--core", "0", "--wire", str(wire)) as load, kept_awake(1):
        upstream = load.told["port"]

        def ask(what: str, port: int, pids: list[int]) -> None:
            tick_s = given.streams / given.offered
            order = {"streams": given.streams, "tick_s": tick_s, "seconds": given.seconds}
            rows.append({"what": what, **load.order(kind="stream", port=port, pids=pids, **order)})

        for number in range(given.rounds):
            if shutil.which("nginx"):
                with nginx(upstream, buffering="off") as (port, pids):
                    ask("nginx", port, pids)
            for shadow in (False, True):
                home = root / f"offered-{number}-{shadow}"
                with gateway(home, upstream, shadow=shadow, base="v1/stream") as (port, workers, _):
                    ask("Segue, 100 % shadow" if shadow else "Segue", port, workers)
    return rows


def _show_offered(rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    found = {}
    for what in dict.fromkeys(row["what"] for row in rows):
        mine = [row for row in rows if row["what"] == what]
        found[what] = {key: statistics.median(row[key] for row in mine) for key in mine[0] if key != "what"}
    base = found.get("nginx", {}).get("cpu_us_per_chunk")
    table.show(
        f"{given.streams:,} streams, {given.offered:,} chunks a second offered; medians of {given.rounds}",
        [
            {
                "what": what,
                "chunks/s": row["chunks_per_second"],
                "cpu µs/chunk": row["cpu_us_per_chunk"],
                "÷ nginx": row["cpu_us_per_chunk"] / base if base else None,
                "busy": row["busy"],
                "not arrived": row["not_arrived"],
            }
            for what, row in found.items()
        ],
    )


def _kept(folder: Path, expected: int) -> int:
    """How many exchanges the log holds, once it has them all or a minute has gone."""
    from segue.exchanges.query import ExchangeLog

    log = ExchangeLog(folder / ".segue" / "spool", folder / ".segue" / "exchanges")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = log.recount()
        if not found.waiting and found.archived >= expected:
            break
        time.sleep(0.2)
    return log.recount().archived


def _show(rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    by_name = {row["what"]: row for row in rows}
    base, direct = by_name.get("nginx", {}), by_name["direct"]

    def ratio(row: Mapping[str, Any], key: str) -> float | None:
        return row[key] / base[key] if row.get(key) and base.get(key) else None

    def added(row: Mapping[str, Any], key: str) -> float | None:
        return row[key] - direct[key] if row.get(key) is not None else None

    table.show(
        "Short streams, 50 begun a second",
        [
            {
                "what": row["what"],
                "first text p50 added ms": added(row, "first_p50_ms"),
                "p99 added ms": added(row, "first_p99_ms"),
                "ended well": row["ended"],
                "of": row["asked"],
            }
            for row in rows
        ],
    )
    for name, title in (
        ("dense", f"{given.dense:,} streams, a chunk on each every 10 ms"),
        ("crowd", f"{given.streams:,} streams, a chunk on each every {given.tick_ms:g} ms"),
    ):
        table.show(
            title,
            [
                {
                    "what": row["what"],
                    "chunks/s": row[f"{name}_per_second"],
                    "cpu µs/chunk": row[f"{name}_cpu_us"],
                    "÷ nginx": ratio(row, f"{name}_cpu_us"),
                    "busy": row[f"{name}_busy"],
                    "chunk later p50 ms": added(row, f"{name}_delay_p50_ms"),
                    "p99 ms": added(row, f"{name}_delay_p99_ms"),
                    "KiB a stream": row[f"{name}_kib_each"],
                    "held": row[f"{name}_held"],
                    "ended well": row[f"{name}_ended"],
                    "not arrived": row[f"{name}_not_arrived"],
                }
                for row in rows
            ],
        )
    for row in rows:
        if "kept" in row:
            print(f"  {row['what']}: {row['streams_ended']:,} streams ended well, the log holds {row['kept']:,} exchanges")
