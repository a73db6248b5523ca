"""Standard output and error as they may be found: closed, full, without a reader, or unable to spell what is written.

None of that may change what a command did, nor the exit code that says so.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import IO

from segue.errors import InputError, SegueError


def prepare_streams() -> None:
    """Give closed streams a place to write to, and show a sign for a character that a stream cannot spell."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def stop_writing(stream: IO[str]) -> None:
    """What is still to come on `stream` goes nowhere: its reader went away (`segue … | head`), or there is no room."""
    with suppress(OSError, ValueError):
        # A stream without a file of its own (a test's) has nothing to point elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_out(text: str) -> None:
    """Write a line of text to standard output. `InputError` where there is no room for it."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        stop_writing(sys.stdout)


def flush_out() -> OSError | None:
    """Write what is still held back; the error if there was no room for it. A reader that went away is no fault."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        stop_writing(sys.stdout)
    except OSError as error:
        stop_writing(sys.stdout)
        return error
    return None


def explain(error: OSError) -> SegueError:
    """An error of the operating system that nobody nearer has explained, in our words."""
    reason = error.strerror or type(error).__name__
    if error.errno == errno.ENOSPC:
        where = error.filename or "the output goes"
        return InputError(f"There is no room left: {reason}.", fix=f"Free space where {where}, or write elsewhere.")
    if error.filename is None:
        return InputError(f"The system refused: {reason}.", fix="See whether files, folders and network are all right.")
    place = str(error.filename)[:200]
    return InputError(f"{place}: {reason}.", fix="See whether it exists, has a usable name, and may be read and written.")
