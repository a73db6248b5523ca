"""Claims on PostgreSQL: advisory locks, each held by a connection of its own whose name says who holds it.

The server lets go of a lock when its connection ends, so a claim never outlives its process. A pooler between Segue and the
server has to pool by session.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import sqlalchemy as sa

_HOLDER = """
SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class AdvisoryClaims:
    """The claims that this process holds."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._held: dict[str, sa.Connection] = {}

    def take(self, name: str, holder: str) -> str | None:
        """Hold `name`; else what its holder says of itself, in ASCII and cut to what the server keeps."""
        number = int.from_bytes(sha256(name.encode()).digest()[:8], "big")
        signed = number - (1 << 64) if number >= 1 << 63 else number
        core = self._engine.connect()
        raw: Any = core.connection.driver_connection
        try:
            raw.execute("SELECT set_config('application_name', %s, false)", (holder.encode("ascii", "replace").decode(),))
            if raw.execute("SELECT pg_try_advisory_lock(%s::bigint)", (signed,)).fetchone()[0]:
                self._held[name] = core
                return None
            found = raw.execute(_HOLDER, (number >> 32, number & 0xFFFFFFFF)).fetchone()
        except BaseException:
            _end(core)
            raise
        _end(core)
        return str(found[0] or "") if found else ""

    def let_go(self, name: str) -> None:
        """Another process may hold it now. No error where it was not held."""
        core = self._held.pop(name, None)
        if core is not None:
            _end(core)

    def close(self) -> None:
        """Let go of all of them."""
        for name in list(self._held):
            self.let_go(name)


def _end(core: sa.Connection) -> None:
    """End the connection itself: back in the pool it would keep its locks and its name."""
    core.invalidate()
    core.close()
