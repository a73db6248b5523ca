"""Pairwise judges on two stored arms: which pairs have no preference yet, asking for it, and keeping it as a metric of both.

A preference `v` for the new answer is kept as `v` among the new arm's scores and as `1 − v` among the old arm's, under a key
that holds both behaviours: it says nothing of any other pair. The new arm's row comes first and carries the details; where a
process died before the other was written, it is made from the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from segue.evals.judge_calls import NotAskedError
from segue.evals.scoring_pass import ScoringOutcome
from segue.evals.walk import ArmRef, walk
from segue.evals.workers import work_off
from segue.gates.tally import Observed
from segue.model import Case, Exchange, Score
from segue.scoring.pairs import PairScorer, PairwisePreference
from segue.store.base import ArmRow, CaseRow, Store

CHUNK = 300
"""Cases whose texts are read at a time."""
LABELS = {1.0: "won", 0.5: "tie", 0.0: "lost"}
Pair = tuple[Case, Exchange, Exchange]


@dataclass(frozen=True)
class PairAsked:
    """A pair scorer, the behaviours of both arms, the key its preferences are kept under, and the cases it is asked about."""

    scorer: PairScorer
    old: str
    new: str
    key: str
    admits: Callable[[CaseRow], bool]
    concurrency: int = 8

    @property
    def metric(self) -> str:
        """What the preference is called."""
        return self.scorer.metrics[0].name


async def ask_pairs(
    store: Store,
    suite: str,
    one: PairAsked,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    on_scored: Callable[[int], None] | None = None,
) -> ScoringOutcome:
    """Ask for the preferences that are missing. Each is stored before the next is asked for; an error is not kept."""
    await asyncio.to_thread(complete_pairs, store, one)
    scored = broken = 0

    async def prefer(pair: Pair) -> None:
        nonlocal scored, broken
        case, old, new = pair
        try:
            found = await one.scorer.prefer(case, old, new)
        except NotAskedError:
            return
        if found.status == "error":
            broken += 1
        else:
            await asyncio.to_thread(_keep, store, one, new, found)
            scored += 1
        if on_scored is not None:
            on_scored(1)

    await work_off(unjudged_pairs(store, suite, one), prefer, concurrency=one.concurrency, may_go_on=may_go_on)
    return ScoringOutcome(scored, broken)


def complete_pairs(store: Store, one: PairAsked) -> None:
    """Give the old arm what only the new one has: a process died between the two."""
    lacking = store.scored(one.new, one.key) - store.scored(one.old, one.key)
    if not lacking:
        return
    held = store.iter_scores(one.new, one.key, case_ids=[case_id for case_id, _, _ in lacking])
    store.add_scores(
        one.old,
        one.key,
        [
            (case_id, digest, repeat, [turned(score) for score in scores])
            for case_id, digest, repeat, scores in held
            if (case_id, digest, repeat) in lacking
        ],
    )


def unjudged_pairs(store: Store, suite: str, one: PairAsked) -> Iterator[Pair]:
    """Pairs of replies to the case as it is now, of the same repeat, without a preference. Texts are read of these alone."""
    light = _unjudged(store, suite, one)
    while batch := list(islice(light, CHUNK)):
        wanted = {(case_id, repeat) for case_id, repeat in batch}
        ids = list(dict.fromkeys(case_id for case_id, _ in batch))
        cases = {case.case_id: case for case in store.iter_cases(suite, case_ids=ids)}
        old, new = (_texts(store, behaviour, ids, cases) for behaviour in (one.old, one.new))
        for case_id, repeat in sorted(wanted):
            yield cases[case_id], old[case_id, repeat], new[case_id, repeat]


def n_unjudged(store: Store, suite: str, one: PairAsked) -> int:
    """How many pairs have no preference yet. No text is read."""
    return sum(1 for _ in _unjudged(store, suite, one))


def _unjudged(store: Store, suite: str, one: PairAsked) -> Iterator[tuple[str, int]]:
    keys = (one.key,)
    for walked in walk(store, suite, ArmRef(one.old, keys), ArmRef(one.new, keys)):
        if not one.admits(walked.row):
            continue
        before = {row.repeat for row in walked.old if row.status == "reply"}
        for row in walked.new:
            if row.status == "reply" and row.repeat in before and one.metric not in row.scores:
                yield walked.row.case_id, row.repeat


def _texts(store: Store, behaviour: str, ids: Sequence[str], cases: dict[str, Case]) -> dict[tuple[str, int], Exchange]:
    return {
        (found.case_id, found.repeat): found
        for found in store.iter_exchanges(behaviour, case_ids=ids)
        if found.input_digest == cases[found.case_id].input_digest and found.reply is not None
    }


def _keep(store: Store, one: PairAsked, new: Exchange, found: PairwisePreference) -> None:
    score = score_of(one.metric, found)
    key = (new.case_id, new.input_digest, new.repeat)
    store.add_scores(one.new, one.key, [(*key, [score])])
    store.add_scores(one.old, one.key, [(*key, [turned(score)])])


def score_of(metric: str, found: PairwisePreference) -> Score:
    """A preference as the new arm's score, with everything that is known of it."""
    detail: dict[str, Any] = {
        "choices": list(found.choices),
        "position_inconsistent": found.position_inconsistent,
        "identical": found.identical,
        **found.detail,
    }
    label = None if found.value is None else LABELS[found.value]
    return Score(metric, found.value, label, found.status, found.reason, detail)


def preference_of(case_id: str, score: Score) -> PairwisePreference:
    """What `score_of` was made from."""
    detail = score.detail if isinstance(score.detail, dict) else {}
    return PairwisePreference(
        case_id,
        score.value,
        score.status,
        score.reason,
        tuple(detail.get("choices", ())),
        bool(detail.get("position_inconsistent")),
        bool(detail.get("identical")),
    )


def turned(score: Score) -> Score:
    """The other arm's side of it."""
    value = None if score.value is None else 1.0 - score.value
    return replace(score, value=value, label=None if value is None else LABELS[value], detail=None)


def compared_alone(
    metrics: frozenset[str], rows: Sequence[ArmRow], others: Sequence[ArmRow], observed: Sequence[Observed]
) -> list[Observed]:
    """One arm's runs, told which of them could not be compared because the *other* arm has no reply there.

    That a pair is lacking is the fault of the arm that lacks its half, and is counted there.
    """
    there = {row.repeat for row in others if row.status == "reply"}
    return [
        replace(run, unasked=metrics) if row.status == "reply" and row.repeat not in there else run
        for row, run in zip(rows, observed, strict=True)
    ]
