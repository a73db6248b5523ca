"""When requests come: by the traffic's shape over a day or a trace, drawn anew for each stretch of time. Pure, seeded."""

from __future__ import annotations

from math import floor

import numpy as np

from segue.rehearsal.clock import HOUR_S, NS
from segue.simulation import Traffic


class Arrivals:
    """Moments of requests from `begin` on. Ask for one stretch after the other: the draws follow each other."""

    def __init__(self, traffic: Traffic, *, begin: float, seed: int) -> None:
        self._hourly = np.asarray(traffic.hourly) * traffic.per_day
        self._begin = begin
        self._rng = np.random.default_rng([seed, 1])

    def between(self, begin: float, end: float) -> list[int]:
        """Moments of one stretch, in order, nanoseconds since the epoch."""
        moments: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        at = begin
        while at < end:
            hour = floor((at - self._begin) / HOUR_S + 1e-9)
            until = min(end, self._begin + (hour + 1) * HOUR_S)
            expected = float(self._hourly[hour % len(self._hourly)]) * (until - at) / HOUR_S
            moments.append(at + self._rng.random(self._rng.poisson(expected)) * (until - at))
            at = until
        drawn = np.sort(np.concatenate(moments)) if moments else np.zeros(0)
        whole = np.floor(drawn)
        nanoseconds = whole.astype(np.int64) * NS + ((drawn - whole) * NS).astype(np.int64)
        return [int(one) for one in nanoseconds]
