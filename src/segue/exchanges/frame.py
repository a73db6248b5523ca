"""One record as bytes: how it is laid into a segment, and how it is found again. Pure; format in `docs/exchange-log.md`.

A frame counts from the moment its magic number stands, which is written last, with the checksum: a process that is killed
before has written nothing. The checksum is for what comes after: a lost page, a machine that fell over.
"""

from __future__ import annotations

import struct
from typing import Any, Literal
from zlib import crc32

import msgspec
from xxhash import xxh3_64_intdigest

MAGIC = b"SgF1"
EXCHANGE, OUTCOME = 1, 2
VERSION = 2
"""Frames of version 1, which have a CRC-32, are read as well. From here on the checksum of this magic stays as it is: it is
looked at before the version, so a reader could not tell a frame that has another from a damaged one."""
ALIGNMENT = 8
"""Of the places where frames begin."""

_rest = struct.Struct("<HHIII")
_first = struct.Struct("<4sI")
_whole = struct.Struct("<4sIHHIII")
_ENDLESS = 1 << 62
_pack_first, _pack_rest = _first.pack, _rest.pack
_FIRST_SIZE = _first.size
HEAD_SIZE = _FIRST_SIZE + _rest.size
_NOTHING = bytes(len(MAGIC))
_32_BITS = 0xFFFFFFFF


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A frame that holds, from `start` to `end`; the views live as long as the buffer."""

    start: int
    end: int
    kind: int
    version: int
    head: memoryview
    request: memoryview
    response: memoryview


Stop = Literal["end", "short", "torn"]
"""Why there is no frame: nothing was written here; the buffer ends too early; what stands here does not hold."""


def frame_size(head: int, request: int, response: int) -> int:
    """Bytes that a frame of these parts takes up, padding included."""
    return (HEAD_SIZE + head + request + response + ALIGNMENT - 1) & -ALIGNMENT


def write_frame(into: Any, at: int, kind: int, head: bytes, request: bytes, response: bytes, room: int = _ENDLESS) -> int:
    """Lay a frame into a writable buffer that holds zeros there; where it ends, padding included.

    Where that is beyond `room` nothing was written.
    """
    # Joined first: three slices and three checksums take a microsecond more than one copy of a few kilobytes.
    whole = b"".join((_pack_rest(kind, VERSION, len(head), len(request), len(response)), head, request, response))
    begin = at + _FIRST_SIZE
    stop = begin + len(whole)
    end = (stop + ALIGNMENT - 1) & -ALIGNMENT
    if end <= room:
        into[begin:stop] = whole
        into[at:begin] = _pack_first(MAGIC, xxh3_64_intdigest(whole) & _32_BITS)
    return end


def needed_bytes(view: memoryview) -> int:
    """How long the frame that `view` begins with says it is; only where at least its head is there."""
    _, _, head, request, response = _rest.unpack_from(view, 8)
    return frame_size(head, request, response)


def read_frame(buffer: memoryview, at: int, offset: int = 0) -> Frame | Stop:
    """The frame at `at`. `offset` is where the buffer begins in its file, and is added to `start` and `end`."""
    if len(buffer) - at < HEAD_SIZE:
        return "short"
    magic, checksum, kind, version, n_head, n_request, n_response = _whole.unpack_from(buffer, at)
    if magic != MAGIC:
        return "end" if magic == _NOTHING else "torn"
    end = at + frame_size(n_head, n_request, n_response)
    if end > len(buffer):
        return "short"
    one = at + HEAD_SIZE
    two, three, four = one + n_head, one + n_head + n_request, one + n_head + n_request + n_response
    whole = buffer[at + 8 : four]
    if checksum != (crc32(whole) if version == 1 else xxh3_64_intdigest(whole) & _32_BITS):
        return "torn"
    return Frame(offset + at, offset + end, kind, version, buffer[one:two], buffer[two:three], buffer[three:four])
