"""When requests come: so many a day, in the shape of a daily cycle or of a recorded trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Self

import numpy as np

from segue.evidence.sequential.betting import Array

HOURS = 24
SWING, PEAK_HOUR = 0.6, 14
"""The daily cycle without a trace: busiest in the early afternoon, four times as busy as at its quietest."""
FEWEST_ARRIVALS = 24


@dataclass(frozen=True, slots=True)
class Traffic:
    """`per_day` requests on average; `hourly` are their shares by hour over one or more whole days, 1 for each day."""

    per_day: float
    hourly: tuple[float, ...]
    remark: str = ""

    @classmethod
    def daily(cls, per_day: float) -> Self:
        """With a daily cycle."""
        weights = [1 + SWING * cos(2 * pi * (hour - PEAK_HOUR) / HOURS) for hour in range(HOURS)]
        return cls(per_day, tuple(weight / HOURS for weight in weights))

    @classmethod
    def of_trace(cls, per_day: float, seconds: Sequence[float]) -> Self:
        """In the shape of recorded arrivals: by hour where they span days, else stretched to a day.

        `ValueError` where there are too few to have a shape.
        """
        arrivals = np.asarray(seconds, float)
        if len(arrivals) < FEWEST_ARRIVALS or np.ptp(arrivals) <= 0:
            raise ValueError(
                f"A trace needs at least {FEWEST_ARRIVALS} arrivals at different times; this one has {len(arrivals)}."
            )
        arrivals = arrivals - arrivals.min()
        span = float(arrivals.max())
        days = int((span + 3600) // 86_400)
        if days:
            counts, _ = np.histogram(arrivals, bins=days * HOURS, range=(0, days * 86_400))
            remark = f"The trace's shape over {days} {'day' if days == 1 else 'days'} is repeated."
        else:
            counts, _ = np.histogram(arrivals, bins=HOURS)
            remark = f"The trace covers {span / 60:,.0f} minutes; its shape is stretched to a day."
        return cls(per_day, tuple(counts / counts.sum() * max(days, 1)), remark)

    def per_block(self, hours: int) -> Array:
        """Requests expected in each block of so many hours, over the days of the shape."""
        return np.asarray(np.reshape(self.hourly, (-1, hours)).sum(1) * self.per_day)


BLOCK_HOURS = (1, 2, 3, 4, 6, 12)
MOST_BLOCKS = 360


def block_hours(traffic: Traffic, canary_days: float, least_share: float) -> int:
    """Hours between looks: as few as the length of the canary allows, and enough for some units in each look."""
    for hours in BLOCK_HOURS:
        if canary_days * HOURS / hours <= MOST_BLOCKS and traffic.per_day * least_share * hours / HOURS >= 5:
            return hours
    longest = canary_days * HOURS / BLOCK_HOURS[-2] > MOST_BLOCKS
    return BLOCK_HOURS[-1 if longest else -2]
