"""The runner beside Inspect and promptfoo: the same cases, the same stand-in server, the same number of calls in flight.

The ideal is calls × latency ÷ calls in flight. Each is measured as the whole command a user types: start-up, asking, scoring,
storing results, reporting. Segue's asking phase is shown apart, as it alone is comparable with the ideal.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import alternatives, table
from benchmarks.hosted import Hosted, hosted
from benchmarks.process import Taken, run
from benchmarks.workspace import BESIDE, VERDICTS, write_json, write_lines


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument(
        "--calls", type=int, default=4000, help="calls in all; Segue makes half of them for each of two bundles"
    )
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--latency-ms", type=float, default=1000.0)
    parser.add_argument("--rounds", type=int, default=1, help="each is measured so often, in turn; medians are shown")
    parser.add_argument("--only", choices=("segue", "inspect", "promptfoo"), action="append", help="default: all three")
    parser.add_argument("--tools", type=Path, help="keep Inspect and promptfoo here, so that they are installed only once")


def question(number: int) -> str:
    """The text of a case."""
    return f"Order {number:06d} has not arrived. Is a refund due? Answer yes or no, and give the rule that decides."


def measure_segue(folder: Path, server: Hosted, given: argparse.Namespace) -> tuple[Taken, dict[str, Any]]:
    """`segue eval --repeats 1` over two bundles."""
    entry = {"type": "openai", "base_url": server.base_url, "max_concurrency": given.in_flight}
    write_json(folder / "segue.yaml", {"version": 1, "providers": {"hosted": entry}})
    home = folder / "workflows" / "bench"
    scorer = {"name": "right", "type": "contains"}
    write_json(home / "workflow.yaml", {"incumbent": "now", "scorers": [scorer], "gate": {"primary": ["right"]}})
    for label, snapshot in (("now", "model-1"), ("next", "model-2")):
        write_json(home / "bundles" / f"{label}.yaml", {"model": {"provider": "hosted", "snapshot": snapshot}})
    write_lines(
        home / "suites" / "main.jsonl",
        (
            {"case_id": f"c{number:06d}", "messages": [{"role": "user", "content": question(number)}], "reference": "yes"}
            for number in range(given.calls // 2)
        ),
    )
    phases = folder / "phases.json"
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.timed_eval", phases]
    command += ["eval", "bench", "--candidate", "next", "--repeats", "1"]
    taken = run(command, cwd=folder, env=BESIDE, may_end=VERDICTS)
    (asking,) = json.loads(phases.read_text())
    return taken, asking


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    wanted = given.only or ["segue", "inspect", "promptfoo"]
    ideal = given.calls * given.latency_ms / 1000 / given.in_flight
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = Path(scratch)
        tools = given.tools or root / "tools"
        alternatives.install([name for name in wanted if name != "segue"], tools)
        for number in range(given.rounds):
            for name in wanted:
                folder = root / f"{name}-{number}"
                folder.mkdir()
                with hosted(latency_ms=given.latency_ms) as server:
                    rows += _measured(name, folder, server, given, tools, ideal)
                shutil.rmtree(folder)
        versions = alternatives.versions([name for name in wanted if name != "segue"], tools)
    shown = [_median([row for row in rows if row["what"] == what]) for what in dict.fromkeys(row["what"] for row in rows)]
    title = f"{given.calls:,} calls of {given.latency_ms:g} ms, {given.in_flight} in flight; ideal {ideal:.2f} s"
    table.show(title, shown)
    if versions:
        print("  " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    table.save(results, "runner", {"ideal_s": ideal, "calls": given.calls, "rows": rows, "versions": versions})


def _measured(
    name: str, folder: Path, server: Hosted, given: argparse.Namespace, tools: Path, ideal: float
) -> list[dict[str, Any]]:
    rows = []
    if name == "segue":
        taken, asking = measure_segue(folder, server, given)
        rows.append(_row("segue: asking alone", asking["wall_s"], asking["cpu_s"], None, ideal, given, server.state()))
    else:
        sides: Mapping[str, Callable[..., Taken]] = {
            "inspect": alternatives.measure_inspect,
            "promptfoo": alternatives.measure_promptfoo,
        }
        texts = [question(number) for number in range(given.calls // 2)]
        taken = sides[name](folder, server, texts, in_flight=given.in_flight, tools=tools)
    rows.append(_row(f"{name}: whole command", taken.wall_s, taken.cpu_s, taken.peak_mib, ideal, given, server.state()))
    return rows


def _row(
    what: str, wall: float, cpu: float, peak: float | None, ideal: float, given: argparse.Namespace, seen: Mapping[str, Any]
) -> dict[str, Any]:
    assert seen["billed"] >= given.calls, f"{what} made {seen['billed']} calls"
    return {
        "what": what,
        "wall s": wall,
        "ideal ÷ wall": ideal / wall,
        "in flight, mean": given.calls * given.latency_ms / 1000 / wall,
        "in flight, most": seen["most_in_flight"],
        "calls": seen["calls"],
        "overhead ms/call": (wall - ideal) / given.calls * 1000,
        "cpu ms/call": cpu / given.calls * 1000,
        "peak MiB": peak,
    }


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    return {
        key: statistics.median(row[key] for row in rows) if isinstance(value, int | float) else value
        for key, value in first.items()
    }
