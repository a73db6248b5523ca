"""SQLite: one file, write-ahead log, `synchronous=NORMAL`.

A committed write has been handed to the operating system, so it outlives the process, `kill -9` included. A loss of power
may cost the last commits, never the integrity of the file: that takes `FULL`, at an fsync for each exchange.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from segue.errors import InputError, SegueError, StoreError
from segue.store.address import StoreAddress
from segue.store.sql.database import BATCH, Database, Session
from segue.store.sql.file_claims import FileClaims
from segue.store.sql.schema import VERSION_TABLE, Bulk

OLDEST = (3, 37, 0)
"""STRICT tables came with 3.37."""

_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 8 * 1024
_UNSTORABLE = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)


class SqliteSession(Session):
    """A transaction on a SQLite connection."""

    raw: sqlite3.Connection

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self.raw.execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self.raw.executemany(sql, rows)

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        cursor = self.raw.execute(sql, parameters)
        while batch := cursor.fetchmany(BATCH):
            yield from batch

    def insert(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> None:
        self.raw.executemany(_insert_sql(bulk), rows)

    def insert_new(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
        sql = _insert_sql(bulk) + " ON CONFLICT DO NOTHING"
        cursor = self.raw.cursor()
        execute = cursor.execute
        return [execute(sql, row).rowcount == 1 for row in rows]


@cache
def _insert_sql(bulk: Bulk) -> str:
    marks = ", ".join("?" * len(bulk.columns))
    return f"INSERT INTO {bulk.name} ({', '.join(bulk.columns)}) VALUES ({marks})"  # noqa: S608  our own tables


class SqliteDatabase(Database):
    """One SQLite file."""

    def __init__(self, address: StoreAddress) -> None:
        assert address.path is not None
        self._path = address.path
        self._timeout_s = address.timeout_s
        _check_place(address.path)
        url = sa.URL.create("sqlite+pysqlite", database=str(address.path))
        engine = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            poolclass=sa.QueuePool,
            max_overflow=-1,
            connect_args={"timeout": address.timeout_s, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up)
        super().__init__(address.place, engine)
        self._file_claims = FileClaims(address.path)
        self._check_owner()

    def _check_owner(self) -> None:
        """Before anything is changed in the file: it has to be empty, absent or Segue's."""
        if not self._path.exists():
            return
        try:
            with closing(
                sqlite3.connect(self._path.absolute().as_uri() + "?mode=ro", uri=True, timeout=self._timeout_s)
            ) as raw:
                tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.Error as error:
            explained = self.explain(error)
            assert explained is not None
            raise explained from error
        if tables and VERSION_TABLE not in tables:
            raise StoreError(
                f"{self.place} is a SQLite database of another program.", fix="Give another path; Segue makes the file itself."
            )

    @property
    def now_s(self) -> str:
        return "(julianday('now') - 2440587.5) * 86400.0"

    @property
    def claims(self) -> FileClaims:
        return self._file_claims

    def session(self, core: sa.Connection) -> SqliteSession:
        return SqliteSession(core)

    def _writer_session(self) -> Session:
        fresh = self._writer is None
        session = super()._writer_session()
        if fresh:
            session.run(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        return session

    def begin_write(self, session: Session) -> None:
        session.raw.execute("BEGIN IMMEDIATE")

    def begin_read(self, session: Session) -> None:
        session.raw.execute("BEGIN")

    def commit(self, session: Session) -> None:
        session.raw.execute("COMMIT")

    def rollback(self, session: Session) -> None:
        session.raw.rollback()

    def explain(self, error: BaseException) -> SegueError | None:
        if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, _UNSTORABLE):
            return InputError(
                f"A record holds a value that cannot be stored ({type(error).__name__}).",
                fix="Give text without lone surrogates, whole numbers within 64 bits and the types of the model.",
            )
        if not isinstance(error, sqlite3.Error):
            return None
        what, fix = _REASONS.get(_primary_code(error), ("cannot be used", "See whether the disk and the folder are all right."))
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        return StoreError(
            f"The state store at {self.place} {what} ({name}).",
            fix=fix.format(path=self._path, folder=self._path.parent, timeout=self._timeout_s),
        )


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", -1) or -1) & 0xFF


_REASONS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another process",
        "It was waited for {timeout:g} s. Wait for the other command to end, or stop it: fuser '{path}' names it.",
    ),
    sqlite3.SQLITE_LOCKED: ("is locked", "Wait for the other command to end, and try again."),
    sqlite3.SQLITE_READONLY: (
        "cannot be written",
        "Make the file and its folder writable (chmod u+w '{path}' '{folder}'), or put the store elsewhere.",
    ),
    sqlite3.SQLITE_PERM: ("cannot be written", "Make the file and its folder writable, or put the store elsewhere."),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Its folder has to exist and be writable: ls -ld '{folder}'. Or put the store elsewhere.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "is a file, but not a database",
        "Give another path, or move the file away: mv '{path}' '{path}.bak'.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Restore it from a backup, or move it away (mv '{path}' '{path}.bak') and import again.",
    ),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free space on the disk of '{folder}': df -h '{folder}'."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "See whether the disk is full or failing."),
}


def _check_place(path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old for the state store; it needs 3.37.",
            fix="Use a newer Python build, or a PostgreSQL store.",
        )
    try:
        if path.is_dir():
            raise StoreError(f"{path} is a folder, not a state store.", fix=f"Give a file in it: {path / 'state.db'}.")
        if path.parent.exists() and not path.parent.is_dir():
            raise StoreError(f"{path.parent} is a file, so no state store can lie in it.", fix="Give another path.")
        path.parent.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise StoreError(
            f"The folder {path.parent} does not exist.", fix=f"Make it first: mkdir -p '{path.parent}'."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The state store at {path} cannot be reached: {error.strerror or type(error).__name__}.",
            fix=f"Give a path whose folder exists and is writable; now it is '{path.parent}'.",
        ) from error


def _set_up(connection: Any, _record: Any) -> None:
    """What every connection is set to. Switching to the write-ahead log is done once per file and stays."""
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        f"cache_size = -{_READER_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()
