"""Confidence sequences: intervals that hold at every look at once, for screens. Decisions are made by e-values, not by these.

A rate: the beta-binomial mixture of Robbins (1970). A quantile: the same on ranks (Howard and Ramdas, *Sequential estimation of
quantiles*, 2022, §3.1). The difference of two arms: all margins that block betting has not refuted. A mean in its own units
without bounds: the asymptotic sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), valid for large n only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, floor, inf, log, sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.quantiles import GAMMA
from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.cells import Sketch
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.null import Null, Questions, Side
from segue.evidence.sequential.process import Process
from segue.evidence.special import betaln, xlog1py, xlogy

PRIOR = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends, in the units asked for. An end that is not known is `None`, never a neutral number."""

    low: float | None
    high: float | None


def rate_log_e(bad: float, n: float, rate: float, *, a: float = PRIOR, b: float = PRIOR) -> float:
    """log e-value of the Beta(a, b) mixture against one rate (Robbins 1970)."""
    return float(betaln(a + bad, b + n - bad) - betaln(a, b) - xlogy(bad, rate) - xlog1py(n - bad, -rate))


def rate_interval(bad: float, n: float, alpha: float = ALPHA) -> Interval:
    """All rates not refuted by `bad` of `n`; nothing is known of a rate never measured.

    It holds for graded badness too, `bad` being its sum: each value counts as so much of a bad outcome and so much of a good
    one, which the concave logarithm makes no better than the value itself.
    """
    if n <= 0:
        return Interval(None, None)
    best, limit = bad / n, -log(alpha)
    low = 0.0 if bad <= 0 else _crossing(lambda rate: rate_log_e(bad, n, rate) >= limit, 0.0, best)
    high = 1.0 if bad >= n else _crossing(lambda rate: rate_log_e(bad, n, rate) >= limit, 1.0, best)
    return Interval(low, high)


def quantile_interval(sketch: Sketch, share: float, alpha: float = ALPHA) -> Interval:
    """The `share` quantile of a stream, at every look, from its sketch; an end is `None` where n is too small to bound it.

    Its ends are the outer ends of buckets. It holds for values independent of each other: busy users make it too narrow.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"A quantile's share lies between 0 and 1; {share} does not.")
    n, limit = sketch.n, -log(alpha)
    if not n:
        return Interval(None, None)
    weight = 20.0
    a, b = weight * share, weight * (1 - share)

    def refuted(below: float) -> bool:
        return rate_log_e(below, n, share, a=a, b=b) >= limit

    at = n * share
    lowest = _crossing(refuted, 0.0, at) if refuted(0.0) else None
    highest = _crossing(refuted, n, at) if refuted(n) else None
    return Interval(
        None if lowest is None else _bucket_end(sketch, max(1.0, ceil(lowest)), -1),
        None if highest is None else _bucket_end(sketch, min(n, floor(highest) + 1), 0),
    )


def _bucket_end(sketch: Sketch, rank: float, steps: int) -> float | None:
    """The upper end of a rank's bucket, or `steps` buckets from there."""
    middle = sketch.value_at(rank)
    return None if middle is None else middle * (GAMMA + 1) / 2 * GAMMA**steps


def asymptotic_halfwidth(variance_of_mean: float, n: float, alpha: float = ALPHA, *, tuned_for: float = 5_000.0) -> float:
    """Half the width of the two-sided asymptotic confidence sequence around a mean, or a difference of means, after n outcomes.

    `variance_of_mean` is the squared standard error; `tuned_for` is the n at which the sequence is narrowest. ∞ for n = 0.
    """
    if n <= 0:
        return inf
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tuned_for
    grown = n * rho2 + 1
    return sqrt(variance_of_mean * n * 2 * grown / (n * n * rho2) * log(sqrt(grown) / alpha))


@dataclass(frozen=True, slots=True)
class DifferenceSequence:
    """The difference "candidate − control" in badness, for any number of cells: the margins that betting has not refuted.

    Every margin of a fixed row is bet against from both sides, each side at α/2. It is as valid as the processes that decide,
    at the price of a few hundred of them, so it is kept for the cells on screen.
    Where the difference moves over time, an end says what *some* block must have had, not what the average is.
    """

    margins: Array
    process: Process

    @classmethod
    def start(cls, cells: int, nodes: Array, *, scale: float, rate: Array | float | None = None, points: int = 161) -> Self:
        """`scale` is the difference that matters (the hold margin): the row is finest around 0, and bets are sized by it."""
        row = margins_of(scale, points)
        nulls = [Null(side, margin=float(margin), effects=EFFECTS) for side in SIDES for margin in row]
        return cls(row, Process.start(Questions.of(nulls, distance=scale, rounds=12), cells, nodes, rate=rate))

    def advance(self, block: Block) -> Self:
        """The state after a block with arrays of shape (1, cells, …)."""
        return replace(self, process=self.process.advance(block))

    def intervals(self, alpha: float = ALPHA) -> tuple[Interval, ...]:
        """One interval per cell, in badness: positive is worse. An end is `None` until something is refuted on its side."""
        return unrefuted(self.margins, self.process.log_e, alpha)


def margins_of(scale: float, points: int) -> Array:
    """A row of differences between −1 and 1, finest around 0, where it is spaced by the difference that matters."""
    if not 0.0 < scale < 1.0:
        raise ValueError(f"The scale of a difference lies between 0 and 1; {scale} does not.")
    reach = np.arcsinh(0.98 / scale)
    row = scale * np.sinh(np.linspace(-reach, reach, points | 1))
    row[len(row) // 2] = 0.0
    return np.asarray(row)


def unrefuted(margins: Array, log_e: Array, alpha: float) -> tuple[Interval, ...]:
    """The margins left by bets against each of them from both sides, each side at α/2; first all of harm, then all of safety.

    Shape of `log_e`: (2 × margins, cells); an interval for each cell.
    """
    refuted = log_e >= -log(alpha / 2)
    below, above = refuted[: len(margins)], refuted[len(margins) :]
    return tuple(_left(margins, below[:, cell], above[:, cell]) for cell in range(refuted.shape[-1]))


def _left(margins: Array, below: NDArray[np.bool_], above: NDArray[np.bool_]) -> Interval:
    # An end is the outermost refuted margin joined to its edge: then it errs only if the true margin itself was refuted.
    left = int(np.argmin(below)) if not below.all() else len(below)
    right = int(np.argmin(above[::-1])) if not above.all() else len(above)
    return Interval(
        float(margins[left - 1]) if left else None,
        float(margins[len(above) - right]) if right else None,
    )


EFFECTS = ((0.5, 0.25), (1.5, 0.35), (4.0, 0.30), (10.0, 0.10))
"""Of intervals, in multiples of their scale: one finer than the deciding processes use, since screens run longer."""
SIDES: tuple[Side, Side] = ("harm", "safe")


def _crossing(refuted: Callable[[float], bool], outside: float, inside: float) -> float:
    """The last point not refuted on the way from `inside` to `outside`, kept on the refuted side (bisection)."""
    for _ in range(60):
        middle = (outside + inside) / 2
        if refuted(middle):
            outside = middle
        else:
            inside = middle
    return outside
