"""Counts, gauges and distributions by metric and labels, and how they add up. Plain data: they go over a pipe. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Series = tuple[str, tuple[str, ...]]
"""A metric's name and the values of its labels, in the metric's order."""


@dataclass(slots=True)
class Distribution:
    """How many values fell into each bucket (the last has no upper end), and their sum. Buckets are the metric's.

    Without buckets it is a mean: a count and a sum.
    """

    counts: list[int]
    total: float = 0.0

    def add(self, other: Distribution) -> None:
        """Both of them."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def copy(self) -> Distribution:
        """Its own."""
        return Distribution(list(self.counts), self.total)


@dataclass(slots=True)
class Sums:
    """What is added up so far, or since the last time."""

    counts: dict[Series, float] = field(default_factory=dict)
    gauges: dict[Series, float] = field(default_factory=dict)
    distributions: dict[Series, Distribution] = field(default_factory=dict)

    def count(self, name: str, labels: tuple[str, ...], by: float = 1.0) -> None:
        """One more, or so many; nothing comes to be by adding none."""
        if by:
            self.counts[name, labels] = self.counts.get((name, labels), 0.0) + by

    def distribute(self, name: str, labels: tuple[str, ...], counts: Sequence[int], total: float) -> None:
        """More values of one distribution."""
        if any(counts):
            more = Distribution(list(counts), total)
            mine = self.distributions.setdefault((name, labels), Distribution([0] * len(counts)))
            mine.add(more)

    def add(self, other: Sums) -> None:
        """Counts and distributions add up; of gauges the later ones hold."""
        for series, by in other.counts.items():
            self.counts[series] = self.counts.get(series, 0.0) + by
        for series, more in other.distributions.items():
            mine = self.distributions.get(series)
            if mine is None:
                self.distributions[series] = more.copy()
            else:
                mine.add(more)
        self.gauges.update(other.gauges)

    def copy(self) -> Sums:
        """Its own, to be read elsewhere while this one grows."""
        distributions = {series: one.copy() for series, one in self.distributions.items()}
        return Sums(dict(self.counts), dict(self.gauges), distributions)


def grown(before: Mapping[Series, float], now: Mapping[Series, float]) -> dict[Series, float]:
    """By how much each count has grown. One that is smaller began anew."""
    found = {}
    for series, value in now.items():
        known = before.get(series, 0.0)
        by = value - known if value >= known else value
        if by:
            found[series] = by
    return found
