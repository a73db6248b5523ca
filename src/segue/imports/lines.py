"""Lines of files, gzipped or not, one at a time. What cannot be read is told by line, and the rest is kept."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from segue.errors import InputError
from segue.imports.reading_pass import Flaw, ReadingPass
from segue.model import Json

MAX_LINE_BYTES = 64 * 2**20
"""A longer line is rejected: one record must not fill the memory."""

DAMAGE = (EOFError, OSError, zlib.error)
"""What reading raises where a file, packed or not, is damaged or cut off."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file, unpacked if it is gzip (told by its first bytes, not by its name).

    `InputError` for a file that cannot be opened, or that is UTF-16.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.", fix="Check the path and its permissions.") from error
    with raw:
        head = raw.read(2)
        raw.seek(0)
        if head in _UTF16:
            raise InputError(f"{path} is UTF-16.", fix="Save it as UTF-8 and import it again.")
        if head == _GZIP:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked
        else:
            yield raw


def read_lines(path: Path, reading: ReadingPass) -> Iterator[tuple[int, bytes]]:
    """`(line number, bytes)` of each line. A damaged end and a line beyond `MAX_LINE_BYTES` are told."""
    name, number = str(path), 0
    with open_bytes(path) as stream:
        try:
            while line := stream.readline(MAX_LINE_BYTES):
                number += 1
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    _skip_line(stream)
                    reading.move(name, number)
                    limit = MAX_LINE_BYTES // 2**20
                    reading.refuse(
                        Flaw(None, f"The line is longer than {limit} MB.", "Split the record, or leave the field out.")
                    )
                    continue
                yield number, (line.removeprefix(_BOM) if number == 1 else line)
        except DAMAGE as error:
            reading.move(name, number + 1)
            reading.tell(
                [Flaw(None, f"The file is damaged from here on ({type(error).__name__}).", "Copy or export it again.")]
            )


def read_objects(
    path: Path, reading: ReadingPass, *, level: str | None = None, counted: bool = True
) -> Iterator[dict[str, Json]]:
    """The JSON object of each line. It is counted as a record unless the caller counts. Blank lines are nothing."""
    name = str(path)
    for number, line in read_lines(path, reading):
        if not line.strip():
            continue
        reading.move(name, number)
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            reading.refuse(_not_json(error, line), level=level)
            continue
        if isinstance(row, dict):
            reading.count.read += counted
            yield row
        else:
            found = {list: "a list", str: "a string", type(None): "null"}.get(type(row), "a number or a truth value")
            reading.refuse(Flaw(None, f"The line is {found}, not a JSON object.", "Write one object per line."), level=level)


def _skip_line(stream: io.BufferedIOBase) -> None:
    while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass


def _not_json(error: orjson.JSONDecodeError, line: bytes) -> Flaw:
    if b"UTF-8" in error.msg.encode():
        return Flaw(None, "The line is not UTF-8.", "Convert the file to UTF-8 and import it again.")
    likely = "null" if b"NaN" in line or b"Infinity" in line else None
    reason = error.msg.partition(":")[0]
    return Flaw(None, f"The line is not JSON: {reason} at column {error.colno}.", "Mend or remove the line.", likely)
