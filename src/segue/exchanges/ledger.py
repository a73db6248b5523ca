"""What was shipped: positions in the spool, the Parquet files that count, the tally. One SQLite file, `ledger.db`.

A commit here is the one moment at which records go over from the spool to Parquet. Files that are not in the ledger do not
count: the remains of a shipper that died before its commit, or of a compaction. One shipper writes; anybody may read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from segue.errors import StoreError

NAME = "ledger.db"
FORMAT = 1
Table = Literal["exchanges", "outcomes"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS positions (
    segment TEXT PRIMARY KEY, position INTEGER NOT NULL, done_ns INTEGER, torn_at INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, part TEXT NOT NULL, workflow TEXT NOT NULL, day TEXT NOT NULL, n_rows INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, first_id TEXT NOT NULL,
    last_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_by_part ON files (part, workflow, day);
CREATE TABLE IF NOT EXISTS dropped (path TEXT PRIMARY KEY, at_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally (
    part TEXT NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (part, what)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A Parquet file that counts. `path` is below the archive; `day` is UTC; ids and times are the smallest and largest."""

    path: str
    table: Table
    workflow: str
    day: str
    n_rows: int
    n_bytes: int
    first_ns: int
    last_ns: int
    first_id: str
    last_id: str


@dataclass(frozen=True, slots=True)
class Position:
    """How far a segment is shipped. `done_ns`: when all of it was."""

    segment: str
    position: int
    done_ns: int | None = None
    torn_at: int | None = None


@dataclass(frozen=True)
class Change:
    """What one commit does."""

    positions: Sequence[Position] = ()
    added: Sequence[ArchiveFile] = ()
    removed: Sequence[str] = ()
    at_ns: int = 0
    tally: Mapping[tuple[Table, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """The ledger at one moment."""

    positions: Mapping[str, Position]
    files: tuple[ArchiveFile, ...]

    def end_of(self, segment: str) -> int:
        """How far a segment is shipped."""
        known = self.positions.get(segment)
        return known.position if known else 0


class Ledger:
    """Open it with `writes=True` in the one shipper; an empty one is made only where `makes` holds. Without `syncs` the disk is
    not waited for.

    `StoreError` if it cannot be read or written; `is_damaged` says which of these mean that it has to be worked out anew.
    """

    def __init__(self, archive: Path, *, writes: bool = False, makes: bool = True, syncs: bool = True) -> None:
        self.path = archive / NAME
        if writes:
            archive.mkdir(0o700, parents=True, exist_ok=True)
        mode = "rwc" if writes else "rw"  # a reader may have to undo what a killed shipper left half written
        with self._told():
            self._base = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10, isolation_level=None
            )
            if not syncs:
                self._base.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")
            if writes and self._format() == 0:
                if not makes:
                    self._base.close()
                    raise sqlite3.DatabaseError("it is empty")
                self._base.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
            if self._format() > FORMAT:
                self._base.close()
                raise StoreError(f"{self.path} was written by a newer Segue.", fix="Install that version here too.")

    def close(self) -> None:
        self._base.close()

    def check(self) -> None:
        """`StoreError` if the file is damaged."""
        with self._told():
            (found,) = self._base.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            for name in ("positions", "files", "dropped", "tally"):
                self._base.execute(f"SELECT * FROM {name} LIMIT 1")  # noqa: S608 - our own names

    @property
    def is_made(self) -> bool:
        """False in the moment between the file and its tables."""
        with self._told():
            return self._format() > 0

    def snapshot(self) -> Snapshot:
        """Positions and files, of the same moment."""
        with self._told(), self._transaction("DEFERRED"):
            positions = self.positions()
            files = tuple(ArchiveFile(*row) for row in self._base.execute("SELECT * FROM files ORDER BY day, path"))
        return Snapshot(positions, files)

    def positions(self) -> dict[str, Position]:
        """How far each segment is shipped."""
        with self._told():
            return {row[0]: Position(*row) for row in self._base.execute("SELECT * FROM positions")}

    def tally(self) -> dict[tuple[Table, str], int]:
        """Counts by table: `shipped`, `sampled_out`, `expired`, `repeated`, and `conflicting` of the repeated ones."""
        with self._told():
            return {(part, what): n for part, what, n in self._base.execute("SELECT part, what, n FROM tally")}

    def commit(self, change: Change) -> None:
        """All of it, or nothing."""
        base = self._base
        with self._told(), self._transaction("IMMEDIATE"):
            base.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)",
                [(one.segment, one.position, one.done_ns, one.torn_at) for one in change.positions],
            )
            base.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in change.removed])
            base.executemany("INSERT OR REPLACE INTO dropped VALUES (?, ?)", [(path, change.at_ns) for path in change.removed])
            base.executemany(
                f"INSERT INTO files VALUES ({', '.join('?' * 10)})",  # noqa: S608 - only marks
                [tuple(getattr(one, name) for name in ArchiveFile.__slots__) for one in change.added],
            )
            base.executemany("DELETE FROM dropped WHERE path = ?", [(one.path,) for one in change.added])
            base.executemany(
                "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (part, what) DO UPDATE SET n = n + excluded.n",
                [(*key, n) for key, n in change.tally.items() if n],
            )

    def dropped(self, *, before_ns: int | None = None) -> list[str]:
        """Files that no longer count, and may be deleted once no reader has them in hand."""
        last = 2**63 - 1 if before_ns is None else before_ns
        with self._told():
            return [path for (path,) in self._base.execute("SELECT path FROM dropped WHERE at_ns <= ?", (last,))]

    def forget(self, paths: Iterable[str] = (), segments: Iterable[str] = ()) -> None:
        """After files or segments were deleted."""
        with self._told(), self._transaction("IMMEDIATE"):
            self._base.executemany("DELETE FROM dropped WHERE path = ?", [(path,) for path in paths])
            self._base.executemany("DELETE FROM positions WHERE segment = ?", [(name,) for name in segments])

    def _format(self) -> int:
        return int(self._base.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._base.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"{self.path}: {error}", fix="Check the disk and the permissions of the archive folder."
            ) from error


def is_damaged(error: StoreError) -> bool:
    """Whether it says that the ledger itself is broken: not that it is locked, or that the disk is full."""
    cause = error.__cause__
    return type(cause) is sqlite3.DatabaseError or (isinstance(cause, sqlite3.OperationalError) and "no such" in str(cause))
