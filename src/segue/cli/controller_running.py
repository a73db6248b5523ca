"""The process of `segue controller`: a tick every few seconds until told to end, the API beside it, and what is said of both.

A store that does not answer stops nothing but decisions: it is said once, and tried again. What the controller decides and
does is `segue.controller`'s.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol

from segue.controller.controller import Controller, Took
from segue.errors import SegueError, StoreError
from segue.gateway.telemetry.failing import trail_of
from segue.upgrade.log import UpgradeEntry

SIGNALS = (signal.SIGINT, signal.SIGTERM)
MOST_PAUSE_S = 30.0
"""The longest pause between two tries where ticks fail."""


class Telling(Protocol):
    """Who is told what happens."""

    def decided(self, workflow: str, entry: UpgradeEntry) -> None:
        """An entry was written by this controller."""

    def faulty(self, workflow: str, error: SegueError) -> None:
        """An upgrade could not be led on; told once, until it changes."""

    def mended(self, workflow: str) -> None:
        """It could again."""

    def standing(self, what: str, text: str) -> None:
        """Acting, standing by, or without a store; told when it changes."""


@dataclass
class Running:
    """`make` builds the controller, as often as it takes until there is a store; `stack` closes what it opened.

    `acting` is called whenever it begins to act: after the start, and after others have acted meanwhile.
    """

    make: Callable[[ExitStack], Controller]
    telling: Telling
    every_s: float
    acting: Callable[[Controller], None] = lambda _: None
    stack: ExitStack = field(default_factory=ExitStack)
    controller: Controller | None = None
    _faults: dict[str, str] = field(default_factory=dict)
    _standing: str = ""
    _failed: int = 0

    async def run(self, began: Callable[[asyncio.Event], None]) -> None:
        """Tick until told to end. `began` is called once with the bell that brings the next tick forward."""
        loop = asyncio.get_running_loop()
        ending, bell = asyncio.Event(), asyncio.Event()

        def end() -> None:
            ending.set()
            bell.set()

        for name in SIGNALS:
            loop.add_signal_handler(name, end)
        # A thread of its own: however much is asked of the API, a tick waits for none of it.
        with ThreadPoolExecutor(1, thread_name_prefix="segue-controller") as own:
            try:
                began(bell)
                while not ending.is_set():
                    pause_s = await loop.run_in_executor(own, self.once)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(bell.wait(), pause_s)
                    if not ending.is_set():
                        bell.clear()
            finally:
                await loop.run_in_executor(own, self.leave)
                for name in SIGNALS:
                    loop.remove_signal_handler(name)

    def once(self) -> float:
        """One tick, told; how long to wait for the next."""
        try:
            if self.controller is None:
                self.controller = self.make(self.stack)
            took = self.controller.tick()
        except StoreError as error:
            self._stand("no store", f"The store does not answer: {error.what} Nothing is decided meanwhile; trying on.")
            return self._pause()
        except SegueError as error:
            self._stand("faulty", f"Nothing could be decided: {error.what} Trying on.")
            return self._pause()
        except Exception as error:
            # A fault of ours in one tick must not leave users on a burning candidate with nobody looking.
            self._stand("broken", f"A tick went wrong inside Segue ({trail_of(error)}). Trying on.")
            return self._pause()
        self._failed = 0
        if took is None:
            self._stand("standing by", "Another controller acts; standing by.")
        else:
            if self._standing != "acting":
                self.acting(self.controller)
            self._stand("acting", "Acting.")
            self._tell(took, self.controller.unreadable)
        return self.every_s

    def leave(self) -> None:
        """Let another one act at once, and close what was opened. A store that does not answer keeps nobody."""
        if self.controller is not None:
            with suppress(SegueError):
                self.controller.leave()
        self.stack.close()

    def _tell(self, took: Sequence[Took], unreadable: Mapping[str, SegueError]) -> None:
        faults: dict[str, SegueError | None] = dict(unreadable)
        for one in took:
            name = one.upgrade.opening.workflow
            for entry in one.entries:
                self.telling.decided(name, entry)
            faults[name] = faults.get(name) or one.fault
        for name, fault in faults.items():
            told = "" if fault is None else fault.what
            if told == self._faults.get(name, ""):
                continue
            self._faults[name] = told
            if fault is not None:
                self.telling.faulty(name, fault)
            else:
                self.telling.mended(name)

    def _stand(self, what: str, text: str) -> None:
        if what != self._standing:
            self._standing = what
            self.telling.standing(what, text)

    def _pause(self) -> float:
        self._failed += 1
        return min(self.every_s * 2.0 ** min(self._failed - 1, 6), max(self.every_s, MOST_PAUSE_S))
