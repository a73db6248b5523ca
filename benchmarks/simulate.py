"""What `segue plan simulate` takes: 1,000 runs a scenario of a plan of 45 days, through the command.

Beside it stand the same plan in one process, whose seconds on the wall are the baseline, and with a quarter of its slices.
Processor seconds include all processes; they move least when other work is on the cores. A scenario that nothing is wrong in
costs most, since its runs go to the end of the soak.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.process import Taken, run
from benchmarks.workspace import SEGUE, write_json

SLICES = {
    "task": {"refund": 0.12, "delivery": 0.3, "billing": 0.2, "account": 0.15, "product": 0.13, "other": 0.1},
    "lang": {"en": 0.55, "de": 0.2, "fr": 0.15, "es": 0.1},
    "tier": {"business": 0.1, "plus": 0.3},
}
"""Twelve, in three dimensions."""
STEPS = ((0.01, 5), (0.05, 7), (0.25, 9), (0.5, 10))
SOAK = 14
GATES = (
    {"metric": "quality", "source": "outcome", "better": "higher", "baseline": 0.9},
    {"metric": "errors", "source": "outcome", "better": "lower", "baseline": 0.03, "hold": "1 points", "rollback": "3 points"},
    {"metric": "complaints", "source": "outcome", "better": "lower", "baseline": 0.04, "age": "1d"},
)
REGRESSION = "quality -4pts"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--runs", type=int, default=1000, help="runs of each scenario")
    parser.add_argument("--traffic", default="20000/day")
    parser.add_argument("--processes", type=int, default=2, help="of the rows that are not the baseline")
    parser.add_argument("--every", action="store_true", help="also the scenarios that are tried by default")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        folder = Path(scratch)
        _write_workspace(folder)
        for what, plan, processes, typed in (
            ("one process", "whole", 1, True),
            ("quarter of the slices", "quarter", given.processes, True),
            ("the plan", "whole", given.processes, True),
            *([("the plan, all its scenarios", "whole", given.processes, False)] if given.every else []),
        ):
            scenario = ["--regression", REGRESSION] if typed else []
            asked = ["--traffic", given.traffic, "--runs", str(given.runs), "--processes", str(processes), "--json"]
            before = table.machine()["load_1min"]
            taken = run([*SEGUE, "plan", "simulate", plan, *asked, *scenario], cwd=folder)
            rows.append({**_row(what, plan, processes, taken), "wall ÷ baseline": None, "load before": before})
            rows[-1]["wall ÷ baseline"] = rows[-1]["wall s"] / rows[0]["wall s"]
    days = SOAK + sum(days for _, days in STEPS)
    table.show(f"Simulation of a plan of {days} days, {given.runs:,} runs a scenario, {len(GATES)} gates", rows)
    table.save(results, "simulate", {"rows": rows})


def _row(what: str, plan: str, processes: int, taken: Taken) -> dict[str, Any]:
    found = json.loads(taken.output)
    runs = sum(one["runs"] for one in found["scenarios"])
    return {
        "what": what,
        "slices": len(_shares(plan)),
        "scenarios": len(found["scenarios"]),
        "processes": processes,
        "runs": runs,
        "wall s": taken.wall_s,
        "cpu s": taken.cpu_s,
        "cpu s per 1,000 runs": taken.cpu_s / runs * 1000,
        "peak MiB": taken.peak_mib,
    }


def _shares(plan: str) -> dict[str, float]:
    """The slices of a plan. A quarter of them are those of the first dimension's first half."""
    whole = {f"{key}={value}": share for key, values in SLICES.items() for value, share in values.items()}
    return whole if plan == "whole" else dict(list(whole.items())[: len(whole) // 4])


def _write_workspace(folder: Path) -> None:
    """A workflow that is never evaluated, with both plans."""
    write_json(folder / "segue.yaml", {"version": 1})
    workflow = folder / "workflows" / "orders"
    slices = {
        key: {"values": list(values), **({"critical": ["refund"]} if key == "task" else {})} for key, values in SLICES.items()
    }
    scorers = [{"name": "right", "type": "exact"}]
    write_json(
        workflow / "workflow.yaml",
        {"incumbent": "current", "scorers": scorers, "gate": {"primary": ["right"]}, "slices": slices},
    )
    for plan in ("whole", "quarter"):
        steps = [{"share": share, "hold": f"{days}d"} for share, days in STEPS]
        write_json(
            workflow / "plans" / f"{plan}.yaml",
            {"steps": steps, "soak": f"{SOAK}d", "gates": list(GATES), "slices": _shares(plan), "shadow": {"length": "7d"}},
        )
