"""Import and comparison of recorded rows at two sizes: seconds, peak memory, and how both grow.

A row is one recorded output with its label; half of the rows are of each release. Memory that grows by as much as the rows do
is not streamed. The first comparison scores what was imported, the second finds the scores in the store.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.process import Taken, run
from benchmarks.recorded_rows import RELEASES
from benchmarks.workspace import BESIDE, SEGUE, VERDICTS, write_json

LABELLED = [{"name": "right", "type": "recorded_label", "labeler": "rule"}]
GRADED = [{"name": "right", "type": "exact"}]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help="sizes, the baseline first")
    parser.add_argument("--graded", action="store_true", help="no labels: an exact scorer grades every output instead")
    parser.add_argument("--work", type=Path, help="work here, and leave the data and the store there")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Measure every size, print, save."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        root = given.work or Path(scratch)
        for rows in given.rows:
            found += measure_size(root / str(rows), rows, graded=given.graded)
    table.show("Recorded rows, imported and compared", found)
    growth = [_growth(found, step, given.rows) for step in dict.fromkeys(one["step"] for one in found)]
    table.show(f"Growth from {given.rows[0]:,} to {given.rows[-1]:,} rows", growth)
    table.save(results, "million", {"rows": found, "growth": growth})


def measure_size(root: Path, rows: int, *, graded: bool) -> list[dict[str, Any]]:
    """Generate, import, compare twice."""
    data, workspace = root / "data", root / "workspace"
    if not (data / "recordings.jsonl.gz").exists():
        # In a process of its own: what this one holds would count as the peak memory of the commands it starts.
        run([sys.executable, "-m", "benchmarks.recorded_rows", data, str(rows), *([] if graded else ["--labels"])], env=BESIDE)
    write_json(workspace / "segue.yaml", {"version": 1})
    scorers = GRADED if graded else LABELLED
    write_json(
        workspace / "workflows" / "orders" / "workflow.yaml",
        {
            "incumbent": RELEASES[0],
            "scorers": scorers,
            "gate": {"primary": ["right"]},
            "slices": {"lang": {}, "tier": {"critical": ["enterprise"]}},
        },
    )
    compare = [*SEGUE, "compare", "orders", "--candidate", RELEASES[1], "--json"]
    imported = run([*SEGUE, "import", "layout", "orders", data], cwd=workspace)
    first = run(compare, cwd=workspace, may_end=VERDICTS)
    second = run(compare, cwd=workspace, may_end=VERDICTS)
    _check(first, second, rows)
    steps = {"import": imported, "compare, scoring": first, "compare again": second}
    return [
        {
            "step": step,
            "rows": rows,
            "wall s": taken.wall_s,
            "cpu s": taken.cpu_s,
            "rows/s": round(rows / taken.wall_s),
            "peak MiB": taken.peak_mib,
        }
        for step, taken in steps.items()
    ]


def _check(first: Taken, second: Taken, rows: int) -> None:
    """The comparison saw all rows, found the one task that got worse, and said the same twice."""
    reports = [json.loads(one.output) for one in (first, second)]
    assert reports[0]["coverage"]["common"] == rows // 2, reports[0]["coverage"]
    worse = [one["where"] for one in reports[0]["findings"] if one["verdict"] == "worse"]
    assert "task=task-3" in worse or rows < 20_000, worse
    assert reports[0]["findings"] == reports[1]["findings"]


def _growth(found: list[dict[str, Any]], step: str, sizes: list[int]) -> dict[str, Any]:
    small, large = (next(one for one in found if one["step"] == step and one["rows"] == size) for size in (sizes[0], sizes[-1]))
    return {
        "step": step,
        "rows ×": sizes[-1] / sizes[0],
        "wall ×": large["wall s"] / small["wall s"],
        "peak ×": large["peak MiB"] / small["peak MiB"],
        "bytes/row more": (large["peak MiB"] - small["peak MiB"]) * 2**20 / max(1, sizes[-1] - sizes[0]),
    }
