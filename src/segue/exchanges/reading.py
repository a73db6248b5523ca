"""Reads the spool: finished segments, and those still being written, from a saved position. Never changes it.

It reads with `pread`: a mapped file that another process shortens would end the reader with SIGBUS.
A frame that does not hold ends its segment: what looks like a frame behind it may be the content of a body.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from segue.exchanges.frame import HEAD_SIZE, Frame, Stop, needed_bytes, read_frame
from segue.exchanges.segment import MAGIC, START, SegmentName, is_held, list_segments

CHUNK = 64 * 1024
LARGEST_CHUNK = 256 * 1024
"""Read into one buffer that stays: fresh memory for each piece costs more than reading it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Where reading came to. `is_finished`: no more will ever come. `torn_at`: where a frame was that does not hold."""

    position: int
    is_finished: bool
    torn_at: int | None = None


class SegmentReader:
    """One segment, open: it can be read to its end even after it was deleted."""

    def __init__(self, path: Path, name: SegmentName) -> None:
        self.path = path
        self.name = name
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._buffer = memoryview(b"")
        self.ending: Ending | None = None

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def has_header(self) -> bool:
        """False while it is being made, and for ever if its writer died over that."""
        return os.pread(self._descriptor, len(MAGIC), 0) == MAGIC

    def frames(self, position: int = 0, *, limit: int | None = None) -> Iterator[Frame]:
        """Frames from `position` on, until the end or until `limit` bytes are passed; then `ending` says how it ended.

        A frame's views are good until the next frame is asked for.
        """
        self.ending = None
        held = is_held(self._descriptor)  # asked first: whatever a dead writer published is there to be read
        at = begin = base = max(position, START)
        buffer, size = memoryview(b""), CHUNK
        found: Frame | Stop = "end"
        has_header = self.has_header
        while has_header:
            found = read_frame(buffer, at - base, base)
            if isinstance(found, Frame):
                at = found.end
                yield found
                if limit is not None and at - begin >= limit:
                    self.ending = Ending(at, False)
                    return
                continue
            if found != "short":
                break
            known = len(buffer) - (at - base)
            buffer, base, size = self._read(at, size), at, min(size * 4, LARGEST_CHUNK)
            if len(buffer) <= known:
                break
        left = any(buffer[at - base :]) if found == "short" else found == "torn"
        self.ending = Ending(at, not held, at if left and not held else None)

    def _read(self, at: int, size: int) -> memoryview:
        """From `at` on: `size` bytes, or the whole frame that begins there, or what there is."""
        data = self._fill(at, size)
        if len(data) >= HEAD_SIZE:
            needed = needed_bytes(data)
            if len(data) < needed <= os.fstat(self._descriptor).st_size - at:
                return self._fill(at, needed)
        return data

    def _fill(self, at: int, size: int) -> memoryview:
        if len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer[: os.preadv(self._descriptor, [self._buffer[:size]], at)].toreadonly()


def open_segments(folder: Path) -> list[SegmentReader]:
    """All segments there are, opened; one that vanishes meanwhile is left out."""
    readers = []
    for name in list_segments(folder):
        try:
            readers.append(SegmentReader(folder / str(name), name))
        except FileNotFoundError:
            continue
    return readers
