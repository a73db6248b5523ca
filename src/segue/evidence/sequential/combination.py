"""Many cells, many looks, one error rate: how e-values are put together.

Rolling back is a union: harm anywhere is enough, so the *current* e-values are averaged by weights fixed beforehand, and the
average is an e-process under any dependence (Vovk and Wang 2021). Promotion is an intersection: every cell asked for must be
safe by itself, which needs no correction. Running maxima are never averaged: a maximum of an e-process is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isclose, log

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array

ALPHA = 0.05
"""For the whole upgrade, over all cells, looks and steps."""
POOLED_SHARE = 0.5
SOAK_SHARE = 0.1
"""Of α, where a soak follows: it has two weeks of full traffic, and a detector that hardly needs more for a smaller share."""

FIRST_SHARE = 0.9
"""Of what a stage may spend, for evidence that never had to begin anew: what is set aside costs it 3 % more outcomes, and one
upgrade in ten may begin anew before another share costs less (`alpha_of_start`)."""
SOAK_HOLD_SHARE = 1 / 3
"""Of what a soak may spend, for its hold limits: costs the rollback limits log(3/2) nats of some ten, a twenty-fifth."""


def spread_weights(
    metrics: Sequence[str], slices: int, *, pooled: Mapping[str, float] | None = None, pooled_share: float = POOLED_SHARE
) -> Array:
    """Weights of a grid of metrics × (total and slices): `pooled_share` on the totals of `pooled`, the rest evenly on all else.

    `pooled` gives metrics their shares of the pooled part; by default the first metric, the primary one, has it all. Totals of
    the other metrics count as one cell each beside the slices. Shape (metrics, 1 + slices), summing to 1.
    `ValueError` for shares that do not add up to 1, an unknown metric, or no metric at all.
    """
    if not metrics:
        raise ValueError("There is no metric to give a weight to.")
    shares = dict(pooled) if pooled is not None else {metrics[0]: 1.0}
    if unknown := set(shares) - set(metrics):
        raise ValueError(f"No such metric: {', '.join(sorted(unknown))}. There are: {', '.join(metrics)}.")
    if any(share < 0 for share in shares.values()) or not isclose(sum(shares.values()), 1.0, abs_tol=1e-9):
        raise ValueError(f"The shares of the pooled metrics add up to 1, not to {sum(shares.values()):g}.")
    if not 0.0 <= pooled_share <= 1.0:
        raise ValueError(f"The pooled share lies between 0 and 1; {pooled_share} does not.")
    weights = np.full((len(metrics), 1 + slices), np.nan)
    for row, name in enumerate(metrics):
        if name in shares:
            weights[row, 0] = shares[name]
    others = int(np.isnan(weights).sum())
    whole = pooled_share if others else 1.0
    return np.where(np.isnan(weights), (1.0 - whole) / max(others, 1), weights * whole)


def check_weights(weights: Array) -> None:
    """`ValueError` unless weights are not negative and add up to 1."""
    if np.any(weights < 0) or not isclose(float(weights.sum()), 1.0, abs_tol=1e-9):
        raise ValueError(f"The weights of the cells add up to 1, not to {float(weights.sum()):g}.")


def union_log_e(log_e: Array, weights: Array) -> Array:
    """The weighted average of current e-values, in logarithms. Shapes (…, cells), (cells,) → (…)."""
    with np.errstate(divide="ignore"):
        weighed = log_e + np.log(weights)
        top = weighed.max(-1)
        # Where no cell has any evidence left (all void), 0 stands in for −∞, which cannot be taken from itself.
        level = np.where(np.isneginf(top), 0.0, top)
        return np.asarray(level + np.log(np.exp(weighed - level[..., None]).sum(-1)))


def split_alpha(alpha: float = ALPHA, *, soaks: bool) -> tuple[float, float]:
    """What canary and soak may spend of an upgrade's one α. Their false rollbacks together have at most the chance α.

    The canary's part is spent once over all its steps; a shadow rolls nobody back, so its stop spends an α of its own.
    """
    soak = SOAK_SHARE * alpha if soaks else 0.0
    return alpha - soak, soak


def split_soak(alpha: float) -> tuple[float, float]:
    """What a soak may spend at its rollback limits and at its hold limits: one α for all that it does falsely."""
    hold = SOAK_HOLD_SHARE * alpha
    return alpha - hold, hold


def alpha_of_start(alpha: float, restarts: int) -> float:
    """What evidence may spend that has begun anew so often: nine tenths of α, then half of what is left each time.

    However often it begins, all beginnings together spend α, so that their false alarms together have at most that chance.
    """
    return FIRST_SHARE * alpha if restarts == 0 else (1.0 - FIRST_SHARE) * alpha * 0.5**restarts


def rejects(log_e: Array, alpha: float = ALPHA) -> Array:
    """Whether e-values reach 1/α (Ville's inequality: under the null they ever do so with probability at most α)."""
    return np.asarray(log_e >= -log(alpha))


def holm_log_e(log_e: Array, weights: Array, *, least: float = -inf) -> Array:
    """Adjusted e-values, in logarithms, for naming culprits: weighted e-Holm. Shapes (cells,), (cells,) → (cells,).

    A cell's adjusted value is the smallest weighted average over all sets of cells that hold it (Vovk and Wang 2021, §5): the
    set that joins, from the smallest e-value upwards, each cell that draws the average down. A cell named at 1/α is harmed with
    family-wise error α, at any look; one that is named implies that the union has alarmed.
    Cells below `least` stay as they are: adjusting only lowers, so none of them could be named at that level.
    """
    check_weights(weights)
    if not (log_e >= least).any():
        return log_e.copy()
    order = np.argsort(log_e, kind="stable")
    ascending, shares = log_e[order], weights[order]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Sums stay logarithms: beside one cell of e = exp(2000) another of exp(20) would else vanish, and not be named.
        values = ascending + np.log(shares)
        sums, masses = np.logaddexp.accumulate(values), np.cumsum(shares)
        before_sum, before_mass = np.concatenate([[-np.inf], sums[:-1]]), np.concatenate([[0.0], masses[:-1]])
        # Only the last places reach `least`.
        places = np.arange(np.searchsorted(ascending, least), len(order))
        own_value, own_share = values[places], shares[places]

        def joined(smallest: NDArray[np.intp]) -> Array:
            """The average of each cell and so many of the smallest."""
            return np.asarray(np.logaddexp(own_value, before_sum[smallest]) - np.log(own_share + before_mass[smallest]))

        # The next smallest draws the average down until, once, it does not: where that is, is halved for.
        low, high = np.zeros(len(places), np.intp), places
        while (low < high).any():
            middle = (low + high) // 2
            draws = (ascending[middle] < joined(middle)) & (low < high)
            low, high = np.where(draws, middle + 1, low), np.where(draws, high, np.minimum(middle, high))
        smallest = np.where(own_share > 0, joined(low), -np.inf)
    adjusted = log_e.copy()
    adjusted[order[places]] = smallest
    return adjusted


def intersection_log_e(log_e: Array) -> Array:
    """The weakest of the e-values that all have to be shown. Shape (…, cells) → (…); no cell at all is never safe (−∞)."""
    if log_e.shape[-1] == 0:
        return np.full(log_e.shape[:-1], -np.inf)
    return np.asarray(log_e.min(-1))
