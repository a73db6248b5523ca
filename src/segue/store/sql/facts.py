"""Facts: what was seen or done and is no decision, one row each, vouched for by the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from segue.model import Json
from segue.store import chain
from segue.store.encoding import encode_json
from segue.store.sql.leases import check_fenced
from segue.store.sql.part import SqlPart
from segue.store.upgrade_rules import check_record
from segue.store.upgrades import Fact, Fence

_COLUMNS = "number, kind, workflow, subject, body, author, at"
_ADD = f"INSERT INTO facts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  our own words
_LIST = f"SELECT {_COLUMNS} FROM facts WHERE {{}} ORDER BY number"  # noqa: S608
_NEWEST = f"SELECT {_COLUMNS} FROM facts WHERE subject = ? AND kind = ? ORDER BY number DESC LIMIT 1"  # noqa: S608


class FactTable(SqlPart):
    """Numbered as they come; none is ever taken away, so no number is given twice."""

    def add_fact(
        self, kind: str, workflow: str, subject: str, body: Json, *, author: str, at: str, fence: Fence | None = None
    ) -> int:
        digest = check_record(body, kind=kind, workflow=workflow, subject=subject)
        with self._db.write() as session:
            check_fenced(session, fence)
            number = session.next_id("facts", "number")
            session.run(_ADD, (number, kind, workflow, subject, encode_json(body), author, at))
            record = chain.fact_record(number, kind, workflow, subject, digest, author, at)
            named = chain.fact_subject(number, kind, subject)
            self._vouch(session, chain.FACT_NOTED, named, {"workflow": workflow}, record, author, at)
            return number

    def list_facts(
        self, workflow: str | None = None, *, kind: str | None = None, subject: str | None = None, after: int = 0
    ) -> Sequence[Fact]:
        asked = {"workflow": workflow, "kind": kind, "subject": subject}
        given = {name: value for name, value in asked.items() if value is not None}
        query = _LIST.format(" AND ".join([*(f"{name} = ?" for name in given), "number > ?"]))
        with self._db.read() as session:
            return self._facts(session.run(query, (*given.values(), after)).fetchall())

    def newest_fact(self, kind: str, subject: str) -> Fact | None:
        with self._db.read() as session:
            rows = session.run(_NEWEST, (subject, kind)).fetchall()
        return next(iter(self._facts(rows)), None)

    def _facts(self, rows: Iterable[tuple[Any, ...]]) -> list[Fact]:
        return [
            Fact(number, kind, workflow, subject, self._decoded(body, "fact"), author, at)
            for number, kind, workflow, subject, body, author, at in rows
        ]
