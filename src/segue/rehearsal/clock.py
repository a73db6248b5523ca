"""Virtual time: a clock that stands still until the rehearsal moves it."""

from __future__ import annotations

from dataclasses import dataclass

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
