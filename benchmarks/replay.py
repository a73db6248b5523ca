"""Recorded upgrades as live traffic: real outcomes of two releases on real arrivals.

Looked at in two ways: after every canary unit, by order of arrival and at once, many seeds side by side (this module); and by
time, as the product goes, with labels that come late (`replay_by_time`).
Request k of a trace gets a case drawn from the task; what it was worth is the recorded label of the release that served it.
Where a trace knows sessions, a session is the unit: it stays with its arm and counts once, with its mean.
The same release on both sides, its outcomes redrawn with replacement, shows how often the canary alarms at nothing.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from benchmarks.recorded_traffic import (
    AFTER,
    BEFORE,
    LIMIT,
    TASK,
    TRACES,
    Arrivals,
    Recorded,
    data_folder,
    read_task,
    read_trace,
    rule_of,
    serve,
)
from benchmarks.replay_by_time import BLOCK, replay_by_time
from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.grid import Grid, Outcomes
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import Scale

Array = NDArray[np.float64]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seeds", type=int, default=200, help="of the real upgrade")
    parser.add_argument("--quiet-seeds", type=int, default=500, help="of the same release on both sides")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--look", choices=("unit", "block"), action="append", help="after which to look; default: both")
    parser.add_argument("--arrivals", choices=tuple(TRACES), action="append", help="default: all")


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Replay, print, save."""
    folder = data_folder()
    if folder is None:
        print("The recorded upgrades are absent: set SEGUE_DATA to their folder.")
        return
    recorded = read_task(folder)
    rows = []
    for name in given.arrivals or TRACES:
        arrivals = read_trace(folder, *TRACES[name])
        for look in given.look or ("unit", "block"):
            for same, seeds in ((False, given.seeds), (True, given.quiet_seeds)):
                stops, exposed = _stops(look, recorded, arrivals, seeds, given.share, same)
                head = {"arrivals": name, "release": f"{BEFORE} on both sides" if same else f"{BEFORE} → {AFTER}"}
                rows.append({**head, "look after every": look, **_row(stops, exposed)})
    table.show(f"Replay of {TASK} at a share of {100 * given.share:g} %; blocks of {BLOCK:g} s", rows)
    table.save(results, "replay", {"rows": rows})


def _stops(
    look: str, recorded: Recorded, arrivals: Arrivals, seeds: int, share: float, same: bool
) -> tuple[Array, Array | None]:
    """Canary outcomes that had counted when it rolled back, per seed, and canary units exposed by then where time is known."""
    if look == "unit":
        return replay(recorded, arrivals, seeds=seeds, share=share, same=same), None
    found = [replay_by_time(recorded, arrivals, seed=seed, share=share, same=same) for seed in range(seeds)]
    return np.array([one.outcomes for one in found]), np.array([one.exposed for one in found])


def _row(stops: Array, exposed: Array | None) -> dict[str, Any]:
    seeds, share = len(stops), float(np.isfinite(stops).mean())
    return {
        "seeds": seeds,
        "rolled back": f"{share:.3f}",
        "± s.e.": f"{math.sqrt(share * (1 - share) / seeds):.3f}",
        "within 60": f"{float((stops <= 60).mean()):.3f}",
        "canary outcomes: median": float(np.median(stops)) if share > 0.5 else None,
        "p95": float(np.sort(stops)[math.ceil(0.95 * seeds) - 1]) if share > 0.95 else None,
        "canary units exposed: median": float(np.median(exposed)) if exposed is not None and share > 0.5 else None,
    }


def replay(recorded: Recorded, arrivals: Arrivals, *, seeds: int, share: float, same: bool, limit: Null = LIMIT) -> Array:
    """Canary units when the union alarms, per seed; ∞ where it never does. Shape (seeds,)."""
    rule = rule_of(arrivals, limit)
    scale = rule.scale
    grid = Grid.start([rule], recorded.slices, runs=(seeds,))
    stops = np.full(seeds, np.inf)
    streams = [_units(recorded, arrivals, np.random.default_rng([seed, same]), share, same, scale) for seed in range(seeds)]
    least = min(len(one.canaries) for one in streams)
    for place in range(least):
        block = _stack([one.between(place) for one in streams])
        grid = grid.advance(Outcomes({scale.size: block}, {scale.size: block}))
        alarms = grid.union(grid.rollback_log_e) >= -math.log(ALPHA)
        stops[alarms & np.isinf(stops)] = place + 1
        if np.isfinite(stops).all():
            break
    return stops


@dataclass(frozen=True)
class _Stream:
    """One seed's units in order of first exposure: masses (units, 1 + slices, nodes), their arm, and where the canaries are."""

    masses: Array
    counts: Array
    canaries: NDArray[np.int64]

    def between(self, place: int) -> tuple[Array, Array, Array, Array]:
        """The canary unit at `place` and the control units since the one before it."""
        at, before = self.canaries[place], self.canaries[place - 1] + 1 if place else 0
        return self.masses[at], self.counts[at], self.masses[before:at].sum(0), self.counts[before:at].sum(0)


def _units(recorded: Recorded, arrivals: Arrivals, rng: np.random.Generator, share: float, same: bool, scale: Scale) -> _Stream:
    served = serve(recorded, arrivals, rng, share, same)
    count, bad, kind = len(served.canary), served.bad, served.kind
    means = np.bincount(arrivals.units, bad, count) / np.bincount(arrivals.units, minlength=count)
    masses, counts = np.zeros((count, 1 + len(recorded.slices), scale.size)), np.zeros((count, 1 + len(recorded.slices)))
    levels, which = np.unique(means, return_inverse=True)
    rows = np.array([scale.masses(float(level)) for level in levels])[which]
    masses[:, 0], counts[:, 0] = rows, 1.0
    masses[np.arange(count), 1 + kind], counts[np.arange(count), 1 + kind] = rows, 1.0
    return _Stream(masses, counts, np.flatnonzero(served.canary))


def _stack(parts: list[tuple[Array, Array, Array, Array]]) -> Block:
    new, asked_new, old, asked_old = (np.stack(one)[:, None] for one in zip(*parts, strict=True))
    return Block(new, old, asked_new, asked_old, asked_new)
