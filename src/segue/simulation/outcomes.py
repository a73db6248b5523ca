"""Outcomes as they might come: units by arm, their badness by metric, what was asked and answered, and their slices.

A unit's slice in each dimension is drawn independently of its outcome, given the slices that a regression is in; so the
counts of every slice come from splitting the counts of few groups, which is exact and cheap. Metrics are drawn
independently of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from math import pi

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.special import betaln, gammaln
from segue.simulation.scenario import SOAK, Scenario, Shift, dimension
from segue.simulation.setting import Setting
from segue.simulation.trouble import answers_given

MISSING, EXPOSED = -2, -1
"""Where a table has, behind the masses on the nodes, the labels that did not come, and the units served."""
WEEK = 7.0
_EDGE = 1e-4


@dataclass(frozen=True, slots=True)
class Split:
    """The slices of one dimension: which cells they are, and a unit's chance of each; the last is of none of them."""

    cells: tuple[int, ...]
    chances: Array


@dataclass(frozen=True, slots=True)
class Population:
    """Units alike in the slices that a regression is in: their share, their slices, and what is wrong for them."""

    share: float
    splits: tuple[Split, ...]
    shifts: tuple[Shift, ...]


@dataclass(frozen=True)
class Outcomes:
    """Draws tables of outcomes for one scenario. `drift` is how far the rates of both arms swing over a week, in badness."""

    setting: Setting
    scenario: Scenario
    drift: float = 0.0
    populations: tuple[Population, ...] = field(init=False)
    features: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", tuple(_populations(self.setting, self.scenario)))
        object.__setattr__(self, "features", _features(self.setting))

    def draw(self, units: NDArray[np.int64], day: Array, soak_day: Array | None, rng: Generator) -> Array:
        """A table of shape (runs, arms, streams, cells, nodes + 2) from units of shape (runs, arms): incumbent, candidate.

        `day` is the time since the canary began, `soak_day` that since full traffic, `None` before it; both by run.
        """
        setting = self.setting
        runs, streams, cells = len(units), len(setting.streams), len(setting.slices)
        table = np.zeros((runs, 2, streams, cells, self.features.shape[1]))
        groups = rng.multinomial(units, [one.share for one in self.populations])
        for index, population in enumerate(self.populations):
            chances = self._chances(population, day, soak_day)
            counts = rng.multinomial(groups[..., index, None], chances)
            table[:, :, :, 0] += counts @ self.features
            for split in population.splits:
                if split.chances.max() >= 1.0:
                    place = int(split.chances.argmax())
                    if place < len(split.cells):
                        table[:, :, :, split.cells[place]] += counts @ self.features
                    continue
                parts = rng.multinomial(counts, split.chances)[..., : len(split.cells)]
                table[:, :, :, list(split.cells)] += np.swapaxes(parts, -1, -2) @ self.features
        return table

    def _chances(self, population: Population, day: Array, soak_day: Array | None) -> Array:
        """Of a unit: not asked, no answer, or each number of bad outcomes. Shape (runs, arms, streams, these)."""
        setting = self.setting
        base = np.array([stream.rate for stream in setting.streams])
        swing = self.drift * np.sin(2 * pi * day / WEEK)
        rates = np.repeat((base + swing[:, None])[:, None, :], 2, axis=1)
        for shift in population.shifts:
            begun = np.full(len(day), soak_day is not None) if shift.since == SOAK else day >= shift.since
            rates[:, 1, shift.stream] += shift.amount * begun
        rates = np.clip(rates, _EDGE, 1 - _EDGE)
        asked = np.broadcast_to([stream.sampled for stream in setting.streams], rates.shape)
        answered = np.array([stream.answered for stream in setting.streams])
        of_candidate = answers_given(self.scenario.troubles, answered, day)
        labelled = asked * np.stack([np.broadcast_to(answered, of_candidate.shape), of_candidate], 1)
        bad = unit_chances(rates, setting.outcomes, setting.plan.likeness)
        chances = np.concatenate([np.stack([1 - asked, asked - labelled], -1), bad * labelled[..., None]], -1)
        return np.asarray(chances / chances.sum(-1, keepdims=True))


def unit_chances(rate: Array, outcomes: int, likeness: float) -> Array:
    """The chance of each number of bad outcomes of a unit: beta-binomial, so that two of one unit correlate by `likeness`."""
    if outcomes == 1:
        return np.stack([1 - rate, rate], -1)
    bad = np.arange(outcomes + 1)
    spread = (1 - min(max(likeness, 1e-6), 0.999)) / max(likeness, 1e-6)
    a, b = (rate * spread)[..., None], ((1 - rate) * spread)[..., None]
    ways = gammaln(outcomes + 1) - gammaln(bad + 1) - gammaln(outcomes - bad + 1)
    return np.asarray(np.exp(ways + betaln(bad + a, outcomes - bad + b) - betaln(a, b)))


def block_of(table: Array, rows: Sequence[int], cells: Sequence[int] | slice, *, cautious: bool = False) -> Block:
    """A table as a block of bets on these streams and cells; `cautious` takes missing labels at their worst."""
    part = table[:, :, list(rows)][:, :, :, cells]
    masses, missing, exposed = part[..., :MISSING], part[..., MISSING], part[..., EXPOSED]
    asked = masses[:, 1].sum(-1) + missing[:, 1]
    if cautious and missing.any():
        masses = masses.copy()
        masses[:, 0, ..., 0] += missing[:, 0]
        masses[:, 1, ..., -1] += missing[:, 1]
    return Block(masses[:, 1], masses[:, 0], exposed[:, 1], exposed[:, 0], asked)


def labels_of(table: Array, rows: Sequence[int]) -> Array:
    """The candidate's labels that came, by run, gate and cell; `rows` are the gates' streams."""
    return np.asarray(table[:, 1, list(rows), :, :MISSING].sum(-1))


def _features(setting: Setting) -> Array:
    """Of every category of a unit: its masses on the nodes, whether a label is missing, and 1 for being served."""
    scale = setting.scale
    rows = [[0.0] * scale.size + [0.0, 1.0], [0.0] * scale.size + [1.0, 1.0]]
    for bad in range(setting.outcomes + 1):
        rows.append([*scale.masses(bad / setting.outcomes), 0.0, 1.0])
    return np.array(rows)


def _populations(setting: Setting, scenario: Scenario) -> list[Population]:
    """All combinations of being in a slice with a regression or in none of them, dimension by dimension."""
    dimensions: dict[str, list[int]] = {}
    for cell, name in enumerate(setting.slices):
        if cell:
            dimensions.setdefault(dimension(name), []).append(cell)
    hit = {shift.cell for shift in scenario.shifts if shift.cell}
    choices = [[*sorted(hit & set(cells)), 0] if hit & set(cells) else [None] for cells in dimensions.values()]
    found = []
    for choice in product(*choices):
        share, splits = 1.0, []
        for cells, chosen in zip(dimensions.values(), choice, strict=True):
            shares = np.array([setting.shares[cell] for cell in cells])
            if chosen:
                share *= setting.shares[chosen]
                shares = np.array([float(cell == chosen) for cell in cells])
            elif chosen == 0:
                left = max(1 - sum(setting.shares[cell] for cell in hit & set(cells)), 0.0)
                share *= left
                shares = np.array([0.0 if cell in hit else setting.shares[cell] / max(left, 1e-12) for cell in cells])
            rest = max(1 - shares.sum(), 0.0)
            splits.append(Split(tuple(cells), np.append(shares, rest) / (shares.sum() + rest)))
        inside = {one for one in choice if one}
        wrong = tuple(shift for shift in scenario.shifts if not shift.cell or shift.cell in inside)
        found.append(Population(share, tuple(splits), wrong))
    return found
