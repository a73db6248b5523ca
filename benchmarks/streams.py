"""Simulated canary traffic: what both arms did between two looks, for many runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from segue.evidence.sequential.betting import Block

Array = NDArray[np.float64]
REQUESTS = 10
"""Outcomes per user where users are clustered."""
ICC = 0.2
DAY = 40
"""Looks in a day, for the daily cycle."""


@dataclass(frozen=True)
class World:
    """One truth. Rates are of bad outcomes; `lift` is what the candidate adds, in the metrics and slices named (else all).

    `look` candidate units come between two looks, each asked for a label in every metric, and `ratio` control units to each.
    """

    base: float = 0.10
    lift: float = 0.0
    metrics: int = 1
    slices: int = 0
    lift_metrics: frozenset[int] | None = None
    lift_slices: frozenset[int] | None = None
    look: int = 10
    ratio: int = 19
    drift: bool = False
    ramp: bool = False
    clustered: bool = False
    missing: float = 0.0

    @property
    def nodes(self) -> int:
        """Of the scale: two for yes/no, tenths for users' means."""
        return REQUESTS + 1 if self.clustered else 2

    def rate(self, look: int) -> float:
        """The control's rate at a look: a daily cycle of ±30 % on a baseline that rises by half over 500 looks."""
        if not self.drift:
            return self.base
        return self.base * (1 + 0.3 * np.sin(2 * np.pi * look / DAY)) * (1 + 0.5 * min(look / 500, 1.0))

    def controls(self, look: int) -> int:
        """Control units to one candidate unit: 1 % of the traffic at first, then 5 %, then 25 %, where there is a ramp."""
        seen = look * self.look
        return self.ratio if not self.ramp else 99 if seen < 300 else 19 if seen < 2_000 else 3

    def steps_end_at(self, look: int) -> bool:
        """Whether the share changes after this look."""
        return self.controls(look + 1) != self.controls(look)


def blocks(world: World, runs: int, rng: np.random.Generator) -> Iterator[Block]:
    """Endlessly, what came between two looks. Shapes (runs, metrics, 1 + slices, …); the total first."""
    look = 0
    while True:
        new, old = (_units(rng, runs, world.look * many, world.slices) for many in (1, world.controls(look)))
        shape = (runs, world.metrics, max(world.slices, 1))
        rates = np.full(shape[1:], world.rate(look))
        arms = []
        for units, lifted in ((new, True), (old, False)):
            asked = np.broadcast_to(units[:, None, :], shape)
            labelled = rng.binomial(asked, 1 - world.missing) if world.missing else asked
            arms.append((_outcomes(world, rng, labelled, _lifted(world, rates) if lifted else rates), asked.astype(float)))
        (masses_new, asked_new), (masses_old, asked_old) = arms
        yield Block(
            _totalled(masses_new, -2, world.slices),
            _totalled(masses_old, -2, world.slices),
            _totalled(asked_new, -1, world.slices),
            _totalled(asked_old, -1, world.slices),
            _totalled(asked_new, -1, world.slices),
        )
        look += 1


def _units(rng: np.random.Generator, runs: int, units: int, slices: int) -> NDArray[np.int64]:
    """How many units of each slice came; slices are equally large."""
    if not slices:
        return np.full((runs, 1), units)
    return rng.multinomial(units, np.full(slices, 1 / slices), size=runs)


def _lifted(world: World, rates: Array) -> Array:
    lifted = rates.copy()
    rows = [one for one in range(world.metrics) if world.lift_metrics is None or one in world.lift_metrics]
    columns = [one for one in range(rates.shape[1]) if world.lift_slices is None or one in world.lift_slices]
    lifted[np.ix_(rows, columns)] += world.lift
    return np.clip(lifted, 0.0, 1.0)


def _outcomes(world: World, rng: np.random.Generator, units: NDArray[np.int64], rates: Array) -> Array:
    """Masses on the nodes, shape (runs, metrics, cells, nodes)."""
    if not world.clustered:
        bad = rng.binomial(units, rates)
        return np.stack([units - bad, bad], -1).astype(float)
    masses = np.empty((*units.shape, world.nodes))
    for rate in np.unique(rates):
        here = np.broadcast_to(rates == rate, units.shape)
        masses[here] = rng.multinomial(units[here], _user_means(float(rate)))
    return masses


def _user_means(rate: float) -> Array:
    """Of a user's share of bad outcomes among ten: beta-binomial with an intra-class correlation of 0.2."""
    a, b = rate * (1 - ICC) / ICC, (1 - rate) * (1 - ICC) / ICC
    k = np.arange(REQUESTS + 1)
    choose = gammaln(REQUESTS + 1) - gammaln(k + 1) - gammaln(REQUESTS - k + 1)
    chances = np.exp(choose + betaln(a + k, b + REQUESTS - k) - betaln(a, b))
    return np.asarray(chances / chances.sum())


def _totalled(cells: Array, axis: int, slices: int) -> Array:
    """With the total in front of the slices; without slices the total is all there is."""
    return np.concatenate([cells.sum(axis, keepdims=True), cells], axis) if slices else cells
