"""Frames: what was written is read; what was cut off or changed is never taken for something else."""

from __future__ import annotations

import struct
import zlib

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from segue.exchanges.frame import EXCHANGE, HEAD_SIZE, OUTCOME, Frame, Stop, frame_size, read_frame, write_frame

parts = st.tuples(st.sampled_from([EXCHANGE, OUTCOME]), st.binary(max_size=40), st.binary(max_size=60), st.binary(max_size=60))


def laid(records: list[tuple[int, bytes, bytes, bytes]], spare: int = 64) -> tuple[bytearray, list[int]]:
    """Records one after another in a buffer of zeros, and where each ends."""
    buffer = bytearray(sum(frame_size(*map(len, record[1:])) for record in records) + spare)
    at, ends = 0, []
    for record in records:
        write_frame(buffer, at, *record)
        at += frame_size(*map(len, record[1:]))
        ends.append(at)
    return buffer, ends


def read_all(buffer: bytes | bytearray) -> tuple[list[tuple[int, bytes, bytes, bytes]], Stop]:
    """Frames up to the first that does not hold, and why there are no more."""
    at, records = 0, []
    while isinstance(found := read_frame(memoryview(buffer), at), Frame):
        records.append((found.kind, bytes(found.head), bytes(found.request), bytes(found.response)))
        at = found.end
    return records, found


def test_frames_of_version_1_are_read_as_well() -> None:
    """Among those of now, and no less strictly."""
    first = struct.pack("<HHIII", EXCHANGE, 1, 3, 3, 2) + b"oneaskno"
    old = b"SgF1" + struct.pack("<I", zlib.crc32(first)) + first
    now = bytes(laid([(OUTCOME, b"two", b"", b"")], spare=0)[0])
    records = [(EXCHANGE, b"one", b"ask", b"no"), (OUTCOME, b"two", b"", b"")]
    assert read_all(old + now + bytes(64)) == (records, "end")
    assert read_all(now + old + bytes(64)) == (records[::-1], "end")
    assert read_all(old[:-1] + b"!" + bytes(64)) == ([], "torn")


def test_a_frame_of_a_version_to_come_is_told_from_a_damaged_one() -> None:
    """Whoever reads it may leave it alone."""
    found = read_frame(memoryview(bytes(laid([(EXCHANGE, b"one", b"", b"")])[0])), 0)
    assert isinstance(found, Frame)
    rest = struct.pack("<HHIII", EXCHANGE, found.version + 1, 3, 0, 0) + b"one"
    newer = b"SgF1" + struct.pack("<I", xxhash.xxh3_64_intdigest(rest) & 0xFFFFFFFF) + rest + bytes(5)
    told = read_frame(memoryview(newer), 0)
    assert isinstance(told, Frame)
    assert told.version == found.version + 1


@given(st.lists(parts, max_size=6))
def test_what_is_written_is_read(records: list[tuple[int, bytes, bytes, bytes]]) -> None:
    """Any bytes, empty ones and ones that look like frames included."""
    assert read_all(laid(records)[0]) == (records, "end")


@given(st.lists(parts, min_size=1, max_size=5), st.data())
def test_a_buffer_cut_anywhere_holds_the_records_before_the_cut(
    records: list[tuple[int, bytes, bytes, bytes]], data: st.DataObject
) -> None:
    """A prefix of the records, exactly: never fewer, never garbage."""
    buffer, ends = laid(records, spare=0)
    cut = data.draw(st.integers(0, len(buffer)))
    assert read_all(buffer[:cut]) == (records[: sum(end <= cut for end in ends)], "short")


@given(st.lists(parts, min_size=1, max_size=5), st.data())
def test_zeros_from_anywhere_on_leave_the_records_before(
    records: list[tuple[int, bytes, bytes, bytes]], data: st.DataObject
) -> None:
    """What a machine that fell over leaves of a file: pages that were never written."""
    buffer, ends = laid(records)
    cut = data.draw(st.integers(0, ends[-1]))
    torn = bytes(buffer[:cut]) + bytes(len(buffer) - cut)
    read, _ = read_all(torn)
    intact = sum(end <= cut or not any(buffer[cut:end]) for end in ends)
    assert read == records[:intact]


@given(st.lists(parts, min_size=1, max_size=4), st.data())
def test_a_changed_byte_ends_the_reading_before_its_record(
    records: list[tuple[int, bytes, bytes, bytes]], data: st.DataObject
) -> None:
    """Of the record itself; the padding behind it belongs to nobody."""
    buffer, ends = laid(records)
    which = data.draw(st.integers(0, len(records) - 1))
    begin = ends[which - 1] if which else 0
    place = data.draw(st.integers(begin, begin + HEAD_SIZE + sum(map(len, records[which][1:])) - 1))
    buffer[place] ^= data.draw(st.integers(1, 255))
    assert read_all(buffer)[0] == records[:which]


@pytest.mark.parametrize("written", ["payload only", "all but the magic number"])
def test_a_writer_killed_inside_a_frame_has_written_nothing(written: str) -> None:
    """The magic number comes last, so what stands without it is empty space to a reader."""
    buffer, ends = laid([(EXCHANGE, b"one", b"", b""), (EXCHANGE, b"two", b"ask", b"say")])
    begin = ends[0]
    buffer[begin : begin + (HEAD_SIZE if written == "payload only" else 4)] = bytes(
        HEAD_SIZE if written == "payload only" else 4
    )
    assert read_all(buffer) == ([(EXCHANGE, b"one", b"", b"")], "end")
