"""Simulated canary traffic: what both arms did, look by look, for many runs at once.

What is drawn becomes the `Outcomes` that ship, as `outcomes_of` makes them from recorded cells: stakes balanced by what was
labelled, missing labels at their worst for the claim of safety. It knows nothing of what is concluded; `canary` does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.grid import Outcomes
from segue.evidence.sequential.scale import Scale

REQUESTS = 10
"""Outcomes per user where users are clustered."""
ICC = 0.2
DAY = 8_000
"""Users of both arms in a day, for the daily cycle; 400 of the candidate's at a share of 5 %."""
RISE = 100_000
"""Users of both arms while the baseline rises by half."""
LOOKS = ((2_000, 10), (8_000, 40), (None, 80))
"""Candidate units from one look to the next, until so many were exposed. The same in every row, of detections and of nulls."""
LAG = 800.0
"""Users of both arms served between an exposure and its label's age, where labels are late: 40 candidate units at 5 %."""


@dataclass(frozen=True)
class World:
    """One truth. Rates are of bad outcomes; `lift` is what the candidate adds, in the metrics and slices named (else all).

    `ratio` control units come to each of the candidate's, and every unit is asked for a label in every metric. `missing` is the
    share of labels that never come, on the candidate and, unless `missing_control` says otherwise, on the control. `delay` is
    how many users of both arms are served until an outcome has its age. Looks come as in `LOOKS`, or `every` so many units.
    """

    base: float = 0.10
    lift: float = 0.0
    metrics: int = 1
    slices: int = 0
    lift_metrics: frozenset[int] | None = None
    lift_slices: frozenset[int] | None = None
    every: int | None = None
    ratio: int = 19
    drift: bool = False
    ramp: bool = False
    clustered: bool = False
    missing: float = 0.0
    missing_control: float | None = None
    delay: float = 0.0

    @property
    def scale(self) -> Scale:
        """Yes/no, or tenths for users' means."""
        return Scale(size=REQUESTS + 1 if self.clustered else 2)

    def rate(self, users: float) -> float:
        """The control's rate after so many users: a daily cycle of ±30 % on a baseline that rises by half."""
        if not self.drift:
            return self.base
        return float(self.base * (1 + 0.3 * np.sin(2 * np.pi * users / DAY)) * (1 + 0.5 * min(users / RISE, 1.0)))

    def controls(self, candidates: int) -> int:
        """Control units to one candidate unit: 1 % of the traffic at first, then 5 %, then 25 %, where there is a ramp."""
        return self.ratio if not self.ramp else 99 if candidates < 300 else 19 if candidates < 2_000 else 3

    def step(self, candidates: int) -> int:
        """Candidate units until the next look."""
        return self.every or next(step for until, step in LOOKS if until is None or candidates < until)


@dataclass(frozen=True, slots=True)
class Draw:
    """What was exposed between two looks. Shapes (runs, arms, metrics, 1 + slices, …); the control and the total first.

    `masses` lies on the nodes of the scale, `asked` counts the units; `closes` says that a step of the ramp ended with it.
    """

    masses: Array
    asked: Array
    closes: bool = False

    def outcomes(self, scale: Scale, *, cautious: bool = True) -> Outcomes:
        """The block that ships, as `outcomes_of` would make it; not `cautious` where nobody asks whether anything is safe."""
        labelled = self.labelled
        plain = self._block(self.masses, labelled)
        if not cautious or np.array_equal(labelled, self.asked):
            return Outcomes({scale.size: plain}, {scale.size: plain})
        worst, missing = self.masses.copy(), self.asked - labelled
        for arm in (0, 1):
            for node, mass in enumerate(scale.masses(float(arm))):
                worst[:, arm, ..., node] += missing[:, arm] * mass
        return Outcomes({scale.size: plain}, {scale.size: self._block(worst, self.asked)})

    @property
    def labelled(self) -> Array:
        """The weight of the labels. Shape (runs, arms, metrics, 1 + slices)."""
        # A product is several times as fast as a sum over so short an axis.
        return np.asarray(self.masses @ np.ones(self.masses.shape[-1]))

    def _block(self, masses: Array, weight: Array) -> Block:
        return Block(masses[:, 1], masses[:, 0], weight[:, 1], weight[:, 0], self.asked[:, 1])

    def only(self, where: NDArray[np.bool_]) -> Self:
        """Some of the runs."""
        return type(self)(self.masses[where], self.asked[where], self.closes)


class Stream:
    """Traffic of one world in many runs. `candidates` of the candidate's and `users` of both arms were exposed so far."""

    def __init__(self, world: World, runs: int, rng: np.random.Generator) -> None:
        self.world, self.runs, self.candidates, self.users = world, runs, 0, 0
        self._rng = rng
        self._young: deque[tuple[int, Draw]] = deque()

    def look(self) -> list[Draw]:
        """Serve users until the next look. What has reached its age by then, in order of exposure."""
        many, ratio = self.world.step(self.candidates), self.world.controls(self.candidates)
        rate = self.world.rate(self.users)
        self.candidates += many
        self.users += many * (1 + ratio)
        closes = self.world.controls(self.candidates) != ratio
        self._young.append((self.users, draw(self.world, self.runs, (many * ratio, many), rate, self._rng, closes=closes)))
        ripe = []
        while self._young and self._young[0][0] + self.world.delay <= self.users:
            ripe.append(self._young.popleft()[1])
        return ripe

    def keep(self, where: NDArray[np.bool_]) -> None:
        """Go on with some of the runs only."""
        self.runs = int(where.sum())
        self._young = deque((born, one.only(where)) for born, one in self._young)


def draw(
    world: World, runs: int, units: tuple[int, int], rate: float, rng: np.random.Generator, *, closes: bool = False
) -> Draw:
    """So many units of the control and of the candidate, at a rate of the control's."""
    lost = (world.missing if world.missing_control is None else world.missing_control, world.missing)
    rates = np.full((world.metrics, max(world.slices, 1)), rate)
    shape = (runs, *rates.shape)
    masses, asked = [], []
    for arm, (many, share) in enumerate(zip(units, lost, strict=True)):
        here = np.broadcast_to(_units(rng, runs, many, world.slices)[:, None, :], shape)
        labelled = rng.binomial(here, 1 - share) if share else here
        masses.append(_totalled(_outcomes(world, rng, labelled, _lifted(world, rates) if arm else rates), -2, world.slices))
        asked.append(_totalled(here.astype(float), -1, world.slices))
    return Draw(np.stack(masses, 1), np.stack(asked, 1), closes)


def user_means(rate: float) -> Array:
    """Of a user's share of bad outcomes among ten: beta-binomial with an intra-class correlation of 0.2."""
    a, b = rate * (1 - ICC) / ICC, (1 - rate) * (1 - ICC) / ICC
    k = np.arange(REQUESTS + 1)
    choose = gammaln(REQUESTS + 1) - gammaln(k + 1) - gammaln(REQUESTS - k + 1)
    chances = np.exp(choose + betaln(a + k, b + REQUESTS - k) - betaln(a, b))
    return np.asarray(chances / chances.sum())


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
    masses = np.zeros((*units.shape, REQUESTS + 1))
    for rate in np.unique(rates):
        here = (rates == rate) & (units > 0)
        masses[here] = rng.multinomial(units[here], user_means(float(rate)))
    return masses


def _totalled(cells: Array, axis: int, slices: int) -> Array:
    """With the total in front of the slices; without slices the total is all there is."""
    return np.concatenate([cells.sum(axis, keepdims=True), cells], axis) if slices else cells
