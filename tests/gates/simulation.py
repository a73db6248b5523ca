"""Two simulated arms through the shipped gate: noise in every case, and a drop in one slice or none.

Each case has a right or wrong leaning and a probability of 5 to 30 % to flip away from it in any one run, as sampled models do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np

from segue.gates.findings import judge_findings
from segue.gates.repeats import plan_uniform_repeats
from segue.gates.tally import TOTAL, Cell, Observed, Tally
from segue.model import GateSettings

SETTINGS = GateSettings(primary=("correct",))
NUMBERS = tuple(one.name for one in fields(Cell) if isinstance(getattr(Cell(), one.name), int | float))
"""The fields of a cell that are sums or counts."""


@dataclass(frozen=True)
class Run:
    """What the gate said: repeats it asked for, slices (and the total, '') it called worse, not worse or better."""

    repeats: int
    worse: frozenset[str]
    not_worse: frozenset[str]
    better: frozenset[str]


def simulate(seed: int, *, drop: float = 0.0, slices: int = 10, cases: int = 300, settings: GateSettings = SETTINGS) -> Run:
    """One comparison with `slices` slices of `cases` cases; slice 0 truly loses `drop` of its rate."""
    rng = np.random.default_rng([seed, int(drop * 1000)])
    n = slices * cases
    leaning = rng.random(n) < rng.uniform(0.6, 0.95)
    flip = rng.uniform(0.05, 0.30, n)
    p_old = np.where(leaning, 1 - flip, flip)
    p_new = p_old.copy()
    lost = 0.0
    for index in rng.permutation(cases):
        if lost >= drop * cases:
            break
        if leaning[index]:
            p_new[index] = flip[index]
            lost += p_old[index] - p_new[index]
    old = (rng.random((settings.max_repeats, n)) < p_old).astype(float)
    new = (rng.random((settings.max_repeats, n)) < p_new).astype(float)
    done = 1
    while True:
        tally = gather(old[:done], new[:done], cases)
        planned = plan_uniform_repeats(tally, settings, critical=(), done=done)
        if planned <= done:
            break
        done = planned
    findings = judge_findings(tally, settings, gated=settings.primary, critical=frozenset())
    by = {
        verdict: frozenset(one.where for one in findings if one.verdict == verdict)
        for verdict in ("worse", "not worse", "better")
    }
    return Run(done, by["worse"], by["not worse"], by["better"])


def gather(old: np.ndarray, new: np.ndarray, cases: int) -> Tally:
    """What a tally holds after every case of `(repeats, cases)` outcomes.

    Cases of a slice that are right as often on either arm add the same to it. One of them is added; what it adds is
    multiplied. `gather_one_by_one` is what this has to agree with.
    """
    repeats, n = old.shape
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    alike = Counter(zip((np.arange(n) // cases).tolist(), old.sum(axis=0).tolist(), new.sum(axis=0).tolist(), strict=True))
    for (index, before, after), times in alike.items():
        one = _one_case(repeats, int(before), int(after))
        for where in (TOTAL, f"s={index}"):
            _add_times(tally.cell("correct", where), one, times)
    tally.n_cases, tally.max_repeats = n, repeats
    tally.by_task, tally.by_kind = {"t": n}, {"representative": n}
    return tally


def gather_one_by_one(old: np.ndarray, new: np.ndarray, cases: int) -> Tally:
    """The same, as a comparison gathers it."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for index, (before, after) in enumerate(zip(old.T.tolist(), new.T.tolist(), strict=True)):
        _add_case(tally, (f"s={index // cases}",), before, after)
    return tally


def _add_case(tally: Tally, slices: tuple[str, ...], old: Sequence[float], new: Sequence[float]) -> None:
    tally.add(
        task="t",
        kind="representative",
        slices=slices,
        applicable=None,
        cluster=None,
        old=[Observed(repeat, {"correct": value}) for repeat, value in enumerate(old)],
        new=[Observed(repeat, {"correct": value}) for repeat, value in enumerate(new)],
    )


@cache
def _one_case(repeats: int, before: int, after: int) -> Cell:
    """A cell with one case in it, right in so many of its runs."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    old, new = ([float(run < right) for run in range(repeats)] for right in (before, after))
    _add_case(tally, (), old, new)
    return tally.cell("correct")


def _add_times(cell: Cell, one: Cell, times: int) -> None:
    for name in NUMBERS:
        setattr(cell, name, getattr(cell, name) + times * getattr(one, name))
    for key, count in one.blocks.items():
        cell.blocks[key] = cell.blocks.get(key, 0) + times * count
