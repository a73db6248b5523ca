"""Drills: real flips, confirmed, measured, and the route as it was afterwards, whatever came between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from segue.controller.drilling import DrillAsked, Drilled, is_under_way, last_good_drill, repair, run_drill, unfinished
from segue.errors import InputError
from segue.gateway.control import Confirmed
from segue.model.route import Route, RouteRevision, SegmentRule
from segue.store import MemoryStore
from tests.controller.undertaken import NEW, NOW, OLD
from tests.store.builders import WHO

STAGING = Route(workflow="mail", environment="staging", incumbent=OLD.digest)
LIVE = Route(workflow="mail", incumbent=OLD.digest, candidate=NEW.digest, share=0.25)
ASKED = DrillAsked("d1", "mail", "staging", "staging", "ada", NEW.digest)
HELD = DrillAsked("d1", "mail", "production", "holdback", "ada")


class Killed(BaseException):
    """The process is gone, between two statements."""


def a_store(*routes: Route) -> MemoryStore:
    """With these routes in force."""
    store = MemoryStore()
    for bundle in (OLD, NEW):
        store.add_bundle(bundle, **WHO)
    for route in routes:
        store.flip_route(route, follows=None, author="bob", reason="set", at="t1")
    return store


def confirmed(revision: RouteRevision) -> list[Confirmed]:
    """One gateway, at once."""
    return [Confirmed("1", 1.0, revision.revision, 2, None)]


def drill(
    store: MemoryStore, asked: DrillAsked = ASKED, confirm: Callable[[RouteRevision], list[Confirmed]] = confirmed
) -> Drilled:
    """A second passes at each look at the clock."""
    ticks = count()
    return run_drill(store, asked, confirm, ticks=lambda: float(next(ticks)), now=NOW)


def served(store: MemoryStore, environment: str) -> list[tuple[str | None, float]]:
    """Candidate and share of each revision, oldest first."""
    history = store.route_history("mail", environment)
    return [(one.route.candidate, round(one.route.share, 6)) for one in reversed(history)]


def test_in_staging_everyone_meets_the_candidate_and_is_taken_back() -> None:
    """Three revisions, two of them timed, and a fact that counts."""
    store = a_store(STAGING)
    done = drill(store)
    assert (done.flip_ms, done.rollback_ms, done.gateways, done.ok) == (1000.0, 1000.0, 1, True)
    assert served(store, "staging") == [(None, 0.0), (NEW.digest, 1.0), (None, 0.0)]
    found = last_good_drill(store, "mail", environment="staging")
    assert found is not None
    assert (found["incumbent"], found["rollback_ms"]) == (OLD.digest, 1000.0)
    assert unfinished(store, "mail", "staging") is None


def test_on_a_holdback_nobody_meets_the_candidate_who_did_not() -> None:
    """Two points fewer for a moment, then as many as before."""
    store = a_store(LIVE)
    done = drill(store, HELD)
    assert served(store, "production") == [(NEW.digest, 0.25), (NEW.digest, 0.23), (NEW.digest, 0.25)]
    assert (done.ok, done.flip_ms, done.rollback_ms) == (True, 1000.0, 1000.0)
    assert store.find_route("mail", "production").route == LIVE
    segment = a_store(LIVE.model_copy(update={"share": 0.0, "segments": (SegmentRule(segment="s", share=0.01),)}))
    assert drill(segment, HELD).ok


@pytest.mark.parametrize(
    ("route", "asked", "told"),
    [
        (LIVE.rolled_back(), HELD, "nobody to hold back"),
        (STAGING, DrillAsked("d", "mail", "staging", "staging", "ada"), "no candidate to rehearse with"),
        (STAGING, DrillAsked("d", "mail", "staging", "staging", "ada", OLD.digest), "is the incumbent"),
    ],
    ids=["nobody-exposed", "no-candidate", "the-incumbent"],
)
def test_what_cannot_be_rehearsed_is_refused_before_anything_is_flipped(route: Route, asked: DrillAsked, told: str) -> None:
    """With the command to type instead."""
    store = a_store(route)
    with pytest.raises(InputError, match=told) as caught:
        drill(store, asked)
    assert caught.value.fix
    assert len(served(store, asked.environment)) == 1


def test_no_gateway_or_one_that_does_not_confirm_is_no_drill() -> None:
    """The route is as it was; nothing counts."""
    nobody = drill(a_store(STAGING), confirm=lambda _: [])
    assert not nobody.ok
    assert "No gateway serves staging" in nobody.faults[0]
    store = a_store(STAGING)
    late = drill(store, confirm=lambda _: [Confirmed("1", 1.0, 1, 2, None)])
    assert not late.ok
    assert "did not confirm the flip" in late.faults[0]
    assert last_good_drill(store, "mail") is None
    assert store.find_route("mail", "staging").route == STAGING


@pytest.mark.parametrize("asked", [ASKED, HELD], ids=["staging", "holdback"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_interrupted_the_route_is_as_it_was(asked: DrillAsked, nth: int) -> None:
    """Wherever Ctrl-C came; what was interrupted does not count."""
    calls = count(1)

    def interrupted(revision: RouteRevision) -> list[Confirmed]:
        if next(calls) == nth:
            raise KeyboardInterrupt
        return confirmed(revision)

    before = STAGING if asked.kind == "staging" else LIVE
    store = a_store(before)
    try:
        drill(store, asked, interrupted)
    except KeyboardInterrupt:
        assert last_good_drill(store, "mail") is None
    assert store.find_route("mail", asked.environment).route == before


class Mortal(MemoryStore):
    """Dies before or after the n-th write, and does nothing after it."""

    left = 10**9

    def flip_route(self, *given: Any, **named: Any) -> RouteRevision:
        self._live()
        done = super().flip_route(*given, **named)
        self._live()
        return done

    def _live(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed


@pytest.mark.parametrize("asked", [ASKED, HELD], ids=["staging", "holdback"])
@pytest.mark.parametrize("left", range(1, 8))
def test_killed_anywhere_the_next_drill_finds_it_and_puts_it_right(asked: DrillAsked, left: int) -> None:
    """What it left is said; once it is repaired, nothing is."""
    before = STAGING if asked.kind == "staging" else LIVE
    store = Mortal()
    for bundle in (OLD, NEW):
        store.add_bundle(bundle, **WHO)
    store.flip_route(before, follows=None, author="bob", reason="set", at="t1")
    store.left = left
    with suppress(Killed):
        drill(store, asked)
    store.left = 10**9
    last = store.find_route("mail", asked.environment)
    found = unfinished(store, "mail", asked.environment)
    assert (found is not None) == (last.route != before)
    if found is not None:
        assert "was cut off" in found.sentence()
        assert is_under_way(store, last, NOW + 10)
        assert not is_under_way(store, last, NOW + 1000), "left behind"
        assert repair(store, found, confirmed, by="bob", now=NOW)
    assert store.find_route("mail", asked.environment).route == before
    assert unfinished(store, "mail", asked.environment) is None


def test_a_flip_that_somebody_else_makes_meanwhile_stands() -> None:
    """A rollback of the real thing, say: the drill leaves it, and does not count."""
    store = a_store(LIVE)

    def rolled_back(revision: RouteRevision) -> list[Confirmed]:
        if store.find_route("mail", "production").author != "eve":
            store.flip_route(LIVE.rolled_back(), follows=revision.revision, author="eve", reason="it burns", at="t")
        return confirmed(revision)

    done = drill(store, HELD, rolled_back)
    assert not done.ok
    assert "eve flipped the route meanwhile" in " ".join(done.faults)
    assert store.find_route("mail", "production").route == LIVE.rolled_back()
    assert unfinished(store, "mail", "production") is None
