"""Recorded upgrades as live traffic: real outcomes of two releases on real arrivals, looked at after every canary unit.

Request k of a trace gets a case drawn from the task; what it was worth is the recorded label of the release that served it.
Where a trace knows sessions, a session is the unit: it stays with its arm and counts once, with its mean.
The same release on both sides, its outcomes redrawn with replacement, shows how often the canary alarms at nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import table
from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.grid import Grid, Outcomes, Rule
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import GRADED, YES_NO, Scale

Array = NDArray[np.float64]
TASK, LABELER, SLICE = "prime", "rule:yes_no_bracket", "kind"
BEFORE, AFTER = "gpt-4-0314", "gpt-4-0613"
TRACES = {"azure conv": ("azure_llm_2023", "conv"), "mooncake, by session": ("mooncake_conversation", None)}
LIMIT = Null("harm", 0.02)


@dataclass(frozen=True)
class Recorded:
    """Badness of every case under two releases, and its slice. Shape (cases,)."""

    before: Array
    after: Array
    slice_of: NDArray[np.int64]
    slices: tuple[str, ...]


@dataclass(frozen=True)
class Arrivals:
    """Which unit each request belongs to, in order of arrival. Shape (requests,)."""

    units: NDArray[np.int64]


def data_folder() -> Path | None:
    """Where the recordings are: `SEGUE_DATA`, by default `../shared/data`; `None` where they are absent."""
    folder = Path(os.environ.get("SEGUE_DATA", "../shared/data"))
    return folder if (folder / "llmdrift").is_dir() and (folder / "traces").is_dir() else None


def arguments(parser: argparse.ArgumentParser) -> None:
    """What may be set."""
    parser.add_argument("--seeds", type=int, default=200, help="of the real upgrade")
    parser.add_argument("--quiet-seeds", type=int, default=500, help="of the same release on both sides")
    parser.add_argument("--share", type=float, default=0.05)


def measure(given: argparse.Namespace, results: Path | None) -> None:
    """Replay, print, save."""
    folder = data_folder()
    if folder is None:
        print("The recorded upgrades are absent: set SEGUE_DATA to their folder.")
        return
    recorded = read_task(folder)
    rows = []
    for name, (trace, service) in TRACES.items():
        arrivals = read_trace(folder, trace, service)
        for same, seeds in ((False, given.seeds), (True, given.quiet_seeds)):
            stops = replay(recorded, arrivals, seeds=seeds, share=given.share, same=same)
            rolled = np.isfinite(stops)
            share = float(rolled.mean())
            rows.append(
                {
                    "arrivals": name,
                    "release": f"{BEFORE} on both sides" if same else f"{BEFORE} → {AFTER}",
                    "seeds": seeds,
                    "rolled back": f"{share:.3f}",
                    "± s.e.": f"{math.sqrt(share * (1 - share) / seeds):.3f}",
                    "within 60": f"{float((stops <= 60).mean()):.3f}",
                    "canary outcomes: median": float(np.median(stops)) if share > 0.5 else None,
                    "p95": float(np.sort(stops)[math.ceil(0.95 * seeds) - 1]) if share > 0.95 else None,
                }
            )
    table.show(f"Replay of {TASK} at a share of {100 * given.share:g} %, looked at after every canary unit", rows)
    table.save(results, "replay", {"rows": rows})


def read_task(folder: Path) -> Recorded:
    """The task's labels of both releases."""
    cases = {row["case_id"]: row for row in _rows(folder / "llmdrift" / "cases.jsonl.gz") if row["task"].startswith(TASK)}
    labels: dict[str, dict[str, float]] = {BEFORE: {}, AFTER: {}}
    for row in _rows(folder / "llmdrift" / "labels.jsonl.gz"):
        if row["case_id"] in cases and row["labeler"] == LABELER and row["model"] in labels:
            labels[row["model"]][row["case_id"]] = 1.0 - float(row["label"])
    both = [case_id for case_id in cases if all(case_id in one for one in labels.values())]
    names = tuple(sorted({str(cases[one]["slice"][SLICE]) for one in both}))
    return Recorded(
        np.array([labels[BEFORE][one] for one in both]),
        np.array([labels[AFTER][one] for one in both]),
        np.array([names.index(str(cases[one]["slice"][SLICE])) for one in both]),
        tuple(f"{SLICE}={name}" for name in names),
    )


def read_trace(folder: Path, name: str, service: str | None) -> Arrivals:
    """Requests in order of arrival; each its own unit where the trace knows no sessions."""
    rows = [row for row in _rows(folder / "traces" / f"{name}.jsonl.gz") if service is None or row["service"] == service]
    rows.sort(key=lambda row: float(row["t_s"]))
    if "session" not in rows[0]:
        return Arrivals(np.arange(len(rows)))
    number: dict[Any, int] = {}
    return Arrivals(np.array([number.setdefault(row["session"], len(number)) for row in rows]))


def replay(recorded: Recorded, arrivals: Arrivals, *, seeds: int, share: float, same: bool, limit: Null = LIMIT) -> Array:
    """Canary units when the union alarms, per seed; ∞ where it never does. Shape (seeds,)."""
    by_session = int(arrivals.units.max()) + 1 < len(arrivals.units)
    scale = Scale(size=GRADED if by_session else YES_NO)
    rule = Rule(TASK, limit, limit, scale=scale)
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
    count = int(arrivals.units.max()) + 1
    canary = rng.random(count) < share
    cases = rng.integers(len(recorded.before), size=len(arrivals.units))
    after = recorded.before if same else recorded.after
    bad = np.where(canary[arrivals.units], after[cases], recorded.before[cases])
    # A session asks about one kind of number: the slice of its first request, or its mean would belong to two slices.
    first = np.unique(arrivals.units, return_index=True)[1]
    kind = recorded.slice_of[cases[first]]
    if count < len(arrivals.units):
        pools = [np.flatnonzero(recorded.slice_of == one) for one in range(len(recorded.slices))]
        for one, pool in enumerate(pools):
            here = np.flatnonzero(kind[arrivals.units] == one)
            redrawn = pool[rng.integers(len(pool), size=len(here))]
            bad[here] = np.where(canary[arrivals.units[here]], after[redrawn], recorded.before[redrawn])
    means = np.bincount(arrivals.units, bad, count) / np.bincount(arrivals.units, minlength=count)
    masses, counts = np.zeros((count, 1 + len(recorded.slices), scale.size)), np.zeros((count, 1 + len(recorded.slices)))
    levels, which = np.unique(means, return_inverse=True)
    rows = np.array([scale.masses(float(level)) for level in levels])[which]
    masses[:, 0], counts[:, 0] = rows, 1.0
    masses[np.arange(count), 1 + kind], counts[np.arange(count), 1 + kind] = rows, 1.0
    return _Stream(masses, counts, np.flatnonzero(canary))


def _stack(parts: list[tuple[Array, Array, Array, Array]]) -> Block:
    new, asked_new, old, asked_old = (np.stack(one)[:, None] for one in zip(*parts, strict=True))
    return Block(new, old, asked_new, asked_old, asked_new)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
