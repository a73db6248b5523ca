"""Exchanges: the light part that comparisons read, and the outcome itself apart from it.

`exchanges` is clustered by (behaviour, case_id, input_digest, repeat, failure_no), so reading an arm in order is one walk
that touches no reply. A reply has `failure_no` 0, which makes it the only one of its key; failures count from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from segue.model import Exchange, Usage
from segue.store.encoding import check_exchange, check_texts, decode_failure, decode_reply, encode_outcome
from segue.store.sql.database import BATCH, Session
from segue.store.sql.part import UNREADABLE, SqlPart, batches, by_ids, marks
from segue.store.sql.schema import EXCHANGES, OUTCOMES

Key = tuple[str, str, int]

_KEY = "behaviour_id = ? AND case_id = ? AND input_digest = ? AND repeat = ?"
_WHOLE = (
    "SELECT e.case_id, e.input_digest, e.repeat, e.failure_no, e.failure_kind, e.latency_ms, e.ttft_ms, e.cost_microusd,"
    " e.input_tokens, e.output_tokens, e.reasoning_tokens, o.cached_tokens, o.cost_source, o.at, o.body"
    " FROM exchanges e CROSS JOIN outcomes o WHERE o.id = e.id AND e.behaviour_id = ?"
)
_ORDER = " ORDER BY e.case_id, e.input_digest, e.repeat, e.failure_no"
_BEGIN = (
    "INSERT INTO attempts (behaviour_id, case_id, input_digest, repeat, run_id, failures_before)"
    " VALUES (?, ?, ?, ?, ?, coalesce((SELECT max(failure_no) FROM exchanges WHERE behaviour_id = ? AND case_id = ?"
    " AND input_digest = ? AND repeat = ?), 0)) ON CONFLICT DO NOTHING"
)
_OPEN = (
    "SELECT DISTINCT i.text, a.case_id, a.input_digest, a.repeat"
    " FROM attempts a JOIN identifiers i ON i.id = a.behaviour_id WHERE a.run_id = ? AND NOT EXISTS"
    " (SELECT 1 FROM exchanges e WHERE e.behaviour_id = a.behaviour_id AND e.case_id = a.case_id"
    " AND e.input_digest = a.input_digest AND e.repeat = a.repeat"
    " AND (e.failure_no = 0 OR e.failure_no > a.failures_before))"
)

_ATTEMPTS = (
    "SELECT DISTINCT i.text, a.case_id, a.input_digest, a.repeat"
    " FROM attempts a JOIN identifiers i ON i.id = a.behaviour_id WHERE a.run_id = ?"
)


class ExchangeTables(SqlPart):
    """What was answered, and what is about to be asked."""

    def add_exchanges(self, exchanges: Iterable[Exchange]) -> int:
        n_new = 0
        with self._db.write() as session:
            next_id = session.next_id("outcomes")
            for batch in batches(exchanges, BATCH):
                added, next_id = self._add_batch(session, batch, next_id)
                n_new += added
        return n_new

    def _add_batch(self, session: Session, batch: Sequence[Exchange], next_id: int) -> tuple[int, int]:
        rows: list[tuple[Any, ...]] = []
        outcomes: list[tuple[Any, ...]] = []
        replied: set[tuple[Any, ...]] | None = None
        n_failures = 0
        for exchange in batch:
            check_exchange(exchange)
            behaviour_id = self._db.identifier(session, exchange.behaviour)
            if exchange.reply is not None:
                rows.append(_light(exchange, behaviour_id, 0, next_id))
                outcomes.append(_heavy(exchange, next_id))
                next_id += 1
                if replied is not None:
                    replied.add(rows[-1][:4])
                continue
            # The replies of this batch are added after its failures, which must not look as if they had come first.
            if replied is None:
                replied = {row[:4] for row in rows}
            key = (behaviour_id, exchange.case_id, exchange.input_digest, exchange.repeat)
            if key not in replied and _add_failure(session, exchange, key, next_id):
                n_failures += 1
                next_id += 1
        is_new = session.insert_new(EXCHANGES, rows)
        n_replies = sum(is_new)
        kept = outcomes if n_replies == len(outcomes) else [one for one, new in zip(outcomes, is_new, strict=True) if new]
        session.insert(OUTCOMES, kept)
        return n_failures + n_replies, next_id

    def finished(self, behaviour: str, *, with_failures: bool = False) -> set[Key]:
        with self._db.read() as session:
            sql = "SELECT case_id, input_digest, repeat FROM exchanges WHERE behaviour_id = ?"
            sql += "" if with_failures else " AND failure_no = 0"
            return set(session.stream(sql, (self._db.find_identifier(session, behaviour),)))

    def iter_exchanges(self, behaviour: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Exchange]:
        with self._db.read() as session:
            behaviour_id = self._db.find_identifier(session, behaviour)
            if case_ids is None:
                rows = session.stream(_WHOLE + _ORDER, (behaviour_id,))
                yield from (self._exchange(behaviour, row) for row in seen_rows(rows))
                return
            for some in by_ids(case_ids):
                sql = f"{_WHOLE} AND e.case_id IN ({marks(some)}){_ORDER}"
                rows = session.stream(sql, (behaviour_id, *some))
                yield from (self._exchange(behaviour, row) for row in seen_rows(rows))

    def cost_sources(self, behaviour: str) -> list[str]:
        sql = (
            "SELECT DISTINCT o.cost_source FROM exchanges e JOIN outcomes o ON o.id = e.id"
            " WHERE e.behaviour_id = ? AND e.failure_no = 0 AND e.cost_microusd IS NOT NULL AND o.cost_source IS NOT NULL"
        )
        with self._db.read() as session:
            return sorted(str(row[0]) for row in session.stream(sql, (self._db.find_identifier(session, behaviour),)))

    def _exchange(self, behaviour: str, row: tuple[Any, ...]) -> Exchange:
        case_id, input_digest, repeat, failure_no, kind, latency, ttft, cost, into, out, thought, cached, source, at, body = row
        try:
            reply = None if failure_no else decode_reply(body)
            failure = decode_failure(kind, body) if failure_no else None
        except UNREADABLE as error:
            raise self._altered("reply or failure") from error
        return Exchange(
            behaviour=behaviour,
            case_id=case_id,
            input_digest=input_digest,
            repeat=repeat,
            reply=reply,
            failure=failure,
            usage=Usage(into, out, thought, cached),
            latency_ms=latency,
            ttft_ms=ttft,
            cost_microusd=cost,
            cost_source=source,
            at=at,
        )

    def begin_attempts(self, run: str, keys: Sequence[tuple[str, str, str, int]]) -> None:
        with self._db.write() as session:
            run_id = self._db.identifier(session, run)
            rows = []
            for behaviour, case_id, input_digest, repeat in keys:
                check_texts(case_id=case_id, input_digest=input_digest)
                own_key = (self._db.identifier(session, behaviour), case_id, input_digest, repeat)
                rows.append((*own_key, run_id, *own_key))
            session.run_many(_BEGIN, rows)

    def open_attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        with self._db.read() as session:
            return set(session.stream(_OPEN, (self._db.find_identifier(session, run),)))

    def attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        with self._db.read() as session:
            return set(session.stream(_ATTEMPTS, (self._db.find_identifier(session, run),)))


def seen_rows(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Of rows in key order that begin `(case_id, input_digest, repeat, failure_no)`, per key the one that readers see."""
    replied: tuple[Any, ...] = ()
    failed: tuple[Any, ...] | None = None
    for row in rows:
        if row[3] == 0:
            if failed is not None:
                yield failed
                failed = None
            replied = row
            yield row
        elif row[:3] != replied[:3]:
            if failed is not None and failed[:3] != row[:3]:
                yield failed
            failed = row
    if failed is not None:
        yield failed


def _light(exchange: Exchange, behaviour_id: int, failure_no: int, number: int) -> tuple[Any, ...]:
    usage = exchange.usage
    return (
        behaviour_id,
        exchange.case_id,
        exchange.input_digest,
        exchange.repeat,
        failure_no,
        number,
        exchange.failure.kind if exchange.failure else None,
        exchange.latency_ms,
        exchange.ttft_ms,
        exchange.cost_microusd,
        usage.input_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )


def _heavy(exchange: Exchange, number: int) -> tuple[Any, ...]:
    return (number, encode_outcome(exchange), exchange.usage.cached_tokens, exchange.cost_source, exchange.at)


def _add_failure(session: Session, exchange: Exchange, key: tuple[Any, ...], number: int) -> bool:
    """Add a failure, unless the key has a reply, or this very failure as its last and was not tried again since."""
    held = session.run(f"SELECT min(failure_no), max(failure_no) FROM exchanges WHERE {_KEY}", key).fetchone()  # noqa: S608
    first, last = held[0], held[1] or 0
    if first == 0 or (last and _is_last_failure(session, exchange, key, last, number)):
        return False
    session.insert(EXCHANGES, [_light(exchange, key[0], last + 1, number)])
    session.insert(OUTCOMES, [_heavy(exchange, number)])
    return True


def _is_last_failure(session: Session, exchange: Exchange, key: tuple[Any, ...], last: int, number: int) -> bool:
    sql = (
        "SELECT e.behaviour_id, e.case_id, e.input_digest, e.repeat, e.failure_no, e.failure_kind, e.latency_ms, e.ttft_ms,"
        " e.cost_microusd, e.input_tokens, e.output_tokens, e.reasoning_tokens, o.body, o.cached_tokens, o.cost_source, o.at"
        " FROM exchanges e JOIN outcomes o ON o.id = e.id WHERE e.behaviour_id = ? AND e.case_id = ?"
        " AND e.input_digest = ? AND e.repeat = ? AND e.failure_no = ?"
    )
    light = _light(exchange, key[0], last, number)
    given = (*light[:5], *light[6:], *_heavy(exchange, number)[1:])
    if tuple(session.run(sql, (*key, last)).fetchone()) != given:
        return False
    tried_since = f"SELECT 1 FROM attempts WHERE {_KEY} AND failures_before >= ?"  # noqa: S608
    return session.run(tried_since, (*key, last)).fetchone() is None
