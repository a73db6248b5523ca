"""What a replay is made of: the recorded outcomes of two releases, the arrivals of a trace, and one seed's canary on them.

How it is looked at is `replay`'s and `replay_by_time`'s.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.grid import Rule
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
    """Which unit each request belongs to, and when it came, in seconds; in order of arrival. Shape (requests,)."""

    units: NDArray[np.int64]
    at: Array

    @property
    def by_session(self) -> bool:
        """Whether some unit has more than one request."""
        return int(self.units.max()) + 1 < len(self.units)


@dataclass(frozen=True)
class Served:
    """One seed: which units are on the canary and which slice they ask about; how bad each request's outcome is."""

    canary: NDArray[np.bool_]
    kind: NDArray[np.int64]
    bad: Array


def data_folder() -> Path | None:
    """Where the recordings are: `SEGUE_DATA`, by default `../shared/data`; `None` where they are absent."""
    folder = Path(os.environ.get("SEGUE_DATA", "../shared/data"))
    return folder if (folder / "llmdrift").is_dir() and (folder / "traces").is_dir() else None


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
    at = np.array([float(row["t_s"]) for row in rows])
    if "session" not in rows[0]:
        return Arrivals(np.arange(len(rows)), at)
    number: dict[Any, int] = {}
    return Arrivals(np.array([number.setdefault(row["session"], len(number)) for row in rows]), at)


def rule_of(arrivals: Arrivals, limit: Null) -> Rule:
    """How the task is judged: a session by its mean, a single request by yes or no; both limits are the same."""
    return Rule(TASK, limit, limit, scale=Scale(size=GRADED if arrivals.by_session else YES_NO))


def serve(recorded: Recorded, arrivals: Arrivals, rng: np.random.Generator, share: float, same: bool) -> Served:
    """Draw the canary and a case for every request."""
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
    return Served(canary, kind, bad)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
