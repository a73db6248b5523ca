"""Users exposed before rollback: one cell alone, and inside the full grid of 40 slices × 5 metrics as it ships.

Control outcomes are bad in 10 % of cases, the margin is 2 points, α = 5 % for the whole upgrade, 19 control units to one of the
candidate's, a look every 10 candidate units. False rollbacks come from the same functions with the same settings as detections.
Counts are labelled candidate outcomes; `exposed` adds the unlabelled ones and those served while the last labels came in.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import naive, table
from benchmarks.streams import World, blocks
from segue.evidence.sequential.combination import ALPHA, union_log_e
from segue.evidence.sequential.grid import Grid, Outcomes, Rule
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.paired import pair_masses, start_paired
from segue.evidence.sequential.process import Process
from segue.evidence.sequential.scale import Scale
from segue.evidence.sequential.wald import outcomes_needed

Array = NDArray[np.float64]
MARGIN = 0.02
SLICES, METRICS = 40, 5
HARM = Null("harm", MARGIN)
LEAST = -math.log(ALPHA)
LAG = 40
"""Candidate units served between an exposure and the verdict on it, where labels are delayed."""


@dataclass(frozen=True)
class Goal:
    """What `mean ÷ bound` and p95 have to stay below, where a goal was set."""

    ratio: float | None = None
    p95: float | None = None


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--runs", type=int, default=2_000, help="of each row")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--horizon", type=int, default=20_000, help="candidate outcomes after which a quiet run ends")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", choices=["naive", "detect", "null", "shadow"], nargs="+", help="parts to run")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Simulate, print, save."""
    parts = given.only or ["naive", "detect", "null", "shadow"]
    found: dict[str, Any] = {"runs": given.runs, "seed": given.seed, "horizon": given.horizon}
    with ProcessPoolExecutor(given.processes) as pool:
        for part, run, title in (
            ("naive", _naive_rows, "One cell: this against the rules teams use, on the same streams"),
            ("detect", _detection_rows, "Detection: candidate outcomes until rollback"),
            ("null", _null_rows, "False rollbacks, family-wise, over a whole upgrade"),
            ("shadow", _shadow_rows, "Shadow: mirrored pairs until a drop is shown (no user sees the candidate)"),
        ):
            if part in parts:
                found[part] = run(pool, given)
                table.show(f"{title}; {given.runs:,} runs a row, seed {given.seed}", found[part])
                table.save(results, "exposure", found)


def alone(world: World, horizon: int, runs: int, seed: int) -> Array:
    """Candidate units when a single cell at α alarms; ∞ where it does not. Shape (runs,)."""
    rng = np.random.default_rng(seed)
    nodes = Scale(size=world.nodes).nodes
    process = Process.start(Questions.of([HARM]), (runs, 1), nodes, rate=world.base)
    stops = np.full(runs, np.inf)
    for look, block in enumerate(blocks(world, runs, rng), start=1):
        process = process.advance(block)
        if _stop(stops, process.log_e[:, 0, 0] >= LEAST, look * world.look, horizon):
            return stops
    raise AssertionError("a stream has no end")


def in_grid(world: World, horizon: int, runs: int, seed: int) -> Array:
    """Candidate units (of the whole) when the union of the full grid alarms; ∞ where it does not. Shape (runs,)."""
    wide = replace(world, metrics=METRICS, slices=SLICES)
    rng = np.random.default_rng(seed)
    scale = Scale(size=wide.nodes)
    rules = [Rule(f"metric {number}", HARM, HARM, scale=scale, rate=wide.base) for number in range(METRICS)]
    grid = Grid.start(rules, [f"slice {number}" for number in range(SLICES)], runs=(runs,))
    stops = np.full(runs, np.inf)
    for look, block in enumerate(blocks(wide, runs, rng), start=1):
        one = {wide.nodes: block}
        grid = grid.advance(Outcomes(one, one), close=wide.steps_end_at(look - 1))
        if _stop(stops, grid.union(grid.rollback_log_e) >= LEAST, look * wide.look, horizon):
            return stops
    raise AssertionError("a stream has no end")


def in_shadow(gain: float, loss: float, wide: bool, horizon: int, runs: int, seed: int) -> Array:
    """Mirrored pairs until harm beyond the margin is shown; of all pairs a share `loss` gets worse, a share `gain` better."""
    rng = np.random.default_rng(seed)
    streams, cells = (METRICS, 1 + SLICES) if wide else (1, 1)
    process = start_paired([HARM] * streams, (runs, cells), streams=range(streams))
    weights = _grid_weights() if wide else np.ones((1, 1))
    stops = np.full(runs, np.inf)
    look = 0
    while True:
        look += 1
        pairs = rng.multinomial(10, np.full(SLICES, 1 / SLICES), size=runs) if wide else np.full((runs, 1), 10)
        chances = np.tile([gain, 1 - 2 * gain, gain], (streams, 1))
        chances[0] = [loss, 1 - loss - gain, gain]
        seen = rng.multinomial(np.broadcast_to(pairs[:, None, :], (runs, streams, pairs.shape[1])), chances[None, :, None, :])
        masses = pair_masses(seen[..., 0], seen[..., 1], seen[..., 2])
        if wide:
            masses = np.concatenate([masses.sum(-2, keepdims=True), masses], -2)
        process = process.advance(masses)
        log_e = union_log_e(process.log_e.reshape(runs, -1), weights.ravel())
        if _stop(stops, log_e >= LEAST, look * 10, horizon):
            return stops


def _grid_weights() -> Array:
    rules = [Rule(f"metric {number}", HARM, HARM) for number in range(METRICS)]
    return Grid.start(rules, [f"slice {number}" for number in range(SLICES)]).weights


def _stop(stops: Array, alarms: NDArray[np.bool_], seen: int, horizon: int) -> bool:
    stops[alarms & np.isinf(stops)] = seen
    return bool(np.isfinite(stops).all()) or seen >= horizon


def _spread(pool: ProcessPoolExecutor, given: argparse.Namespace, job: Callable[[int, int], Array], chunk: int) -> Array:
    """A row's runs in chunks, each with a seed of its own, so that the figures do not depend on the number of processes."""
    sizes = [min(chunk, given.runs - start) for start in range(0, given.runs, chunk)]
    seeds = [int(one.generate_state(1)[0]) for one in np.random.SeedSequence(given.seed).spawn(len(sizes))]
    return np.concatenate(list(pool.map(job, sizes, seeds)))


def _detection_rows(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    alone_goals = {0.10: Goal(1.40, 400), 0.05: Goal(1.35, 2_600)}
    grid_goals = {0.10: Goal(1.40, 460), 0.05: Goal(1.35, 2_900)}
    weights = _grid_weights()
    for lift, name in ((0.10, "10 points everywhere"), (0.05, "5 points everywhere")):
        world = World(lift=lift)
        stops = _spread(pool, given, partial(alone, world, given.horizon), 500)
        rows.append(_detected(name, "one cell at α", stops, world, 1.0, alone_goals[lift]))
        world = replace(world, lift_metrics=frozenset({0}))
        stops = _spread(pool, given, partial(in_grid, world, given.horizon), 50)
        rows.append(_detected(name, "in the grid", stops, world, float(weights[0, 0]), grid_goals[lift]))
    world = World(lift=0.10, lift_metrics=frozenset({0}), lift_slices=frozenset({7}), look=40)
    stops = _spread(pool, given, partial(in_grid, world, 4 * given.horizon), 50) / SLICES
    rows.append(_detected("10 points in one slice, one metric", "in the grid", stops, world, float(weights[0, 8]), Goal(1.2)))
    for lift in (0.10, 0.05):
        world = World(lift=lift, lift_metrics=frozenset({0}), drift=True, missing=0.3)
        stops = _spread(pool, given, partial(in_grid, world, given.horizon), 50) * 0.7
        name = f"{100 * lift:g} points everywhere, drift, 30 % missing, delay"
        rows.append(_detected(name, "in the grid", stops, world, float(weights[0, 0]), Goal(1.2), coverage=0.7, lag=LAG))
    world = World(lift=0.10, lift_metrics=frozenset({0}), drift=True, missing=0.3, clustered=True)
    stops = _spread(pool, given, partial(in_grid, world, given.horizon), 50) * 0.7
    name = "10 points everywhere, all that and users of 10 (counted in users)"
    rows.append(_detected(name, "in the grid", stops, world, float(weights[0, 0]), Goal(), coverage=0.7, lag=LAG))
    return rows


def _detected(
    name: str, column: str, stops: Array, world: World, weight: float, goal: Goal, *, coverage: float = 1.0, lag: int = 0
) -> dict[str, Any]:
    bound = outcomes_needed(HARM, control=world.base, candidate=world.base + world.lift, ratio=world.ratio, weight=weight)
    found = stops[np.isfinite(stops)]
    mean = float(stops.mean())
    return {
        "regression": name,
        "where": column,
        "bound": round(bound),
        "mean": round(mean) if math.isfinite(mean) else None,
        "± s.e.": round(float(found.std() / math.sqrt(len(found))), 1),
        "mean ÷ bound": mean / bound,
        "goal": goal.ratio,
        "median": _quantile(stops, 0.5),
        "p95": _quantile(stops, 0.95),
        "p95 goal": goal.p95 and round(goal.p95),
        "exposed": round(mean / coverage + lag) if math.isfinite(mean) else None,
        "missed": round(1 - len(found) / len(stops), 4),
    }


def _quantile(stops: Array, share: float) -> int | None:
    """Nearest rank; `None` where so many runs never stopped."""
    value = np.sort(stops)[max(0, math.ceil(share * len(stops)) - 1)]
    return round(float(value)) if math.isfinite(value) else None


NULLS: tuple[tuple[str, World], ...] = (
    ("equal", World()),
    ("every cell at the edge, 10 %", World(lift=MARGIN)),
    ("every cell at the edge, 3 %", World(base=0.03, lift=MARGIN)),
    ("every cell at the edge, 40 %", World(base=0.40, lift=MARGIN)),
    ("one metric at the edge", World(lift=MARGIN, lift_metrics=frozenset({0}))),
    ("edge, drift and ramp 1 → 5 → 25 %", World(lift=MARGIN, drift=True, ramp=True)),
    ("edge, users of 10, ICC 0.2", World(lift=MARGIN, clustered=True)),
    ("edge, drift, ramp, users of 10, 30 % missing", World(lift=MARGIN, drift=True, ramp=True, clustered=True, missing=0.3)),
)


def _null_rows(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for name, world in NULLS:
        one = _spread(pool, given, partial(alone, world, given.horizon), 500)
        grid = _spread(pool, given, partial(in_grid, replace(world, look=40), given.horizon), 50)
        rows.append({"truth": name, **_alarmed("one cell", one), **_alarmed("grid", grid)})
        print(f"  … {name}: {rows[-1]}", flush=True)
    return rows


def _alarmed(column: str, stops: Array) -> dict[str, Any]:
    share = float(np.isfinite(stops).mean())
    error = math.sqrt(share * (1 - share) / len(stops))
    return {column: f"{share:.4f}", f"{column} ± s.e.": f"{error:.4f}"}


def _shadow_rows(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for drop, churn in ((0.05, 0.03), (0.05, 0.08), (0.10, 0.03)):
        for wide, column, chunk in ((False, "one cell at α", 500), (True, "in the grid", 50)):
            stops = _spread(pool, given, partial(in_shadow, churn, churn + drop, wide, given.horizon), chunk)
            rows.append(
                {
                    "regression": f"{100 * drop:g} points, {100 * churn:g} % get better",
                    "where": column,
                    "median pairs": _quantile(stops, 0.5),
                    "goal": 1_000,
                    "mean": round(float(stops.mean())) if np.isfinite(stops).all() else None,
                    "p95": _quantile(stops, 0.95),
                    "missed": round(float(np.isinf(stops).mean()), 4),
                }
            )
    return rows


def _naive_rows(pool: ProcessPoolExecutor, given: argparse.Namespace) -> list[dict[str, Any]]:
    truths = {"equal": 0.0, "at the edge": MARGIN, "5 points": 0.05, "10 points": 0.10}
    looks = given.horizon // 10
    per_truth = {
        truth: _merge(pool.map(partial(_naive_stops, World(lift=lift), looks), *_chunks(given, 200)))
        for truth, lift in truths.items()
    }
    return [_naive_row(rule, {truth: stops[rule] for truth, stops in per_truth.items()}) for rule in (*naive.RULES, OURS)]


OURS = "two-sample betting e-process, blocks (this)"


def _naive_stops(world: World, looks: int, runs: int, seed: int) -> dict[str, Array]:
    """First alarms of every rule, and of ours, on the same streams."""
    rng = np.random.default_rng(seed)
    process = Process.start(Questions.of([HARM]), (runs, 1), Scale().nodes, rate=world.base)
    seen: tuple[list[Array], ...] = ([], [], [], [])
    ours = np.full(runs, np.inf)
    for look, block in zip(range(1, looks + 1), blocks(world, runs, rng), strict=False):
        process = process.advance(block)
        _stop(ours, process.log_e[:, 0, 0] >= LEAST, look * world.look, looks * world.look)
        arms = ((block.candidate, block.candidate_exposed), (block.control, block.control_exposed))
        for place, (masses, exposed) in enumerate(arms):
            seen[2 * place].append(masses[:, 0, 0, 1])
            seen[2 * place + 1].append(exposed[:, 0, 0])
    counts = tuple(np.cumsum(np.stack(one, 1), 1) for one in seen)
    stops = {name: naive.first_alarm(rule, (counts[0], counts[1], counts[2], counts[3])) for name, rule in naive.RULES.items()}
    return {**stops, OURS: ours}


def _chunks(given: argparse.Namespace, chunk: int) -> tuple[list[int], list[int]]:
    sizes = [min(chunk, given.runs - start) for start in range(0, given.runs, chunk)]
    return sizes, [int(one.generate_state(1)[0]) for one in np.random.SeedSequence(given.seed).spawn(len(sizes))]


def _merge(parts: Iterable[dict[str, Array]]) -> dict[str, Array]:
    whole: dict[str, list[Array]] = {}
    for part in parts:
        for name, stops in part.items():
            whole.setdefault(name, []).append(stops)
    return {name: np.concatenate(stops) for name, stops in whole.items()}


def _naive_row(rule: str, stops: dict[str, Array]) -> dict[str, Any]:
    def alarms(truth: str) -> str:
        return f"{np.isfinite(stops[truth]).mean():.3f}"

    def detection(truth: str) -> str:
        found = stops[truth]
        quantiles = [_quantile(found, share) for share in (0.5, 0.95)]
        return " / ".join("–" if one is None else f"{one:,}" for one in quantiles)

    return {
        "rule": rule,
        "false alarm, equal": alarms("equal"),
        "at the edge": alarms("at the edge"),
        "5 points: median / p95": detection("5 points"),
        "10 points": detection("10 points"),
    }
