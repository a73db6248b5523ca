"""What a full shadow does to the users' latency: without, with, and without again, in turns, on one worker with everything on.

Latencies are the users' own, not what is added: from asking to the last byte. The second time without is there to tell how far
two runs of the same differ on this machine; a ratio within that says nothing. An upstream that answers at once is the hardest,
and no model does: so each rate is measured with one that takes a while, too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.gateway import RATES, drained, warm_gateway, write_wire
from benchmarks.gateway_http import Process, kept_awake

TURNS = (("without", False), ("with", True), ("without again", False))
Row = dict[str, Any]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--rounds", type=int, default=5, help="each is measured so often, in turn")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--model-ms", type=float, default=20.0, help="what the slower upstream takes (64 shadows at a time)")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    rounds: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = Path(scratch)
        write_wire(root / "wire")
        load = Process("load", "--core", "0", "--wire", str(root / "wire"))
        with kept_awake(1):
            for number in range(given.rounds):
                for what, shadow in TURNS:
                    found = _turn(load, root / f"{number}-{what}", given, shadow=shadow)
                    rounds.append({"round": number, "what": what, **found})
        load.end()
    kinds = [key for key in rounds[0] if key.startswith("p")]
    turns = {what: [row for row in rounds if row["what"] == what] for what, _ in TURNS}
    shown = [_compared(kind, {what: [row[kind] for row in rows] for what, rows in turns.items()}) for kind in kinds]
    table.show(f"Users' latency, ms; medians of {given.rounds} rounds, ratios within a round: median (least to most)", shown)
    coverage = {row["kept"] / row["asked"] for row in turns["with"]}
    table.show("", [{"exchanges kept ÷ requests, with shadow": min(coverage), "to": max(coverage)}])
    table.save(results, "gateway_shadow", {"rows": rounds})


def _turn(load: Process, folder: Path, given: argparse.Namespace, *, shadow: bool) -> Row:
    with warm_gateway(load, folder, shadow=shadow) as (port, _, _, log):
        began, asked, found = log.recount().archived, 0, {}
        for after_ms in (0.0, given.model_ms):
            for rate in RATES:
                told = load.order(kind="trickle", port=port, per_second=rate, seconds=given.seconds, after_ms=after_ms)
                name = f"at {rate}/s, model {after_ms:.0f} ms"
                found |= {f"p50 {name}": told["p50_ms"], f"p99 {name}": told["p99_ms"]}
                asked += told["asked"]
                drained(log)
        return {**found, "asked": asked, "kept": log.recount().archived - began}


def _compared(kind: str, seen: dict[str, list[float]]) -> Row:
    ratios = [b / a for a, b in zip(seen["without"], seen["with"], strict=True)]
    noise = [b / a for a, b in zip(seen["without"], seen["without again"], strict=True)]
    return {
        "": kind,
        **{what: statistics.median(values) for what, values in seen.items()},
        "with ÷ without": _spread(ratios),
        "again ÷ without": _spread(noise),
    }


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
