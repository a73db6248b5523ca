"""The recorded upgrade once more, by time and the whole way that ships: exposures and labels to cells, cells to a verdict.

A request is exposed when the trace says so; its label comes later, bad news sooner than good, all within the age. When a block
of time has reached that age, its cells are counted (`count_cells`), bet on (`Grid.advance`) and judged (`judge`): that is a
look, one for every block. A block's cells are counted from the records of the units first seen in it and from no others, as a
unit belongs to one block alone; counting everything anew at each look gives the same cells and takes hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.recorded_traffic import LIMIT, TASK, Arrivals, Recorded, Served, rule_of, serve
from segue.evidence.sequential.cells import POOLED, CellStats
from segue.evidence.sequential.grid import Grid, outcomes_of
from segue.evidence.sequential.judgement import Look, judge
from segue.evidence.sequential.labels import Label, MetricAge
from segue.evidence.sequential.maturity import Exposure, count_cells
from segue.evidence.sequential.null import Null

BLOCK, AGE = 10.0, 600.0
"""Seconds: of a block, and at which its labels are judged."""
BAD_NEWS, GOOD_NEWS = (5.0, 120.0), (60.0, AGE)
"""Between which delays labels come, evenly."""

Pair = tuple[CellStats, CellStats]


@dataclass(frozen=True)
class Stop:
    """When the upgrade rolled back: how many canary units had counted, and how many had been exposed. ∞ where it never did."""

    outcomes: float = inf
    exposed: float = inf


def replay_by_time(recorded: Recorded, arrivals: Arrivals, *, seed: int, share: float, same: bool, limit: Null = LIMIT) -> Stop:
    """One seed, until it rolls back or the last block has matured."""
    rng = np.random.default_rng([seed, same, 1])
    served = serve(recorded, arrivals, rng, share, same)
    late = np.where(served.bad > 0, rng.uniform(*BAD_NEWS, len(served.bad)), rng.uniform(*GOOD_NEWS, len(served.bad)))
    first = arrivals.at[np.unique(arrivals.units, return_index=True)[1]]
    rule = rule_of(arrivals, limit)
    metrics = {TASK: MetricAge(rule.scale, AGE)}
    grid = Grid.start([rule], recorded.slices)
    totals: dict[tuple[str, str], Pair] = {}
    blocks = _requests_by_block(arrivals, first)
    for number, requests in enumerate(blocks):
        now = (number + 1) * BLOCK + AGE
        exposures, labels = _records(recorded, arrivals, served, late, requests)
        counted = count_cells("replay", exposures, labels, metrics, block=BLOCK, now=now)
        assert not counted.rejected, counted.rejected[:3]
        cells: dict[tuple[str, str], Pair] = {}
        for key, stats in counted.cells.items():
            assert key.block == number, "a unit of another block"
            old, new = cells.get((key.metric, key.slice), (CellStats(), CellStats()))
            cells[key.metric, key.slice] = (old, new + stats) if key.arm == "candidate" else (old + stats, new)
        for where, (old, new) in cells.items():
            before = totals.get(where, (CellStats(), CellStats()))
            totals[where] = (before[0] + old, before[1] + new)
        grid = grid.advance(outcomes_of(grid, cells), close=number == len(blocks) - 1)
        if judge(grid, Look(totals)).limit == "rollback":
            return Stop(totals[TASK, POOLED][1].labelled, int((served.canary & (first <= now)).sum()))
    return Stop()


def _requests_by_block(arrivals: Arrivals, first: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Requests by the block in which their unit was first seen."""
    block_of = (first[arrivals.units] // BLOCK).astype(int)
    order = np.argsort(block_of, kind="stable")
    return np.split(order, np.searchsorted(block_of[order], np.arange(1, block_of.max() + 1)))


def _records(
    recorded: Recorded, arrivals: Arrivals, served: Served, late: NDArray[np.float64], requests: NDArray[np.int64]
) -> tuple[list[Exposure], list[Label]]:
    exposures, labels = [], []
    units, at = arrivals.units[requests], arrivals.at[requests]
    asked = {TASK: 1.0}
    rows = zip(
        units.tolist(),
        at.tolist(),
        served.canary[units].tolist(),
        served.kind[units].tolist(),
        served.bad[requests].tolist(),
        (at + late[requests]).tolist(),
        strict=True,
    )
    for unit, when, canary, kind, bad, known in rows:
        name = str(unit)
        slices = frozenset({recorded.slices[kind]})
        exposures.append(Exposure(name, "candidate" if canary else "incumbent", when, slices=slices, asked=asked))
        labels.append(Label(name, TASK, bad, known))
    return exposures, labels
