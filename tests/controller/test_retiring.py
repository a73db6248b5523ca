"""The way back is not thrown away: retiring a bundle while an upgrade or a route may need it."""

from __future__ import annotations

from typing import Any

import pytest

from segue.controller.moments import iso
from segue.controller.retiring import find_retired, retire_bundle, upgrade_left_behind
from segue.errors import ConflictError
from segue.model.route import Route
from segue.store.base import Store
from segue.store.memory import MemoryStore
from segue.upgrade.state import Period, Stage
from tests.controller.undertaken import NEW, NOW, OLD, a_plan, an_upgrade, rolled_back
from tests.store.builders import WHO, a_bundle

OTHER = a_bundle("other", workflow="mail")


@pytest.fixture
def store() -> MemoryStore:
    """Empty."""
    return MemoryStore()


def refused(store: Store, digest: str) -> list[str]:
    with pytest.raises(ConflictError) as error:
        retire_bundle(store, "mail", digest, reason="", **WHO)
    assert find_retired(store, "mail", digest) is None
    return [one.sentence() for one in error.value.faults]


@pytest.mark.parametrize("stage", ["decide", "eval", "retune", "staging", "shadow", "canary", "soak"])
def test_the_incumbent_of_an_open_upgrade_is_the_way_back(store: Store, stage: Stage) -> None:
    """In every stage until the soak has closed."""
    an_upgrade(store, stage=stage)
    (told,) = refused(store, OLD.digest)
    assert "incumbent of upgrade mail-1" in told
    assert "until the soak has closed" in told


def test_the_candidate_is_refused_too(store: Store) -> None:
    """It is under way."""
    an_upgrade(store)
    (told,) = refused(store, NEW.digest)
    assert "candidate of upgrade mail-1" in told


def test_in_the_soak_it_says_when(store: Store) -> None:
    """The earliest moment: what has been counted already is taken off."""
    upgrade = an_upgrade(store, stage="soak", plan=a_plan(soak=14))
    periods = (Period(begin=NOW, end=NOW + 86_400), Period(begin=NOW + 3 * 86_400))
    state = upgrade.state.model_copy(update={"periods": periods, "number": 2})
    entry = upgrade.entries[-1].model_copy(update={"number": 2, "state": state})
    store.add_upgrade_entry("mail-1", 2, entry.model_dump(mode="json"), ends=False, fence=None, **WHO)
    (told,) = refused(store, OLD.digest)
    assert iso(NOW + (3 + 13) * 86_400) in told


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ({"incumbent": OTHER.digest}, "It serves: it is the incumbent"),
        ({"incumbent": OLD.digest, "candidate": OTHER.digest}, "It is the candidate"),
        ({"incumbent": OLD.digest, "fallback": OTHER.digest}, "It is the fallback"),
        ({"incumbent": OLD.digest, "conversations": "drain", "draining": (OTHER.digest,)}, "Conversations begun on it"),
    ],
    ids=["incumbent", "candidate", "fallback", "draining"],
)
def test_a_bundle_that_a_route_names_is_refused(store: Store, route: dict[str, Any], told: str) -> None:
    """In any environment, with what to do."""
    for one in (OLD, OTHER):
        store.add_bundle(one, **WHO)
    store.flip_route(Route(workflow="mail", environment="staging", **route), follows=None, reason="r", **WHO)
    (said,) = refused(store, OTHER.digest)
    assert said.startswith(told)
    assert "staging" in said


def test_what_nobody_needs_is_retired_once(store: Store) -> None:
    """After a rollback the candidate may go; a second time changes nothing."""
    upgrade = an_upgrade(store)
    rolled_back(store, upgrade)
    store.flip_route(Route(workflow="mail", incumbent=OLD.digest), follows=1, reason="back", **WHO)
    assert retire_bundle(store, "mail", NEW.digest, reason="worse", **WHO)
    assert not retire_bundle(store, "mail", NEW.digest, reason="worse", **WHO)
    found = find_retired(store, "mail", NEW.digest)
    assert found is not None
    assert (found.by, found.reason) == ("ada", "worse")


def test_a_route_that_drops_the_incumbent_of_an_open_upgrade_is_warned_of(store: Store) -> None:
    """And one that keeps it is not."""
    an_upgrade(store)
    last = store.find_route("mail", "production")
    told = upgrade_left_behind(store, last, [NEW.digest])
    assert told is not None
    assert "segue rollback mail" in told
    assert upgrade_left_behind(store, last, [OLD.digest, NEW.digest]) is None
    assert upgrade_left_behind(store, None, [NEW.digest]) is None
