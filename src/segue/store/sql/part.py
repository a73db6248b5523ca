"""What the parts of the SQL store share: the database, and writing a record together with its log entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from segue.errors import TamperError
from segue.model import Json, digest_of
from segue.store.base import LogEntry
from segue.store.chain import link_entry
from segue.store.encoding import decode_json, encode_json
from segue.store.sql.database import Database, Session

T = TypeVar("T")

_LAST = "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1"
_ADD = "INSERT INTO log (seq, at, author, kind, subject, body, prev_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What decoding raises where stored JSON is none, or not of the form it was written in."""


class SqlPart:
    """One concept's tables of the SQL store. The parts share one database."""

    _db: Database

    def _vouch(
        self, session: Session, kind: str, subject: str, body: dict[str, Json], record: Json, author: str, at: str
    ) -> None:
        """Append the log entry that vouches for `record`, in the transaction that stores it."""
        self._append(session, kind, subject, {**body, "record": digest_of(record)}, author, at)

    def _append(self, session: Session, kind: str, subject: str, body: Json, author: str, at: str) -> LogEntry:
        last = session.run(_LAST).fetchone()
        entry = link_entry(last, at=at, author=author, kind=kind, subject=subject, body=body)
        session.run(_ADD, (entry.seq, at, author, kind, subject, encode_json(body), entry.prev_hash, entry.hash))
        return entry

    def _decoded(self, text: str, noun: str) -> Json:
        """Stored JSON; what is none was changed from outside."""
        try:
            return decode_json(text)
        except ValueError as error:
            raise self._altered(noun) from error

    def _altered(self, noun: str) -> TamperError:
        """A stored record cannot be read, so somebody else wrote it."""
        return TamperError(
            f"A {noun} in {self._db.place} is not what Segue stored.", fix="`segue log verify` says what was changed."
        )


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` by lists of `size`, streaming."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def by_ids(case_ids: Sequence[str], size: int = 500) -> Iterator[list[str]]:
    """Case ids, sorted by code points and without repetition, few enough at a time for one statement."""
    return batches(sorted(set(case_ids)), size)


def marks(values: Sequence[object]) -> str:
    """`?, ?, ?` for `values`."""
    return ", ".join("?" * len(values))
