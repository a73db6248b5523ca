"""The log's table: appending, reading, and handing everything to the audit in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from segue.model import Json
from segue.store import chain
from segue.store.audit import StoredRecord, audit_log, digest_now, record_now
from segue.store.base import LogCheck, LogEntry
from segue.store.encoding import decode_json
from segue.store.rules import check_log_kind
from segue.store.sql.database import Session
from segue.store.sql.part import SqlPart
from segue.store.sql.schema import bundles, labels, routes, run_ends, runs, suite_names, suites, verdicts
from segue.store.sql.suites import altered_cases, digest_links, suite_flaw

_ENTRIES = "SELECT seq, at, author, kind, subject, body, prev_hash, hash FROM log WHERE seq > ? ORDER BY seq"

_UPGRADES = "SELECT upgrade, workflow, environment, body, author, at FROM upgrades ORDER BY id"
_UPGRADE_ENTRIES = "SELECT upgrade, number, body, ends, author, at FROM upgrade_entries ORDER BY upgrade, number"
_FACTS = "SELECT number, kind, workflow, subject, body, author, at FROM facts ORDER BY number"


class LogTable(SqlPart):
    """The hash chain (`segue.store.chain`)."""

    def append_log(self, kind: str, subject: str, body: Json, *, author: str, at: str) -> LogEntry:
        check_log_kind(kind)
        with self._db.write() as session:
            return self._append(session, kind, subject, body, author, at)

    def iter_log(self, *, after: int = 0) -> Iterator[LogEntry]:
        with self._db.read() as session:
            for seq, at, author, kind, subject, body, prev_hash, hash_ in session.stream(_ENTRIES, (after,)):
                decoded = self._decoded(body, "log")
                yield LogEntry(seq, at, author, kind, subject, decoded, prev_hash, hash_)

    def verify_log(self) -> LogCheck:
        with self._db.read() as session:
            return audit_log(_entries(session), _records(session))


def _entries(session: Session) -> Iterator[LogEntry]:
    for seq, at, author, kind, subject, body, prev_hash, hash_ in session.stream(_ENTRIES, (-(2**62),)):
        yield LogEntry(seq, at, author, kind, subject, _readable(body), prev_hash, hash_)


def _readable(body: str) -> Json:
    """The JSON of `body`; or, where it is none any more, the text itself, which no entry or record was made from."""
    try:
        return decode_json(body)
    except ValueError:
        return {"not json": body}


def _records(session: Session) -> Iterator[StoredRecord]:
    core = session.core
    for row in core.execute(sa.select(bundles)):
        record = chain.bundle_record(row.digest, row.workflow, _readable(row.body), row.author, row.at)
        yield record_now(chain.BUNDLE_ADDED, row.digest, record)
    for row in core.execute(sa.select(labels)):
        record = chain.label_record(row.workflow, row.label, row.digest)
        yield record_now(chain.LABEL_MOVED, f"{row.workflow}/{row.label}", record)
    yield from _suite_records(session)
    for table, kind in ((runs, chain.RUN_BEGAN), (run_ends, chain.RUN_FINISHED)):
        for row in core.execute(sa.select(table)):
            record = chain.run_record(row.run, row.workflow, _readable(row.body), row.author, row.at)
            yield record_now(kind, row.run, record)
    for row in core.execute(sa.select(verdicts)):
        record = chain.verdict_record(row.digest, row.workflow, _readable(row.body), row.author, row.at)
        yield record_now(chain.VERDICT_RECORDED, row.digest, record)
    for row in core.execute(sa.select(routes)):
        record = chain.route_record(row.revision, _readable(row.body), row.author, row.reason, row.at)
        yield record_now(chain.ROUTE_FLIPPED, chain.route_subject(row.workflow, row.environment, row.revision), record)
    yield from _upgrade_records(session)


def _upgrade_records(session: Session) -> Iterator[StoredRecord]:
    for upgrade, workflow, environment, body, author, at in session.stream(_UPGRADES):
        record = chain.upgrade_record(upgrade, workflow, environment, digest_now(_readable(body)), author, at)
        yield record_now(chain.UPGRADE_OPENED, upgrade, record)
    for upgrade, number, body, ends, author, at in session.stream(_UPGRADE_ENTRIES):
        # Written as 0 or 1; whatever else stands there now is told as it stands.
        record = chain.entry_record(
            upgrade, number, digest_now(_readable(body)), {0: False, 1: True}.get(ends, ends), author, at
        )
        yield record_now(chain.UPGRADE_ENTRY, chain.entry_subject(upgrade, number), record)
    for number, kind, workflow, subject, body, author, at in session.stream(_FACTS):
        record = chain.fact_record(number, kind, workflow, subject, digest_now(_readable(body)), author, at)
        yield record_now(chain.FACT_NOTED, chain.fact_subject(number, kind, subject), record)


def _suite_records(session: Session) -> Iterator[StoredRecord]:
    """Suites with their digests worked out from the stored cases anew; each case is looked at once."""
    altered = altered_cases(session)
    checked: dict[int, tuple[str, int, str]] = {}
    for row in session.core.execute(_named_suites()).all():
        if row.suite_id not in checked:
            checked[row.suite_id] = (*digest_links(session, row.suite_id), suite_flaw(session, row.suite_id, altered))
        digest, n_cases, flaw = checked[row.suite_id]
        if row.n_cases != n_cases:
            flaw = flaw or f"it has {n_cases} cases, but says {row.n_cases}"
        record = chain.suite_record(row.workflow, row.name, digest, n_cases)
        yield record_now(chain.SUITE_ADDED, chain.suite_subject(row.workflow, row.name, row.digest), record, flaw)


def _named_suites() -> sa.Select[Any]:
    named = sa.outerjoin(suite_names, suites, suite_names.c.suite_id == suites.c.id)
    columns = (
        suite_names.c.suite_id,
        suite_names.c.workflow,
        suite_names.c.name,
        sa.func.coalesce(suites.c.digest, "").label("digest"),
        sa.func.coalesce(suites.c.n_cases, 0).label("n_cases"),
    )
    return sa.select(*columns).select_from(named)
