"""Transactions of one opened database, whichever it is.

One writer connection behind a lock; each reader has its own connection and sees one snapshot. Statements on the driver are
written with `?` for parameters. Must not know the tables.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import sqlalchemy as sa

from segue.errors import SegueError, StoreError
from segue.store.sql.schema import Bulk

BATCH = 1000
"""Rows fetched or added at a time: what bounds the memory of reading and importing."""


class Session(ABC):
    """One transaction. `core` runs SQLAlchemy statements in it; the other methods go to the driver."""

    def __init__(self, core: sa.Connection) -> None:
        self.core = core
        self.raw: Any = core.connection.driver_connection

    @abstractmethod
    def run(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Execute a statement; returns the driver's cursor."""

    @abstractmethod
    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement once per row."""

    @abstractmethod
    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query, fetched by the batch."""

    @abstractmethod
    def insert(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows, none of which may be there already."""

    @abstractmethod
    def insert_new(self, bulk: Bulk, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
        """Add the rows whose key is not there yet; says which they were. Of two with one key the first counts."""

    def next_id(self, table: str, column: str = "id") -> int:
        """One more than the largest. Safe in a write, for writers take turns."""
        row = self.run(f"SELECT max({column}) FROM {table}").fetchone()  # noqa: S608  names of our own tables
        return (row[0] or 0) + 1


class Claimed(Protocol):
    """How a kind of database holds names for a process; `take` gives what the holder wrote where somebody else has it."""

    def take(self, name: str, holder: str) -> str | None: ...

    def let_go(self, name: str) -> None: ...

    def close(self) -> None: ...


class Database(ABC):
    """An opened database: begins transactions and says in words what went wrong.

    Every error of the driver leaves as a `SegueError`; a transaction that raises leaves nothing behind.
    """

    def __init__(self, place: str, engine: sa.Engine) -> None:
        self.place = place
        self.engine = engine
        self._lock = threading.RLock()
        self._writer: Session | None = None
        self._in_write = False
        self._closed = False
        self._identifiers: dict[str, int] = {}
        self._claimed: dict[str, str] = {}

    @abstractmethod
    def session(self, core: sa.Connection) -> Session:
        """Wrap a connection."""

    @abstractmethod
    def begin_write(self, session: Session) -> None:
        """Begin a transaction that no other writer's can come between."""

    @abstractmethod
    def begin_read(self, session: Session) -> None:
        """Begin a transaction that sees one state of the database throughout."""

    @abstractmethod
    def commit(self, session: Session) -> None:
        """Make the transaction last."""

    @abstractmethod
    def rollback(self, session: Session) -> None:
        """Undo the transaction, if one is under way."""

    def is_usable(self, session: Session) -> bool:
        """Whether the connection still stands: one to a file always does."""
        return not session.core.invalidated

    @abstractmethod
    def explain(self, error: BaseException) -> SegueError | None:
        """What a driver's error means, where, and what to do; `None` for an error of another origin."""

    @property
    @abstractmethod
    def now_s(self) -> str:
        """SQL for now by the database's own clock, in seconds of the Unix epoch."""

    @property
    @abstractmethod
    def claims(self) -> Claimed:
        """How names are held here."""

    def claim(self, name: str, holder: str) -> str | None:
        """Hold `name` for this process; else what its holder wrote. See `Store.claim`."""
        with self._lock:
            self._check_open()
            if name in self._claimed:
                return self._claimed[name]
            try:
                held = self.claims.take(name, holder)
            except Exception as error:
                explained = self.explain(error)
                if explained is None:
                    raise
                raise explained from error
            if held is None:
                self._claimed[name] = holder
            return held

    def release(self, name: str) -> None:
        """Let go of `name`."""
        with self._lock:
            if self._claimed.pop(name, None) is not None:
                self.claims.let_go(name)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes; committed at the end. One at a time in this process, and among processes."""
        with self._lock:
            assert not self._in_write, "a write inside a write"
            self._check_open()
            session = None
            self._in_write = True
            try:
                session = self._writer_session()
                self.begin_write(session)
                yield session
                self.commit(session)
            except BaseException as error:
                self._identifiers.clear()
                if session is not None:
                    self._undo(session)
                explained = self.explain(error)
                if explained is None:
                    raise
                raise explained from error
            finally:
                self._in_write = False

    @contextmanager
    def sign(self) -> Iterator[Session]:
        """A write of something that no record depends on. Where the database can, it takes no turn among writers."""
        with self.write() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads one snapshot, on a connection of its own."""
        self._check_open()
        try:
            with self.engine.connect() as core:
                session = self.session(core)
                self.begin_read(session)
                try:
                    yield session
                finally:
                    self.rollback(session)
        except Exception as error:
            explained = self.explain(error)
            if explained is None:
                raise
            raise explained from error

    def identifier(self, session: Session, text: str) -> int:
        """The integer of `text`, given now if it has none yet. Only in a write."""
        known = self._identifiers.get(text)
        if known is None:
            known = self.find_identifier(session, text)
            if known is None:
                known = session.next_id("identifiers")
                session.run("INSERT INTO identifiers (id, text) VALUES (?, ?)", (known, text))
            self._identifiers[text] = known
        return known

    def find_identifier(self, session: Session, text: str) -> int | None:
        """The integer of `text`, if it has one."""
        row = session.run("SELECT id FROM identifiers WHERE text = ?", (text,)).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Close all connections. Twice is no error."""
        with self._lock:
            self._closed = True
            self._claimed.clear()
            self.claims.close()
            if self._writer is not None:
                self._writer.core.close()
                self._writer = None
            self.engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The state store at {self.place} is closed.", fix="Open it again with open_store.")

    def _writer_session(self) -> Session:
        if self._writer is not None and not self.is_usable(self._writer):
            self._writer.core.invalidate()
            self._writer.core.close()
            self._writer = None
        if self._writer is None:
            self._writer = self.session(self.engine.connect())
        return self._writer

    def _undo(self, session: Session) -> None:
        try:
            self.rollback(session)
        except Exception:
            # The connection is gone, and the transaction with it.
            session.core.invalidate()
            session.core.close()
            self._writer = None
