"""What would settle the cells that are open: so many more outcomes, at the rates seen so far.

The question of a cell is the limit it is nearest to: harm beyond a limit it seems to have passed, else safety.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.grid import Grid
from segue.evidence.sequential.ladder import Ladder
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.verdicts import Limit, Settlement
from segue.evidence.sequential.wald import growth_rates, whole_outcomes

Open = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rates:
    """Mean badness of both arms (NaN where nothing is labelled), and how many units are. Shapes (metrics, 1 + slices)."""

    control: Array
    candidate: Array
    control_n: Array
    candidate_n: Array

    @classmethod
    def of(cls, pairs: Sequence[tuple[CellStats, CellStats]], shape: tuple[int, ...]) -> Self:
        """Of the incumbent's and the candidate's totals, cell by cell, as an array of this shape."""
        rows = [(old.units.total, old.units.n, old.labelled, new.units.total, new.units.n, new.labelled) for old, new in pairs]
        old_sum, old_weight, old_n, new_sum, new_weight, new_n = np.array(rows, float).T.reshape(6, *shape)
        return cls(_mean(old_sum, old_weight), _mean(new_sum, new_weight), old_n, new_n)


@dataclass(frozen=True, slots=True)
class _Questions:
    """The question of each cell: its null, what was gathered against it, and whether it is of harm."""

    sign: Array
    margin: Array
    ratio: Array
    log_e: Array
    harmful: Open


def settle(
    grid: Grid,
    rates: Rates,
    raw: Mapping[Limit, Array],
    ladders: Sequence[Ladder | None],
    alpha: float,
    where: Open,
    per_day: Mapping[tuple[str, str], float],
) -> list[list[Settlement | None]]:
    """By metric and cell; `None` outside `where`, and where a rate is not known yet. `per_day` is outcomes a day."""
    table: list[list[Settlement | None]] = [[None] * len(grid.slices) for _ in grid.rules]
    at = np.nonzero(where & ~np.isnan(rates.control) & ~np.isnan(rates.candidate) & (rates.control_n > 0))
    if not len(at[0]):
        return table
    asked = _questions(grid, rates, raw, ladders, alpha)
    control, candidate = rates.control[at], rates.candidate[at]
    growth = growth_rates(
        asked.sign[at],
        asked.margin[at],
        asked.ratio[at],
        control=control,
        candidate=candidate,
        ratio=rates.control_n[at] / rates.candidate_n[at],
    )
    harmful = asked.harmful[at]
    with np.errstate(divide="ignore", invalid="ignore"):
        goal = -log(alpha) - np.where(harmful, np.log(grid.weights[at]), 0.0)
        needed = np.where(growth > 0, np.maximum(goal - asked.log_e[at], 0.0) / growth, np.inf)
    for row, column, harm, more in zip(*(one.tolist() for one in (*at, harmful, needed)), strict=True):
        daily = per_day.get((grid.rules[row].metric, grid.slices[column])) if per_day else None
        table[row][column] = _settlement(harm, whole_outcomes(more), daily)
    return table


def _settlement(harm: bool, outcomes: int | None, daily: float | None) -> Settlement:
    return Settlement("harm" if harm else "safe", outcomes, None if outcomes is None or not daily else outcomes / daily)


def _questions(
    grid: Grid, rates: Rates, raw: Mapping[Limit, Array], ladders: Sequence[Ladder | None], alpha: float
) -> _Questions:
    back_ratio, back_margin = _lines([rule.rollback for rule in grid.rules])
    hold_ratio, hold_margin = _lines([rule.hold for rule in grid.rules])
    passed = rates.candidate > back_ratio * rates.control + back_margin
    harmful = rates.candidate > hold_ratio * rates.control + hold_margin
    sign = np.ones(passed.shape)
    margin, ratio = np.where(passed, back_margin, hold_margin), np.where(passed, back_ratio, hold_ratio)
    log_e = np.where(passed, raw["rollback"], raw["hold"])
    for row, ladder in enumerate(ladders):
        if ladder is None:
            # Nothing was asked to be excluded: the only question is of harm.
            harmful[row] = True
            continue
        calm = np.flatnonzero(~harmful[row])
        chosen = ladder.next_open(-log(alpha))[calm]
        ratios, margins = (one[:, 0] for one in _lines(ladder.nulls))
        sign[row, calm], margin[row, calm], ratio[row, calm] = -1.0, margins[chosen], ratios[chosen]
        log_e[row, calm] = ladder.log_e[chosen, calm]
    return _Questions(sign, margin, ratio, log_e, harmful)


def _lines(nulls: Sequence[Null]) -> tuple[Array, Array]:
    """Ratios and margins. Shapes (nulls, 1)."""
    return np.array([[one.ratio] for one in nulls]), np.array([[one.margin] for one in nulls])


def _mean(total: Array, n: Array) -> Array:
    return np.where(n > 0, total / np.where(n > 0, n, 1.0), np.nan)
