"""Scores what is stored and not yet scored: pure scorers in a stream, scorers with effects with bounded concurrency.

What is scored is kept at once, so that either can be stopped anywhere; a judge is not paid twice for one output.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from segue.evals.judge_calls import NotAskedError
from segue.evals.workers import work_off
from segue.model import Case, Exchange, Score
from segue.scoring.base import AsyncScorer, Scorer
from segue.store.base import ArmRow, CaseRow, Store

BATCH = 2_000
MOST_EXAMPLES = 3
Row = tuple[str, str, int, Sequence[Score]]
Pair = tuple[Case, Exchange]


@dataclass(frozen=True, slots=True)
class ScoringOutcome:
    """How many exchanges were scored, an exchange counted once per scorer, and on how many a scorer itself broke.

    `examples` tell of the first few breaks which scorer, on which case, and what happened.
    """

    scored: int = 0
    broken: int = 0
    examples: tuple[str, ...] = ()

    def __add__(self, other: ScoringOutcome) -> ScoringOutcome:
        examples = (*self.examples, *other.examples)[:MOST_EXAMPLES]
        return ScoringOutcome(self.scored + other.scored, self.broken + other.broken, examples)


@dataclass(frozen=True)
class Asked:
    """A scorer with effects, whose exchanges it scores, and the key its scores are kept under.

    `admits` says which cases it is asked about, for whoever is paid by the question.
    """

    scorer: AsyncScorer
    behaviour: str
    key: str
    concurrency: int = 8
    admits: Callable[[CaseRow], bool] = lambda _: True


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
            outcome += ScoringOutcome(len(kept), len(rows) - len(kept), tell_broken(rows))
            if on_scored is not None:
                on_scored(len(rows))
    return outcome


async def ask_scorers(
    store: Store,
    suite: str,
    asked: Sequence[Asked],
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    on_scored: Callable[[int], None] | None = None,
) -> ScoringOutcome:
    """Let scorers with effects score what they have not scored yet. Each score is stored before the next is asked for.

    Stops asking when `may_go_on` says no; what is under way is finished and kept. What a judge may not be asked is left open
    (`NotAskedError`), and is no break.
    """
    outcome = ScoringOutcome()
    for one in asked:
        done = _Done()

        async def score(pair: Pair, one: Asked = one, done: _Done = done) -> None:
            case, exchange = pair
            try:
                row = _row(exchange, await one.scorer.score_async(case, exchange))
            except NotAskedError:
                return
            if _is_broken(row):
                done.broken += 1
                done.examples = (*done.examples, *tell_broken([row]))[:MOST_EXAMPLES]
            else:
                await asyncio.to_thread(store.add_scores, one.behaviour, one.key, [row])
                done.scored += 1
            if on_scored is not None:
                on_scored(1)

        pending = _unscored(store, suite, one.behaviour, one.scorer, one.key, admits=one.admits)
        await work_off(pending, score, concurrency=one.concurrency, may_go_on=may_go_on)
        outcome += ScoringOutcome(done.scored, done.broken, done.examples)
    return outcome


@dataclass(slots=True)
class _Done:
    scored: int = 0
    broken: int = 0
    examples: tuple[str, ...] = ()


def tell_broken(rows: Iterable[Row]) -> tuple[str, ...]:
    """The first few breaks in words: `polite on case c0007: the function raised KeyError`."""
    told = (f"{score.name} on case {row[0]}: {score.reason}" for row in rows for score in row[3] if score.status == "error")
    return tuple(islice(told, MOST_EXAMPLES))


def _is_broken(row: Row) -> bool:
    return any(score.status == "error" for score in row[3])


def _row(exchange: Exchange, scores: Sequence[Score]) -> Row:
    return (exchange.case_id, exchange.input_digest, exchange.repeat, scores)


def _unscored(
    store: Store,
    suite: str,
    behaviour: str,
    scorer: AsyncScorer | Scorer,
    key: str,
    *,
    admits: Callable[[CaseRow], bool] = lambda _: True,
) -> Iterator[Pair]:
    """What has no score under `key` yet. One walk over what is light finds it; texts are read of that alone."""
    names = frozenset(metric.name for metric in scorer.metrics)
    rows = (row for row in _current_replies(store, suite, behaviour, key, admits) if names.isdisjoint(row.scores))
    while batch := list(islice(rows, BATCH)):
        ids = [row.case_id for row in batch]
        # A scorer that was asked and had nothing to say has a row without a score.
        asked = {one[:3] for one in store.iter_scores(behaviour, key, case_ids=ids)}
        wanted = {at for row in batch if (at := (row.case_id, row.input_digest, row.repeat)) not in asked}
        if wanted:
            yield from _texts(store, suite, behaviour, wanted)


def n_unscored(store: Store, suite: str, one: Asked) -> int:
    """How many outputs a scorer with effects has not scored yet. No text is read."""
    names = frozenset(metric.name for metric in one.scorer.metrics)
    rows = _current_replies(store, suite, one.behaviour, one.key, one.admits)
    return sum(names.isdisjoint(row.scores) for row in rows)


def _current_replies(store: Store, suite: str, behaviour: str, key: str, admits: Callable[[CaseRow], bool]) -> Iterator[ArmRow]:
    """The arm's replies to the cases as they are now: a merge of two ordered streams."""
    cases = filter(admits, store.iter_case_rows(suite))
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
