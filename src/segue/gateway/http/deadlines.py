"""Time-outs without timers: everything that may expire carries a `deadline`, and one sweep looks at all of them.

A timer per request costs about what parsing it does; a sweep over some thousand connections four times a second does not show.
The price is that a time-out comes up to `every_s` late. The clock is handed in, and a test calls `sweep` itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol

NEVER = inf

Clock = Callable[[], float]


class Cancellable(Protocol):
    """What `call_later` gives back."""

    def cancel(self) -> object:
        """Call it off."""


CallLater = Callable[[float, Callable[[], None]], Cancellable]


class Expiring(Protocol):
    """Something with a deadline, `NEVER` for none."""

    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed. Either ends, or sets a later one."""


class Deadlines:
    """All that may expire. Wakes up only while there is something to watch."""

    def __init__(self, clock: Clock, call_later: CallLater, every_s: float = 0.25) -> None:
        self._clock = clock
        self._call_later = call_later
        self._every_s = every_s
        self._watched: set[Expiring] = set()
        self._next: Cancellable | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, one: Expiring) -> None:
        """Look at it from now on."""
        self._watched.add(one)
        if self._next is None:
            self._next = self._call_later(self._every_s, self._wake)

    def forget(self, one: Expiring) -> None:
        """No longer look at it."""
        self._watched.discard(one)

    def sweep(self) -> None:
        """Expire what is due."""
        now = self._clock()
        for one in [one for one in self._watched if one.deadline <= now]:
            if one.deadline <= now:  # an earlier one may have ended this one
                one.expire(now)

    def close(self) -> None:
        """No more sweeps."""
        self._watched.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wake(self) -> None:
        self._next = None
        try:
            self.sweep()
        finally:
            if self._watched and self._next is None:
                self._next = self._call_later(self._every_s, self._wake)
