"""Users exposed before rollback: one cell alone, and inside the full grid of 40 slices × 5 metrics as it ships.

Control outcomes are bad in 10 % of cases, the margin is 2 points, α = 5 % for the whole upgrade, 19 control units to one of the
candidate's. The grid spends the canary's part of α, 4.05 %, beside a soak; one cell alone spends 5 %, and so does the bound.
A look comes every 10 candidate units up to 2,000, every 40 up to 8,000 and every 80 beyond, in detections and in nulls alike.
Counts are labelled candidate outcomes; `exposed` is every candidate unit served until the stop, unlabelled and late ones too.
"""

from __future__ import annotations

import argparse
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import rows, table
from benchmarks.bound import traffic_bound
from benchmarks.canary import HARM, MARGIN, Question, Setup, holds, rolls_back, watch
from benchmarks.mirrored import shadow_rows
from benchmarks.naive_rows import naive_rows
from benchmarks.promotion import promotion_rows
from benchmarks.streams import LAG, World
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.wald import outcomes_needed

ALONE, GRID = Setup(), Setup(wide=True)
DEFAULTS = Setup(wide=True, rollback=Null("harm", 0.05))
"""The limits of a plan that says nothing: hold at 2 points, roll back at 5."""


@dataclass(frozen=True)
class Goal:
    """What `mean ÷ bound` and p95 have to stay below, where a goal was set."""

    ratio: float | None = None
    p95: int | None = None


@dataclass(frozen=True)
class Regression:
    """One row of detection: what happens, how it is watched, in which cell, and the goal."""

    name: str
    world: World
    setup: Setup
    goal: Goal = Goal()
    cell: int = 0

    @property
    def where(self) -> str:
        """The column of the goal's table."""
        return "in the grid" if self.setup.wide else "one cell at α"


FIRST = frozenset({0})
"""The primary metric."""


def _everywhere(points: int, goals: tuple[Goal, Goal], **more: Any) -> list[Regression]:
    """In every slice of the primary metric, in both columns."""
    world = World(lift=points / 100, lift_metrics=FIRST, **more)
    name = f"{points} points everywhere"
    if more:
        name += ", drift, 30 % missing, delay" + (", users of 10 (counted in users)" if world.clustered else "")
    return [Regression(name, world, setup, goal) for setup, goal in zip((ALONE, GRID), goals, strict=True)]


_STRETCH = (Goal(1.2), Goal(1.2))
_ALL: dict[str, Any] = {"drift": True, "missing": 0.3, "delay": LAG}
REGRESSIONS: tuple[Regression, ...] = (
    *_everywhere(10, (Goal(1.40, 400), Goal(1.40, 460))),
    *_everywhere(5, (Goal(1.35, 2_600), Goal(1.35, 2_900))),
    Regression(
        "10 points in one slice of 40, one metric",
        World(lift=0.10, lift_metrics=FIRST, lift_slices=frozenset({7})),
        GRID,
        Goal(1.2),
        cell=8,
    ),
    *(
        one
        for clustered in (False, True)
        for points in (10, 5)
        for one in _everywhere(points, _STRETCH, clustered=clustered, **_ALL)
    ),
)

NULLS: tuple[tuple[str, World], ...] = (
    ("equal", World()),
    ("every cell at the edge, 10 %", World(lift=MARGIN)),
    (
        "edge, drift, ramp, users of 10, 30 % missing, delay",
        World(lift=MARGIN, drift=True, ramp=True, clustered=True, missing=0.3, delay=LAG),
    ),
    ("edge, drift, ramp 1 → 5 → 25 %, delay", World(lift=MARGIN, drift=True, ramp=True, delay=LAG)),
    ("every cell at the edge, 3 %", World(base=0.03, lift=MARGIN)),
    ("every cell at the edge, 40 %", World(base=0.40, lift=MARGIN)),
    ("one metric at the edge", World(lift=MARGIN, lift_metrics=FIRST)),
    ("edge, users of 10, ICC 0.2", World(lift=MARGIN, clustered=True)),
    ("edge, 30 % missing on the candidate, 10 % on the control", World(lift=MARGIN, missing=0.3, missing_control=0.1)),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--runs", type=int, default=2_000, help="of each row")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--horizon", type=int, default=20_000, help="candidate units exposed after which a quiet run ends")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", choices=list(PARTS), nargs="+", help="parts to run")
    parser.add_argument(
        "--rows", default="", metavar="TEXT", help="of 'detect' and 'null', only rows whose name has this in it"
    )


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Simulate, print, save."""
    found: dict[str, Any] = {"runs": given.runs, "seed": given.seed, "horizon": given.horizon}
    with ProcessPoolExecutor(given.processes) as pool:
        for part, (run, title) in PARTS.items():
            if part in (given.only or PARTS):
                found[part] = run(pool, given)
                table.show(f"{title}; {given.runs:,} runs a row, seed {given.seed}", found[part])
                table.save(results, "exposure", found)


def _stops(
    pool: Executor, given: argparse.Namespace, setup: Setup, questions: list[Question], world: World, cell: int = 0
) -> Array:
    horizon = given.horizon * (4 if cell else 1)
    return rows.spread(pool, given, partial(watch, setup, questions, world, cell, horizon), 100 if setup.wide else 500)


def _detection_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    found = []
    for one in REGRESSIONS:
        if given.rows in one.name:
            stops = _stops(pool, given, one.setup, [partial(rolls_back, alpha=one.setup.alpha)], one.world, one.cell)
            found.append(_detected(one, HARM, stops[:, 0]))
            print(f"  … {found[-1]}", flush=True)
    return found


def _default_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    found = []
    for points in (7.5, 10.0):
        one = Regression(f"{points:g} points everywhere", World(lift=points / 100, lift_metrics=FIRST), DEFAULTS)
        questions: list[Question] = [partial(holds, alpha=one.setup.alpha), partial(rolls_back, alpha=one.setup.alpha)]
        stops = _stops(pool, given, one.setup, questions, one.world)
        for place, (what, null) in enumerate((("hold", DEFAULTS.hold), ("rollback", DEFAULTS.rollback))):
            found.append({"until": what, **_detected(one, null, stops[:, place])})
            print(f"  … {found[-1]}", flush=True)
    return found


def _detected(one: Regression, null: Null, stops: Array) -> rows.Row:
    """`bound` is that of the goal's table, at 10 % and in yes/no outcomes; `here` is that of the row's own traffic."""
    world, labelled = one.world, stops[:, 0]
    weight = float(one.setup.grid(world, 1).weights[0, one.cell])
    bound = outcomes_needed(null, control=world.base, candidate=world.base + world.lift, ratio=world.ratio, weight=weight)
    here = traffic_bound(world, null, weight)
    mean, exposed = rows.mean(labelled), rows.mean(stops[:, 1])
    return {
        "regression": one.name,
        "where": one.where,
        "bound": None if world.clustered else round(bound),
        "bound here": round(here),
        "mean": None if mean is None else round(mean),
        "± s.e.": round(rows.error(labelled), 1),
        "mean ÷ bound": None if mean is None or world.clustered else mean / bound,
        "÷ bound here": None if mean is None else mean / here,
        "goal": one.goal.ratio,
        "median": rows.quantile(labelled, 0.5),
        "p95": rows.quantile(labelled, 0.95),
        "p95 goal": one.goal.p95,
        "exposed": None if exposed is None else round(exposed),
        "missed": round(1 - rows.share(labelled)[0], 4),
    }


def _null_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    found = []
    for name, world in NULLS:
        if given.rows in name:
            row: rows.Row = {"truth": name}
            for column, setup in (("one cell", ALONE), ("grid", GRID)):
                stops = _stops(pool, given, setup, [partial(rolls_back, alpha=setup.alpha)], world)
                row |= rows.alarmed(column, stops[:, 0, 0])
                print(f"  … {row}", flush=True)
            found.append(row)
    return found


PARTS = {
    "naive": (naive_rows, "One cell: this against the rules teams use, on the same streams"),
    "detect": (_detection_rows, "Detection: candidate outcomes until rollback"),
    "defaults": (
        _default_rows,
        "A plan's default limits, in the grid: candidate outcomes until hold (2 points) and rollback (5 points)",
    ),
    "null": (_null_rows, "False rollbacks, family-wise, over a whole upgrade"),
    "promote": (promotion_rows, "Promotion of one cell at a margin of 2 points"),
    "shadow": (shadow_rows, "Shadow: mirrored pairs until a drop is shown (no user sees the candidate)"),
}
