"""The first place of the log: a finished record is copied into mapped memory that the kernel owns.

`append` makes no system call, as long as the thread beside it keeps up. It is for one thread of one process; a worker makes
its spool after it was forked. What touches the disk is done by `tend`, in a thread of its own (`SpoolThread`) or by a test that
wants no threads.
Next: `segment.py`, `frame.py`; who reads it: `reading.py`, `shipper.py`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from segue.exchanges.frame import EXCHANGE, HEAD_SIZE, OUTCOME, frame_size, write_frame
from segue.exchanges.outcome import Outcome
from segue.exchanges.record import BodyNote, ServedExchange, encode_exchange
from segue.exchanges.segment import (
    LARGE_PIECE,
    PIECE,
    START,
    Allocate,
    Segment,
    SegmentName,
    allocate_on_disk,
    leave_memory,
    let_others_run,
    list_segments,
)

MIB = 1 << 20
SYNC_EVERY_NS = 1_000_000_000
FAST = 32 * MIB / 1e9
"""Bytes in a nanosecond from which on a core is nearly full of work: from there it counts how much room is made in a second,
and no longer how soon whoever waits for a piece of it goes on."""
MEASURED_OVER_NS = 5_000_000
"""In less time than that, a few records are no pace."""


@dataclass(frozen=True)
class SpoolSettings:
    """Where and how large. `run` tells one life of a worker from the next and must never come again: left empty, it is drawn.

    `total_bytes` bounds the whole folder, all workers together (each may overshoot by one segment). `spare_bytes` of the file
    system stay free, so that shipping, which is what frees space, has room to work in. `ahead_bytes` are mapped beforehand.
    """

    folder: Path
    worker: str
    run: str = ""
    segment_bytes: int = 64 * MIB
    total_bytes: int = 8192 * MIB
    spare_bytes: int = 256 * MIB
    largest_body: int = 16 * MIB
    ahead_bytes: int = 8 * MIB

    def __post_init__(self) -> None:
        assert SegmentName.parse(str(SegmentName(self.worker, self.run or "drawn", 0))), (
            "worker and run: letters, digits, '-', '_'"
        )
        assert self.segment_bytes >= 4096, "a segment has room for a record"
        assert self.segment_bytes % 8 == 0, "frames stay aligned"


@dataclass(frozen=True)
class SpoolState:
    """What readiness and metrics tell. `fault` says why there is no next segment, or why the last sync failed."""

    kept: int
    not_kept: int
    cut: int
    is_keeping: bool
    has_next: bool
    fault: str | None


class Spool:
    """`append` keeps a record, or says that it could not: `None`. It never raises for want of space.

    It waits for nothing, unless records come faster than the thread that tends makes room for them: then it makes room itself.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        *,
        allocate: Allocate = allocate_on_disk,
        monotonic: Callable[[], int] = time.monotonic_ns,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._allocate = allocate
        self._monotonic = monotonic
        self._wake = wake
        # Not in the settings: they may be made once and used for every life of a worker.
        self._run = settings.run or os.urandom(8).hex()
        self._sequence = 0
        self._largest = settings.largest_body
        self._current: Segment | None = None
        self._next: Segment | None = None
        self._retired: deque[Segment] = deque()
        self._finished: deque[Path] = deque()
        self._fault: str | None = None
        self._kept = self._not_kept = self._cut = 0
        self._last_kept = True
        self._wake_at = 0
        self._synced_at = self._measured_at = monotonic()
        self._bytes_before = self._bytes_seen = 0
        """In the segments before the current one; in all, at the last look at how fast they come."""
        self._piece = PIECE
        self._tending = threading.Lock()
        self._making = threading.Lock()
        self._readying = threading.Lock()
        self.tend()
        self._turn()
        self.tend()

    @property
    def state(self) -> SpoolState:
        """As of now; from any thread."""
        keeping = (self._last_kept and self._current is not None) or self._next is not None
        return SpoolState(self._kept, self._not_kept, self._cut, keeping, self._next is not None, self._fault)

    # the thread that answers requests

    def append(self, record: ServedExchange | Outcome, request: bytes = b"", response: bytes = b"") -> int | None:
        """Keep it: once this returns a number (where it begins), `kill -9` does not lose it. `None`: not kept, and counted.

        An outcome's text goes in `request`. Bodies too long for a segment, or for `largest_body`, are cut; the note says so.
        """
        try:
            head = encode_exchange(record)
        except (ValueError, OverflowError):  # half a character, a number beyond 64 bits
            self._not_kept += 1
            return None
        segment = self._current
        if segment is None or len(request) + len(response) > self._largest:
            return self._append_slowly(record, request, response)
        at, room = segment.position, segment.ready
        kind = EXCHANGE if type(record) is ServedExchange else OUTCOME
        end = write_frame(segment.map, at, kind, head, request, response, room)
        if end > room:
            return self._append_slowly(record, request, response)
        segment.position = end
        self._kept += 1
        self._last_kept = True
        if end > self._wake_at:
            self._wake_at = segment.size
            self._wake()
        return at

    def _append_slowly(self, record: ServedExchange | Outcome, request: bytes, response: bytes) -> int | None:
        """The same where something has to give: bodies are cut, the next segment begun, the record not kept."""
        settings = self._settings
        room = settings.segment_bytes - START - frame_size(len(encode_exchange(record)) + 64, 0, 0)
        longest = min(settings.largest_body, max(0, room) // 2)
        if len(request) > longest or len(response) > longest:
            record = _cut(record, longest, len(request), len(response))
            request, response = request[:longest], response[:longest]
            self._cut += 1
        head = encode_exchange(record)
        size = frame_size(len(head), len(request), len(response))
        segment = self._current
        if size <= settings.segment_bytes - START and (segment is None or not self._has_room(segment, size)):
            segment = self._turn()
        if segment is None or not self._has_room(segment, size):
            self._not_kept += 1
            self._last_kept = False  # the next try for room is made within the second, by `tend`
            return None
        at = segment.position
        kind = EXCHANGE if type(record) is ServedExchange else OUTCOME
        segment.position = write_frame(segment.map, at, kind, head, request, response, at + size)
        self._kept += 1
        self._last_kept = True
        return at

    def _has_room(self, segment: Segment, size: int) -> bool:
        """Whether so much may be written to it now; makes it ready where the thread that tends has not come to that."""
        end = segment.position + size
        if segment.ready < end <= segment.size:
            try:
                self._make_ready(segment, end)
            except OSError as error:
                self._fault = _told(error)
        return end <= segment.ready

    def _turn(self) -> Segment | None:
        """Go over to the next segment, if there is one."""
        if self._next is None and self._fault is None:
            # Records come faster than the thread that tends can make room: a few milliseconds now, rather than a record lost.
            self._make_next()
        following = self._next
        if following is None:
            return None
        self._next = None
        if self._current is not None:
            self._bytes_before += self._current.position - START
            self._retired.append(self._current)
        self._current = following
        self._wake_at = START
        self._wake()
        return following

    # the thread that touches the disk

    def tend(self) -> None:
        """Finish what is full, have the next segment ready, map pages beforehand, sync once a second."""
        with self._tending:
            self._tend()

    def _tend(self) -> None:
        # Room first: to finish a segment is to wait for the disk, and records go on coming meanwhile.
        fault = self._make_next()
        self._measure()
        fault = self._make_more_ready() or fault
        try:
            while self._retired:
                segment = self._retired.popleft()
                segment.finish()
                self._finished.append(segment.path)
            self._sync_if_due()
        except OSError as error:
            fault = fault or _told(error)
        if self._next is None:
            fault = self._make_next() or fault
        self._fault = self._make_more_ready() or fault
        self._leave_behind()

    def _leave_behind(self) -> None:
        """What is finished, and was still not shipped when the next one was finished too, waits on the disk alone.

        Else a log that is shipped later would fill the machine's memory, and memory that nobody had before is the dearest part
        of a record: on a virtual machine the host has to find each page. What was let go is what the next segment gets.
        """
        while len(self._finished) > 1:
            leave_memory(self._finished.popleft())
            let_others_run()

    def _make_next(self) -> str | None:
        """Have the next segment ready; what is wrong where there can be none."""
        with self._making:
            if self._next is None:
                try:
                    self._next = self._make_segment()
                except OSError as error:
                    self._fault = _told(error)
                    return self._fault
        return None

    def close(self) -> None:
        """Finish; only when nothing appends or tends any more."""
        for segment in (*self._retired, self._current, self._next):
            if segment is not None:
                segment.finish()
        self._retired.clear()
        self._current = self._next = None
        self._fault = "the log was closed"

    def _sync_if_due(self) -> None:
        now = self._monotonic()
        if self._current is not None and now - self._synced_at >= SYNC_EVERY_NS:
            self._synced_at = now
            self._current.sync()

    def _make_segment(self) -> Segment:
        settings = self._settings
        settings.folder.mkdir(0o700, parents=True, exist_ok=True)
        used = sum(_size(settings.folder / str(name)) for name in list_segments(settings.folder))
        if used + settings.segment_bytes > settings.total_bytes:
            raise SpoolFullError(f"the spool holds {used:,} bytes of the {settings.total_bytes:,} it may")
        free = os.statvfs(settings.folder)
        if free.f_bavail * free.f_frsize < settings.segment_bytes + settings.spare_bytes:
            raise SpoolFullError(f"the file system has {free.f_bavail * free.f_frsize:,} bytes left")
        name = SegmentName(settings.worker, self._run, self._sequence)
        self._sequence += 1  # also where it fails: a reader may have seen the name and taken it for a dead writer's
        segment = Segment.create(settings.folder, name, settings.segment_bytes, self._allocate)
        if not settings.ahead_bytes:
            segment.take_as_it_is()
        return segment

    def _make_more_ready(self) -> str | None:
        """Of the current segment and the next; what is wrong where the disk refuses."""
        ahead = self._settings.ahead_bytes
        try:
            for segment in (self._current, self._next):
                if segment is not None and ahead:
                    position = segment.position
                    self._make_ready(segment, position + ahead, let_others_run)
                    if segment is self._current:
                        self._wake_at = position + ahead // 2
        except OSError as error:
            return _told(error)
        return None

    def _measure(self) -> None:
        """How fast records come, and so in what pieces room is made for them until the next look.

        The writer may turn to another segment meanwhile: then one look sees too little or too much, which is no harm.
        """
        now = self._monotonic()
        passed = now - self._measured_at
        if passed >= MEASURED_OVER_NS:
            bytes_now = self._bytes_before + (0 if self._current is None else self._current.position - START)
            self._piece = LARGE_PIECE if bytes_now - self._bytes_seen > FAST * passed else PIECE
            self._bytes_seen, self._measured_at = bytes_now, now

    def _make_ready(self, segment: Segment, until: int, between: Callable[[], None] | None = None) -> None:
        while segment.ready < min(until, segment.size):
            with self._readying:
                segment.make_ready(min(until, segment.ready + 1), self._piece)
            # Without the lock: whoever runs now may be the one who writes, and in need of room.
            if between is not None:
                between()


class SpoolFullError(OSError):
    """There is room on the disk, or there is not; either way no more of it is the spool's."""


class SpoolThread:
    """A spool, and the thread that tends it: when the spool asks, and each second."""

    def __init__(self, settings: SpoolSettings, *, allocate: Allocate = allocate_on_disk) -> None:
        self._called = threading.Event()
        self._ending = False
        self.spool = Spool(settings, allocate=allocate, wake=self._called.set)
        self._thread = threading.Thread(target=self._run, name="segue-spool", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the segments and end the thread; call it from the thread that appends."""
        self._ending = True
        self._called.set()
        self._thread.join()
        self.spool.close()

    def __enter__(self) -> Spool:
        return self.spool

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while not self._ending:
            self._called.wait(timeout=SYNC_EVERY_NS / 1e9)
            self._called.clear()
            self.spool.tend()


def _cut(record: ServedExchange | Outcome, longest: int, request: int, response: int) -> ServedExchange | Outcome:
    if isinstance(record, Outcome):
        return msgspec.structs.replace(record, text=BodyNote("cut", request))
    changes = {
        part: BodyNote("cut", length) for part, length in (("request", request), ("response", response)) if length > longest
    }
    return msgspec.structs.replace(record, **changes)


def _told(error: OSError) -> str:
    return str(error.args[0]) if isinstance(error, SpoolFullError) else (error.strerror or type(error).__name__)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


assert HEAD_SIZE % 8 == 0, "frames stay aligned"
