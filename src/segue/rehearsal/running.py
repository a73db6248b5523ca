"""Rehearsals by seed: one in this process, or several side by side, each prepared once for all its seeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from segue.model import Json
from segue.rehearsal.course import Course
from segue.rehearsal.preparing import Pair, Prepared, prepare
from segue.rehearsal.result import Rehearsed
from segue.rehearsal.side_by_side import Hall, work_side_by_side
from segue.rehearsal.world import Listener, Rehearsal
from segue.store import open_store
from segue.workspace import load_workspace


@dataclass(frozen=True)
class Order:
    """What is to be rehearsed, as another process can be told it. `verdict` is that of the eval, made before."""

    root: Path
    state: str
    pair: Pair
    course: Course
    verdict: tuple[str, Json]


def rehearse(prepared: Prepared, course: Course, listener: Listener | None = None) -> Rehearsed:
    """One run, in memory and in a folder that is gone afterwards."""
    store = open_store("memory:")
    prepared.furnish(store, with_verdict=False)
    with TemporaryDirectory(prefix="segue-rehearsal-", ignore_cleanup_errors=True) as folder:
        return Rehearsal(prepared, course, store, Path(folder), keeps=False).run(listener)


def rehearse_seeds(
    order: Order,
    prepared: Prepared,
    seeds: Sequence[int],
    processes: int,
    done: Callable[[Rehearsed], None],
) -> tuple[dict[int, Rehearsed], bool]:
    """By seed, and whether it was interrupted: then with what there is."""
    found: dict[int, Rehearsed] = {}

    def took(one: Rehearsed) -> None:
        if one.ending == "interrupted":
            raise KeyboardInterrupt
        found[one.seed] = one
        done(one)

    try:
        if processes == 1 or len(seeds) == 1:
            for seed in seeds:
                took(rehearse(prepared, replace(order.course, seed=seed)))
        else:
            fix = "Run it again with --processes 1."
            hall = Hall(processes, _prepare, (order, dict(os.environ)), "rehearsal", fix)
            work_side_by_side(hall, _work, seeds, lambda _, one: took(one))
    except KeyboardInterrupt:
        return found, True
    return found, False


_orders: list[tuple[Order, Prepared]] = []


def _prepare(order: Order, environ: Mapping[str, str]) -> None:
    """In a new process: what to rehearse."""
    workspace = load_workspace(order.root, environ)
    # Left open as long as the process lasts: labels of outputs are looked up in it.
    prepared = prepare(workspace, open_store(order.state), open_store("memory:"), order.pair, verdict=order.verdict)
    _orders.append((order, prepared))


def _work(seed: int) -> Rehearsed:
    order, prepared = _orders[-1]
    return rehearse(prepared, replace(order.course, seed=seed))
