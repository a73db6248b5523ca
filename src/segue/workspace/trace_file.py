"""Arrivals of a recorded traffic trace: JSON Lines with `t_s`, seconds from any beginning; plain or gzipped.

Other keys are not read. A line that cannot be read is a fault with its place; nothing is guessed from the rest.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import zlib
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from segue.errors import Fault, InputError
from segue.model import Json
from segue.workspace.fault_tally import FaultTally
from segue.workspace.text_file import Root, cannot_open

LONGEST_LINE = 1024 * 1024
_ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_KINDS = "lines that are no arrivals"


def read_trace(path: Path) -> list[float]:
    """The seconds of all arrivals, in the order of the file. Raises `InputError` with all faults."""
    root = Root(Path())
    file = root.shown(path)
    trouble = cannot_open(root, path)
    if trouble is not None:
        if not os.path.lexists(path):
            fix = 'Record the traffic as one {"t_s": seconds} per line, or leave --trace out: then there is a daily cycle.'
            trouble = replace(trouble, fix=fix, likely=_near_trace(root, path))
        raise InputError.from_faults([trouble], subject=f"the trace {file}")
    tally = FaultTally(file)
    seconds: list[float] = []
    line = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as stream:
            while raw := stream.readline(LONGEST_LINE):
                line += 1
                if raw.strip():
                    found = _arrival(raw, file, line)
                    if isinstance(found, Fault):
                        tally.add(_KINDS, found)
                    else:
                        seconds.append(found)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        what = "The gzip data is damaged or ends too early."
        tally.add("damage", Fault(what, "Compress the trace again, or fetch the file anew.", file=file, line=line + 1))
    except OSError as error:
        what = f"The file cannot be read further: {error.strerror or type(error).__name__}."
        tally.add("damage", Fault(what, "Check the disk, and that you may read the file.", file=file, line=line + 1))
    if not seconds and not tally.total:
        tally.add("empty", Fault("The trace has no arrivals.", 'Write one {"t_s": …} per line.', file=file, line=1))
    if tally.total:
        raise tally.error()
    return seconds


def _near_trace(root: Root, path: Path) -> str | None:
    """The file beside it that was likely meant: one named like it, or the only trace there is."""
    try:
        beside = sorted(one.name for one in path.parent.iterdir() if one.name.endswith(_ENDINGS) and one.is_file())
    except OSError:
        return None
    # Endings are left out: what all traces share says nothing about which one was meant.
    stems = {one.partition(".")[0].casefold(): one for one in reversed(beside)}
    near = get_close_matches(path.name.partition(".")[0].casefold(), list(stems), n=1)
    name = stems[near[0]] if near else beside[0] if len(beside) == 1 else None
    return None if name is None else f"'{root.shown(path.parent / name)}'"


def _arrival(raw: bytes, file: str, line: int) -> float | Fault:
    fix = 'Write an object with the seconds of the arrival: {"t_s": 12.5}.'
    try:
        value: Json = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return Fault("The line is not JSON.", fix, file=file, line=line)
    if not isinstance(value, dict) or "t_s" not in value:
        return Fault("The line has no t_s.", fix, file=file, line=line)
    at = value["t_s"]
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        return Fault("t_s is not a number of seconds.", fix, file=file, line=line, path="t_s")
    return float(at)
