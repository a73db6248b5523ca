"""How a metric's values become *badness* between 0 and 1, which is all that betting needs to know of them.

Every process of this package works on badness: 0 is as good as it gets, 1 is as bad.
A scale winsorises, turns the direction, and lays a value on a short row of nodes. It knows nothing of arms or time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

YES_NO = 2
GRADED = 11
"""Nodes for scores, cost and per-unit means: tenths of the scale."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The frozen range of a metric, in its own units, and which end is worse.

    `low` and `high` are chosen before the first look (a score's range; a cost's cap) and stay for the whole upgrade: a cap
    that follows the data would let the data choose the question. Values outside count as the nearer end (winsorising), so
    what is tested is the mean of the winsorised values. With a `limit` the only question is whether a value is beyond it.
    """

    low: float = 0.0
    high: float = 1.0
    worse: Literal["higher", "lower"] = "higher"
    size: int = YES_NO
    limit: float | None = None

    @classmethod
    def beyond(cls, limit: float, worse: Literal["higher", "lower"] = "higher") -> Self:
        """Yes/no: is a value beyond a limit frozen beforehand? For tails: 1.2 × the incumbent's p99 of latency, say."""
        return cls(worse=worse, limit=limit)

    def __post_init__(self) -> None:
        if not (self.low < self.high and isfinite(self.high - self.low)):
            raise ValueError(f"A scale runs from a finite low to a finite high above it, not from {self.low} to {self.high}.")
        if self.size < YES_NO:
            raise ValueError("A scale needs at least two nodes.")
        if self.limit is not None and not isfinite(self.limit):
            raise ValueError(f"A limit is a finite number; {self.limit} is not.")

    @property
    def nodes(self) -> NDArray[np.float64]:
        """Badness of the nodes, from 0 to 1. Shape (size,)."""
        return np.linspace(0.0, 1.0, self.size)

    @property
    def width(self) -> float:
        """What one unit of badness is in the metric's own units."""
        return self.high - self.low

    def badness(self, value: float) -> float:
        """A value of the metric as badness in [0, 1]. `ValueError` on what is not a number: unknown is not zero."""
        if not isfinite(value):
            raise ValueError(f"{value} is no measurement.")
        if self.limit is not None:
            return float(value > self.limit if self.worse == "higher" else value < self.limit)
        share = (min(max(value, self.low), self.high) - self.low) / self.width
        return share if self.worse == "higher" else 1.0 - share

    def masses(self, badness: float, weight: float = 1.0) -> tuple[float, ...]:
        """A badness as mass on its two nearest nodes, keeping its mean. Shape (size,).

        Betting on the split value never gains over betting on the value itself, for the logarithm is concave:
        w·log f(g₁) + (1−w)·log f(g₂) ≤ log f(x). So a row of nodes loses a little power and no validity, and it can be added.
        A `weight` below 1 (the reference sampling probability over a unit's own) is safe for the same reason.
        """
        at = badness * (self.size - 1)
        left = min(int(at), self.size - 2)
        part = at - left
        row = [0.0] * self.size
        row[left] += weight * (1.0 - part)
        row[left + 1] += weight * part
        return tuple(row)
