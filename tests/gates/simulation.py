"""Two simulated arms through the shipped gate: noise in every case, and a drop in one slice or none.

Each case has a right or wrong leaning and a probability of 5 to 30 % to flip away from it in any one run, as sampled models do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.gates.findings import judge_findings
from segue.gates.repeats import plan_uniform_repeats
from segue.gates.tally import Observed, Tally
from segue.model import GateSettings

SETTINGS = GateSettings(primary=("correct",))


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
    """A tally of `(repeats, cases)` outcomes."""
    tally = Tally(bounded=["correct"], better={"correct": "higher"})
    for index, (before, after) in enumerate(zip(old.T.tolist(), new.T.tolist(), strict=True)):
        tally.add(
            task="t",
            kind="representative",
            slices=(f"s={index // cases}",),
            applicable=None,
            cluster=None,
            old=[Observed(repeat, {"correct": value}) for repeat, value in enumerate(before)],
            new=[Observed(repeat, {"correct": value}) for repeat, value in enumerate(after)],
        )
    return tally
