"""Pairs of both arms' texts, read from the store as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.drift.pairs import count_pairs, verdicts_of
from segue.evals.case_sample import CaseSample, sample_cases
from segue.evals.pairs import Side, StoredPairs
from segue.evals.slicing import CaseFilter
from segue.model import Case, Exchange, Failure, Reply, Score
from segue.store.memory import MemoryStore
from tests.evals.builders import WHO, a_case, some_cases

EVERY = CaseFilter({})
OLD: Side = ("old", "s", None)
NEW: Side = ("new", "s", None)


def suite_of(store: MemoryStore, cases: Sequence[Case]) -> str:
    """Store the cases as a suite."""
    return store.add_suite("mail", "main", cases, **WHO).digest


def answer(store: MemoryStore, behaviour: str, case: Case, text: str | None, *, repeat: int = 0, score: float | None) -> None:
    """One answer (`None`: a failure), scored unless `score` is `None`."""
    reply, failure = (None, Failure("timeout")) if text is None else (Reply(text), None)
    store.add_exchanges([Exchange(behaviour, case.case_id, case.input_digest, repeat, reply=reply, failure=failure)])
    if score is not None:
        store.add_scores(behaviour, "s", [(case.case_id, case.input_digest, repeat, [Score("right", score)])])


def pairs_of(store: MemoryStore, suite: str, **fields: Any) -> StoredPairs:
    """Pairs of the metric `right` over all cases."""
    return StoredPairs(store, suite, metric="right", **{"old": OLD, "new": NEW, "cases": EVERY, **fields})


def a_table(store: MemoryStore, cases: Sequence[Case], old: Mapping[int, float], new: Mapping[int, float]) -> None:
    """Answers by number of the case; those that are left out are missing."""
    for behaviour, told in (("old", old), ("new", new)):
        for number, value in told.items():
            answer(store, behaviour, cases[number], f"{behaviour} {number}", score=value)


def test_a_pair_needs_a_reply_of_both_arms() -> None:
    """Missing on one side, failed on one side: no pair."""
    store, cases = MemoryStore(), some_cases(4)
    suite = suite_of(store, cases)
    a_table(store, cases, {0: 1, 1: 1, 3: 1}, {0: 0, 2: 1})
    answer(store, "new", cases[3], None, score=None)
    (pair,) = pairs_of(store, suite)
    assert (pair.case.case_id, pair.old_right, pair.new_right) == ("c0000", True, False)
    assert pair.old.reply == Reply("old 0")


def test_where_less_is_better_a_low_score_is_right() -> None:
    """A rate of unwanted answers."""
    store, cases = MemoryStore(), some_cases(1)
    suite = suite_of(store, cases)
    a_table(store, cases, {0: 0.0}, {0: 1.0})
    (pair,) = pairs_of(store, suite, lower=True)
    assert pair.is_newly_failing


def test_the_lowest_scored_repeat_stands_for_an_arm() -> None:
    """Repeat 0 failed, repeat 1 could not be scored, repeat 2 was."""
    store, (case,) = MemoryStore(), some_cases(1)
    suite = suite_of(store, [case])
    answer(store, "old", case, "yes", score=1.0)
    answer(store, "new", case, None, score=None)
    answer(store, "new", case, "one", repeat=1, score=None)
    answer(store, "new", case, "two", repeat=2, score=0.0)
    (pair,) = pairs_of(store, suite)
    assert (pair.new.repeat, pair.new_right) == (2, False)


def test_only_the_repeats_that_were_asked_for_count() -> None:
    """One arm by its second run."""
    store, (case,) = MemoryStore(), some_cases(1)
    suite = suite_of(store, [case])
    for repeat in range(2):
        answer(store, "old", case, f"run {repeat}", repeat=repeat, score=1.0 - repeat)
    (pair,) = pairs_of(store, suite, old=("old", "s", frozenset({0})), new=("old", "s", frozenset({1})))
    assert (pair.old.repeat, pair.new.repeat, pair.is_newly_failing) == (0, 1, True)


def test_an_answer_to_an_earlier_text_of_the_case_is_no_pair() -> None:
    """It answers something else."""
    store, (case,) = MemoryStore(), some_cases(1)
    suite = suite_of(store, [case])
    answer(store, "old", case, "yes", score=1.0)
    answer(store, "new", a_case("c0000").model_copy(update={"messages": a_case("other").messages}), "yes", score=1.0)
    assert list(pairs_of(store, suite)) == []


def test_unscored_pairs_are_there_with_an_unknown_verdict() -> None:
    """Their form can still be looked at."""
    store, (case,) = MemoryStore(), some_cases(1)
    suite = suite_of(store, [case])
    answer(store, "old", case, "yes", score=None)
    answer(store, "new", case, "yes", score=1.0)
    (pair,) = pairs_of(store, suite)
    assert (pair.old_right, pair.new_right) == (None, True)


scores = st.dictionaries(st.integers(0, 11), st.sampled_from([0.0, 1.0]))


@given(old=scores, new=scores)
def test_verdicts_alone_count_like_whole_pairs(old: dict[int, float], new: dict[int, float]) -> None:
    """Without a text being read."""
    store, cases = MemoryStore(), some_cases(12)
    suite = suite_of(store, cases)
    a_table(store, cases, old, new)
    pairs = pairs_of(store, suite)
    assert count_pairs(verdicts_of(pairs)) == count_pairs((one.old_right, one.new_right) for one in pairs)
    assert len(pairs) == len(old.keys() & new.keys())


@given(old=scores, new=scores)
def test_choosing_by_verdict_is_choosing_among_all(old: dict[int, float], new: dict[int, float]) -> None:
    """The same flips, in the same order."""
    store, cases = MemoryStore(), some_cases(12)
    suite = suite_of(store, cases)
    a_table(store, cases, old, new)
    pairs = pairs_of(store, suite)
    chosen = list(pairs.where(lambda before, after: (before, after) == (True, False)))
    assert chosen == [one for one in pairs if one.is_newly_failing]


def test_flips_are_found_without_reading_the_other_texts() -> None:
    """Two of a thousand."""
    read: list[str] = []

    class Counting(MemoryStore):
        def iter_exchanges(self, behaviour: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Exchange]:
            read.extend(case_ids or ["all of them"])
            return super().iter_exchanges(behaviour, case_ids=case_ids)

    store, cases = Counting(), some_cases(1000)
    suite = suite_of(store, cases)
    a_table(store, cases, dict.fromkeys(range(1000), 1.0), {number: float(number not in (7, 700)) for number in range(1000)})
    flips = [one.case.case_id for one in pairs_of(store, suite).where(lambda before, after: before is True and after is False)]
    assert flips == ["c0007", "c0700"]
    assert set(read) == {"c0007", "c0700"}


def test_chosen_cases_alone_are_walked() -> None:
    """A sample stands for the suite."""
    store, cases = MemoryStore(), some_cases(10)
    suite = suite_of(store, cases)
    a_table(store, cases, dict.fromkeys(range(10), 1.0), dict.fromkeys(range(10), 1.0))
    sample = CaseSample(tuple((case.case_id, case.input_digest) for case in cases[::3]), 3)
    assert [one.case.case_id for one in pairs_of(store, suite, cases=sample)] == ["c0000", "c0003", "c0006", "c0009"]


@given(n=st.integers(0, 90), most=st.integers(1, 40))
def test_a_sample_is_even_and_as_large_as_it_may_be(n: int, most: int) -> None:
    """Every step-th case from the first on, more than half of what is allowed, never more."""
    store = MemoryStore()
    suite = suite_of(store, some_cases(n)) if n else suite_of(store, [])
    sample = sample_cases(store, suite, {"": EVERY}, most=most)[""]
    assert [case_id for case_id, _ in sample.cases] == [f"c{number:04}" for number in range(0, n, sample.step)]
    assert min(n, most / 2) <= len(sample.cases) <= most
    assert sample.step == 1 or n > most


@given(n=st.integers(1, 90), most=st.integers(1, 40))
def test_a_thinned_sample_is_as_even_as_the_whole(n: int, most: int) -> None:
    """Forms are looked at on fewer cases than causes."""
    whole = CaseSample(tuple((f"c{number:04}", "i") for number in range(n)))
    thin = whole.thinned(most)
    assert list(thin.cases) == list(whole.cases[:: thin.step])
    assert len(thin.cases) <= most


def test_samples_of_several_slices_come_from_one_walk() -> None:
    """However many slices are looked behind, the suite is read once."""
    walks: list[str] = []

    class Counting(MemoryStore):
        def iter_case_rows(self, suite: str) -> Any:
            walks.append(suite)
            return super().iter_case_rows(suite)

    store = Counting()
    suite = suite_of(store, [a_case(f"c{number}", slice={"lang": "de" if number % 2 else "en"}) for number in range(8)])
    filters = {"": EVERY, "lang=de": CaseFilter({"lang": frozenset({"de"})})}
    samples = sample_cases(store, suite, filters, most=100)
    assert {name: len(one.cases) for name, one in samples.items()} == {"": 8, "lang=de": 4}
    assert len(walks) == 1
