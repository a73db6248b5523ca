"""Shadow: mirrored pairs until a drop is shown. No user sees the candidate meanwhile, and the stop has an α of its own."""

from __future__ import annotations

import argparse
import math
from concurrent.futures import Executor
from functools import partial

import numpy as np

from benchmarks import rows
from benchmarks.canary import HARM, METRICS, SLICES, Setup
from benchmarks.streams import World
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import ALPHA, union_log_e
from segue.evidence.sequential.paired import pair_masses, start_paired

PAIRS = 10
"""From one look to the next."""


def in_shadow(gain: float, loss: float, wide: bool, horizon: int, runs: int, seed: int) -> Array:
    """Mirrored pairs until harm beyond the margin is shown; of all pairs a share `loss` gets worse, a share `gain` better."""
    rng = np.random.default_rng(seed)
    streams, cells = (METRICS, 1 + SLICES) if wide else (1, 1)
    process = start_paired([HARM] * streams, (runs, cells), streams=range(streams))
    weights = Setup(wide=wide).grid(World(), 1).weights
    chances = np.tile([gain, 1 - 2 * gain, gain], (streams, 1))
    chances[0] = [loss, 1 - loss - gain, gain]
    stops = np.full(runs, np.inf)
    for many in range(PAIRS, horizon + 1, PAIRS):
        pairs = rng.multinomial(PAIRS, np.full(SLICES, 1 / SLICES), size=runs) if wide else np.full((runs, 1), PAIRS)
        seen = rng.multinomial(
            np.broadcast_to(pairs[:, None, :], (runs, streams, pairs.shape[1])), chances[None, :, None, :]
        ).astype(float)
        masses = pair_masses(seen[..., 0], seen[..., 1], seen[..., 2])
        if wide:
            masses = np.concatenate([masses.sum(-2, keepdims=True), masses], -2)
        process = process.advance(masses)
        log_e = union_log_e(process.log_e.reshape(runs, -1), weights.ravel())
        stops[(log_e >= -math.log(ALPHA)) & np.isinf(stops)] = many
        if np.isfinite(stops).all():
            break
    return stops


def shadow_rows(pool: Executor, given: argparse.Namespace) -> list[rows.Row]:
    """A row per regression and column."""
    found = []
    for drop, churn in ((0.05, 0.03), (0.05, 0.08), (0.10, 0.03)):
        for wide, column, chunk in ((False, "one cell at α", 500), (True, "in the grid", 50)):
            stops = rows.spread(pool, given, partial(in_shadow, churn, churn + drop, wide, given.horizon), chunk)
            mean = rows.mean(stops)
            found.append(
                {
                    "regression": f"{100 * drop:g} points, {100 * churn:g} % get better",
                    "where": column,
                    "median pairs": rows.quantile(stops, 0.5),
                    "goal": 1_000,
                    "mean": None if mean is None else round(mean),
                    "± s.e.": round(rows.error(stops), 1),
                    "p95": rows.quantile(stops, 0.95),
                    "missed": round(1 - rows.share(stops)[0], 4),
                }
            )
            print(f"  … {found[-1]}", flush=True)
    return found
