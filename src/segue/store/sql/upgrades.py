"""Upgrades: the opening in one row, each entry in another. Both are vouched for by the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from segue.model import Json, digest_of
from segue.store import chain
from segue.store.encoding import encode_json
from segue.store.sql.database import Session
from segue.store.sql.leases import check_fenced
from segue.store.sql.part import SqlPart, batches, marks
from segue.store.sql.schema import upgrade_entries, upgrades
from segue.store.upgrade_rules import (
    check_entry,
    check_opening,
    check_record,
    entry_taken,
    no_upgrade,
    pick_upgrade,
)
from segue.store.upgrades import Fence, UpgradeRecord

_NOUN = "record of an upgrade"
_LAST = "SELECT number, ends FROM upgrade_entries WHERE upgrade = ? ORDER BY number DESC LIMIT 1"
_ONE = "SELECT body, ends FROM upgrade_entries WHERE upgrade = ? AND number = ?"
_OF = "SELECT upgrade, body FROM upgrade_entries WHERE upgrade IN ({}) ORDER BY upgrade, number"
_ENDED = (
    "SELECT upgrades.upgrade FROM upgrades JOIN upgrade_entries ON upgrade_entries.upgrade = upgrades.upgrade "
    "AND upgrade_entries.ends = 1 WHERE upgrades.environment = ?"
)
_ADD = "INSERT INTO upgrade_entries (upgrade, number, ends, body, author, at) VALUES (?, ?, ?, ?, ?, ?)"


class UpgradeTables(SqlPart):
    """An upgrade is open while none of its entries ends it."""

    def open_upgrade(self, upgrade: str, workflow: str, environment: str, opening: Json, *, author: str, at: str) -> None:
        digest = check_record(opening, upgrade=upgrade, workflow=workflow, environment=environment)
        with self._db.write() as session:
            here = (upgrades.c.workflow == workflow) & (upgrades.c.environment == environment)
            still = session.core.execute(sa.select(upgrades.c.upgrade).where(here, _is_open()).limit(1)).scalar()
            known = session.core.execute(sa.select(upgrades.c.id).where(upgrades.c.upgrade == upgrade)).first() is not None
            check_opening(upgrade, workflow, environment, known, still)
            named = {"upgrade": upgrade, "workflow": workflow, "environment": environment}
            row = {"id": session.next_id("upgrades"), **named, "body": encode_json(opening), "author": author, "at": at}
            session.core.execute(upgrades.insert().values(**row))
            record = chain.upgrade_record(upgrade, workflow, environment, digest, author, at)
            body: dict[str, Json] = {"workflow": workflow, "environment": environment}
            self._vouch(session, chain.UPGRADE_OPENED, upgrade, body, record, author, at)

    def add_upgrade_entry(
        self, upgrade: str, number: int, entry: Json, *, ends: bool, fence: Fence | None, author: str, at: str
    ) -> None:
        digest = check_record(entry)
        with self._db.write() as session:
            check_fenced(session, fence)
            last, ended = session.run(_LAST, (upgrade,)).fetchone() or (0, 0)
            if not last and upgrade not in _names(session):
                raise no_upgrade(upgrade, _names(session))
            if 0 < number <= last:
                body, ended = session.run(_ONE, (upgrade, number)).fetchone()
                if bool(ended) != ends or digest_of(self._decoded(body, _NOUN)) != digest:
                    raise entry_taken(upgrade, number, last)
                return
            check_entry(upgrade, number, last, bool(ended))
            session.run(_ADD, (upgrade, number, int(ends), encode_json(entry), author, at))
            subject = chain.entry_subject(upgrade, number)
            record = chain.entry_record(upgrade, number, digest, ends, author, at)
            self._vouch(session, chain.UPGRADE_ENTRY, subject, chain.entry_summary(entry, ends), record, author, at)

    def get_upgrade(self, ref: str) -> UpgradeRecord:
        with self._db.read() as session:
            named = sa.select(upgrades).where(upgrades.c.upgrade == sa.bindparam("name"))
            rows = session.core.execute(named, {"name": ref}).all()
            if not rows:
                rows = session.core.execute(named, {"name": pick_upgrade(ref, _names(session))}).all()
            return self._with_entries(session, rows)[0]

    def list_upgrades(
        self,
        workflow: str | None = None,
        environment: str | None = None,
        *,
        only_open: bool = False,
        most: int | None = None,
    ) -> list[UpgradeRecord]:
        query = sa.select(upgrades).order_by(upgrades.c.id.desc())
        if workflow is not None:
            query = query.where(upgrades.c.workflow == workflow)
        if environment is not None:
            query = query.where(upgrades.c.environment == environment)
        if only_open:
            query = query.where(_is_open())
        if most is not None:
            query = query.limit(most)
        with self._db.read() as session:
            return self._with_entries(session, session.core.execute(query).all())

    def ended_upgrades(self, environment: str) -> list[str]:
        with self._db.read() as session:
            return [str(name) for (name,) in session.run(_ENDED, (environment,)).fetchall()]

    def _with_entries(self, session: Session, rows: Sequence[sa.Row[Any]]) -> list[UpgradeRecord]:
        entries: dict[str, list[Json]] = {str(row.upgrade): [] for row in rows}
        for names in batches(entries, 500):
            for name, body in session.run(_OF.format(marks(names)), names).fetchall():
                entries[name].append(self._decoded(body, _NOUN))
        return [
            UpgradeRecord(
                row.upgrade,
                row.workflow,
                row.environment,
                self._decoded(row.body, _NOUN),
                tuple(entries[row.upgrade]),
                row.author,
                row.at,
            )
            for row in rows
        ]


def _is_open() -> sa.ColumnElement[bool]:
    return ~sa.exists().where(upgrade_entries.c.upgrade == upgrades.c.upgrade, upgrade_entries.c.ends == sa.literal_column("1"))


def _names(session: Session) -> list[str]:
    return [str(name) for name in session.core.execute(sa.select(upgrades.c.upgrade)).scalars()]
