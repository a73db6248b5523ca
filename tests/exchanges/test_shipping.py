"""Shipping: exactly once, whatever it dies of."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest

from segue.errors import ConflictError, StoreError
from segue.exchanges import keep_body
from segue.exchanges.batch import PIECE_BYTES, PIECE_FRAMES
from segue.exchanges.columns import exchange_columns
from segue.exchanges.frame import EXCHANGE, frame_size, write_frame
from segue.exchanges.keeping import Keeping, KeepingRules
from segue.exchanges.parquet import PAGE_BYTES, PART, PART_BYTES, _Paused
from segue.exchanges.record import Logged
from segue.exchanges.segment import HEADER, MAGIC, START, SegmentName
from segue.exchanges.shipper import Point, Shipper, ship_forever
from tests.exchanges.builders import DAY, HOUR, NOON, Clock, a_log, a_shipper, a_spool, an_exchange, an_outcome, drain, fill


class Killed(BaseException):
    """Stands for the death of the process."""


def ids(folder: Path) -> Counter[str]:
    return Counter(row.exchange.id for row in a_log(folder).iterate())


def test_everything_appended_is_shipped_once_and_the_spool_is_emptied(tmp_path: Path) -> None:
    """Segments that are still written are shipped too, and stay."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(300))
    drain(shipper)
    recount = a_log(tmp_path).recount()
    assert (recount.archived, recount.waiting) == (300, 0)
    fill(spool, range(300, 310))
    assert a_log(tmp_path).recount().waiting == 10
    spool.close()
    drain(shipper)
    shipper.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(310))
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize(("number", "size"), [(1, 2_000), (300, 2_000), (500, 3), (60, 40_000), (3, 500_000)])
def test_no_piece_of_shipping_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, size: int) -> None:
    """Neither records read, nor rows made columns, nor bytes written between two pauses, whatever the bodies."""
    done: dict[str, list[int]] = {"read": [0, 0], "rows": [0, 0], "written": [0, 0]}
    most = {kind: [0, 0] for kind in done}

    def did(kind: str, n: int, n_bytes: int) -> None:
        done[kind] = [done[kind][0] + n, done[kind][1] + n_bytes]
        most[kind] = [max(pair) for pair in zip(most[kind], done[kind], strict=True)]

    def paused() -> None:
        done.update({kind: [0, 0] for kind in done})

    def bodies(rows: Sequence[Logged]) -> int:
        return sum(len(row.request) + len(row.response) for row in rows)

    def enrich(logged: Logged) -> Logged:
        did("read", 1, bodies([logged]))
        return logged

    def columns(rows: Sequence[Logged]) -> Any:
        did("rows", len(rows), bodies(rows))
        return exchange_columns(rows)

    class Seen(_Paused):
        def write(self, data: Any, /) -> int:
            written = super().write(data)
            did("written", 1, len(data))
            return written

    monkeypatch.setattr("segue.exchanges.parquet.exchange_columns", columns)
    monkeypatch.setattr("segue.exchanges.parquet._Paused", Seen)
    spool = a_spool(tmp_path, segment_bytes=16 << 20)
    for each in range(number):  # bodies that do not compress
        assert spool.append(an_exchange(each), os.urandom(size), os.urandom(size)) is not None
    spool.close()
    shipper = a_shipper(tmp_path, between=paused, enrich=enrich, batch_bytes=64 << 20)
    assert shipper.step().n_rows == number
    shipper.close()
    assert ids(tmp_path) == Counter(f"x{each:06d}" for each in range(number))
    one = 2 * size
    assert 0 < most["read"][0] <= PIECE_FRAMES
    assert most["read"][1] <= max(one, PIECE_BYTES)
    assert 0 < most["rows"][0] <= PART
    assert most["rows"][1] <= max(one, PART_BYTES)
    assert most["written"][0] == 1
    assert most["written"][1] <= max(size, PART_BYTES) + PAGE_BYTES


def test_it_pauses_while_it_merges(tmp_path: Path) -> None:
    """Small files become one."""
    counts: Counter[str] = Counter()
    shipper = a_shipper(tmp_path, clock := Clock(), between=lambda: counts.update(["paused"]))
    for part in range(10):
        spool = a_spool(tmp_path, run=f"r{part}")
        fill(spool, range(part * 10, part * 10 + 10))
        spool.close()
        drain(shipper)
    counts.clear()
    clock.now += 2 * HOUR
    shipper.tidy()
    shipper.close()
    merged = [path for path in (tmp_path / "archive").rglob("*.parquet") if pq.ParquetFile(path).metadata.num_rows == 100]
    assert len(merged) == 1
    assert counts["paused"] > 2 * pq.ParquetFile(merged[0]).metadata.num_columns
    assert ids(tmp_path) == Counter(f"x{each:06d}" for each in range(100))


def work_until_killed(shipper: Shipper, clock: Clock) -> None:
    """A few rounds of all that a shipper does."""
    for _ in range(4):
        drain(shipper)
        shipper.tidy()
        clock.now += 2 * HOUR


@pytest.mark.parametrize("moment", get_args(Point))
@pytest.mark.parametrize("time", [1, 2])
def test_a_shipper_killed_at_any_moment_neither_loses_nor_doubles(tmp_path: Path, moment: Point, time: int) -> None:
    """Right after the death, and when the next one is through; more records come in between."""
    spool, clock = a_spool(tmp_path), Clock()
    fill(spool, range(250))
    fill(spool, range(250, 350), workflow="invoice")
    left = time

    def reached(point: Point) -> None:
        nonlocal left
        left -= point == moment
        if left == 0:
            left = -1
            raise Killed

    dying = a_shipper(tmp_path, clock, reached=reached, fan_in=2)
    with pytest.raises(Killed):
        work_until_killed(dying, clock)
    dying.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(350))
    fill(spool, range(350, 400))
    spool.close()
    following = a_shipper(tmp_path, clock, fan_in=2)
    drain(following)
    following.tidy()
    following.close()
    assert ids(tmp_path) == Counter(f"x{number:06d}" for number in range(400))
    assert a_log(tmp_path).recount().appended == 400
    assert not list((tmp_path / "spool").iterdir())


def test_remains_of_a_dead_shipper_are_removed(tmp_path: Path) -> None:
    """Files that nobody counted, and halves of files."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(5))
    drain(shipper)
    shipper.close()
    (folder,) = {path.parent for path in (tmp_path / "archive").rglob("*.parquet")}
    for name in ("stray.parquet", "half.tmp"):
        (folder / name).write_bytes(b"PAR1")
    a_shipper(tmp_path).close()
    assert len(list(folder.iterdir())) == 1
    spool.close()


def test_files_are_by_workflow_and_day(tmp_path: Path) -> None:
    """UTC; a workflow's name cannot lead out of the folder; where the rows come from stands in the file."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(3))
    fill(spool, range(3, 4), workflow="../up", at_ns=NOON + DAY)
    drain(shipper)
    shipper.close()
    spool.close()
    found = {path.parent.relative_to(tmp_path / "archive").as_posix(): path for path in tmp_path.rglob("*.parquet")}
    assert set(found) == {
        "exchanges/workflow=reply/day=2026-01-01",
        "exchanges/workflow=..%2Fup/day=2026-01-02",
    }
    (span,) = json.loads(pq.read_schema(found["exchanges/workflow=reply/day=2026-01-01"]).metadata[b"segue.ranges"])
    assert span[:2] == ["w0.r0.00000000.spool", 0]


def test_small_files_become_one(tmp_path: Path) -> None:
    """At once where there are many of a size; all of a day that is over. Readers keep theirs for a while."""
    spool, clock = a_spool(tmp_path), Clock()
    shipper = a_shipper(tmp_path, clock, fan_in=4)
    for begin in range(0, 40, 5):
        fill(spool, range(begin, begin + 5))
        drain(shipper)
    before = ids(tmp_path)
    shipper.tidy()
    files = list((tmp_path / "archive").rglob("*.parquet"))
    assert len(files) > 8, "those that were merged are still there for readers"
    clock.now += 3 * DAY
    shipper.tidy()
    clock.now += DAY
    shipper.tidy()
    assert len(list((tmp_path / "archive").rglob("*.parquet"))) == 1
    assert ids(tmp_path) == before
    shipper.close()
    spool.close()


def test_days_beyond_retention_are_deleted_per_workflow_and_counted(tmp_path: Path) -> None:
    """What is gone is still accounted for."""
    spool, clock = a_spool(tmp_path), Clock()
    rules = KeepingRules(Keeping(days=30), {"reply": Keeping(days=2)})
    shipper = a_shipper(tmp_path, clock, rules=rules)
    fill(spool, range(4))
    fill(spool, range(4, 6), workflow="invoice")
    drain(shipper)
    clock.now = NOON + 2 * DAY
    shipper.tidy()
    assert a_log(tmp_path).recount().readable == 6
    clock.now = NOON + 3 * DAY
    shipper.tidy()
    recount = a_log(tmp_path).recount()
    assert (recount.readable, recount.expired, recount.appended) == (2, 4, 6)
    shipper.close()
    spool.close()


def test_sampling_keeps_a_share_and_says_which(tmp_path: Path) -> None:
    """Whole records at one share, bodies at another; always the same ones."""
    spool = a_spool(tmp_path, total_bytes=1 << 30)
    rules = KeepingRules(Keeping(record_share=0.5, body_share=0.1))
    shipper = a_shipper(tmp_path, rules=rules, batch_bytes=1 << 20)
    fill(spool, range(1_000))
    drain(shipper)
    rows = list(a_log(tmp_path).iterate())
    assert 420 < len(rows) < 580
    assert a_log(tmp_path).recount().sampled_out == 1_000 - len(rows)
    assert {row.kept_share for row in rows} == {0.5}
    with_bodies = [row for row in rows if row.request]
    assert 60 < len(with_bodies) < 140
    assert {row.exchange.request.kept for row in rows} == {"full", "sampled_out"}
    assert {row.exchange.request.length for row in rows} == {3}
    shipper.close()
    spool.close()


def test_both_halves_of_a_pair_are_kept_or_left_out_together(tmp_path: Path) -> None:
    """Half a pair compares nothing."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path, rules=KeepingRules(Keeping(record_share=0.5)))
    for number in range(100):
        fill(spool, range(number, number + 1), pair=f"p{number // 2}")
    drain(shipper)
    assert set(Counter(row.exchange.pair for row in a_log(tmp_path).iterate()).values()) == {2}
    shipper.close()
    spool.close()


def a_segment(folder: Path, *frames: tuple[int, int, bytes]) -> Path:
    """A finished segment of (kind, version, head), laid by hand."""
    content = bytearray(START + sum(frame_size(len(head), 0, 0) for _, _, head in frames))
    HEADER.pack_into(content, 0, MAGIC, len(content))
    at = START
    for kind, _, head in frames:
        write_frame(content, at, kind, head, b"", b"")
        at += frame_size(len(head), 0, 0)
    path = folder / "spool" / str(SegmentName("other", "r9", 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_frame_of_a_newer_segue_waits_for_a_newer_shipper(tmp_path: Path) -> None:
    """Others are not held up; nothing is deleted."""
    path = a_segment(tmp_path, (7, 1, b"what is this"))
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(3))
    assert shipper.step().stuck == (path.name,)
    assert path.exists()
    assert ids(tmp_path).total() == 3
    shipper.close()
    spool.close()


def test_a_frame_that_says_nothing_is_set_aside(tmp_path: Path) -> None:
    """Kept as bytes, counted, and in nobody's way."""
    a_segment(tmp_path, (EXCHANGE, 1, b"\xc1 no msgpack"))
    shipper = a_shipper(tmp_path)
    drain(shipper)
    shipper.close()
    (file,) = (tmp_path / "archive" / "unreadable").iterdir()
    assert file.read_bytes() == b"\xc1 no msgpack"
    assert a_log(tmp_path).recount().unreadable == 1


def test_a_number_too_large_for_a_column_stops_nothing(tmp_path: Path) -> None:
    """An impossible token count costs its own record a place in the table, no other's."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(1), input_tokens=2**63 + 5)
    fill(spool, range(1, 3))
    drain(shipper)
    recount = a_log(tmp_path).recount()
    assert (recount.archived, recount.unreadable) == (2, 1)
    shipper.close()
    spool.close()


def test_a_torn_frame_is_reported(tmp_path: Path) -> None:
    """What stood before it is shipped."""
    spool = a_spool(tmp_path)
    fill(spool, range(2))
    spool.close()
    (path,) = (tmp_path / "spool").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    shipper = a_shipper(tmp_path)
    step = shipper.step()
    assert (step.n_rows, step.torn) == (1, (path.name,))
    assert not path.exists()
    (rest,) = (tmp_path / "archive" / "unreadable").iterdir()
    assert content[:-20].endswith(rest.read_bytes())
    assert rest.read_bytes().startswith(b"SgF1")
    shipper.close()


def test_a_segment_whose_writer_died_before_it_was_made_is_removed(tmp_path: Path) -> None:
    """It holds nothing."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / str(SegmentName("w0", "r0", 0))).write_bytes(bytes(100))
    shipper = a_shipper(tmp_path)
    drain(shipper)
    shipper.close()
    assert not list((tmp_path / "spool").iterdir())


def test_there_is_one_shipper(tmp_path: Path) -> None:
    """The second is told so."""
    first = a_shipper(tmp_path)
    with pytest.raises(ConflictError, match="Another shipper"):
        a_shipper(tmp_path)
    first.close()
    a_shipper(tmp_path).close()


def test_the_loop_survives_failures_and_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the archive delays, and loses nothing."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(3))
    told: list[object] = []
    real, faults = os.fsync, iter([OSError("no space"), None])

    def failing(descriptor: int) -> None:
        fault = next(faults, None)
        if fault is not None:
            raise fault
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    rounds = iter([True, True, False])
    ship_forever(shipper, wait=lambda: next(rounds), told=told.append)
    assert isinstance(told[0], OSError)
    assert ids(tmp_path).total() == 3
    shipper.close()
    spool.close()


def test_an_archive_of_a_newer_segue_is_refused(tmp_path: Path) -> None:
    """Rather than misread."""
    import sqlite3

    a_shipper(tmp_path).close()
    base = sqlite3.connect(tmp_path / "archive" / "ledger.db")
    base.execute("PRAGMA user_version = 99")
    base.commit()
    base.close()
    with pytest.raises(StoreError, match="newer Segue"):
        a_log(tmp_path).recount()


def test_folders_are_their_owners_alone(tmp_path: Path) -> None:
    """They hold what users wrote."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(1))
    drain(shipper)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("spool", "archive")} == {0o700}
    shipper.close()
    spool.close()


def test_bodies_are_kept_as_the_workflow_says() -> None:
    """In full, as a digest, or not at all; the length is always known."""
    assert keep_body(b"abc", "full") == (keep_body(b"abc", "full")[0], b"abc")
    note, kept = keep_body(b"abc", "digest")
    assert (note.kept, note.length, kept) == ("digest", 3, b"")
    assert note.digest != keep_body(b"abd", "digest")[0].digest
    assert keep_body(b"abc", "none")[0].digest is None
    assert keep_body(None, "full")[0].length is None


def test_outcomes_have_a_table_of_their_own(tmp_path: Path) -> None:
    """Of the same spool."""
    spool, shipper = a_spool(tmp_path), a_shipper(tmp_path)
    fill(spool, range(1))
    assert spool.append(an_outcome(workflow="reply")) is not None
    drain(shipper)
    assert (tmp_path / "archive" / "outcomes" / "workflow=reply" / "day=2026-01-01").is_dir()
    assert a_log(tmp_path).recount("outcomes").archived == 1
    shipper.close()
    spool.close()
