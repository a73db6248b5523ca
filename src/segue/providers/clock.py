"""Time as an argument: the port, the real clock, and one that stands still until it is told to move."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

_T = TypeVar("_T")
_HOPS = 25
"""Turns of the loop that a woken task gets to do what it does before the next timer."""


class Timer(Protocol):
    """Something that will happen, unless it is cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Seconds. `monotonic` is for durations, `wall` is Unix time."""

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer: ...


class SystemClock:
    """The clock of this machine and its running event loop."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix time in seconds."""
        return time.time()  # noqa: TID251  the edge where the real clock comes in

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 or less gives others a turn."""
        await asyncio.sleep(max(0.0, seconds))

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, in the running loop."""
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback)


class _ManualTimer:
    __slots__ = ("at", "callback", "cancelled", "order")

    def __init__(self, at: float, order: int, callback: Callable[[], None]) -> None:
        self.at = at
        self.order = order
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: _ManualTimer) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class ManualClock:
    """Moves only by `advance` and `run`, so that six weeks take a second and tests never sleep."""

    def __init__(self, *, wall_s: float = 1_750_000_000.0) -> None:
        self._now = 0.0
        self._wall = wall_s
        self._timers: list[_ManualTimer] = []
        self._count = 0

    def monotonic(self) -> float:
        """Seconds moved so far."""
        return self._now

    def wall(self) -> float:
        """Unix time: the start plus the seconds moved."""
        return self._wall + self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once the clock was moved this far; timers of the same moment go in the order they were set."""
        self._count += 1
        timer = _ManualTimer(self._now + max(0.0, seconds), self._count, callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Move by `seconds`, stopping at each timer on the way and letting what it wakes run."""
        await self._let_run()
        target = self._now + seconds
        while (timer := self._next()) is not None and timer.at <= target:
            await self._fire()
        self._now = target
        await self._let_run()

    async def run(self, work: Awaitable[_T]) -> _T:
        """Run `work` to its end, moving from timer to timer. `RuntimeError` if it waits for something no timer brings."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                await self._let_run()
                if task.done():
                    return task.result()
                if self._next() is None:
                    raise RuntimeError("The work waits, and no timer is set that could wake it.")
                await self._fire()
        finally:
            task.cancel()

    def _next(self) -> _ManualTimer | None:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0] if self._timers else None

    async def _fire(self) -> None:
        timer = heapq.heappop(self._timers)
        self._now = max(self._now, timer.at)
        timer.callback()
        await self._let_run()

    async def _let_run(self) -> None:
        for _ in range(_HOPS):
            await asyncio.sleep(0)
