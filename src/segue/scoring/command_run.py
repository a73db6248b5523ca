"""Running one command on one output: no shell, a time limit, bounded output, its whole process group ended afterwards.

Blocking; `segue.scoring.command` runs it in threads. It knows neither cases nor scores. A process that starts a session of
its own leaves the group and is not ended; nothing waits for it either.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST_OUTPUT = 64 * 1024
"""How many bytes of each output stream are kept: the last ones."""

_STEP_S = 0.05
_CHUNK = 16 * 1024
_STOPPED_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: `exit_code` from 0 on, or the name of the signal that ended it, or neither after its time was up."""

    exit_code: int | None
    signal_name: str | None
    timed_out: bool
    stopped_from_outside: bool
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The command could not be started at all."""

    reason: str


class _Tail:
    """The last `MOST_OUTPUT` bytes of a stream."""

    def __init__(self) -> None:
        self.kept = bytearray()

    def add(self, chunk: bytes) -> None:
        self.kept += chunk
        if len(self.kept) > MOST_OUTPUT:
            del self.kept[: len(self.kept) - MOST_OUTPUT]


def run_command(
    argv: Sequence[str],
    stdin: bytes,
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    cancelled: threading.Event,
) -> Ended | NotStarted:
    """Run `argv` in `cwd` with exactly `env`, feed it `stdin`, and wait for its end, its time or `cancelled`."""
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return NotStarted(_why_not(argv[0], error))
    stdout, stderr = _Tail(), _Tail()
    timed_out = False
    try:
        timed_out = not _converse(process, stdin, stdout, stderr, time.monotonic() + timeout_s, cancelled)
    finally:
        _end_group(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
    code = process.returncode
    number = signal.Signals(-code) if code < 0 and not timed_out and -code in set(signal.Signals) else None
    return Ended(
        exit_code=code if code >= 0 and not timed_out else None,
        signal_name=number.name if number else None,
        timed_out=timed_out,
        stopped_from_outside=cancelled.is_set() or number in _STOPPED_FROM_OUTSIDE,
        stdout=bytes(stdout.kept),
        stderr=bytes(stderr.kept),
    )


def _why_not(program: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"'{program}' was not found"
    if isinstance(error, PermissionError):
        return f"'{program}' may not be executed"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"'{program}' cannot be started: {reason}"


def _converse(
    process: subprocess.Popen[bytes],
    stdin: bytes,
    stdout: _Tail,
    stderr: _Tail,
    deadline: float,
    cancelled: threading.Event,
) -> bool:
    """Feed and read until the process has ended (True) or its time is up (False).

    Children may hold its pipes open after its end; nobody waits for them.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    waiting = memoryview(stdin)
    tails = {process.stdout.fileno(): stdout, process.stderr.fileno(): stderr}
    with selectors.DefaultSelector() as selector:
        for number in tails:
            os.set_blocking(number, False)
            selector.register(number, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin.fileno(), selectors.EVENT_WRITE)
        while not cancelled.is_set():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return process.poll() is not None
            if not selector.get_map():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(min(remaining, _STEP_S))
            for key, _ in selector.select(min(remaining, _STEP_S)) if selector.get_map() else ():
                if key.fd in tails:
                    _read(selector, key.fd, tails[key.fd])
                else:
                    waiting = _feed(selector, process.stdin, waiting)
            if process.poll() is not None:
                _kill_group(process)
                for number in [one for one in tails if one in selector.get_map()]:
                    _drain(selector, number, tails[number])
                return True
        return True


def _feed(selector: selectors.BaseSelector, pipe: IO[bytes], waiting: memoryview) -> memoryview:
    try:
        waiting = waiting[os.write(pipe.fileno(), waiting[:_CHUNK]) :] if waiting else waiting
    except BlockingIOError:
        return waiting
    except OSError:  # the program reads nothing more, which is its right
        waiting = waiting[:0]
    if not waiting:
        selector.unregister(pipe.fileno())
        with contextlib.suppress(OSError):
            pipe.close()
    return waiting


def _read(selector: selectors.BaseSelector, number: int, tail: _Tail) -> bool:
    """Read what is there; False where there is nothing now or nothing more to come."""
    try:
        chunk = os.read(number, _CHUNK)
    except BlockingIOError:
        return False
    except OSError:
        chunk = b""
    if not chunk:
        selector.unregister(number)
        return False
    tail.add(chunk)
    return True


def _drain(selector: selectors.BaseSelector, number: int, tail: _Tail) -> None:
    """Read what an ended process left in a pipe, which is less than this bound; a child that left the group may still write."""
    for _ in range(4 * MOST_OUTPUT // _CHUNK):
        if not _read(selector, number, tail):
            return


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group, then reap the process."""
    _kill_group(process)
    process.wait()
