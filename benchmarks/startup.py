"""How long the command takes to begin: `segue --help` and `segue compare` on a tiny stored comparison.

Beside them stands the interpreter that does nothing. Imports that take longest are listed with the time of their own.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.process import Taken, run
from benchmarks.workspace import SEGUE, VERDICTS


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--runs", type=int, default=15, help="runs of each command, in turn; medians are shown")
    parser.add_argument("--imports", type=int, default=12, help="how many imports to list")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure, print, save."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        folder = Path(scratch)
        run([*SEGUE, "init"], cwd=folder)
        asked = ["support-reply", "--candidate", "candidate"]
        run([*SEGUE, "eval", *asked, "--repeats", "1"], cwd=folder, may_end=VERDICTS)
        commands: dict[str, Sequence[str]] = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "segue --help": [*SEGUE, "--help"],
            "segue compare, tiny": [*SEGUE, "compare", *asked],
        }
        taken: dict[str, list[Taken]] = {what: [] for what in commands}
        for _ in range(given.runs + 1):
            for what, command in commands.items():
                taken[what].append(run(command, cwd=folder, may_end=VERDICTS))
        rows = [_row(what, some[1:], taken["python -c pass"][1:]) for what, some in taken.items()]
        table.show(f"Start-up, medians of {given.runs} runs", rows)
        offenders = {what: _imports(command, folder, given.imports) for what, command in list(commands.items())[1:]}
    for what, imports in offenders.items():
        table.show(f"Imports of {what} that take longest by themselves", imports)
    table.save(results, "startup", {"rows": rows, "imports": offenders})


def _row(what: str, taken: Sequence[Taken], baseline: Sequence[Taken]) -> dict[str, Any]:
    cpu, least = (statistics.median(one.cpu_s for one in some) for some in (taken, baseline))
    return {
        "command": what,
        "wall ms": statistics.median(one.wall_s for one in taken) * 1000,
        "cpu ms": cpu * 1000,
        "cpu ÷ python": cpu / least,
        "peak MiB": statistics.median(one.peak_mib for one in taken),
    }


def _imports(command: Sequence[str], folder: Path, most: int) -> list[dict[str, Any]]:
    """The packages that take longest to import: time of their own modules, without what they import in turn."""
    told = run([command[0], "-X", "importtime", *command[1:]], cwd=folder, may_end=VERDICTS).errors
    own: dict[str, float] = {}
    n: dict[str, int] = {}
    for match in re.finditer(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)", told):
        package = ".".join(match.group(2).split(".")[: 2 if match.group(2).startswith("segue") else 1])
        own[package] = own.get(package, 0.0) + int(match.group(1)) / 1000
        n[package] = n.get(package, 0) + 1
    worst = sorted(own, key=lambda name: -own[name])[:most]
    total = sum(own.values())
    return [{"package": name, "modules": n[name], "ms": own[name], "share": own[name] / total} for name in worst]
