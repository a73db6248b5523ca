"""Claims: names held by a process for as long as it lives. Nothing of them is in the tables, so nothing is left behind.

How a name is held is the database's matter: a locked file beside SQLite's, an advisory lock on PostgreSQL.
"""

from __future__ import annotations

from segue.store.base import Claim
from segue.store.encoding import check_texts
from segue.store.sql.part import SqlPart


class Claims(SqlPart):
    """Names that one process holds at a time."""

    def claim(self, name: str, holder: Claim) -> Claim | None:
        check_texts(name=name, run=holder.run, author=holder.author, at=holder.at)
        held = self._db.claim(name, holder.as_text())
        return None if held is None else Claim.from_text(held)

    def release(self, name: str) -> None:
        self._db.release(name)
