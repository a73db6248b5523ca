"""Scoring what is stored and not yet scored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from segue.evals.scoring_pass import Asked, ask_scorers, score_stored
from segue.model import Case, Exchange, Failure, Json, Metric, Reply, Score
from segue.scoring.base import ScorerIdentity
from segue.store.memory import MemoryStore
from tests.evals.builders import WHO, a_case, some_cases

BEHAVIOUR = "b"


class Yes:
    """Right if the answer is yes; notes what it was shown. Breaks on the cases it is told."""

    def __init__(self, broken: set[str] | None = None, settings: Json = None) -> None:
        self.identity = ScorerIdentity("right", "test", "1", settings)
        self.metrics: Sequence[Metric] = (Metric(name="right"),)
        self.broken = broken or set()
        self.seen: list[tuple[str, int]] = []

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        assert exchange.reply is not None
        self.seen.append((case.case_id, exchange.repeat))
        if case.case_id in self.broken:
            return (Score("right", status="error", reason="the function raised KeyError"),)
        return (Score("right", float(exchange.reply.text == "yes")),)


class SlowYes:
    """The same with effects: at most so many at once."""

    def __init__(self) -> None:
        self.identity = ScorerIdentity("slow", "test", "1", None)
        self.metrics: Sequence[Metric] = (Metric(name="slow"),)
        self.running = self.most = self.asked = 0

    async def score_async(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3):
            await asyncio.sleep(0)
        self.running -= 1
        return (Score("slow", 1.0),)


def keyed(*scorers: Yes) -> list[tuple[Yes, str]]:
    """Scorers with the key their scores are kept under."""
    return [(scorer, scorer.identity.digest) for scorer in scorers]


def an_answer(case: Case, repeat: int = 0, text: str = "yes") -> Exchange:
    """A reply to the case as it is."""
    return Exchange(BEHAVIOUR, case.case_id, case.input_digest, repeat, reply=Reply(text))


def suite_of(store: MemoryStore, cases: Sequence[Case]) -> str:
    """Store the cases as a suite."""
    return store.add_suite("mail", "main", cases, **WHO).digest


def test_every_reply_is_scored_once() -> None:
    """A second pass has nothing to do."""
    store, scorer, cases = MemoryStore(), Yes(), some_cases(30)
    suite = suite_of(store, cases)
    store.add_exchanges(an_answer(case, repeat) for case in cases for repeat in range(3))
    told: list[int] = []
    assert score_stored(store, suite, BEHAVIOUR, keyed(scorer), on_scored=told.append).scored == 90
    assert sum(told) == 90
    assert score_stored(store, suite, BEHAVIOUR, keyed(scorer)).scored == 0
    assert len(scorer.seen) == 90


def test_only_replies_to_cases_as_they_are_now_are_scored() -> None:
    """Not failures, not answers to an earlier text, not cases of another suite."""
    store, scorer, cases = MemoryStore(), Yes(), some_cases(4)
    suite = suite_of(store, cases)
    elsewhere = a_case("c9")
    old_text = Exchange(BEHAVIOUR, "c0001", "0" * 64, reply=Reply("yes"))
    failed = Exchange(BEHAVIOUR, "c0002", cases[2].input_digest, failure=Failure("timeout"))
    store.add_exchanges([an_answer(cases[0]), old_text, failed, an_answer(elsewhere)])
    score_stored(store, suite, BEHAVIOUR, keyed(scorer))
    assert scorer.seen == [("c0000", 0)]


def test_a_scorer_that_broke_is_asked_again() -> None:
    """What it could not say is not kept, and counted."""
    store, cases = MemoryStore(), some_cases(10)
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    first = Yes(broken={"c0003", "c0007"})
    outcome = score_stored(store, suite, BEHAVIOUR, keyed(first))
    assert (outcome.scored, outcome.broken) == (8, 2)
    second = Yes()
    outcome = score_stored(store, suite, BEHAVIOUR, keyed(second))
    assert (outcome.scored, outcome.broken) == (2, 0)
    assert {case_id for case_id, _ in second.seen} == {"c0003", "c0007"}


def test_another_setting_is_another_scorer() -> None:
    """Scores of one grader version do not stand for another's."""
    store, cases = MemoryStore(), some_cases(5)
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    assert score_stored(store, suite, BEHAVIOUR, keyed(Yes())).scored == 5
    assert score_stored(store, suite, BEHAVIOUR, keyed(Yes(settings={"strict": True}))).scored == 5


def test_scorers_with_effects_run_within_their_bound() -> None:
    """Fifty outputs, four at once."""
    store, cases, scorer = MemoryStore(), some_cases(50), SlowYes()
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    asked = [Asked(scorer, BEHAVIOUR, "key", concurrency=4)]
    assert asyncio.run(ask_scorers(store, suite, asked)).scored == 50
    assert (scorer.most, scorer.asked) == (4, 50)


def test_a_judge_that_is_stopped_keeps_what_it_said_and_is_not_asked_for_it_again() -> None:
    """Each verdict is stored before the next is asked for."""
    store, cases, scorer = MemoryStore(), some_cases(30), SlowYes()
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    asked = [Asked(scorer, BEHAVIOUR, "key", concurrency=1)]
    asyncio.run(ask_scorers(store, suite, asked, may_go_on=lambda: scorer.asked < 12))
    assert len(store.scored(BEHAVIOUR, "key")) == scorer.asked == 12
    asyncio.run(ask_scorers(store, suite, [Asked(scorer, BEHAVIOUR, "key", concurrency=3)]))
    assert len(store.scored(BEHAVIOUR, "key")) == scorer.asked == 30


keys = st.tuples(st.integers(0, 9), st.integers(0, 2))


@given(answered=st.sets(keys), scored=st.sets(keys))
def test_what_was_scored_before_is_left_alone_and_the_rest_is_scored(
    answered: set[tuple[int, int]], scored: set[tuple[int, int]]
) -> None:
    """Whatever part is done already."""
    store, scorer, cases = MemoryStore(), Yes(), some_cases(10)
    suite = suite_of(store, cases)
    store.add_exchanges(an_answer(cases[number], repeat) for number, repeat in answered)
    done = [(cases[number].case_id, cases[number].input_digest, repeat, [Score("right", 0.0)]) for number, repeat in scored]
    store.add_scores(BEHAVIOUR, scorer.identity.digest, done)
    score_stored(store, suite, BEHAVIOUR, keyed(scorer))
    assert scorer.seen == sorted((cases[number].case_id, repeat) for number, repeat in answered - scored)


class Silent(Yes):
    """A scorer that has nothing to say of most cases."""

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        return super().score(case, exchange) if case.case_id < "c0003" else self.seen.append((case.case_id, 0)) or ()


def test_a_scorer_that_had_nothing_to_say_is_not_asked_again() -> None:
    """Limited to some cases, it has scored the others with nothing."""
    store, scorer, cases = MemoryStore(), Silent(), some_cases(10)
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    assert score_stored(store, suite, BEHAVIOUR, keyed(scorer)).scored == 10
    assert score_stored(store, suite, BEHAVIOUR, keyed(scorer)).scored == 0
    assert len(scorer.seen) == 10


def test_a_scorer_that_is_new_is_asked_and_the_others_are_not() -> None:
    """One of two was added to the workflow later."""
    store, old, new, cases = MemoryStore(), Yes(), Yes(settings="new"), some_cases(7)
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases))
    score_stored(store, suite, BEHAVIOUR, keyed(old))
    assert score_stored(store, suite, BEHAVIOUR, keyed(old, new)).scored == 7
    assert (len(old.seen), len(new.seen)) == (7, 7)


def test_texts_are_read_only_of_what_is_missing() -> None:
    """One answer of two hundred is new."""
    read: list[str] = []

    class Counting(MemoryStore):
        def iter_exchanges(self, behaviour: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Exchange]:
            read.extend(case_ids or ["all of them"])
            return super().iter_exchanges(behaviour, case_ids=case_ids)

    store, scorer, cases = Counting(), Yes(), some_cases(200)
    suite = suite_of(store, cases)
    store.add_exchanges(map(an_answer, cases[:-1]))
    score_stored(store, suite, BEHAVIOUR, keyed(scorer))
    read.clear()
    store.add_exchanges([an_answer(cases[-1])])
    score_stored(store, suite, BEHAVIOUR, keyed(scorer))
    # The fake walks its light rows through the same method, and asks for no case in doing so.
    assert [one for one in read if one != "all of them"] == ["c0199"]
