"""PostgreSQL by psycopg 3. Writers take turns by an advisory lock; readers see one snapshot and stream by named cursors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import count
from typing import Any

import sqlalchemy as sa

from segue.errors import InputError, SegueError, StoreError
from segue.store.address import StoreAddress
from segue.store.sql.advisory_claims import AdvisoryClaims
from segue.store.sql.database import BATCH, Database, Session
from segue.store.sql.schema import Bulk

try:
    import psycopg
    from psycopg import errors as pg_errors
except ImportError as missing:
    raise StoreError(
        "The PostgreSQL driver is not installed.", fix="Install it: pip install 'segue-ai[postgres]'."
    ) from missing

WRITE_LOCK = 0x5365677565
"""The advisory lock that writers hold: 'Segue' in ASCII."""

_CONNECT_TIMEOUT_S = 10
_COPY_FROM = 20
"""Rows from which on COPY is worth its own round trips."""
_UNLESS_THERE = " ON CONFLICT DO NOTHING"


class PostgresqlSession(Session):
    """A transaction on a PostgreSQL connection."""

    raw: psycopg.Connection[tuple[Any, ...]]
    _names = count(1)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.raw.execute(_own_marks(sql), parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(_own_marks(sql), rows)

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with self.raw.cursor(name=f"segue_{next(self._names)}") as cursor:
            cursor.execute(_own_marks(sql), parameters)
            while batch := cursor.fetchmany(BATCH):
                yield from batch

    def insert(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> None:
        if len(rows) < _COPY_FROM:
            self.run_many(_insert_sql(bulk), rows)
        else:
            self._copy(bulk.name, bulk.columns, rows)

    def insert_new(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
        if len(rows) < _COPY_FROM:
            return [self.run(_insert_sql(bulk) + _UNLESS_THERE, row).rowcount == 1 for row in rows]
        # COPY takes rows an order of magnitude faster than statements do, but cannot leave out those that are there.
        staged = f"staged_{bulk.name}"
        self.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {staged} (LIKE {bulk.name}) ON COMMIT DELETE ROWS")
        self.run(f"TRUNCATE {staged}")
        self._copy(staged, bulk.columns, rows)
        key = ", ".join(bulk.columns[: bulk.n_key])
        sql = f"INSERT INTO {bulk.name} SELECT * FROM {staged}{_UNLESS_THERE} RETURNING {key}"  # noqa: S608  our own tables
        added = set(self.run(sql).fetchall())
        told = []
        for row in rows:
            row_key = row[: bulk.n_key]
            told.append(row_key in added)
            added.discard(row_key)
        return told

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()
        with self.raw.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)


@lru_cache(maxsize=256)
def _own_marks(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


@cache
def _insert_sql(bulk: Bulk) -> str:
    marks = ", ".join("?" * len(bulk.columns))
    return f"INSERT INTO {bulk.name} ({', '.join(bulk.columns)}) VALUES ({marks})"  # noqa: S608  our own tables


class PostgresqlDatabase(Database):
    """One PostgreSQL database."""

    def __init__(self, address: StoreAddress) -> None:
        try:
            url = sa.make_url(address.url).set(drivername="postgresql+psycopg")
        except (sa.exc.ArgumentError, ValueError):
            # The error would repeat the address, password and all.
            raise InputError(
                "The address of the PostgreSQL store cannot be read.",
                fix="Write postgresql://user:password@host:port/database, special characters percent-encoded.",
            ) from None
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": str(_CONNECT_TIMEOUT_S)})
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True, max_overflow=-1, pool_pre_ping=True)
        super().__init__(address.place, engine)
        self._advisory_claims = AdvisoryClaims(engine)
        # All in one round trip: a statement without parameters may be several.
        wait = f"SET LOCAL lock_timeout = {max(1, round(address.timeout_s * 1000))}"
        self._begin_write = f"BEGIN; {wait}; SELECT pg_advisory_xact_lock({WRITE_LOCK})".encode()
        self._check_encoding()

    def _check_encoding(self) -> None:
        try:
            with self.engine.connect() as core:
                encoding = core.exec_driver_sql("SHOW server_encoding").scalar_one()
        except Exception as error:
            explained = self.explain(error)
            self.engine.dispose()
            if explained is None:
                raise
            # The driver's words may hold the user's name and the host's: they are not chained.
            raise explained from None
        if encoding != "UTF8":
            self.engine.dispose()
            raise StoreError(
                f"{self.place} is encoded in {encoding}; the state store needs UTF8.",
                fix="Make a database with: createdb --encoding=UTF8 --template=template0 segue.",
            )

    @property
    def now_s(self) -> str:
        return "EXTRACT(EPOCH FROM clock_timestamp())::float8"

    @contextmanager
    def sign(self) -> Iterator[Session]:
        self._check_open()
        try:
            with self.engine.connect() as core:
                # Each statement by itself: a long import holds the writers' lock, and whoever lives says so meanwhile.
                yield self.session(core)
        except Exception as error:
            explained = self.explain(error)
            if explained is None:
                raise
            raise explained from error

    @property
    def claims(self) -> AdvisoryClaims:
        return self._advisory_claims

    def session(self, core: sa.Connection) -> PostgresqlSession:
        return PostgresqlSession(core)

    def begin_write(self, session: Session) -> None:
        session.raw.execute(self._begin_write)

    def begin_read(self, session: Session) -> None:
        # The order asked for is an index's: walk it. A sort or a hash would read everything before the first row.
        session.raw.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off"
        )

    def commit(self, session: Session) -> None:
        session.raw.execute("COMMIT")

    def rollback(self, session: Session) -> None:
        session.raw.rollback()

    def is_usable(self, session: Session) -> bool:
        return super().is_usable(session) and not (session.raw.closed or session.raw.broken)

    def explain(self, error: BaseException) -> SegueError | None:
        if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, (pg_errors.DataError, pg_errors.IntegrityError, UnicodeEncodeError, OverflowError)):
            return InputError(
                f"A record holds a value that cannot be stored ({type(error).__name__}).",
                fix="Give text without NUL characters, whole numbers within 64 bits and the types of the model.",
            )
        if not isinstance(error, psycopg.Error):
            return None
        what, fix = _reason(error)
        state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
        return StoreError(f"The state store in {self.place} {what}{state}.", fix=fix)


_BY_STATE: dict[str, tuple[str, str]] = {
    "28": ("refuses the user or the password", "Check both in the address; they are taken from it as they stand."),
    "3D": ("does not exist", "Make it first: createdb --encoding=UTF8 --template=template0 NAME."),
    "42": (
        "does not let this user do that, or holds other tables of the same names",
        "Grant the user CREATE on the schema, or give Segue a database of its own.",
    ),
    "53": ("is out of connections, memory or disk", "Free some on the server, and try again."),
    "55": ("is locked by another process", "Wait for the other command to end, and try again."),
    "57": ("was shut down or cancelled the statement", "See whether the server is up, and try again."),
    "25": ("takes no writes now (it may be a standby)", "Give the address of the primary server."),
}

_BY_WORDS: tuple[tuple[str, str], ...] = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("does not exist", "3D"),
    ("too many connections", "53"),
    ("starting up", "57"),
    ("shutting down", "57"),
)


def _reason(error: psycopg.Error) -> tuple[str, str]:
    """By SQLSTATE; a failed connection has none, so by its words. The words themselves are not shown."""
    state = (error.sqlstate or "")[:2]
    if not state:
        state = next((found for words, found in _BY_WORDS if words in str(error)), "")
    return _BY_STATE.get(
        state, ("cannot be reached, or broke off", "See whether the server is up: pg_isready with the same host and port.")
    )
