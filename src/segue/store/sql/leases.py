"""Leases: who may act, and the check of a fenced write against it.

A lease is taken like a sign of life is given: on PostgreSQL without a turn among writers, for a long import must cost nobody
theirs. A fenced write holds the lease's row until it is committed, so no takeover comes between its check and its end.
"""

from __future__ import annotations

from segue.store.sql.database import Session
from segue.store.sql.part import SqlPart
from segue.store.upgrade_rules import check_fence, check_lease
from segue.store.upgrades import Fence, Lease

STUCK_S = 5
"""A fenced write is a few statements. PostgreSQL ends one whose process stands still in it, so that another can take over."""

_TAKE = (
    "UPDATE leases SET token = token + CASE WHEN holder = ? AND until_s > {now} THEN 0 ELSE 1 END, "
    "holder = ?, until_s = {now} + CAST(? AS DOUBLE PRECISION) "
    "WHERE name = ? AND (holder = ? OR until_s IS NULL OR until_s <= {now}) RETURNING token"
)
_FIRST = (
    "INSERT INTO leases (name, holder, token, until_s) VALUES (?, ?, 1, {now} + CAST(? AS DOUBLE PRECISION)) "
    "ON CONFLICT DO NOTHING RETURNING token"
)
_FIND = "SELECT holder, token, until_s - {now} FROM leases WHERE name = ? AND until_s > {now}"
_HELD = "SELECT token FROM leases WHERE name = ?"


class LeaseTable(SqlPart):
    """One row for each name there ever was."""

    def take_lease(self, name: str, holder: str, seconds: float, *, now: float | None = None) -> Lease | None:
        check_lease(name, holder, seconds, now)
        at = self._now(now)
        with self._db.sign() as session:
            # Fetched to the end: SQLite commits no statement that is still giving rows.
            rows = session.run(_TAKE.format(now=at), (holder, holder, float(seconds), name, holder)).fetchall()
            rows = rows or session.run(_FIRST.format(now=at), (name, holder, float(seconds))).fetchall()
        return Lease(name, holder, int(rows[0][0]), seconds) if rows else None

    def find_lease(self, name: str, *, now: float | None = None) -> Lease | None:
        with self._db.read() as session:
            row = session.run(_FIND.format(now=self._now(now)), (name,)).fetchone()
        return None if row is None else Lease(name, str(row[0]), int(row[1]), float(row[2]))

    def drop_lease(self, name: str, token: int) -> None:
        with self._db.sign() as session:
            session.run("UPDATE leases SET until_s = NULL WHERE name = ? AND token = ?", (name, token))

    def _now(self, now: float | None) -> str:
        """SQL for the time: the database's own, or the number given, which Python writes so that it reads as the same one."""
        return self._db.now_s if now is None else f"CAST({float(now)!r} AS DOUBLE PRECISION)"


def check_fenced(session: Session, fence: Fence | None) -> None:
    """`FencedError` if the lease is another's by now; else it stays whose it is until this transaction has ended."""
    if fence is None:
        return
    is_shared = session.core.dialect.name == "postgresql"
    if is_shared:
        session.run(f"SET LOCAL idle_in_transaction_session_timeout = '{STUCK_S}s'")
    row = session.run(_HELD + (" FOR SHARE" if is_shared else ""), (fence.name,)).fetchone()
    check_fence(fence, None if row is None else int(row[0]))
