"""What a look costs: 40 slices × 5 metrics updated with one block and judged, after little and after much traffic.

The baseline in the same run is the first look; the judges read sufficient statistics, so a look after 45 days should cost the
same. Seconds are of the processor, one thread. A confidence sequence for the cells on a screen is timed beside it.
Two upgrades are looked at: one equal to its incumbent, where cells are open and later safe, and one that is worse by twenty
points in every cell, where every cell has to be corrected for all the others (e-Holm).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks import table
from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.grid import Cells, Grid, Rule, outcomes_of
from segue.evidence.sequential.judgement import Look, Totals, judge
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import Scale
from segue.evidence.sequential.sequences import DifferenceSequence

Result = TypeVar("Result")
SLICES, METRICS, BASE = 40, 5, 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--looks", type=int, default=45 * 24, help="hourly looks of the whole upgrade")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Time, print, save."""
    rows = []
    for name, lift in (("equal", 0.0), ("every cell harmed", 0.2)):
        spent = _looks(np.random.default_rng(given.seed), given.looks, lift)
        rows += _rows(name, spent, max(1, given.looks // 10))
    table.show(f"One look at {METRICS * SLICES} cells and {METRICS} totals, over {given.looks:,} looks", rows)
    table.save(results, "cells", {"rows": rows})


def _looks(rng: np.random.Generator, looks: int, lift: float) -> dict[str, list[float]]:
    """Seconds of each step of each look."""
    rules = [
        Rule(f"metric {number}", Null("harm", 0.05), Null("harm", 0.02), (Null("safe", 0.02),), rate=BASE)
        for number in range(METRICS)
    ]
    grid = Grid.start(rules, [f"slice {number}" for number in range(SLICES)])
    screen = DifferenceSequence.start(1 + 5, Scale().nodes, scale=0.02, rate=BASE)
    totals: Totals = {}
    spent: dict[str, list[float]] = {"cells to arrays": [], "update": [], "judge": [], "interval of 6 cells": []}
    for _ in range(looks):
        cells = _hour(rng, grid, lift)
        totals = {key: _grown(totals.get(key), new) for key, new in cells.items()}
        outcomes = _timed(spent["cells to arrays"], outcomes_of, grid, cells)
        grid = _timed(spent["update"], grid.advance, outcomes)
        _timed(spent["judge"], judge, grid, Look(totals))
        block = outcomes.plain[2].only(np.ones(outcomes.plain[2].asked.shape, bool))
        few = type(block)(*(getattr(block, one)[:1, :6] for one in block.__dataclass_fields__))
        screen = _timed(spent["interval of 6 cells"], screen.advance, few)
    spent["update and judge"] = [one + two for one, two in zip(spent["update"], spent["judge"], strict=True)]
    return spent


def _rows(name: str, spent: dict[str, list[float]], tenth: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for what, seconds in spent.items():
        early, late = (float(np.median(part)) * 1e3 for part in (seconds[:tenth], seconds[-tenth:]))
        rows.append(
            {
                "candidate": name,
                "step": what,
                "median ms, first tenth": early,
                "last tenth": late,
                "last ÷ first": late / early,
            }
        )
    return rows


def _timed(into: list[float], do: Callable[..., Result], *given: Any) -> Result:
    begin = time.process_time()
    result = do(*given)
    into.append(time.process_time() - begin)
    return result


def _hour(rng: np.random.Generator, grid: Grid, lift: float) -> Cells:
    """Yes/no outcomes of an hour: 12 candidate units of each slice, 19 times as many control units."""
    cells: dict[tuple[str, str], tuple[CellStats, CellStats]] = {}
    for rule in grid.rules:
        sizes = ((12 * 19, BASE), (12, BASE + lift))
        arms = [[_stats(int(bad), units) for bad in rng.binomial(units, rate, SLICES)] for units, rate in sizes]
        whole = [sum(arm[1:], arm[0]) for arm in arms]
        cells[rule.metric, ""] = (whole[0], whole[1])
        for place, name in enumerate(grid.slices[1:]):
            cells[rule.metric, name] = (arms[0][place], arms[1][place])
    return cells


def _stats(bad: int, n: int) -> CellStats:
    sums = Sums(n, bad, bad)
    return CellStats(n, n, n, n, (float(n - bad), float(bad)), sums, sums)


def _grown(
    before: tuple[CellStats, CellStats] | None, new: tuple[CellStats | None, CellStats | None]
) -> tuple[CellStats, CellStats]:
    old, candidate = (one or CellStats() for one in new)
    return (old, candidate) if before is None else (before[0] + old, before[1] + candidate)
