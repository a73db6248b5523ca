"""Suites and their cases. A case is stored once, whatever number of suites it is in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from segue.model import Case, canonical_json
from segue.store import chain
from segue.store.base import CaseRow, SuiteRecord
from segue.store.encoding import check_texts, encode_json
from segue.store.rules import case_row, duplicate_cases, no_suite
from segue.store.sql.database import Session
from segue.store.sql.part import SqlPart, batches, by_ids, marks
from segue.store.sql.schema import CASES, SUITE_CASES, suite_names, suites

_BATCH = 500

_LIGHT = "c.case_id, c.input_digest, c.task, c.slices, c.kind, c.critical, c.cluster"
_ALL_CASES = f"SELECT c.id, c.digest, {_LIGHT}, c.body FROM cases c"  # noqa: S608  columns named above
_OF_SUITE = "FROM suite_cases s CROSS JOIN cases c WHERE c.id = s.case_no AND s.suite_id = ?"


class SuiteTables(SqlPart):
    """A suite is a set of links to cases, in the order of `case_id`, and the names it was added under."""

    def add_suite(self, workflow: str, name: str, cases: Iterable[Case], *, author: str, at: str) -> SuiteRecord:
        check_texts(workflow=workflow, name=name)
        with self._db.write() as session:
            # The digest is known only when the last case has streamed by, so the suite is stored before it is known
            # whether it is new; if it is not, that is undone (and not deleted, which no table allows).
            session.run("SAVEPOINT suite")
            suite_id = session.next_id("suites")
            twice: list[str] = []
            for batch in batches(cases, _BATCH):
                twice += _link_cases(session, suite_id, batch)
            if twice:
                raise duplicate_cases(name, twice)
            digest, n_cases = digest_links(session, suite_id)
            known = session.core.execute(sa.select(suites.c.id).where(suites.c.digest == digest)).scalar()
            if known is None:
                session.core.execute(suites.insert().values(id=suite_id, digest=digest, n_cases=n_cases))
            else:
                suite_id = known
                session.run("ROLLBACK TO SAVEPOINT suite")
            session.run("RELEASE SAVEPOINT suite")
            suite = SuiteRecord(digest, workflow, name, n_cases)
            self._name_suite(session, suite_id, suite, author, at)
            return suite

    def _name_suite(self, session: Session, suite_id: int, suite: SuiteRecord, author: str, at: str) -> None:
        named = {"suite_id": suite_id, "workflow": suite.workflow, "name": suite.name}
        if session.core.execute(sa.select(suite_names.c.id).filter_by(**named)).first():
            return
        session.core.execute(suite_names.insert().values(id=session.next_id("suite_names"), **named))
        record = chain.suite_record(suite.workflow, suite.name, suite.digest, suite.n_cases)
        subject = chain.suite_subject(suite.workflow, suite.name, suite.digest)
        self._vouch(session, chain.SUITE_ADDED, subject, {"n_cases": suite.n_cases}, record, author, at)

    def get_suite(self, digest: str) -> SuiteRecord:
        with self._db.read() as session:
            row = session.core.execute(_suites().where(suites.c.digest == digest).limit(1)).first()
        if row is None:
            raise no_suite(digest)
        return _suite(row)

    def list_suites(self, workflow: str) -> list[SuiteRecord]:
        with self._db.read() as session:
            return [_suite(row) for row in session.core.execute(_suites().where(suite_names.c.workflow == workflow))]

    def iter_cases(self, suite: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Case]:
        self.get_suite(suite)
        return self._cases(suite, case_ids)

    def _cases(self, suite: str, case_ids: Sequence[str] | None) -> Iterator[Case]:
        with self._db.read() as session:
            suite_id = _id_of(session, suite)
            order = "ORDER BY s.case_id"
            if case_ids is None:
                rows = session.stream(f"SELECT c.body {_OF_SUITE} {order}", (suite_id,))
                yield from (self._case(row[0]) for row in rows)
                return
            for some in by_ids(case_ids):
                sql = f"SELECT c.body {_OF_SUITE} AND s.case_id IN ({marks(some)}) {order}"
                yield from (self._case(row[0]) for row in session.stream(sql, (suite_id, *some)))

    def _case(self, body: str) -> Case:
        try:
            return Case.model_validate(self._decoded(body, "case"))
        except ValueError as error:
            raise self._altered("case") from error

    def iter_case_rows(self, suite: str) -> Iterator[CaseRow]:
        self.get_suite(suite)
        return self._case_rows(suite)

    def _case_rows(self, suite: str) -> Iterator[CaseRow]:
        with self._db.read() as session:
            rows = session.stream(f"SELECT {_LIGHT} {_OF_SUITE} ORDER BY s.case_id", (_id_of(session, suite),))
            for case_id, input_digest, task, slices, kind, critical, cluster in rows:
                yield CaseRow(case_id, input_digest, task, self._decoded(slices, "case"), kind, bool(critical), cluster)


def _suite(row: sa.Row[Any]) -> SuiteRecord:
    return SuiteRecord(digest=row.digest, workflow=row.workflow, name=row.name, n_cases=row.n_cases)


def _suites() -> sa.Select[tuple[str, str, str, int]]:
    named = sa.join(suite_names, suites, suite_names.c.suite_id == suites.c.id)
    columns = (suites.c.digest, suite_names.c.workflow, suite_names.c.name, suites.c.n_cases)
    return sa.select(*columns).select_from(named).order_by(suite_names.c.id)


def _id_of(session: Session, suite: str) -> int:
    return int(session.core.execute(sa.select(suites.c.id).where(suites.c.digest == suite)).scalar_one())


def _link_cases(session: Session, suite_id: int, batch: Sequence[Case]) -> list[str]:
    """Store the cases of `batch` that are new, and link all to the suite; returns the ids that it has already."""
    for case in batch:
        check_texts(case_id=case.case_id, task=case.task, cluster=case.cluster or "")
    ids = [case.case_id for case in batch]
    sql = f"SELECT case_id FROM suite_cases WHERE suite_id = ? AND case_id IN ({marks(ids)})"  # noqa: S608
    linked = {str(row[0]) for row in session.run(sql, (suite_id, *ids)).fetchall()}
    digests = [case.digest for case in batch]
    sql = f"SELECT digest, id FROM cases WHERE digest IN ({marks(digests)})"  # noqa: S608
    numbers = {str(digest): int(number) for digest, number in session.run(sql, digests).fetchall()}
    next_id = session.next_id("cases")
    new_cases: list[tuple[Any, ...]] = []
    links: list[tuple[Any, ...]] = []
    twice: list[str] = []
    for case in batch:
        if case.case_id in linked:
            twice.append(case.case_id)
            continue
        linked.add(case.case_id)
        if case.digest not in numbers:
            numbers[case.digest] = next_id
            new_cases.append((next_id, case.digest, *light_columns(case), encode_json(case.body())))
            next_id += 1
        links.append((suite_id, case.case_id, numbers[case.digest]))
    session.insert(CASES, new_cases)
    session.insert(SUITE_CASES, links)
    return twice


def light_columns(case: Case) -> tuple[Any, ...]:
    """What is stored of a case besides its digest and body, in the order of the columns."""
    row = case_row(case)
    slices = encode_json(dict(row.slices))
    return (row.case_id, row.input_digest, row.task, slices, row.kind, int(row.critical), row.cluster)


def digest_links(session: Session, suite_id: int) -> tuple[str, int]:
    """`(suite digest, number of cases)` from the stored links: `segue.model.suite_digest` without holding them all."""
    hashed = hashlib.sha256(b"[")
    n_cases = 0
    for case_id, digest in session.stream(f"SELECT s.case_id, c.digest {_OF_SUITE} ORDER BY s.case_id", (suite_id,)):
        hashed.update((b"," if n_cases else b"") + canonical_json([case_id, digest]))
        n_cases += 1
    hashed.update(b"]")
    return hashed.hexdigest(), n_cases


def altered_cases(session: Session) -> dict[int, str]:
    """Cases that are no longer what their digest says, light columns included: row id → case id."""
    altered = {}
    for number, digest, *light, body in session.stream(_ALL_CASES):
        try:
            case = Case.model_validate_json(body)
            is_intact = case.digest == digest and light_columns(case) == tuple(light)
        except ValueError:
            is_intact = False
        if not is_intact:
            altered[int(number)] = str(light[0])
    return altered


def suite_flaw(session: Session, suite_id: int, altered: dict[int, str]) -> str:
    """What is wrong with the cases of a suite, in words; empty if nothing is."""
    wrong = []
    sql = f"SELECT s.case_id, c.case_id, c.id {_OF_SUITE} ORDER BY s.case_id"
    for linked_as, case_id, number in session.stream(sql, (suite_id,)):
        if number in altered or linked_as != case_id:
            wrong.append(linked_as)
    if not wrong:
        return ""
    shown = ", ".join(f"'{one}'" for one in wrong[:5]) + (" and others" if len(wrong) > 5 else "")
    return f"{len(wrong)} of its cases {'were' if len(wrong) > 1 else 'was'} altered ({shown})"
