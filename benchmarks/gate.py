"""How quiet and how awake the gate is, with the settings it ships with: simulated upgrades with noise in every case.

Ten slices of 300 cases; in any one run a case flips away from its leaning with a probability of 5 to 30 %. Quiet: nothing
changed. Awake: one slice truly lost ten points. The same simulation is a test (`tests/gates/test_quiet_and_awake.py`).
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import table


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--drops", type=float, nargs="+", default=[0.0, 0.05, 0.10], help="true losses of one slice")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Simulate, print, save."""
    from tests.gates.simulation import Run, simulate

    rows: list[dict[str, Any]] = []
    for drop in given.drops:
        runs: list[Run] = [simulate(seed, drop=drop) for seed in range(given.seeds)]
        counted = {
            "blocked there": [("s=0" in one.worse) for one in runs] if drop else None,
            "blocked elsewhere" if drop else "blocked": [bool(one.worse - ({"s=0", ""} if drop else set())) for one in runs],
            "total cleared": [("" in one.not_worse or "" in one.better) for one in runs],
        }
        repeats = Counter(one.repeats for one in runs)
        for what, held in counted.items():
            if held is not None:
                rows.append({"true loss": f"{100 * drop:g} points", "what": what, **_share(held), "repeats": _most(repeats)})
    table.show(f"The gate over {given.seeds} seeds, shares with standard errors", rows)
    table.save(results, "gate", {"seeds": given.seeds, "rows": rows})


def _share(held: Sequence[bool]) -> dict[str, Any]:
    share = sum(held) / len(held)
    return {"runs": sum(held), "share": f"{share:.3f}", "± s.e.": f"{math.sqrt(share * (1 - share) / len(held)):.3f}"}


def _most(repeats: Counter[int]) -> str:
    return ", ".join(f"{count}× {n}" for n, count in sorted(repeats.items()))
