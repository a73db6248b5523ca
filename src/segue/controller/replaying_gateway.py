"""A gateway of one's own for the length of a replay: a child process that ends with whoever began it.

Nothing of it but what it says on standard output is known here: where it serves, and a key that is valid until it ends.
"""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from segue.controller.jobs import SEGUE
from segue.errors import ProviderError

_PR_SET_PDEATHSIG = 1
_ENDS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class ChildGateway:
    """Where it serves, which revision of each workflow, and what it would not serve."""

    url: str
    key: str = field(repr=False)
    revisions: dict[str, int]
    refused: dict[str, str]


@contextmanager
def a_child_gateway(root: Path, environment: str, log: Path) -> Iterator[ChildGateway]:
    """`segue gateway` of this environment, on a free port of loopback. What it reports goes to `log`."""
    command = [*SEGUE, "gateway", "--environment", environment, "--port", "0", "--own-key", "--json"]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            preexec_fn=_end_with_parent,
            start_new_session=True,  # Ctrl-C is the replay's: its requests under way are finished first
        )  # fmt: skip
        assert process.stdout is not None, "asked for"
        try:
            yield _started(process.stdout, log)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _started(out: IO[str], log: Path) -> ChildGateway:
    """What it said when it served. `ProviderError` with its own reason where it ended before."""
    line = out.readline()
    try:
        said: Any = json.loads(line)
        return ChildGateway(said["url"], said["key"], dict(said["revisions"]), dict(said["refused"]))
    except (ValueError, KeyError, TypeError):
        pass
    try:
        # With --json an error is on standard output, over several lines.
        error: Any = json.loads(line + out.read())["error"]
        what, fix = str(error["what"]), str(error["fix"])
    except (ValueError, KeyError, TypeError):
        what, fix = "it ended before it served.", ""
    fix = fix or f"See why in {log}; or start one yourself and name it: --url."
    raise ProviderError(f"The gateway for the replay did not start: {what}", fix=fix)


def _end_with_parent() -> None:
    """Told to end when the parent is killed, where the system can (Linux); its own group keeps Ctrl-C from it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
