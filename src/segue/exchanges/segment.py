"""One file of the spool: its name, how it is allocated, held and found. Knows nothing of records; those are `frame.py`'s.

Whoever writes a segment holds a lock on it, which the kernel lets go of however that process ends: a segment that nobody
holds is finished. Next: `spool.py` (writing), `reading.py`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import re
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".spool"
START = 64
"""Where the first frame stands."""
HEADER = struct.Struct("<8sQ")
MAGIC = b"SgSpool1"
MS_SYNC = 4
POPULATE_WRITE = 23
"""`MADV_POPULATE_WRITE` (Linux 5.14): maps pages for writing beforehand. Python has no name for it."""
PIECE, LARGE_PIECE = 64 * 1024, 512 * 1024
"""Made ready in one call, in which some kernels let nothing else run on that core: some 25 µs, and 120. A byte of a large piece
takes the kernel two thirds as long, then and each time later: it lies in a larger folio. A piece that fills a core's cache by
itself gains nothing more."""
_zeros = memoryview(bytes(LARGE_PIECE))
_LEFT_AT_ONCE = 1 << 20
let_others_run: Callable[[], None] = getattr(os, "sched_yield", lambda: None)
"""Whoever waits for this core goes first. Linux counts it, too: whoever let others run is owed nothing, and does not hold up
the next one that is woken."""

_name = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([0-9]{8})\.spool")
_libc = ctypes.CDLL(None, use_errno=True)
_msync = _libc.msync if sys.platform == "linux" else None

Allocate = Callable[[int, int], None]
"""Make sure that a file (descriptor) has this many bytes on disk, or raise `OSError`."""


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """`run` tells one life of a worker from the next: it is never used again, so neither is a name."""

    worker: str
    run: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.worker}.{self.run}.{self.sequence:08d}{SUFFIX}"

    @classmethod
    def parse(cls, text: str) -> SegmentName | None:
        """The name of a file, or `None` if it is no segment's."""
        found = _name.fullmatch(text)
        return cls(found[1], found[2], int(found[3])) if found else None


def allocate_on_disk(descriptor: int, size: int) -> None:
    """Take the space now, so that writing to a mapped page can never fail for want of it."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    zeros = bytes(1 << 20)
    for at in range(0, size, len(zeros)):  # macOS
        os.pwrite(descriptor, zeros[: min(len(zeros), size - at)], at)


class Segment:
    """A segment that this process writes.

    `position` is where the next frame goes; only the writer moves it, and never beyond `ready`, which `make_ready` moves on.
    """

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = size
        self.map = mmap.mmap(descriptor, size)
        self.position = START
        self.synced = START
        self.ready = START
        first = ctypes.c_char.from_buffer(self.map)
        self._address = ctypes.addressof(first)

    @classmethod
    def create(cls, folder: Path, name: SegmentName, size: int, allocate: Allocate) -> Segment:
        """Make it, hold it, take its space; `OSError` leaves nothing behind."""
        path = folder / str(name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            allocate(descriptor, size)
            segment = cls(path, descriptor, size)
            if os.fstat(descriptor).st_nlink == 0:
                segment.map.close()
                raise OSError(errno.ENOENT, "the new segment was swept away as an abandoned one", str(path))
            segment.map[: HEADER.size] = HEADER.pack(MAGIC, size)
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        return segment

    @property
    def has_frames(self) -> bool:
        return self.position > START

    def make_ready(self, until: int, piece: int) -> None:
        """Let frames be written up to `until`, and a little beyond; one caller at a time. `OSError` where the disk refuses.

        A `piece` is so many bytes, a power of two.

        Zeros are written there, and the pages mapped: a mapped page that nobody has written before costs the kernel four
        times as much, at the first touch and once more when it is synced, for it comes alone and not in a large folio.
        """
        assert not piece & (piece - 1), "pieces are aligned"
        assert piece <= LARGE_PIECE, "there are zeros enough"
        until = min(self.size, until)
        if self.ready == START and hasattr(mmap, "MADV_RANDOM"):
            # Else the kernel reads ahead where pages are mapped beforehand: megabytes of zeros in one call, during which
            # nothing else runs on that core. Who knows no such advice does as it does.
            with suppress(OSError):
                self.map.madvise(mmap.MADV_RANDOM)
        while self.ready < until:
            # A piece at a time: meanwhile no thread of the process can map or unmap anything.
            start = self.ready & -piece
            end = min(self.size, start + piece)
            written = os.pwrite(self.descriptor, _zeros[: end - self.ready], self.ready)
            if not written:
                raise OSError(errno.EIO, "nothing could be written", str(self.path))
            # Where the kernel cannot, pages are mapped when they are touched.
            _libc.madvise(ctypes.c_void_p(self._address + start), ctypes.c_size_t(end - start), POPULATE_WRITE)
            self.ready += written

    def take_as_it_is(self) -> None:
        """Make nothing ready: what is written finds the pages that there are."""
        self.ready = self.size

    def sync(self) -> None:
        """Have the kernel write what stands so far. Not `mmap.flush`, which stops all threads until the disk is done.

        Only what stands: of a page that was written out, the next write to it has to ask the kernel anew, which takes longer
        than all else, and `make_ready` has been there for that.
        """
        position = self.position
        if position > self.synced:
            if _msync is None:
                sync_descriptor(self.descriptor)
            else:
                start = self.synced & -mmap.PAGESIZE
                where, size = ctypes.c_void_p(self._address + start), ctypes.c_size_t(position - start)
                if _msync(where, size, MS_SYNC) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(self.path))
            self.synced = position

    def finish(self) -> None:
        """Give back what is not used, and let go: from here on it is finished. An empty one is removed."""
        self.map.close()
        try:
            if self.has_frames:
                os.ftruncate(self.descriptor, self.position)
                sync_descriptor(self.descriptor)
            else:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self.descriptor)


def sync_descriptor(descriptor: int) -> None:
    """`fdatasync`; macOS has `fsync` only."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def leave_memory(path: Path) -> None:
    """Have the kernel let go of the memory in which it keeps a finished segment; whoever reads it then reads the disk.

    Nothing happens where it is gone already, or where no such advice is taken.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # In pieces, for nothing else runs on that core meanwhile; then what lay across two of them.
            for at in range(0, os.fstat(descriptor).st_size, _LEFT_AT_ONCE):
                os.posix_fadvise(descriptor, at, _LEFT_AT_ONCE, os.POSIX_FADV_DONTNEED)
                let_others_run()
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def is_held(descriptor: int) -> bool:
    """Whether a living process still writes this segment. Ask before reading: the answer holds for what was there."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def list_segments(folder: Path) -> list[SegmentName]:
    """All segments of a folder, by worker, run and sequence."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(name for name in map(SegmentName.parse, names) if name is not None)
