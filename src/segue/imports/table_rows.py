"""Rows of CSV and JSON Lines tables as dictionaries, one at a time, whatever is wrong with the rows between."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from segue.imports.lines import read_lines, read_objects
from segue.imports.reading_pass import ROWS, Flaw, ReadingPass
from segue.model import Json

MAX_FIELD_CHARACTERS = 64 * 2**20
DELIMITERS = ",;\t|"


def is_json_lines(path: Path) -> bool:
    """Told by the name, without `.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".jsonl", ".ndjson"))


def read_header(path: Path, delimiter: str | None, encoding: str, wanted: Sequence[str]) -> tuple[list[str], str]:
    """`(column names, delimiter)` of a CSV file. Where none is given, the one that yields most wanted columns is taken."""
    best: tuple[int, int, list[str], str] = (-1, -1, [], delimiter or ",")
    for one in delimiter or DELIMITERS:
        names = next((row for _, row in _records(path, one, encoding, ReadingPass.quiet())), [])
        score = (sum(name in names for name in wanted), len(names))
        if score > best[:2]:
            best = (*score, names, one)
    return best[2], best[3]


def read_csv_rows(
    path: Path, header: Sequence[str], delimiter: str, encoding: str, reading: ReadingPass
) -> Iterator[dict[str, Json]]:
    """The rows below the header, moved to on the pass. A row with more or fewer fields than the header is a fault."""
    for number, (line, row) in enumerate(_records(path, delimiter, encoding, reading)):
        if number == 0 or not row:
            continue
        reading.move(str(path), line)
        if len(row) != len(header):
            what = f"The row has {len(row)} fields, the header has {len(header)}."
            reading.refuse(Flaw(None, what, "Check its quotes and delimiters."), level=ROWS)
            continue
        yield dict(zip(header, row, strict=True))


def read_json_rows(path: Path, reading: ReadingPass) -> Iterator[dict[str, Json]]:
    """The objects of a JSON Lines file."""
    return read_objects(path, reading, level=ROWS, counted=False)


def first_json_keys(path: Path) -> list[str]:
    """The keys of the first line that is an object, those of nested objects with dots."""
    for _, line in read_lines(path, ReadingPass.quiet()):
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            nested = [f"{key}.{inner}" for key, value in row.items() if isinstance(value, dict) for inner in value]
            return [*row, *nested]
    return []


def cell(row: dict[str, Json], column: str | None) -> Json:
    """The value of a column; in JSON, `a.b` reaches into an object where no key is called `a.b`."""
    if column is None:
        return None
    if column in row:
        return row[column]
    value: Json = row
    for part in column.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _records(path: Path, delimiter: str, encoding: str, reading: ReadingPass) -> Iterator[tuple[int, list[str]]]:
    """`(first line, fields)` of each record; quoted fields may span lines."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARACTERS))
    lines = _DecodedLines(path, encoding, reading)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = lines.number + 1
        lines.is_damaged = False
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reading.move(str(path), begins)
            reading.refuse(_broken_row(error), level=ROWS)
            continue
        if lines.is_damaged:
            reading.move(str(path), begins)
            what = f"The row is not {encoding.upper()}; it looks like Latin-1 or Windows-1252."
            reading.refuse(Flaw(None, what, "Convert the file to UTF-8, or set the encoding of the mapping."), level=ROWS)
            continue
        yield begins, row


class _DecodedLines:
    """Lines as text for the CSV reader. One that cannot be decoded is marked, and its row is refused later."""

    def __init__(self, path: Path, encoding: str, reading: ReadingPass) -> None:
        self._lines = read_lines(path, reading)
        self._encoding = encoding
        self.number = 0
        self.is_damaged = False

    def __iter__(self) -> _DecodedLines:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError:
            self.is_damaged = True
            return line.decode(self._encoding, errors="replace")


def _broken_row(error: csv.Error) -> Flaw:
    text = str(error)
    if "unexpected end" in text or "limit" in text:
        return Flaw(None, "A quote opened in this row is never closed.", "Close it; a quote inside a field is written twice.")
    return Flaw(None, "The row is no valid CSV: text stands beside a quoted field.", "Write a quote inside a field twice.")
