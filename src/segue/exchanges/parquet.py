"""Writes and merges the Parquet files of the archive. The only module besides `columns.py` that needs pyarrow to ship.

Which files are written, and when they count, is decided elsewhere (`shipper.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segue.errors import StoreError
from segue.exchanges.batch import Partition
from segue.exchanges.columns import BODIES, EXCHANGES, OUTCOMES, VERSION, VERSION_KEY, exchange_columns, outcome_columns
from segue.exchanges.compaction import Merge
from segue.exchanges.ledger import ArchiveFile, Table
from segue.exchanges.provenance import Provenance, join_ranges, read_provenance
from segue.exchanges.record import Logged

SCHEMAS = {"exchanges": EXCHANGES, "outcomes": OUTCOMES}
ROW_GROUP_BYTES = 32 << 20
PART, PART_BYTES = 100, 128 << 10
"""Rows, and bytes of their bodies, turned into columns at once: half a millisecond, and what they take in memory stays in the
processor's caches. A single row may be larger."""
PAGE_BYTES = 128 << 10
"""Compressed and written at once; smaller than usual, for there is no pause within one. Files are no larger for it. A page ends
with a part at the earliest, and where files are merged with `MERGED_ROWS`."""
MERGED_ROWS = 64
LEVEL = 1
_UNIQUE = {"id", "pair", "identity", "exchange", "key", "at_ns", "latency_ns", "ttft_ns", *BODIES}
"""Columns whose values hardly repeat: a dictionary would only cost."""
_LOOKED_UP = {"id", "at_ns", "arm", "bundle", "pair", "exchange", "identity"}
"""Columns whose range per row group lets a reader skip it."""


def write_rows(
    under: Path,
    path: Path,
    partition: Partition,
    rows: Sequence[Any],
    source: Provenance,
    between: Callable[[], None] = lambda: None,
) -> ArchiveFile:
    """Write one file at `under`, described as `path`. Where its rows come from stands in its metadata.

    `between` is called between pieces of the work.
    """
    columns = exchange_columns if partition[0] == "exchanges" else outcome_columns
    parts = []
    for begin, end in _parts([_body_bytes(row) for row in rows]):
        between()
        parts.append(columns(rows[begin:end]))
    table = pa.Table.from_batches(parts)
    schema = table.schema.with_metadata({**table.schema.metadata, **source.metadata()})
    with open_writer(under, schema, between) as writer:
        writer.write_table(table)
    return _described(under, path, partition, [_extent(table)])


def _body_bytes(row: Any) -> int:
    """Of a `Logged` or a `Told`."""
    return len(row.request) + len(row.response) if isinstance(row, Logged) else len(row.text)


def _parts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where parts begin and end: `PART` rows or `PART_BYTES`, whichever comes first, and one row at least."""
    begin, n_bytes = 0, 0
    for at, size in enumerate(sizes):
        if at > begin and (at - begin == PART or n_bytes + size > PART_BYTES):
            yield begin, at
            begin, n_bytes = at, 0
        n_bytes += size
    if sizes:
        yield begin, len(sizes)


def merge_files(
    archive: Path,
    merge: Merge,
    under: Path,
    path: Path,
    tally: Mapping[tuple[Table, str], int],
    between: Callable[[], None] = lambda: None,
) -> tuple[ArchiveFile, int, int]:
    """Write the rows of all files as one, a row group at a time; also returns how many repeated outcomes were left out, and how
    many of these contradicted the one that stays.

    Columns that only some files have are kept, and empty for the others. `between` is called between pieces of the work.
    """
    table_name = merge.partition[0]
    files = [archive / one.path for one in merge.files]
    schema = pa.unify_schemas([SCHEMAS[table_name], *map(_readable_schema, files)], promote_options="permissive")
    sources = [source for path in files if (source := read_provenance(pq.read_schema(path).metadata)) is not None]
    ranges = join_ranges(one for source in sources for one in source.ranges)
    schema = schema.with_metadata({VERSION_KEY: str(VERSION), **Provenance(ranges, tally).metadata()})
    seen: dict[str, str | None] = {}
    repeated, conflicting, extents = 0, 0, []
    with open_writer(under, schema, between) as writer:
        for table in _tables(files, schema, between):
            if table_name == "outcomes":
                table, n, m = _first_of_each(table, seen)
                repeated, conflicting = repeated + n, conflicting + m
            if table.num_rows:
                writer.write_table(table)
                extents.append(_extent(table))
    return _described(under, path, merge.partition, extents), repeated, conflicting


def describe_file(path: Path, relative: Path, partition: Partition) -> tuple[ArchiveFile, Provenance] | None:
    """A file that is there as the ledger lists it; `None` if it is no whole file of this archive."""
    try:
        with pq.ParquetFile(path) as file:
            source = read_provenance(file.schema_arrow.metadata)
            if source is None or not file.metadata.num_rows:
                return None
            table = file.read(columns=["at_ns", "id" if partition[0] == "exchanges" else "exchange"])
    except (OSError, pa.ArrowException):
        return None
    return _described(path, relative, partition, [_extent(table)]), source


def _tables(files: Sequence[Path], schema: pa.Schema, between: Callable[[], None]) -> Iterator[pa.Table]:
    """All rows in tables of about a row group each."""
    waiting: list[pa.Table] = []
    size = 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                between()
                table = _aligned(file.read_row_group(group), schema)
                waiting.append(table)
                size += table.nbytes
                if size >= ROW_GROUP_BYTES:
                    yield pa.concat_tables(waiting)
                    waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _first_of_each(table: pa.Table, seen: dict[str, str | None]) -> tuple[pa.Table, int, int]:
    """Without outcomes that were there before, the earliest first; how many those were, and how many said something else.

    `seen`: identity → content. An outcome of an older file may have none, and contradicts nothing.
    """
    table = table.take(pc.sort_indices(table, sort_keys=[("at_ns", "ascending")]))
    keep, conflicting = [], 0
    for identity, content in zip(*(table.column(name).to_pylist() for name in ("identity", "content")), strict=True):
        is_new = identity not in seen
        first = seen.setdefault(identity, content)
        conflicting += not is_new and None not in (first, content) and first != content
        keep.append(is_new)
    return table.filter(pa.array(keep, pa.bool_())), len(keep) - sum(keep), conflicting


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type) if field.name in table.schema.names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _readable_schema(path: Path) -> pa.Schema:
    schema = pq.read_schema(path)
    version = int((schema.metadata or {}).get(VERSION_KEY, b"0"))
    if version > VERSION:
        raise StoreError(f"{path} was written by a newer Segue.", fix="Install that version here too.")
    return schema


class _Paused(io.BufferedWriter):
    """A file that calls `between` before each write. It knows its position without asking the kernel."""

    def __init__(self, path: Path, between: Callable[[], None]) -> None:
        super().__init__(io.FileIO(path, "wb"))
        self._between, self._position = between, 0

    def write(self, data: Any, /) -> int:
        self._between()
        written = super().write(data)
        self._position += written
        return written

    def tell(self) -> int:
        return self._position


@contextmanager
def open_writer(path: Path, schema: pa.Schema, between: Callable[[], None] = lambda: None) -> Iterator[pq.ParquetWriter]:
    """A writer of the archive's files. `between` is called between pages."""
    leaves = [name for name in schema.names if name not in _UNIQUE]
    with (
        _Paused(path, between) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=LEVEL,
            use_dictionary=_paths(schema, leaves),
            write_statistics=[name for name in schema.names if name in _LOOKED_UP],
            data_page_size=PAGE_BYTES,
            write_batch_size=MERGED_ROWS,
        ) as writer,
    ):
        yield writer


def _paths(schema: pa.Schema, names: Sequence[str]) -> list[str]:
    """Columns as Parquet names them: what is in a map or list has a longer name."""
    paths: list[str] = []
    for name in names:
        kind = schema.field(name).type
        if pa.types.is_map(kind):
            paths += [f"{name}.key_value.key", f"{name}.key_value.value"]
        elif pa.types.is_list(kind):
            paths.append(f"{name}.list.element")
        else:
            paths.append(name)
    return paths


def _extent(table: pa.Table) -> tuple[int, int, int, str, str]:
    ids = table.column("id" if "id" in table.schema.names else "exchange")
    times, names = pc.min_max(table.column("at_ns")), pc.min_max(ids)
    return table.num_rows, times["min"].as_py(), times["max"].as_py(), names["min"].as_py(), names["max"].as_py()


def _described(under: Path, path: Path, partition: Partition, extents: Sequence[tuple[int, int, int, str, str]]) -> ArchiveFile:
    counts, first_ns, last_ns, first_id, last_id = zip(*extents, strict=True)
    return ArchiveFile(
        path.as_posix(),
        *partition,
        n_rows=sum(counts),
        n_bytes=under.stat().st_size,
        first_ns=min(first_ns),
        last_ns=max(last_ns),
        first_id=min(first_id),
        last_id=max(last_id),
    )
