"""The log as one thing to ask: Parquet files and frames that are not shipped yet. Changes nothing; any number may read.

Every question is answered of one moment: the spool is opened first, then the ledger is read, so that a record shipped in
between is found in exactly one of the two. Feedback: `feedback.py`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from segue.errors import StoreError
from segue.exchanges.batch import read_row
from segue.exchanges.frame import EXCHANGE, OUTCOME, VERSION
from segue.exchanges.ledger import NAME, ArchiveFile, Ledger, Snapshot, Table, is_damaged
from segue.exchanges.outcome import Outcome, Told, decode_outcome
from segue.exchanges.reading import SegmentReader, open_segments
from segue.exchanges.rebuilding import UNREADABLE, has_files, read_archive
from segue.exchanges.record import Logged, ServedExchange, decode_exchange
from segue.exchanges.selection import Selection

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS = 500
"""Rows in hand at once while iterating."""
EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one hour (UTC, its beginning) and one slice: quantiles over the exchanges whose latency is known."""

    hour_ns: int
    slice: str
    value: str
    n: int
    n_unknown: int
    p50_ns: float | None
    p99_ns: float | None


@dataclass(frozen=True)
class Recount:
    """How many records there are, and where those went that are not there any more; `readable` of them can be asked for."""

    archived: int
    waiting: int
    sampled_out: int
    expired: int
    unreadable: int
    repeated: int

    @property
    def readable(self) -> int:
        return self.archived + self.waiting

    @property
    def appended(self) -> int:
        """All that was ever kept by a spool."""
        return self.readable + self.sampled_out + self.expired + self.unreadable + self.repeated


@dataclass(frozen=True, slots=True)
class SetAside:
    """Files that nothing could be made of: records not understood, what stands behind a torn one, damaged files."""

    folder: Path
    n_files: int
    n_bytes: int


class Moment:
    """The log as it stood when this was made. Close it, or use it as a context."""

    def __init__(self, spool: Path, archive: Path) -> None:
        self.archive = archive
        self.ledger_is_lost = False
        self.readers: list[SegmentReader] = open_segments(spool)
        try:
            self.snapshot, self.tally = self._read_ledger()
        except BaseException:
            self.close()
            raise

    def _read_ledger(self) -> tuple[Snapshot, dict[tuple[Table, str], int]]:
        """What the ledger says; where it is gone or damaged, what the files say, until a shipper has written it anew."""
        if not (self.archive / NAME).exists():
            return self._read_files()
        try:
            ledger = Ledger(self.archive)
            try:
                return (ledger.snapshot(), ledger.tally()) if ledger.is_made else self._read_files()
            finally:
                ledger.close()
        except StoreError as error:
            if not is_damaged(error):
                raise
            return self._read_files()

    def _read_files(self) -> tuple[Snapshot, dict[tuple[Table, str], int]]:
        if not has_files(self.archive):
            return Snapshot({}, ()), {}
        found = read_archive(self.archive, "")
        self.ledger_is_lost = True
        return Snapshot(found.positions, found.files), dict(found.tally)

    def close(self) -> None:
        for reader in self.readers:
            reader.close()
        self.readers = []

    def __enter__(self) -> Moment:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def files(self, table: Table) -> list[ArchiveFile]:
        return [file for file in self.snapshot.files if file.table == table]

    def count_waiting(self) -> Counter[Table]:
        """Frames that are not shipped, by the table they go to."""
        counts: Counter[Table] = Counter()
        for reader, begin in self._unshipped():
            for frame in reader.frames(begin):
                if frame.kind in (EXCHANGE, OUTCOME):
                    counts["exchanges" if frame.kind == EXCHANGE else "outcomes"] += 1
        return counts

    def waiting(self, kind: int) -> Iterator[Logged | Told]:
        """The records of those frames; what cannot be understood is passed over (the shipper sets it aside)."""
        for reader, begin in self._unshipped():
            for frame in reader.frames(begin):
                if frame.kind != kind or frame.version > VERSION:
                    continue
                try:
                    yield read_row(frame)
                except (msgspec.ValidationError, msgspec.DecodeError):
                    continue

    def heads(self, kind: int) -> Iterator[ServedExchange | Outcome]:
        """The same without bodies and texts, which is quicker."""
        decode = decode_exchange if kind == EXCHANGE else decode_outcome
        for reader, begin in self._unshipped():
            for frame in reader.frames(begin):
                if frame.kind != kind or frame.version > VERSION:
                    continue
                try:
                    yield decode(frame.head)
                except (msgspec.ValidationError, msgspec.DecodeError):
                    continue

    def _unshipped(self) -> Iterator[tuple[SegmentReader, int]]:
        for reader in self.readers:
            known = self.snapshot.positions.get(str(reader.name))
            if known is None or known.done_ns is None:
                yield reader, known.position if known else 0


class ExchangeLog:
    """The exchanges of a spool folder and an archive folder. Needs DuckDB for what it reads from Parquet."""

    def __init__(self, spool: Path, archive: Path, *, memory: str = "512MB", threads: int = 2) -> None:
        self.spool, self.archive = spool, archive
        self._memory, self._threads = memory, threads
        self._opening = threading.Lock()
        self._base: duckdb.DuckDBPyConnection | None = None

    def recount(self, table: Table = "exchanges") -> Recount:
        """Reads no Parquet file."""
        with self.moment() as moment:
            gone = {what: n for (part, what), n in moment.tally.items() if part == table}
            return Recount(
                archived=sum(file.n_rows for file in moment.files(table)),
                waiting=moment.count_waiting()[table],
                **{what: gone.get(what, 0) for what in ("sampled_out", "expired", "unreadable", "repeated")},
            )

    def set_aside(self) -> SetAside:
        """What shipping could not read and kept. A torn part may have held several records, or none: it is not in `recount`.

        `OSError` if the folder cannot be looked into.
        """
        folder = self.archive / UNREADABLE
        sizes = []
        for path in folder.iterdir() if folder.is_dir() else ():
            # What is being written has its name in a moment, and what is there may be deleted by hand meanwhile.
            with suppress(FileNotFoundError):
                if path.suffix != ".tmp" and path.is_file():
                    sizes.append(path.stat().st_size)
        return SetAside(folder, len(sizes), sum(sizes))

    def find(self, exchange_id: str) -> Logged | None:
        """By id. Quick where ids begin with the time: files that cannot hold it are not opened."""
        return next(self.iterate(Selection(id=exchange_id)), None)

    def iterate(self, selection: Selection = EVERYTHING, *, with_bodies: bool = True) -> Iterator[Logged]:
        """Archived ones day by day, then those waiting; a few hundred in hand at a time, in no promised order within."""
        from segue.exchanges.columns import BODIES, EXCHANGES, read_exchanges

        with self.moment() as moment:
            files = [file for file in moment.files("exchanges") if selection.can_hold(file)]
            names = [name for name in EXCHANGES.names if with_bodies or name not in BODIES]
            columns = ", ".join(f'"{name}"' for name in names)
            for day in sorted({file.day for file in files}):
                with self.connect() as base:
                    self.show_files(base, "archived", [one for one in files if one.day == day], EXCHANGES)
                    condition = _condition(base, selection)
                    query = f"SELECT {columns} FROM archived WHERE {condition}"  # noqa: S608 - our own names
                    for batch in base.sql(query).to_arrow_reader(ROWS):
                        yield from read_exchanges(batch)
            for row in moment.waiting(EXCHANGE):
                assert isinstance(row, Logged)
                if selection.takes(row.exchange):
                    yield row if with_bodies else Logged(row.exchange)

    def newest(self, selection: Selection = EVERYTHING, limit: int = 20) -> list[Logged]:
        """The latest of them, newest first, without bodies."""
        from segue.exchanges.columns import read_exchanges

        with self.moment() as moment, self.connect() as base:
            self.show_exchanges(base, moment, selection)
            query = f"SELECT * FROM exchanges ORDER BY at_ns DESC, id DESC LIMIT {int(limit)}"  # noqa: S608 - a number
            return [row for batch in base.sql(query).to_arrow_reader(ROWS) for row in read_exchanges(batch)]

    def workflows(self) -> set[str]:
        """The workflows that have exchanges here."""
        with self.moment() as moment:
            waiting = {row.exchange.workflow for row in moment.waiting(EXCHANGE) if isinstance(row, Logged)}
            return waiting | {file.workflow for file in moment.files("exchanges")}

    def latency(self, selection: Selection = EVERYTHING) -> list[Latency]:
        """p50 and p99 per hour and slice, exact; the slice `""` is all of them."""
        with self.moment() as moment, self.connect() as base:
            self.show_exchanges(base, moment, selection)
            rows = base.execute(_LATENCY).fetchall()
        return [Latency(*cell, *(quantiles or (None, None))) for *cell, quantiles in rows]

    # what feedback builds on

    @contextmanager
    def moment(self) -> Iterator[Moment]:
        """Everything asked within is answered of the same moment."""
        with Moment(self.spool, self.archive) as moment:
            yield moment

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB in memory that fetches nothing from anywhere; its failures are `StoreError`.

        Temporary tables and views are this connection's own; memory and threads are shared by all of this log.
        """
        import duckdb

        base = self._cursor()
        try:
            # In a process of a pool it takes itself for interactive, and would draw on standard output.
            base.execute("SET enable_progress_bar = false")
            yield base
        except duckdb.Error as error:
            # Some failures leave the whole database unusable: the next to ask has a new one.
            self._base = None
            fix = "If files were merged meanwhile, ask again."
            if isinstance(error, duckdb.OutOfMemoryException):
                fix = f"It may take {self._memory} of memory: ask for a shorter time or one workflow."
            raise StoreError(f"The exchange log could not be read: {str(error).splitlines()[0]}", fix=fix) from error
        finally:
            base.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Of one database for all questions: to make one takes as long as most questions do (20 ms; a cursor 0.1)."""
        import duckdb

        with self._opening:
            if self._base is None:
                self._base = duckdb.connect(
                    config={
                        "memory_limit": self._memory,
                        "threads": self._threads,
                        "temp_directory": str(self.archive / "scratch"),
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                    }
                )
            return self._base.cursor()

    def condition(self, base: duckdb.DuckDBPyConnection, selection: Selection, prefix: str) -> str:
        """A selection as a condition on the columns of `exchanges`; variables of that prefix hold its values."""
        return _condition(base, selection, prefix)

    def show_exchanges(
        self, base: duckdb.DuckDBPyConnection, moment: Moment, selection: Selection, *, with_bodies: bool = False
    ) -> None:
        """A view `exchanges` of all that the selection takes."""
        from segue.exchanges.columns import EXCHANGES, exchange_columns

        files = [file for file in moment.files("exchanges") if selection.can_hold(file)]
        self.show_files(base, "archived", files, EXCHANGES)
        rows = (row for row in moment.waiting(EXCHANGE) if isinstance(row, Logged) and selection.takes(row.exchange))
        self.fill(base, "waiting", EXCHANGES, (exchange_columns(part, with_bodies=with_bodies) for part in in_parts(rows)))
        condition = _condition(base, selection)
        light = "SELECT * FROM" if with_bodies else "SELECT * EXCLUDE (request_body, response_body) FROM"
        shown = f"CREATE TEMP VIEW exchanges AS {light} archived WHERE {condition} UNION ALL BY NAME {light} waiting"
        base.execute(shown)

    def show_files(self, base: duckdb.DuckDBPyConnection, name: str, files: Sequence[ArchiveFile], schema: pa.Schema) -> None:
        """A view `name` of Parquet files, with every column of `schema`, whatever the files have."""
        self.fill(base, f"no_{name}", schema, ())
        nothing = f"SELECT * FROM no_{name}"  # noqa: S608 - our own names
        if files:
            paths = ", ".join("'" + str(self.archive / file.path).replace("'", "''") + "'" for file in files)
            read = f"SELECT * FROM read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"  # noqa: S608
            nothing = f"{read} UNION ALL BY NAME {nothing}"
        base.execute(f"CREATE TEMP VIEW {name} AS {nothing}")

    def fill(self, base: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """A temporary table of these rows; DuckDB moves it to disk where it grows beyond its memory."""
        base.register("given", schema.empty_table())
        base.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM given")  # noqa: S608 - our own names
        for batch in batches:
            base.register("given", _as_table(batch))
            base.execute(f"INSERT INTO {name} SELECT * FROM given")  # noqa: S608
        base.unregister("given")


def in_parts(rows: Iterable[Any], size: int = 5_000) -> Iterator[list[Any]]:
    """Rows in lists of at most `size`."""
    part: list[Any] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _condition(base: duckdb.DuckDBPyConnection, selection: Selection, prefix: str = "v") -> str:
    condition, values = selection.condition(prefix)
    for number, value in enumerate(values):
        base.execute(f"SET VARIABLE {prefix}{number} = ?", [value])
    return condition


def _as_table(batch: pa.RecordBatch) -> pa.Table:
    import pyarrow as pa

    return pa.table(batch)


_HOUR = 3_600_000_000_000
_COUNTS = "count(*), count(*) - count(latency_ns), quantile_cont(latency_ns, [0.5, 0.99])"
_LATENCY = f"""
WITH light AS NOT MATERIALIZED (SELECT at_ns // {_HOUR} * {_HOUR} AS hour_ns, latency_ns, slices FROM exchanges),
sliced AS (
    SELECT hour_ns, latency_ns, unnest(map_keys(slices)) AS name, unnest(map_values(slices)) AS value FROM light)
SELECT hour_ns, '' AS name, '' AS value, {_COUNTS} FROM light GROUP BY ALL
UNION ALL SELECT hour_ns, name, value, {_COUNTS} FROM sliced GROUP BY ALL
ORDER BY hour_ns, name, value
"""  # noqa: S608 - numbers of ours
