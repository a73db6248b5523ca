"""Virtual time: a clock that stands still until the rehearsal moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from segue.providers.clock import Timer

DAY_S = 86_400.0
HOUR_S = 3_600.0
NS = 1_000_000_000
MONDAY = 1_767_571_200.0
"""When a rehearsal begins: Monday, 5 January 2026, 00:00 UTC. Always the same, so that the same seed makes the same log."""


@dataclass
class VirtualClock:
    """Seconds since the epoch; called, it says what time it is."""

    now: float = MONDAY

    def __call__(self) -> float:
        return self.now

    def now_ns(self) -> int:
        """The same in whole nanoseconds."""
        return round(self.now) * NS


class ImpatientClock:
    """For an eval within a rehearsal: it waits for nothing, and its time passes by as much as was to be waited for."""

    def __init__(self, wall_s: float = MONDAY) -> None:
        self._wall, self._passed = wall_s, 0.0

    def monotonic(self) -> float:
        """Seconds that were to be waited for so far."""
        return self._passed

    def wall(self) -> float:
        """Unix time."""
        return self._wall + self._passed

    async def sleep(self, seconds: float) -> None:
        """Let others go on."""
        self._passed += max(0.0, seconds)
        await asyncio.sleep(0)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """A time-out that a model without a network does not meet."""
        return asyncio.get_running_loop().call_later(max(1.0, seconds), callback)
