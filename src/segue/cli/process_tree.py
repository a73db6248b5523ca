"""Two processes under one: started in order, restarted where one dies, ended together. Knows no gateway and no controller.

A child that ends before it says that it runs was called wrongly: that ends all, with its exit code. One that dies later is
started again, after a pause that grows while it keeps dying.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

FIRST_PAUSE_S, MOST_PAUSE_S = 1.0, 30.0
STEADY_S = 60.0
"""A child that lived so long is taken to be well: the next pause is short again."""
END_S = 40.0
"""So long a child may take to end by itself."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Words:
    """How a child is called."""

    command: Sequence[str]
    environ: Mapping[str, str]


@dataclass
class Child:
    """`call` gives its words, from what it said at its first start: later ones keep the port. `name` is for people."""

    name: str
    call: Callable[[dict[str, Any] | None], Words]
    started: dict[str, Any] | None = None
    """What it said when it ran first."""


class ChildFailedError(Exception):
    """A child could not be begun. Why, it has told people, or it said so on standard output (`told`)."""

    def __init__(self, code: int, told: dict[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code, self.told = code, told

    @property
    def why(self) -> str:
        """What is wrong, where the child said it as commands do with `--json`; else its exit code."""
        error = (self.told or {}).get("error")
        what = error.get("what") if isinstance(error, dict) else None
        return what if isinstance(what, str) and what else f"exit code {self.code}"


class ProcessTree:
    """Make it, `run` it; `end` ends all. `say` tells people; `line` is given what children write to standard output."""

    def __init__(self, say: Callable[[str], None], line: Callable[[str, dict[str, Any]], None], pause_s: float = FIRST_PAUSE_S):
        self._say, self._line, self._first_pause_s = say, line, pause_s
        self._ending = asyncio.Event()
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def end(self) -> None:
        """End all in an orderly way; called again, at once."""
        if self._ending.is_set():
            for process in self._processes.values():
                _signal(process, signal.SIGKILL)
        self._ending.set()
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)

    def pid(self, name: str) -> int:
        """Of the process that runs under this name, or ran last."""
        return self._processes[name].pid

    async def run(self, children: Sequence[Child]) -> None:
        """Begin them one after the other, then keep them until told to end. `ChildFailedError` where one cannot begin."""
        keeping: list[asyncio.Task[None]] = []
        try:
            for child in children:
                if self._ending.is_set():
                    break
                process, reading = await self._begin(child)
                keeping.append(asyncio.create_task(self._keep(child, process, reading)))
            ended = asyncio.create_task(self._ending.wait())
            await asyncio.wait([ended, *keeping], return_when=asyncio.FIRST_COMPLETED)
            for task in keeping:
                if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                    raise error
            await ended
        finally:
            await self._end_all(keeping)

    async def _begin(self, child: Child) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
        """Start it, and wait until it says that it runs."""
        process = await self._start(child)
        assert process.stdout is not None, "asked for"
        first = await process.stdout.readline()
        told = _object(first)
        if told is None or "error" in told:
            # An error is written over several lines; nothing at all was said by one that was killed.
            said = _object(first + await process.stdout.read())
            code = await process.wait()
            if self._ending.is_set():
                return process, asyncio.create_task(asyncio.sleep(0))
            raise ChildFailedError(code if code > 0 else 1, said)
        child.started = child.started or told
        self._line(child.name, told)
        return process, asyncio.create_task(self._read(child, process))

    async def _keep(self, child: Child, process: asyncio.subprocess.Process, reading: asyncio.Task[None]) -> None:
        """Start it again as often as it dies."""
        loop = asyncio.get_running_loop()
        pause_s = self._first_pause_s
        while True:
            began = loop.time()
            code = await process.wait()
            await reading
            if self._ending.is_set():
                return
            pause_s = self._first_pause_s if loop.time() - began > STEADY_S else pause_s
            self._say(f"The {child.name} ended ({_ended(code)}). It is started again in {pause_s:g} s.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause_s)
            pause_s = min(2 * pause_s, MOST_PAUSE_S)
            if self._ending.is_set():
                return
            try:
                process, reading = await self._begin(child)
            except ChildFailedError as error:
                process, reading = self._processes[child.name], asyncio.create_task(asyncio.sleep(0))
                self._say(f"The {child.name} could not be started again ({error.why}).")
                continue
            self._say(f"The {child.name} runs again.")

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        words = child.call(child.started)
        process = await asyncio.create_subprocess_exec(
            *words.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            env=dict(words.environ),
            # Ctrl-C in a terminal goes to this process alone, which ends its children in order.
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self._processes[child.name] = process
        if self._ending.is_set():
            _signal(process, signal.SIGTERM)
        return process

    async def _read(self, child: Child, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "asked for"
        while line := await process.stdout.readline():
            if line.strip():
                self._line(child.name, _decoded(line))

    async def _end_all(self, keeping: Sequence[asyncio.Task[None]]) -> None:
        self._ending.set()
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(END_S):
                for process in self._processes.values():
                    await process.wait()
        except TimeoutError:
            for process in self._processes.values():
                _signal(process, signal.SIGKILL)
        for task in keeping:
            with suppress(Exception):
                await task


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(number)


def _ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _object(said: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(said)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _decoded(line: bytes) -> dict[str, Any]:
    return _object(line) or {"text": line.decode("utf-8", "replace").strip()}


def end_with_parent() -> None:
    """On Linux: a parent that was killed takes its children with it. Runs in the child, before its program."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        os._exit(0)
