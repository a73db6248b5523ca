"""Scores, the labels recorded outside, and the arm: exchanges with their scores as a comparison reads them.

An arm is put together by walking each scorer's rows beside the exchanges, all in the same order: no sort, no join, and as
little memory for a million rows as for a thousand. No reply is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from segue.model import Score
from segue.store.base import ArmRow, ArmStatus, RecordedLabel
from segue.store.encoding import (
    check_label,
    check_scores,
    decode_scores,
    encode_json,
    encode_scores,
)
from segue.store.rules import label_conflict
from segue.store.sql.database import BATCH, Session
from segue.store.sql.exchanges import Key, seen_rows
from segue.store.sql.part import UNREADABLE, SqlPart, batches, by_ids, marks
from segue.store.sql.schema import RECORDED_LABELS, SCORE_DETAILS, SCORES

_ARM = (
    "SELECT case_id, input_digest, repeat, failure_no, failure_kind, latency_ms, ttft_ms, cost_microusd,"
    " input_tokens, output_tokens, reasoning_tokens FROM exchanges WHERE behaviour_id = ?"
    " ORDER BY case_id, input_digest, repeat, failure_no"
)
_METRICS = (
    "SELECT case_id, input_digest, repeat, metrics FROM scores WHERE behaviour_id = ? AND scorer_id = ?"
    " ORDER BY case_id, input_digest, repeat"
)
_WHOLE = (
    "SELECT s.case_id, s.input_digest, s.repeat, s.metrics, d.body FROM scores s"
    " LEFT JOIN score_details d ON d.id = s.details_id WHERE s.behaviour_id = ? AND s.scorer_id = ?"
)
_ORDER = " ORDER BY s.case_id, s.input_digest, s.repeat"
_PAST: tuple[Any, ...] = ()


class ScoreTables(SqlPart):
    """What scorers and labelers said of exchanges."""

    def add_scores(self, behaviour: str, scorer: str, rows: Iterable[tuple[str, str, int, Sequence[Score]]]) -> int:
        n_new = 0
        with self._db.write() as session:
            behaviour_id = self._db.identifier(session, behaviour)
            scorer_id = self._db.identifier(session, scorer)
            next_id = session.next_id("score_details")
            for batch in batches(rows, BATCH):
                light: list[tuple[Any, ...]] = []
                details: list[tuple[int, str] | None] = []
                for case_id, input_digest, repeat, scores in batch:
                    check_scores(case_id, input_digest, scores)
                    metrics, rest = encode_scores(scores)
                    number = None
                    if rest is not None:
                        number, next_id = next_id, next_id + 1
                    details.append(None if rest is None or number is None else (number, rest))
                    light.append((behaviour_id, scorer_id, case_id, input_digest, repeat, metrics, number))
                is_new = session.insert_new(SCORES, light)
                session.insert(SCORE_DETAILS, [one for one, new in zip(details, is_new, strict=True) if new and one])
                n_new += sum(is_new)
        return n_new

    def scored(self, behaviour: str, scorer: str) -> set[Key]:
        with self._db.read() as session:
            sql = "SELECT case_id, input_digest, repeat FROM scores WHERE behaviour_id = ? AND scorer_id = ?"
            return set(session.stream(sql, self._ids(session, behaviour, scorer)))

    def iter_scores(
        self, behaviour: str, scorer: str, *, case_ids: Sequence[str] | None = None
    ) -> Iterator[tuple[str, str, int, Sequence[Score]]]:
        with self._db.read() as session:
            names = self._ids(session, behaviour, scorer)
            if case_ids is None:
                yield from self._whole(session.stream(_WHOLE + _ORDER, names))
                return
            for some in by_ids(case_ids):
                sql = f"{_WHOLE} AND s.case_id IN ({marks(some)}){_ORDER}"
                yield from self._whole(session.stream(sql, (*names, *some)))

    def _whole(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, str, int, Sequence[Score]]]:
        for case_id, input_digest, repeat, metrics, details in rows:
            try:
                scores = decode_scores(metrics, details)
            except UNREADABLE as error:
                raise self._altered("score") from error
            yield (case_id, input_digest, repeat, scores)

    def iter_arm(self, behaviour: str, scorers: Sequence[str]) -> Iterator[ArmRow]:
        with self._db.read() as session:
            behaviour_id = self._db.find_identifier(session, behaviour)
            columns = [_Column(session.stream(_METRICS, self._ids(session, behaviour, scorer))) for scorer in scorers]
            for row in seen_rows(session.stream(_ARM, (behaviour_id,))):
                case_id, input_digest, repeat, failure_no, kind, latency, ttft, cost, into, out, thought = row
                metrics: dict[str, float | None] = {}
                for column in columns:
                    found = column.at(row[:3])
                    if found is not None:
                        # Where two scorers use one name, the one asked for last has it.
                        values = self._decoded(found, "score")
                        metrics = {**metrics, **values} if metrics else values
                status: ArmStatus = "failure" if failure_no else "reply"
                yield ArmRow(case_id, input_digest, repeat, status, kind, latency, ttft, cost, into, out, thought, metrics)

    def _ids(self, session: Session, *texts: str) -> tuple[int | None, ...]:
        return tuple(self._db.find_identifier(session, text) for text in texts)

    def add_labels(self, behaviour: str, labels: Iterable[RecordedLabel]) -> int:
        n_new = 0
        clashes: list[RecordedLabel] = []
        with self._db.write() as session:
            behaviour_id = self._db.identifier(session, behaviour)
            for batch in batches(labels, BATCH):
                for label in batch:
                    check_label(label)
                rows = [_label_row(behaviour_id, label) for label in batch]
                is_new = session.insert_new(RECORDED_LABELS, rows)
                n_new += sum(is_new)
                for label, row, new in zip(batch, rows, is_new, strict=True):
                    if not new and _label_held(session, row) != label.label:
                        clashes.append(label)
            if clashes:
                raise label_conflict(clashes)
        return n_new

    def iter_labels(self, behaviour: str, labeler: str | None = None) -> Iterator[RecordedLabel]:
        with self._db.read() as session:
            sql = "SELECT case_id, labeler, label, repeat, detail FROM recorded_labels WHERE behaviour_id = ?"
            parameters = [self._db.find_identifier(session, behaviour), *([] if labeler is None else [labeler])]
            sql += "" if labeler is None else " AND labeler = ?"
            for case_id, who, label, repeat, detail in session.stream(f"{sql} ORDER BY case_id, repeat, labeler", parameters):
                held = None if detail is None else self._decoded(detail, "label")
                yield RecordedLabel(case_id, who, label, None if repeat < 0 else repeat, held)

    def labelers(self, behaviour: str) -> list[str]:
        with self._db.read() as session:
            sql = "SELECT DISTINCT labeler FROM recorded_labels WHERE behaviour_id = ?"
            found = session.run(sql, (self._db.find_identifier(session, behaviour),)).fetchall()
            return sorted(str(row[0]) for row in found)


class _Column:
    """One scorer's rows, walked beside the exchanges in the same order."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._row = next(rows, _PAST)

    def at(self, key: tuple[Any, ...]) -> str | None:
        """The metrics of `key`, as JSON. Keys must not decrease from call to call."""
        row = self._row
        # The usual case first: the scorer has a row for every exchange.
        while row[:3] != key:
            if not row or row[:3] > key:
                return None
            row = self._row = next(self._rows, _PAST)
        return row[3]  # type: ignore[no-any-return]  # the fourth column is text


def _label_row(behaviour_id: int, label: RecordedLabel) -> tuple[Any, ...]:
    repeat = -1 if label.repeat is None else label.repeat
    detail = None if label.detail is None else encode_json(label.detail)
    return (behaviour_id, label.case_id, repeat, label.labeler, label.label, detail)


def _label_held(session: Session, row: tuple[Any, ...]) -> str:
    sql = "SELECT label FROM recorded_labels WHERE behaviour_id = ? AND case_id = ? AND repeat = ? AND labeler = ?"
    return str(session.run(sql, row[:4]).fetchone()[0])
