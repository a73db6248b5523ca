"""Scores what is stored and not yet scored: pure scorers in a stream, scorers with effects with bounded concurrency.

What is scored is kept at once, so that either can be stopped anywhere; a judge is not paid twice for one output.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from segue.model import Case, Exchange, Score
from segue.scoring.base import AsyncScorer, Scorer
from segue.store.base import ArmRow, Store

BATCH = 2_000
CHUNK = 500
Row = tuple[str, str, int, Sequence[Score]]
Pair = tuple[Case, Exchange]


@dataclass(frozen=True, slots=True)
class ScoringOutcome:
    """How many exchanges were scored, an exchange counted once per scorer, and on how many a scorer itself broke."""

    scored: int = 0
    broken: int = 0

    def __add__(self, other: ScoringOutcome) -> ScoringOutcome:
        return ScoringOutcome(self.scored + other.scored, self.broken + other.broken)


@dataclass(frozen=True)
class Asked:
    """A scorer with effects, whose exchanges it scores, and the key its scores are kept under."""

    scorer: AsyncScorer
    behaviour: str
    key: str


def score_stored(
    store: Store,
    suite: str,
    behaviour: str,
    scorers: Sequence[tuple[Scorer, str]],
    *,
    on_scored: Callable[[int], None] | None = None,
) -> ScoringOutcome:
    """Score every stored reply of `behaviour` on the cases of `suite` that these pure scorers have not scored yet.

    `scorers` come with the key that their scores are kept under.
    """
    outcome = ScoringOutcome()
    for scorer, key in scorers:
        pending = _unscored(store, suite, behaviour, scorer, key)
        while batch := list(islice(pending, BATCH)):
            rows: list[Row] = [_row(exchange, scorer.score(case, exchange)) for case, exchange in batch]
            # A scorer that broke is asked again next time; only what it said is kept.
            kept = [row for row in rows if not _is_broken(row)]
            store.add_scores(behaviour, key, kept)
            outcome += ScoringOutcome(len(kept), len(rows) - len(kept))
            if on_scored is not None:
                on_scored(len(rows))
    return outcome


async def ask_scorers(
    store: Store,
    suite: str,
    asked: Sequence[Asked],
    *,
    concurrency: int = 8,
    may_go_on: Callable[[], bool] = lambda: True,
    on_scored: Callable[[int], None] | None = None,
) -> ScoringOutcome:
    """Let scorers with effects score what they have not scored yet. Each score is stored before the next is asked for.

    Stops asking when `may_go_on` says no; what is under way is finished and kept.
    """
    outcome = ScoringOutcome()
    for one in asked:
        source = _Source(_unscored(store, suite, one.behaviour, one.scorer, one.key))
        workers = (_work(store, one, source, may_go_on, on_scored) for _ in range(concurrency))
        for done in await asyncio.gather(*workers):
            outcome += done
    return outcome


async def _work(
    store: Store,
    one: Asked,
    source: _Source,
    may_go_on: Callable[[], bool],
    on_scored: Callable[[int], None] | None,
) -> ScoringOutcome:
    done = ScoringOutcome()
    while may_go_on() and (pair := await source.take()) is not None:
        case, exchange = pair
        row = _row(exchange, await one.scorer.score_async(case, exchange))
        if _is_broken(row):
            done += ScoringOutcome(0, 1)
        else:
            await asyncio.to_thread(store.add_scores, one.behaviour, one.key, [row])
            done += ScoringOutcome(1, 0)
        if on_scored is not None:
            on_scored(1)
    return done


class _Source:
    """Hands out what is to be scored, reading ahead on another thread."""

    def __init__(self, pending: Iterator[Pair]) -> None:
        self._pending = pending
        self._waiting: list[Pair] = []
        self._lock = asyncio.Lock()

    async def take(self) -> Pair | None:
        async with self._lock:
            if not self._waiting:
                self._waiting = await asyncio.to_thread(lambda: list(islice(self._pending, BATCH)))
                self._waiting.reverse()
            return self._waiting.pop() if self._waiting else None


def _is_broken(row: Row) -> bool:
    return any(score.status == "error" for score in row[3])


def _row(exchange: Exchange, scores: Sequence[Score]) -> Row:
    return (exchange.case_id, exchange.input_digest, exchange.repeat, scores)


def _unscored(store: Store, suite: str, behaviour: str, scorer: AsyncScorer | Scorer, key: str) -> Iterator[Pair]:
    """What has no score under `key` yet. One walk over what is light finds it; texts are read of that alone."""
    names = frozenset(metric.name for metric in scorer.metrics)
    rows = (row for row in _current_replies(store, suite, behaviour, key) if names.isdisjoint(row.scores))
    while batch := list(islice(rows, BATCH)):
        ids = [row.case_id for row in batch]
        # A scorer that was asked and had nothing to say has a row without a score.
        asked = {one[:3] for one in store.iter_scores(behaviour, key, case_ids=ids)}
        wanted = {at for row in batch if (at := (row.case_id, row.input_digest, row.repeat)) not in asked}
        if wanted:
            yield from _texts(store, suite, behaviour, wanted)


def _current_replies(store: Store, suite: str, behaviour: str, key: str) -> Iterator[ArmRow]:
    """The arm's replies to the cases as they are now: a merge of two ordered streams."""
    cases = store.iter_case_rows(suite)
    case = next(cases, None)
    for row in store.iter_arm(behaviour, [key]):
        while case is not None and case.case_id < row.case_id:
            case = next(cases, None)
        if case is None:
            return
        if case.case_id == row.case_id and case.input_digest == row.input_digest and row.status == "reply":
            yield row


def _texts(store: Store, suite: str, behaviour: str, wanted: Collection[tuple[str, str, int]]) -> Iterator[Pair]:
    ids = [case_id for case_id, _, _ in wanted]
    cases = {case.case_id: case for case in store.iter_cases(suite, case_ids=ids)}
    for exchange in store.iter_exchanges(behaviour, case_ids=ids):
        if (exchange.case_id, exchange.input_digest, exchange.repeat) in wanted:
            yield cases[exchange.case_id], exchange
