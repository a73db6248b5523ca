"""Several workers on one stream of work, inside one event loop: read ahead on another thread, stopped together.

It knows nothing of what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
AHEAD = 500
"""Pieces of work read at a time."""


class Source(Generic[T]):
    """Hands out work one piece at a time, reading ahead on another thread."""

    def __init__(self, pending: Iterator[T]) -> None:
        self._pending = pending
        self._waiting: list[T] = []
        self._lock = asyncio.Lock()

    async def take(self) -> T | None:
        """The next piece; `None` at the end."""
        async with self._lock:
            if not self._waiting:
                self._waiting = await asyncio.to_thread(lambda: list(islice(self._pending, AHEAD)))
                self._waiting.reverse()
            return self._waiting.pop() if self._waiting else None


async def work_off(
    pending: Iterator[T],
    perform: Callable[[T], Awaitable[None]],
    *,
    concurrency: int,
    may_go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Perform everything, at most `concurrency` pieces at once, until it is done or `may_go_on` says no.

    The first error is raised once all that is under way has come back: it may have been paid for.
    """
    source = Source(pending)
    errors: list[Exception] = []

    async def work() -> None:
        while not errors and may_go_on() and (piece := await source.take()) is not None:
            try:
                await perform(piece)
            except Exception as error:
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    if errors:
        raise errors[0]
