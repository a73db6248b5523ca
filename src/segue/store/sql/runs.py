"""Runs and verdicts: records with a body, written once, vouched for by the log."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from segue.model import Json, digest_of, short_id
from segue.store import chain
from segue.store.encoding import check_texts, encode_json
from segue.store.refs import as_prefix, pick_digest
from segue.store.rules import no_run, record_conflict
from segue.store.sql.database import Session
from segue.store.sql.part import SqlPart
from segue.store.sql.schema import run_ends, runs, verdicts


class RunTables(SqlPart):
    """The end of a run is a second record, not a change of the first."""

    def add_run(self, run: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        with self._db.write() as session:
            if not self._is_recorded(session, runs, chain.RUN_BEGAN, run, workflow, body):
                number = session.next_id("runs")
                self._store(session, runs, {"id": number, "run": run}, workflow, body, author, at)
                record = chain.run_record(run, workflow, body, author, at)
                self._vouch(session, chain.RUN_BEGAN, run, {"workflow": workflow}, record, author, at)

    def finish_run(self, run: str, body: Json, *, author: str, at: str) -> None:
        with self._db.write() as session:
            begun = session.core.execute(sa.select(runs.c.workflow).where(runs.c.run == run)).first()
            if begun is None:
                raise no_run(run, [str(one) for one in session.core.execute(sa.select(runs.c.run)).scalars()])
            workflow = str(begun.workflow)
            if not self._is_recorded(session, run_ends, chain.RUN_FINISHED, run, workflow, body):
                self._store(session, run_ends, {"run": run}, workflow, body, author, at)
                record = chain.run_record(run, workflow, body, author, at)
                self._vouch(session, chain.RUN_FINISHED, run, {"workflow": workflow}, record, author, at)

    def get_run(self, run: str) -> tuple[Json, Json | None]:
        with self._db.read() as session:
            row = session.core.execute(_runs().where(runs.c.run == run)).first()
            if row is None:
                raise no_run(run, [str(one) for one in session.core.execute(sa.select(runs.c.run)).scalars()])
            return self._run(row)

    def list_runs(self, workflow: str) -> list[tuple[str, str, Json, Json | None]]:
        with self._db.read() as session:
            rows = session.core.execute(_runs().where(runs.c.workflow == workflow).order_by(runs.c.id.desc()))
            return [(row.run, row.at, *self._run(row)) for row in rows]

    def _run(self, row: sa.Row[Any]) -> tuple[Json, Json | None]:
        return self._decoded(row.body, "run"), None if row.end is None else self._decoded(row.end, "run")

    def add_verdict(self, verdict: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        with self._db.write() as session:
            if not self._is_recorded(session, verdicts, chain.VERDICT_RECORDED, verdict, workflow, body):
                number = session.next_id("verdicts")
                self._store(session, verdicts, {"id": number, "digest": verdict}, workflow, body, author, at)
                record = chain.verdict_record(verdict, workflow, body, author, at)
                self._vouch(session, chain.VERDICT_RECORDED, verdict, {"workflow": workflow}, record, author, at)

    def get_verdict(self, ref: str) -> tuple[str, Json]:
        with self._db.read() as session:
            core = session.core
            prefix = as_prefix(ref)
            is_match = verdicts.c.digest == ref
            if prefix:
                # Digests are lower-case hex, so 'g' comes after every one with this prefix.
                is_match |= (verdicts.c.digest >= prefix) & (verdicts.c.digest < prefix + "g")
            matches = [str(one) for one in core.execute(sa.select(verdicts.c.digest).where(is_match)).scalars()]
            known = [] if matches else core.execute(sa.select(verdicts.c.digest)).scalars().all()
            digest = pick_digest("verdict", ref, matches, (short_id(str(one)) for one in known))
            body = core.execute(sa.select(verdicts.c.body).where(verdicts.c.digest == digest)).scalar_one()
            return digest, self._decoded(body, "verdict")

    def list_verdicts(self, workflow: str) -> list[tuple[str, str, Json]]:
        with self._db.read() as session:
            query = sa.select(verdicts).where(verdicts.c.workflow == workflow).order_by(verdicts.c.id.desc())
            return [(row.digest, row.at, self._decoded(row.body, "verdict")) for row in session.core.execute(query)]

    def _is_recorded(self, session: Session, table: sa.Table, kind: str, name: str, workflow: str, body: Json) -> bool:
        """Whether this very record is stored already. `ConflictError` if another one of its name is."""
        check_texts(name=name, workflow=workflow)
        named = table.c.digest if table is verdicts else table.c.run
        held = session.core.execute(sa.select(table.c.workflow, table.c.body).where(named == name)).first()
        if held is None:
            return False
        if held.workflow != workflow or digest_of(self._decoded(held.body, chain.NOUNS[kind])) != digest_of(body):
            raise record_conflict(kind, name)
        return True

    def _store(
        self, session: Session, table: sa.Table, key: dict[str, Any], workflow: str, body: Json, author: str, at: str
    ) -> None:
        row = {**key, "workflow": workflow, "body": encode_json(body), "author": author, "at": at}
        session.core.execute(table.insert().values(**row))


def _runs() -> sa.Select[Any]:
    both = sa.outerjoin(runs, run_ends, runs.c.run == run_ends.c.run)
    return sa.select(runs.c.run, runs.c.at, runs.c.body, run_ends.c.body.label("end")).select_from(both)
