"""Wald's bound on simulated traffic: along a drifting baseline, and for users' means as well as yes/no outcomes.

Evidence against "the difference of the means is within the margin" can grow, per candidate unit and k control units, by at most
    min over t of  K(P_b, t + margin) + k·K(P_a, t),   K(P, t) = max over λ of E_P log(1 + λ·(X − t)),
which for yes/no outcomes is the growth rate that ships (Honda and Takemura, *An asymptotically optimal bandit algorithm for
bounded support models*, 2010). Traffic is followed until the growth adds up to log(1/(α·weight)).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.streams import World, user_means
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.wald import growth_rate

MOST = 100_000
"""Candidate units after which the bound counts as never."""


def traffic_bound(world: World, null: Null, weight: float) -> float:
    """Labelled candidate units, in this world's traffic, until no valid test could have been much earlier."""
    goal, gathered, labelled, candidates, users = -math.log(ALPHA * weight), 0.0, 0.0, 0, 0
    while candidates < MOST:
        many, ratio = world.step(candidates), world.controls(candidates)
        growth = _growth(world.clustered, null, round(world.rate(users), 4), world.lift, ratio)
        step = many * (1 - world.missing)
        if gathered + step * growth >= goal:
            return labelled + (goal - gathered) / growth
        gathered, labelled = gathered + step * growth, labelled + step
        candidates, users = candidates + many, users + many * (1 + ratio)
    return math.inf


@lru_cache(maxsize=4_096)
def _growth(clustered: bool, null: Null, rate: float, lift: float, ratio: int) -> float:
    if not clustered:
        return growth_rate(null, control=rate, candidate=rate + lift, ratio=ratio)
    return growth_of_means(null, user_means(rate), user_means(rate + lift), ratio)


def growth_of_means(null: Null, control: Array, candidate: Array, ratio: float) -> float:
    """The best mean growth per candidate unit, where units are means on evenly spaced nodes with these chances."""
    nodes = np.linspace(0.0, 1.0, len(control))
    low, high = float(control @ nodes), float(candidate @ nodes) - null.margin
    if high <= low:
        return 0.0

    def growth(at: float) -> float:
        return _farthest(candidate, nodes - at - null.margin) + ratio * _farthest(control, at - nodes)

    return float(minimize_scalar(growth, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).fun)


def _farthest(chances: Array, gains: Array) -> float:
    """How fast capital grows at best on a bet that gains so much on each node; a thousandth of the stake is kept."""
    highest = 0.999 / float(-gains.min())
    best = minimize_scalar(lambda stake: -float(chances @ np.log1p(stake * gains)), bounds=(0.0, highest), method="bounded")
    return max(0.0, -float(best.fun))
