"""The spool: appending, going over to the next segment, running out of room and coming back."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.exchanges import Spool, SpoolSettings, SpoolThread
from segue.exchanges.frame import OUTCOME
from segue.exchanges.query import Moment
from segue.exchanges.reading import SegmentReader, open_segments
from segue.exchanges.record import Logged, decode_exchange
from segue.exchanges.segment import LARGE_PIECE, PIECE, Segment, SegmentName, allocate_on_disk, leave_memory, list_segments
from segue.exchanges.spool import MIB
from tests.exchanges.builders import SMALL, a_log, a_spool, an_exchange, an_outcome, fill, settings, spooled


class Disk:
    """Allocates for real until it is told to be full."""

    def __init__(self) -> None:
        self.fault: int | None = None
        self.asked = 0

    def __call__(self, descriptor: int, size: int) -> None:
        self.asked += 1
        if self.fault is not None:
            raise OSError(self.fault, os.strerror(self.fault))
        allocate_on_disk(descriptor, size)


def ids(folder: Path) -> list[str]:
    return [decode_exchange(head).id for head in spooled(folder)]


def test_what_was_appended_is_read_while_the_segment_grows(tmp_path: Path) -> None:
    """Nothing has to be finished, synced or closed for it."""
    spool = a_spool(tmp_path)
    fill(spool, range(3))
    assert ids(tmp_path) == ["x000000", "x000001", "x000002"]
    spool.close()


def test_reading_goes_on_from_a_saved_position(tmp_path: Path) -> None:
    """The end of a frame is where the next one will stand."""
    spool = a_spool(tmp_path)
    fill(spool, range(2))
    reader = open_segments(tmp_path / "spool")[0]
    assert len(list(reader.frames())) == 2
    assert reader.ending is not None
    position = reader.ending.position
    assert not reader.ending.is_finished
    fill(spool, range(2, 3))
    assert [decode_exchange(frame.head).id for frame in reader.frames(position)] == ["x000002"]
    reader.close()
    spool.close()


def test_records_go_over_to_the_next_segment(tmp_path: Path) -> None:
    """In order, none lost, and finished ones give back what they did not use."""
    spool = a_spool(tmp_path)
    fill(spool, range(500))
    spool.close()
    assert ids(tmp_path) == [f"x{number:06d}" for number in range(500)]
    files = [tmp_path / "spool" / str(name) for name in list_segments(tmp_path / "spool")]
    assert len(files) > 2
    assert all(file.stat().st_size < SMALL for file in files)


def test_appending_touches_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when a segment is full: the next one is there already."""
    disk = Disk()
    spool = Spool(settings(tmp_path), allocate=disk, monotonic=lambda: 0)
    monkeypatch.setattr(os, "open", None)
    monkeypatch.setattr(os, "ftruncate", None)
    asked = disk.asked
    kept = 0
    while spool.state.has_next or spool.state.kept < SMALL // 400 * 1.5:
        assert spool.append(an_exchange(kept), b"ask", b"say") is not None
        kept += 1
    assert kept > SMALL // 400
    assert disk.asked == asked
    monkeypatch.undo()
    spool.close()


def test_records_that_come_faster_than_the_thread_are_kept_all_the_same(tmp_path: Path) -> None:
    """Nobody tends: each full segment is followed by one that is made on the spot, and nothing is lost."""
    spool = Spool(settings(tmp_path), allocate=Disk(), monotonic=lambda: 0)
    for number in range(SMALL // 100):
        assert spool.append(an_exchange(number), b"ask" * 20, b"say" * 20) is not None
    assert (spool.state.not_kept, spool.state.kept) == (0, SMALL // 100)
    spool.close()


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=["full", "quota", "broken"])
def test_no_room_is_told_counted_and_over_once_there_is_room(tmp_path: Path, fault: int) -> None:
    """Requests are never disturbed; the log resumes by itself and holds all it said it kept."""
    disk = Disk()
    spool = Spool(settings(tmp_path), allocate=disk, monotonic=lambda: 0)
    disk.fault = fault
    kept = [number for number in range(300) if _try(spool, number)]
    state = spool.state
    assert 0 < len(kept) < 300
    assert state.not_kept == 300 - len(kept)
    assert not state.is_keeping
    assert state.fault == os.strerror(fault)
    disk.fault = None
    spool.tend()
    assert spool.state.is_keeping
    assert spool.state.fault is None
    kept += [number for number in range(300, 320) if _try(spool, number)]
    assert kept[-20:] == list(range(300, 320))
    spool.close()
    assert ids(tmp_path) == [f"x{number:06d}" for number in kept]


def _try(spool: Spool, number: int) -> bool:
    spool.tend()
    return spool.append(an_exchange(number), b"ask", b"say") is not None


def test_a_spool_that_finds_no_room_at_the_start_begins_when_there_is_some(tmp_path: Path) -> None:
    """The gateway starts all the same; readiness says so."""
    disk = Disk()
    disk.fault = errno.ENOSPC
    spool = Spool(settings(tmp_path), allocate=disk, monotonic=lambda: 0)
    assert not spool.state.is_keeping
    assert spool.append(an_exchange()) is None
    disk.fault = None
    spool.tend()
    assert spool.append(an_exchange()) is not None
    spool.close()
    assert len(ids(tmp_path)) == 1


def test_a_spool_that_was_closed_says_so(tmp_path: Path) -> None:
    """It keeps nothing any more, and not for want of room."""
    spool = a_spool(tmp_path)
    spool.close()
    assert (spool.state.is_keeping, spool.state.fault) == (False, "the log was closed")


def test_the_folder_never_holds_more_than_its_cap(tmp_path: Path) -> None:
    """And goes on once segments were shipped and deleted."""
    spool = a_spool(tmp_path, total_bytes=3 * SMALL)
    kept = sum(_try(spool, number) for number in range(1_000))
    used = sum(file.stat().st_size for file in (tmp_path / "spool").iterdir())
    assert kept < 1_000
    assert used <= 3 * SMALL
    assert "may" in (spool.state.fault or "")
    oldest = list_segments(tmp_path / "spool")[0]
    (tmp_path / "spool" / str(oldest)).unlink()
    assert _try(spool, 1_000)
    spool.close()


def test_some_of_the_file_system_stays_free(tmp_path: Path) -> None:
    """Shipping frees space, and needs some to work in."""
    spool = a_spool(tmp_path, spare_bytes=1 << 60)
    assert spool.append(an_exchange()) is None
    assert "bytes left" in (spool.state.fault or "")
    spool.close()


def test_a_body_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    """Length is that of the whole; what was kept is its beginning."""
    spool = a_spool(tmp_path)
    assert spool.append(an_exchange(0), b"q" * 100_000, b"short") is not None
    assert spool.state.cut == 1
    with Moment(tmp_path / "spool", tmp_path / "archive") as moment:
        (row,) = moment.waiting(1)
    assert isinstance(row, Logged)
    assert (row.exchange.request.kept, row.exchange.request.length) == ("cut", 100_000)
    assert 0 < len(row.request) < SMALL
    assert set(row.request) == {ord("q")}
    assert (row.exchange.response.kept, row.response) == ("full", b"short")
    spool.close()


def test_a_record_whose_head_alone_is_too_long_is_not_kept(tmp_path: Path) -> None:
    """Counted, and the next one is kept."""
    spool = a_spool(tmp_path)
    assert spool.append(an_exchange(0, slices={str(number): "x" * 50 for number in range(1000)})) is None
    assert spool.append(an_exchange(1)) is not None
    assert (spool.state.kept, spool.state.not_kept) == (1, 1)
    spool.close()


def test_text_that_cannot_be_encoded_is_not_kept(tmp_path: Path) -> None:
    """A header may hold half a character; no request fails for it."""
    spool = a_spool(tmp_path)
    assert spool.append(an_exchange(0, unit="\ud800")) is None
    assert spool.state.not_kept == 1
    spool.close()


def test_an_outcome_goes_the_same_way(tmp_path: Path) -> None:
    """With its text."""
    spool = a_spool(tmp_path)
    assert spool.append(an_outcome(), b"better: yes") is not None
    with SegmentReader(*_first(tmp_path)) as reader:
        (frame,) = reader.frames()
        assert (frame.kind, bytes(frame.request)) == (OUTCOME, b"better: yes")
    spool.close()


def _first(folder: Path) -> tuple[Path, SegmentName]:
    name = list_segments(folder / "spool")[0]
    return folder / "spool" / str(name), name


def test_the_thread_keeps_up_with_a_writer_that_never_waits(tmp_path: Path) -> None:
    """Whatever was not kept was said to be not kept."""
    with SpoolThread(settings(tmp_path, segment_bytes=256 * 1024)) as spool:
        kept = sum(spool.append(an_exchange(number), b"a" * 500, b"b" * 500) is not None for number in range(5_000))
        state = spool.state
    assert (state.kept, state.not_kept) == (kept, 5_000 - kept)
    assert a_log(tmp_path).recount().readable == kept


def test_pages_are_made_ready_before_anything_is_written_to_them_and_never_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the thread, and by the writer itself where it is faster: zeros on a frame would end its segment there."""
    _in_pieces_of(4096, monkeypatch)
    said = {f"x{number:06d}": os.urandom(number * 37 % 9_000) for number in range(4_000)}
    with SpoolThread(settings(tmp_path, segment_bytes=512 * 1024, ahead_bytes=8_192)) as spool:
        for number, body in enumerate(said.values()):
            assert spool.append(an_exchange(number), b"ask", body) is not None
    found: dict[str, bytes] = {}
    for reader in open_segments(tmp_path / "spool"):
        with reader:
            found |= {decode_exchange(frame.head).id: bytes(frame.response) for frame in reader.frames()}
    assert found == said


def _in_pieces_of(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIECE", "LARGE_PIECE"):
        monkeypatch.setattr(f"segue.exchanges.spool.{name}", size)


def test_pieces_are_large_where_records_come_fast_and_small_again_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what came since the last look: 36 MiB a second are fast, 28 are not; over the turn to another segment, too."""
    now, asked = [0], []
    make_ready = Segment.make_ready

    def noted(segment: Segment, until: int, piece: int) -> None:
        asked.append(piece)
        make_ready(segment, until, piece)

    monkeypatch.setattr(Segment, "make_ready", noted)
    spool = Spool(settings(tmp_path, segment_bytes=4 * MIB, ahead_bytes=2 * MIB), monotonic=lambda: now[0])
    assert set(asked) == {PIECE}

    def write(per_second: float) -> set[int]:
        """The pieces asked for while ten MiB come at this pace, all but the first, by which nobody knew it yet."""
        for number in range(10):
            for _ in range(4):
                assert spool.append(an_exchange(number), b"", bytes(MIB // 4)) is not None
            now[0] += int(MIB / per_second * 1e9)
            if number == 1:
                asked.clear()
            spool.tend()
        return set(asked)

    assert [write(28 * MIB), write(36 * MIB), write(28 * MIB)] == [{PIECE}, {LARGE_PIECE}, {PIECE}]
    spool.close()


def test_others_run_between_the_pieces_that_the_thread_makes_ready_and_never_while_a_writer_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has time; whoever answers a request has none, and what it waits for is not held meanwhile."""
    seen: list[str] = []
    _in_pieces_of(4096, monkeypatch)
    spool = a_spool(tmp_path, segment_bytes=512 * 1024, ahead_bytes=128 * 1024)
    for number in range(10):
        assert spool.append(an_exchange(2_000 + number), b"ask", bytes(8_000)) is not None

    def let() -> None:
        # The third of these finds nothing ready, and needs the lock.
        assert spool.append(an_exchange(len(seen)), b"ask", bytes(60_000)) is not None
        seen.append("let")

    monkeypatch.setattr("segue.exchanges.spool.let_others_run", let)
    spool.tend()
    n_let = len(seen)
    assert n_let >= 3
    for number in range(10):
        assert spool.append(an_exchange(1_000 + number), b"ask", bytes(8_000)) is not None
    assert len(seen) == n_let
    spool.close()
    assert len(spooled(tmp_path)) == n_let + 20


def test_room_is_made_before_a_full_segment_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To finish one is to wait for the disk: whoever answers requests meanwhile finds what they need."""
    _in_pieces_of(4096, monkeypatch)
    spool = a_spool(tmp_path, segment_bytes=512 * 1024, ahead_bytes=128 * 1024)
    made: list[str] = []
    make_ready, finish = Segment.make_ready, Segment.finish

    def noted(segment: Segment, until: int, piece: int) -> None:
        made.append("room")
        make_ready(segment, until, piece)

    def waits(segment: Segment) -> None:
        made.clear()
        for number in range(6):
            assert spool.append(an_exchange(1_000 + number), b"", bytes(16 * 1024)) is not None
        assert not made
        made.append("finished")
        finish(segment)

    # A whole segment, and most of what is ready in the next.
    for number in range(37):
        assert spool.append(an_exchange(number), b"", bytes(16 * 1024)) is not None
    assert len(list_segments(tmp_path / "spool")) == 2
    monkeypatch.setattr(Segment, "make_ready", noted)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Segment, "finish", waits)
        spool.tend()
        assert "finished" in made
    spool.close()
    assert len(spooled(tmp_path)) == 43


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="This system takes no advice on what files it keeps in memory.")
def test_what_waits_more_than_a_segment_behind_waits_on_the_disk_alone(tmp_path: Path) -> None:
    """A backlog does not fill the machine's memory, and all of it is read; what is shipped next is still at hand."""
    probe = tmp_path / "probe"
    with probe.open("wb") as file:
        file.write(bytes(64 * 1024))
        os.fsync(file.fileno())
        before = _in_memory(probe)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if not before or _in_memory(probe):
        pytest.skip("This file system keeps its files in memory, or none of them.")
    size = 256 * 1024
    spool = a_spool(tmp_path, segment_bytes=size, ahead_bytes=64 * 1024)
    for number in range(200):
        assert spool.append(an_exchange(number), b"ask", os.urandom(8_000)) is not None
        spool.tend()
    *behind, last, current, following = [tmp_path / "spool" / str(name) for name in list_segments(tmp_path / "spool")]
    assert len(behind) >= 3
    # The kernel may be busy with a page or two of them.
    assert sum(_in_memory(path) for path in behind) < len(behind) * size / 20
    assert all(_in_memory(path) for path in (last, current, following))
    assert ids(tmp_path) == [f"x{number:06d}" for number in range(200)]
    spool.close()


def test_each_finished_segment_leaves_memory_once_the_next_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, each once, and never the newest."""
    left: list[Path] = []
    monkeypatch.setattr("segue.exchanges.spool.leave_memory", left.append)
    spool = a_spool(tmp_path, segment_bytes=64 * 1024)
    for number in range(40):
        assert spool.append(an_exchange(number), b"ask", bytes(8_000)) is not None
        if number % 20 != 5:  # several may be finished at once
            spool.tend()
        finished = [tmp_path / "spool" / str(name) for name in list_segments(tmp_path / "spool")][:-2]
        assert left == finished[: len(left)]
        assert len(left) <= max(0, len(finished) - 1)
    spool.tend()
    assert len(left) >= 3
    assert left == finished[:-1]
    spool.close()


@pytest.mark.parametrize("fault", ["it is shipped", "no such advice", "refused"])
def test_a_segment_that_cannot_leave_memory_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """There is nothing left of it, or it stays where it is."""
    tried: list[Path] = []

    def leave(path: Path) -> None:
        tried.append(path)
        if fault == "it is shipped":
            path.unlink()
        leave_memory(path)

    monkeypatch.setattr("segue.exchanges.spool.leave_memory", leave)
    if fault == "no such advice":
        monkeypatch.delattr("os.posix_fadvise", raising=False)
    elif fault == "refused":
        monkeypatch.setattr("os.posix_fadvise", _refuse_advice, raising=False)
        monkeypatch.setattr("os.POSIX_FADV_DONTNEED", 4, raising=False)
    spool = a_spool(tmp_path, segment_bytes=64 * 1024)
    for number in range(40):
        assert spool.append(an_exchange(number), b"ask", bytes(8_000)) is not None
        spool.tend()
        assert spool.state.fault is None
    assert len(tried) >= 3
    spool.close()


def _refuse_advice(*_: object) -> None:
    raise OSError(errno.EINVAL, "Invalid argument")


def _in_memory(path: Path) -> int:
    """Bytes of a file that the kernel has in memory."""
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as view:
        pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        first = ctypes.c_char.from_buffer(view)
        assert ctypes.CDLL(None).mincore(ctypes.byref(first), ctypes.c_size_t(size), pages) == 0
        del first
        return sum(page & 1 for page in pages) * mmap.PAGESIZE


def test_advice_that_the_kernel_does_not_take_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It only says in which order pages will be asked for."""
    monkeypatch.setattr("segue.exchanges.segment.mmap.MADV_RANDOM", 9_999, raising=False)
    spool = a_spool(tmp_path, ahead_bytes=4096)
    assert spool.append(an_exchange(1), b"ask", b"say") is not None
    assert spool.state.fault is None


def test_a_disk_that_refuses_what_it_allocated_is_told_and_got_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapped page without room behind it would end the process at the first touch: nothing is written there."""
    spool = a_spool(tmp_path, segment_bytes=1024 * 1024, ahead_bytes=4096)
    monkeypatch.setattr("segue.exchanges.segment.os.pwrite", _refuse)
    kept = [number for number in range(3_000) if spool.append(an_exchange(number), b"ask" * 100, b"say") is not None]
    assert 0 < len(kept) < 3_000
    assert spool.state.not_kept == 3_000 - len(kept)
    spool.tend()
    assert spool.state.fault == os.strerror(errno.ENOSPC)
    monkeypatch.undo()
    spool.tend()
    assert spool.state.fault is None
    assert spool.append(an_exchange(3_000)) is not None
    spool.close()
    assert ids(tmp_path) == [f"x{number:06d}" for number in [*kept, 3_000]]


def _refuse(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_frame_that_does_not_hold_ends_its_segment(tmp_path: Path) -> None:
    """What comes behind may be the content of a body; a reader says where it stopped."""
    spool = a_spool(tmp_path)
    fill(spool, range(3))
    spool.close()
    path, name = _first(tmp_path)
    with SegmentReader(path, name) as reader:
        starts = [frame.start for frame in reader.frames()]
    content = bytearray(path.read_bytes())
    content[starts[1] + 40] ^= 1
    path.write_bytes(content)
    with SegmentReader(path, name) as reader:
        assert len(list(reader.frames())) == 1
        assert reader.ending is not None
        assert (reader.ending.torn_at, reader.ending.is_finished) == (starts[1], True)


def test_a_kernel_that_cannot_map_beforehand_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are then mapped as they are written."""
    monkeypatch.setattr("segue.exchanges.segment.POPULATE_WRITE", 9_999)
    spool = a_spool(tmp_path)
    fill(spool, range(200))
    spool.close()
    assert len(ids(tmp_path)) == 200


def test_every_life_of_a_worker_has_names_of_its_own(tmp_path: Path) -> None:
    """Also where the same settings are used again: a name that came twice would be taken for one that was shipped."""
    given = settings(tmp_path, run="")
    for number in range(2):
        spool = Spool(given, monotonic=lambda: 0)
        assert spool.append(an_exchange(number)) is not None
        spool.close()
    assert len({name.run for name in list_segments(tmp_path / "spool")}) == 2


def test_names_of_segments_say_who_wrote_them() -> None:
    """Other files of the folder are left alone."""
    name = SegmentName("w-3", "r_1", 7)
    assert SegmentName.parse(str(name)) == name
    assert SegmentName.parse("notes.txt") is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("Mounting a size-limited file system needs root; run the suite as root for this test.")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_kills_nobody(small_disk: Path) -> None:
    """No SIGBUS: the pages of an allocated segment are there. Room that comes back is used."""
    wall = small_disk / "other"
    given = SpoolSettings(small_disk / "spool", "w0", "r0", segment_bytes=256 * 1024, spare_bytes=0, ahead_bytes=0)
    with SpoolThread(given) as spool:
        wall.write_bytes(bytes(_free(small_disk)))
        assert _free(small_disk) == 0
        kept = 0
        while spool.append(an_exchange(kept), b"a" * 2_000, b"b" * 2_000) is not None:
            kept += 1
        assert 2 * (256 * 1024) // 4_400 - 4 <= kept <= 2 * (256 * 1024) // 4_000
        spool.tend()
        assert not spool.state.is_keeping
        wall.unlink()
        spool.tend()
        assert spool.append(an_exchange(kept), b"", b"") is not None
    assert len(ids(small_disk)) == kept + 1


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
