"""A command run as a process of its own and measured from outside: wall clock, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Taken:
    """What a command took. Processor time and peak memory include processes it waited for; the peak is of the largest."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    exit_code: int
    output: str
    errors: str


class CommandError(Exception):
    """A measured command ended with another exit code than it should."""


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    may_end: Sequence[int] = (0,),
) -> Taken:
    """Run to the end. `CommandError` with the last of its output unless it ends with one of `may_end`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**_surroundings(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    taken = Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, texts[0], texts[1])
    if taken.exit_code not in may_end:
        said = (taken.errors or taken.output)[-2000:]
        raise CommandError(f"{' '.join(map(str, command))} ended with {taken.exit_code}:\n{said}")
    return taken


def _surroundings() -> dict[str, str]:
    # As an installed command runs: Python keeps the bytecode of what it has compiled, even where this environment forbids it.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
