"""A gateway says in the store what it serves: at once when that changes, and every few seconds, as a sign of life.

Nothing depends on it for serving: where the store cannot be reached it is tried again. Who waits for it: `control`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from segue.errors import SegueError
from segue.store.gateways import GatewaySaid

BEAT_S = 5.0
FIRST_S = 2.0
"""So long a gateway that starts waits until it has said what it serves."""


class Registry(Protocol):
    """Where gateways say what they serve. Called in threads of their own, one at a time."""

    def tell(self, said: GatewaySaid) -> None:
        """In the place of what it said before. `SegueError` where the store cannot be written."""
        ...

    def leave(self, name: str) -> None:
        """It has ended."""
        ...


class Presence:
    """Of one gateway. `run` until cancelled; `moved` when what it serves has changed."""

    def __init__(self, registry: Registry, said: Callable[[], GatewaySaid], beat_s: float = BEAT_S) -> None:
        self._registry, self._said, self._beat_s = registry, said, beat_s
        self._moved = asyncio.Event()
        self._turn = threading.Lock()
        self._has_left = False
        self._first: asyncio.Task[None] | None = None

    def moved(self) -> None:
        """Say it now."""
        self._moved.set()

    async def begin(self, late: Callable[[], object]) -> None:
        """Say it before anything is served: whoever flips from then on waits for this gateway.

        A store that is locked keeps no gateway from serving, for nothing can be flipped there either. Once it was said after
        all, `late` is called: to look for what was flipped just before.
        """
        self._first = asyncio.create_task(self.say())
        await asyncio.wait({self._first}, timeout=FIRST_S)
        if not self._first.done():
            self._first.add_done_callback(lambda _: late())

    async def run(self) -> None:
        """Say it, again and again."""
        while True:
            self._moved.clear()
            await self.say()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), self._beat_s)

    async def say(self) -> None:
        """Say it once."""
        await asyncio.to_thread(self._tell, self._said())

    async def leave(self) -> None:
        """Nobody is to wait for it any more."""
        await asyncio.to_thread(self._leave, self._said().name)

    def _tell(self, said: GatewaySaid) -> None:
        with self._turn, suppress(SegueError):
            # One that is told late, in a thread that nobody waits for any more, would come back from the dead.
            if not self._has_left:
                self._registry.tell(said)

    def _leave(self, name: str) -> None:
        with self._turn, suppress(SegueError):
            self._has_left = True
            self._registry.leave(name)


def slowest(workers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Workflow → the oldest revision that any worker serves; without those that one of them does not serve at all."""
    each = [one["revisions"] for one in workers]
    everywhere = set.intersection(*map(set, each)) if each else set()
    return {name: min(one[name] for one in each) for name in sorted(everywhere)}
