"""Promotion of one cell: how often it is wrong, how long it takes, and that silence never promotes.

Through the safe e-values of the shipped `Grid`: missing labels count at their worst, promotion is at 1/α = 20.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import Executor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks import rows
from benchmarks.canary import MARGIN, Setup, watch
from benchmarks.streams import LAG, World
from segue.evidence.sequential.combination import ALPHA, intersection_log_e
from segue.evidence.sequential.grid import Grid
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.wald import outcomes_needed

SAFE = Null("safe", MARGIN)
CHUNK = 500

TRUTHS: tuple[tuple[str, World], ...] = (
    ("equal", World()),
    ("at the edge, 10 %", World(lift=MARGIN)),
    ("at the edge, 3 %", World(base=0.03, lift=MARGIN)),
    ("at the edge, 40 %", World(base=0.40, lift=MARGIN)),
    ("at the edge, drift, ramp, delay", World(lift=MARGIN, drift=True, ramp=True, delay=LAG)),
    ("at the edge, users of 10", World(lift=MARGIN, clustered=True)),
    ("equal, users of 10, drift, ramp, delay", World(clustered=True, drift=True, ramp=True, delay=LAG)),
    ("equal, 30 % missing", World(missing=0.3)),
    ("far better, no labels at all", World(lift=-0.10, missing=1.0)),
    ("far better, measurement failed: labels of the control only", World(lift=-0.10, missing=1.0, missing_control=0.0)),
    ("far better, immature: no outcome has its age", World(lift=-0.10, delay=math.inf)),
)


def promotes(grid: Grid) -> NDArray[np.bool_]:
    """Whether harm beyond the margin is excluded in every cell asked for."""
    return np.asarray(intersection_log_e(grid.safe_log_e(0, SAFE)) >= -math.log(ALPHA))


def promotion_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    """A row per truth."""
    bound = outcomes_needed(SAFE, control=0.10, candidate=0.10, ratio=19)
    found = []
    for name, world in TRUTHS:
        job = partial(watch, Setup(safe=(SAFE,)), [promotes], world, 0, given.horizon)
        stops = rows.spread(pool, given, job, CHUNK)[:, 0, 0]
        promoted, error = rows.share(stops)
        mean = rows.mean(stops)
        comparable = mean is not None and world == World()
        found.append(
            {
                "truth": name,
                "promoted": f"{int(np.isfinite(stops).sum()):,} of {len(stops):,}",
                "share": f"{promoted:.4f}",
                "± s.e.": f"{error:.4f}",
                "median": rows.quantile(stops, 0.5),
                "mean": None if mean is None else round(mean),
                "mean ± s.e.": None if mean is None else round(rows.error(stops), 1),
                "mean ÷ bound": mean / bound if comparable and mean is not None else None,
                "p95": rows.quantile(stops, 0.95),
            }
        )
        print(f"  … {found[-1]}", flush=True)
    return found
