"""How many calls may be under way at once: fewer after a rate limit, more again while all goes well.

Additive increase, multiplicative decrease, as in TCP congestion control (Chiu and Jain, 1989).
It starts at the ceiling, not with a slow start: the ceiling is the user's own word, and one rate limit halves it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from segue.providers.clock import Clock

DECREASE = 0.5
GROWTH = 32
"""Recovering from a halving takes `GROWTH` / 2 rounds of calls."""


class Slot:
    """The right to make one call, used with `async with`. Tell it how the call went before leaving it."""

    __slots__ = ("_again", "_limiter", "_round")

    def __init__(self, limiter: AdaptiveLimiter, again: bool) -> None:
        self._limiter = limiter
        self._again = again
        self._round = 0

    async def __aenter__(self) -> Slot:
        await self._limiter._acquire(self._again)
        self._round = self._limiter._round
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limiter._release()

    def went_well(self) -> None:
        """The provider answered."""
        self._limiter._grow()

    def met_congestion(self, retry_after_s: float | None = None) -> None:
        """The provider wants fewer calls, and none at all for `retry_after_s`."""
        self._limiter._shrink(self._round, retry_after_s)


class AdaptiveLimiter:
    """A bound on concurrency that gives way. First come, first served; calls made again go before calls not made yet.

    Calls that were under way when the bound was halved do not halve it once more: they are news of the same congestion.
    """

    def __init__(self, ceiling: int, clock: Clock, *, floor: int = 1) -> None:
        assert 1 <= floor <= ceiling, "the floor lies between 1 and the ceiling"
        self._ceiling = ceiling
        self._floor = floor
        self._clock = clock
        self._limit = float(ceiling)
        self._in_flight = 0
        self._round = 0
        self._resumes_at = 0.0
        self._fresh: deque[asyncio.Future[None]] = deque()
        self._again: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may be under way now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return self._in_flight

    @property
    def paused_for_s(self) -> float:
        """Seconds until calls may start again; 0 if they may."""
        return max(0.0, self._resumes_at - self._clock.monotonic())

    def slot(self, *, again: bool = False) -> Slot:
        """A place among the calls under way. `again` is for a call that was made before and failed."""
        return Slot(self, again)

    def pause(self, seconds: float) -> None:
        """Let nothing start for `seconds`. A shorter pause does not cut a longer one."""
        until = self._clock.monotonic() + seconds
        if seconds > 0 and until > self._resumes_at:
            self._resumes_at = until
            self._clock.call_later(seconds, self._pump)

    def _has_room(self) -> bool:
        return self._in_flight < int(self._limit) and self._clock.monotonic() >= self._resumes_at

    async def _acquire(self, again: bool) -> None:
        if self._has_room() and not self._fresh and not self._again:
            self._in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._again if again else self._fresh).append(place)
        self._pump()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        self._in_flight -= 1
        self._pump()

    def _pump(self) -> None:
        while (self._again or self._fresh) and self._has_room():
            place = (self._again or self._fresh).popleft()
            if not place.done():
                self._in_flight += 1
                place.set_result(None)

    def _grow(self) -> None:
        if self._limit < self._ceiling:
            step = max(1.0, self._ceiling / GROWTH)
            self._limit = min(float(self._ceiling), self._limit + step / self._limit)
            self._pump()

    def _shrink(self, began_in: int, retry_after_s: float | None) -> None:
        if began_in == self._round:
            used = min(self._limit, float(self._in_flight))
            self._limit = max(float(self._floor), used * DECREASE)
            self._round += 1
        if retry_after_s is not None:
            self.pause(retry_after_s)
