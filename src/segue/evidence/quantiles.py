"""Quantiles of latency and cost, whose tails are heavy: mergeable, bounded in memory, with distribution-free intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from segue.evidence.special import bdtr

EXACT = 20_000
"""Up to this many values are kept as they are; beyond, buckets of 0.5 % width take over."""
GAMMA = 1.01
"""Ratio of a bucket's ends: a quantile read from buckets is off by at most half a per cent (DDSketch; Masson et al. 2019)."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile with its 95 % interval from order statistics. An end is `None` where n is too small to bound it."""

    share: float
    value: float
    low: float | None
    high: float | None


@dataclass(slots=True)
class Spread:
    """An accumulator of non-negative values. Exact while small; then a log-bucket sketch that stays small."""

    n: int = 0
    total: float = 0.0
    smallest: float = math.inf
    largest: float = -math.inf
    _exact: list[float] = field(default_factory=list)
    _buckets: dict[int, int] = field(default_factory=dict)

    @property
    def is_exact(self) -> bool:
        """Whether every value is still held."""
        return not self._buckets

    @property
    def mean(self) -> float | None:
        """Arithmetic mean; `None` when empty."""
        return self.total / self.n if self.n else None

    def add(self, value: float) -> None:
        """Add one value (not negative)."""
        assert value >= 0, "a spread holds non-negative values"
        self.n += 1
        self.total += value
        self.smallest = min(self.smallest, value)
        self.largest = max(self.largest, value)
        if self._buckets:
            self._bucket(value, 1)
        else:
            self._exact.append(value)
            if len(self._exact) > EXACT:
                self._spill()

    def extend(self, values: Iterable[float]) -> None:
        """Add many at once, which is faster than one by one."""
        some = list(values)
        if not some:
            return
        assert min(some) >= 0, "a spread holds non-negative values"
        self.n += len(some)
        self.total += sum(some)
        self.smallest = min(self.smallest, min(some))
        self.largest = max(self.largest, max(some))
        if self._buckets:
            self._bucket_all(some)
        else:
            self._exact.extend(some)
            if len(self._exact) > EXACT:
                self._spill()

    def merge(self, other: Spread) -> None:
        """Add all that `other` holds; the order of merging does not change counts or buckets."""
        self.n += other.n
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)
        if other._buckets and not self._buckets:
            self._spill()
        for key, times in other._buckets.items():
            self._buckets[key] = self._buckets.get(key, 0) + times
        if self._buckets:
            self._bucket_all(other._exact)
        else:
            self._exact.extend(other._exact)
        if not self._buckets and len(self._exact) > EXACT:
            self._spill()

    def quantile(self, share: float) -> Quantile | None:
        """The `share` quantile (nearest rank) with its interval; `None` when empty."""
        if not self.n:
            return None
        rank = min(self.n, max(1, math.ceil(share * self.n)))
        low, high = order_statistic_interval(self.n, share)
        return Quantile(
            share,
            self._at(rank),
            None if low is None else self._at(low),
            None if high is None else self._at(high),
        )

    def count_above(self, limit: float) -> int:
        """How many values lie above `limit`; to a bucket's width once values are no longer held."""
        if self.is_exact:
            return sum(value > limit for value in self._exact)
        if limit <= 0:
            return self.n - self._buckets.get(_ZERO, 0)
        key = math.ceil(math.log(limit) / _LOG_GAMMA)
        return sum(times for bucket, times in self._buckets.items() if bucket > key)

    def _at(self, rank: int) -> float:
        if self.is_exact:
            self._exact.sort()
            return self._exact[rank - 1]
        if rank <= 1:
            return self.smallest
        if rank >= self.n:
            return self.largest
        seen = 0
        for key in sorted(self._buckets):
            seen += self._buckets[key]
            if seen >= rank:
                middle = 0.0 if key == _ZERO else 2 * GAMMA**key / (GAMMA + 1)
                return min(self.largest, max(self.smallest, middle))
        return self.largest

    def _spill(self) -> None:
        self._bucket_all(self._exact)
        self._exact.clear()

    def _bucket_all(self, values: Sequence[float]) -> None:
        some = np.array(values, dtype=float)
        positive = some[some > 0]
        if positive.size < some.size:
            self._buckets[_ZERO] = self._buckets.get(_ZERO, 0) + int(some.size - positive.size)
        keys, times = np.unique(np.ceil(np.log(positive) / _LOG_GAMMA).astype(np.int64), return_counts=True)
        for key, count in zip(keys.tolist(), times.tolist(), strict=True):
            self._buckets[key] = self._buckets.get(key, 0) + count

    def _bucket(self, value: float, times: int) -> None:
        key = _ZERO if value <= 0 else math.ceil(math.log(value) / _LOG_GAMMA)
        self._buckets[key] = self._buckets.get(key, 0) + times


_LOG_GAMMA = math.log(GAMMA)
_ZERO = -(10**9)


def order_statistic_interval(n: int, share: float, level: float = 0.95) -> tuple[int | None, int | None]:
    """Ranks (from 1) whose values bound the `share` quantile with at least `level` confidence, whatever the distribution.

    P(X₍ₗ₎ ≤ q) and P(X₍ᵤ₎ ≥ q) each at 1 − (1 − level)/2, from the binomial (David and Nagaraja 2003, §7.1).
    `None` where no order statistic reaches it.
    """
    tail = (1 - level) / 2
    too_high = _first(n, lambda rank: float(bdtr(rank - 1, n, share)) > tail)
    low = n if too_high is None else too_high - 1
    high = _first(n, lambda rank: float(bdtr(rank - 1, n, share)) >= 1 - tail)
    return (low if low >= 1 else None), high


def _first(n: int, holds: Callable[[int], bool]) -> int | None:
    """The smallest rank in 1..n at which a monotone condition holds."""
    low, high = 1, n + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low if low <= n else None
