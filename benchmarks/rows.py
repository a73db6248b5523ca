"""Rows of a table from many simulated runs: spread over processes, with their standard errors."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np

from segue.evidence.sequential.betting import Array

Row = dict[str, Any]


def chunks(given: argparse.Namespace, size: int) -> tuple[list[int], list[int]]:
    """A row's runs in chunks, each with a seed of its own, so that figures do not depend on the number of processes."""
    sizes = [min(size, given.runs - start) for start in range(0, given.runs, size)]
    return sizes, [int(one.generate_state(1)[0]) for one in np.random.SeedSequence(given.seed).spawn(len(sizes))]


def spread(pool: Executor, given: argparse.Namespace, job: Callable[[int, int], Array], size: int) -> Array:
    """All runs of a row; `job` takes a number of runs and a seed."""
    return np.concatenate(list(pool.map(job, *chunks(given, size))))


def share(stops: Array) -> tuple[float, float]:
    """How many runs stopped at all, with the standard error of that share."""
    found = float(np.isfinite(stops).mean())
    return found, math.sqrt(found * (1 - found) / len(stops))


def alarmed(column: str, stops: Array) -> Row:
    """The same as two columns."""
    found, error = share(stops)
    return {column: f"{found:.4f}", f"{column} ± s.e.": f"{error:.4f}"}


def mean(stops: Array) -> float | None:
    """`None` where a run never stopped."""
    value = float(stops.mean())
    return value if math.isfinite(value) else None


def error(stops: Array) -> float:
    """The standard error of the mean of the runs that stopped."""
    found = stops[np.isfinite(stops)]
    return float(found.std() / math.sqrt(len(found))) if len(found) else math.nan


def quantile(stops: Array, part: float) -> int | None:
    """Nearest rank; `None` where so many runs never stopped."""
    value = np.sort(stops)[max(0, math.ceil(part * len(stops)) - 1)]
    return round(float(value)) if math.isfinite(value) else None
