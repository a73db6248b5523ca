"""Walking two arms and a suite side by side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evals.walk import ArmRef, walk
from segue.model import Case, Exchange, Failure, Reply, Score
from segue.store import Store, open_store
from segue.store.memory import MemoryStore
from tests.evals.builders import WHO, a_case

IDS = ["a", "B", "b", "b0", "ä", "日", "z"]
Key = tuple[str, bool, int]
"""`(case_id, whether made from an earlier text, repeat)`."""


@dataclass(frozen=True)
class Told:
    """What is stored: cases of the suite, and per arm which keys have a reply (True) or a failure (False)."""

    cases: frozenset[str]
    old: dict[Key, bool]
    new: dict[Key, bool]
    repeats: frozenset[int] | None


keys = st.tuples(st.sampled_from(IDS), st.booleans(), st.integers(0, 3))
tellings = st.builds(
    Told,
    cases=st.frozensets(st.sampled_from(IDS)),
    old=st.dictionaries(keys, st.booleans(), max_size=25),
    new=st.dictionaries(keys, st.booleans(), max_size=25),
    repeats=st.none() | st.frozensets(st.integers(0, 3)),
)


def digest_of_text(case_id: str, stale: bool) -> str:
    """The input digest of a case, now or of an earlier text."""
    return a_case(f"{case_id} before").input_digest if stale else a_case(case_id).input_digest


def fill(store: Any, told: Told, behaviours: tuple[str, str]) -> str:
    """Store what is told; returns the suite."""
    for behaviour, arm in zip(behaviours, (told.old, told.new), strict=True):
        for (case_id, stale, repeat), replied in arm.items():
            exchange = Exchange(behaviour, case_id, digest_of_text(case_id, stale), repeat, reply=Reply("yes"), latency_ms=7.0)
            if not replied:
                exchange = replace(exchange, reply=None, failure=Failure("timeout"))
            store.add_exchanges([exchange])
            if replied:
                score = Score("right", float(repeat % 2))
                store.add_scores(behaviour, "s", [(case_id, exchange.input_digest, repeat, [score])])
    return store.add_suite("mail", "main", [a_case(case_id) for case_id in told.cases], **WHO).digest


def joined(told: Told, case_id: str, arm: dict[Key, bool]) -> tuple[list[tuple[int, str, dict[str, float]]], int]:
    """The same by a dictionary: usable rows by repeat, and how many are stale."""
    wanted = {key: replied for key, replied in arm.items() if told.repeats is None or key[2] in told.repeats}
    rows = [
        (repeat, "reply" if replied else "failure", {"right": float(repeat % 2)} if replied else {})
        for (found, stale, repeat), replied in wanted.items()
        if found == case_id and not stale
    ]
    return sorted(rows), sum(1 for found, stale, _ in wanted if found == case_id and stale)


def check(store: Any, told: Told, number: int = 0) -> None:
    """Every case of the suite once, in order, with what a join by dictionary finds."""
    behaviours = (f"old-{number}", f"new-{number}")
    suite = fill(store, told, behaviours)
    refs = [ArmRef(behaviour, ("s",), told.repeats) for behaviour in behaviours]
    walked = list(walk(store, suite, *refs))
    assert [one.row.case_id for one in walked] == sorted(told.cases)
    for one in walked:
        for rows, stale, arm in ((one.old, one.stale_old, told.old), (one.new, one.stale_new, told.new)):
            found = sorted((row.repeat, row.status, dict(row.scores)) for row in rows)
            assert (found, stale) == joined(told, one.row.case_id, arm)


@given(tellings)
def test_merging_the_streams_equals_a_join_by_dictionary(told: Told) -> None:
    """Arms may lack cases, hold cases the suite has not, and results of earlier texts, which are counted and not used."""
    check(MemoryStore(), told)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One SQLite store for all examples, each with arms of its own."""
    store = open_store(tmp_path_factory.mktemp("walk") / "state.db")
    yield store
    store.close()


numbers = itertools.count()


@given(tellings)
def test_a_database_orders_its_streams_as_the_walk_needs_them(database: Store, told: Told) -> None:
    """Upper case, umlauts and other scripts included."""
    check(database, told, next(numbers))


def test_an_empty_suite_has_nothing_to_walk() -> None:
    """Whatever the arms hold."""
    check(MemoryStore(), Told(frozenset(), {("a", False, 0): True}, {}, None))


def test_no_more_than_one_case_is_held_at_a_time() -> None:
    """The arms are read as the suite is walked, not before."""
    read: list[str] = []

    class Counting(MemoryStore):
        def iter_arm(self, behaviour: str, scorers: Any) -> Iterator[Any]:
            for row in super().iter_arm(behaviour, scorers):
                read.append(row.case_id)
                yield row

    store = Counting()
    cases: list[Case] = [a_case(f"c{number}") for number in range(9)]
    for behaviour in ("old", "new"):
        store.add_exchanges(Exchange(behaviour, case.case_id, case.input_digest, reply=Reply("yes")) for case in cases)
    suite = store.add_suite("mail", "main", cases, **WHO).digest
    walked = walk(store, suite, ArmRef("old", ()), ArmRef("new", ()))
    next(walked)
    next(walked)
    assert max(read) == "c2"
