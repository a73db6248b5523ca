"""One cell at α beside the rules that teams use, on the same streams; a look every 10 canary outcomes to the end."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import partial

import numpy as np

from benchmarks import naive, rows
from benchmarks.canary import MARGIN, Setup, rolls_back
from benchmarks.streams import Stream, World
from segue.evidence.sequential.betting import Array

OURS = "two-sample betting e-process, blocks (this)"
TRUTHS = {"equal": 0.0, "at the edge": MARGIN, "5 points": 0.05, "10 points": 0.10}
CHUNK = 200


def naive_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    """A row per rule."""
    per_truth = {
        truth: _merge(pool.map(partial(_stops, World(lift=lift, every=10), given.horizon), *rows.chunks(given, CHUNK)))
        for truth, lift in TRUTHS.items()
    }
    return [_row(rule, {truth: stops[rule] for truth, stops in per_truth.items()}) for rule in (*naive.RULES, OURS)]


def _stops(world: World, horizon: int, runs: int, seed: int) -> dict[str, Array]:
    """First alarms of every rule, and of ours."""
    stream, setup = Stream(world, runs, np.random.default_rng(seed)), Setup()
    grid = setup.grid(world, runs)
    seen: tuple[list[Array], ...] = ([], [], [], [])
    ours = np.full(runs, np.inf)
    while stream.candidates < horizon:
        for draw in stream.look():
            grid = grid.advance(draw.outcomes(world.scale))
            ours[rolls_back(grid, setup.alpha) & np.isinf(ours)] = stream.candidates
            for place, arm in enumerate((1, 0)):
                seen[2 * place].append(draw.masses[:, arm, 0, 0, 1])
                seen[2 * place + 1].append(draw.asked[:, arm, 0, 0])
    counts = tuple(np.cumsum(np.stack(one, 1), 1) for one in seen)
    stops = {name: naive.first_alarm(rule, (counts[0], counts[1], counts[2], counts[3])) for name, rule in naive.RULES.items()}
    return {**stops, OURS: ours}


def _merge(parts: Iterable[dict[str, Array]]) -> dict[str, Array]:
    whole: dict[str, list[Array]] = {}
    for part in parts:
        for name, stops in part.items():
            whole.setdefault(name, []).append(stops)
    return {name: np.concatenate(stops) for name, stops in whole.items()}


def _row(rule: str, stops: dict[str, Array]) -> rows.Row:
    def detection(truth: str) -> str:
        quantiles = [rows.quantile(stops[truth], part) for part in (0.5, 0.95)]
        return " / ".join("–" if one is None else f"{one:,}" for one in quantiles)

    def alarms(truth: str) -> str:
        found, error = rows.share(stops[truth])
        return f"{found:.4f} ± {error:.4f}"

    return {
        "rule": rule,
        "false alarm, equal": alarms("equal"),
        "at the edge": alarms("at the edge"),
        "5 points: median / p95": detection("5 points"),
        "10 points": detection("10 points"),
    }
