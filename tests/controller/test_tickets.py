"""Ticket counts: told once, corrected, and never taken for zero."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from segue.controller.tickets import record_tickets, ticket_days, ticket_trend
from segue.errors import InputError
from segue.store.memory import MemoryStore
from tests.store.builders import WHO

MONDAY = date(2026, 11, 16)
TODAY = date(2026, 11, 21)


@pytest.fixture
def store() -> MemoryStore:
    """Empty."""
    return MemoryStore()


def told(store: MemoryStore, day: date, count: int, source: str = "zendesk") -> bool:
    return record_tickets(store, "mail", day, count, source, today=TODAY, **WHO)


def test_the_same_count_told_twice_is_one_fact(store: MemoryStore) -> None:
    """A script that runs again after a failure changes nothing."""
    assert [told(store, MONDAY, 7), told(store, MONDAY, 7)] == [True, False]
    assert len(store.list_facts("mail", kind="tickets")) == 1


def test_another_count_is_a_correction_and_both_stay_on_record(store: MemoryStore) -> None:
    """The last one counts; the first is named by it."""
    told(store, MONDAY, 7)
    told(store, MONDAY, 9)
    first, second = store.list_facts("mail", kind="tickets")
    assert second.body == {"day": "2026-11-16", "count": 9, "source": "zendesk", "corrects": first.number}
    assert ticket_days(store, "mail", MONDAY, MONDAY)[0].count == 9


def test_sources_of_one_day_add_up(store: MemoryStore) -> None:
    """Each counts its own."""
    told(store, MONDAY, 7)
    told(store, MONDAY, 2, "mail")
    assert ticket_days(store, "mail", MONDAY, MONDAY)[0].count == 9


def test_a_day_without_a_count_is_unknown_and_a_day_of_none_is_zero(store: MemoryStore) -> None:
    """A help desk that told nothing is not one that nobody wrote to."""
    told(store, MONDAY, 0)
    days = ticket_days(store, "mail", MONDAY, MONDAY + timedelta(days=1))
    assert [one.count for one in days] == [0, None]


def test_the_trend_is_over_known_days_beside_the_weeks_before(store: MemoryStore) -> None:
    """And says how many days nobody counted."""
    told(store, MONDAY, 10)
    told(store, MONDAY + timedelta(days=2), 20)
    told(store, MONDAY - timedelta(days=3), 12)
    trend = ticket_trend(store, "mail", MONDAY, MONDAY + timedelta(days=2))
    assert (trend.per_day, trend.per_day_before, trend.unknown) == (15, 12, (MONDAY + timedelta(days=1),))
    assert trend.sentence == "15.0 tickets a day, 12.0 in the weeks before (+25%); 1 day without a count."


def test_nothing_told_is_said_to_be_nothing_known(store: MemoryStore) -> None:
    """Not "0.0 tickets a day"."""
    trend = ticket_trend(store, "mail", MONDAY, TODAY)
    assert (trend.per_day, trend.sentence) == (None, "Nobody told how many tickets there were in 6 days.")


@pytest.mark.parametrize(
    ("day", "count", "source", "path"),
    [
        (TODAY + timedelta(days=1), 1, "x", "day"),
        (MONDAY, -1, "x", "count"),
        (MONDAY, True, "x", "count"),
        (MONDAY, 10**9, "x", "count"),
        (MONDAY, 1, " ", "source"),
    ],
    ids=["tomorrow", "negative", "truth", "huge", "nobody"],
)
def test_what_cannot_be_is_refused_by_name(store: MemoryStore, day: date, count: int, source: str, path: str) -> None:
    """And nothing is written."""
    with pytest.raises(InputError) as refused:
        told(store, day, count, source)
    assert [one.path for one in refused.value.faults] == [path]
    assert not store.list_facts("mail")
