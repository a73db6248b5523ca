"""Routes in every store: revisions that follow each other, and nobody undoes what they have not seen."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from segue.errors import ConflictError, InputError, NotFoundError
from segue.model.route import RouteRevision
from segue.store import Store
from segue.store.upgrades import UnderWay
from tests.store.builders import WHO, a_bundle, a_digest, a_route
from tests.store.conftest import Place

OLD, NEW = a_bundle("old"), a_bundle("new")


@pytest.fixture
def routed(store: Store) -> Store:
    """A store with two bundles and a route to the first."""
    for bundle in (OLD, NEW, a_bundle("old", workflow="chat")):
        store.add_bundle(bundle, **WHO)
    store.flip_route(a_route(OLD), follows=None, reason="first", **WHO)
    return store


def share(percent: float) -> dict[str, object]:
    """The candidate's part of a route."""
    return {"candidate": NEW.digest, "share": percent / 100}


def test_a_flip_is_the_revision_in_force_and_the_old_one_stays(routed: Store) -> None:
    """With its author and reason, newest first."""
    flipped = routed.flip_route(a_route(OLD, **share(5)), follows=1, author="bob", reason="step 1", at="t2")
    assert flipped == RouteRevision(2, a_route(OLD, **share(5)), "bob", "step 1", "t2")
    assert routed.find_route("refunds", "production") == flipped
    assert [(one.revision, one.author) for one in routed.route_history("refunds", "production")] == [(2, "bob"), (1, "ada")]
    assert routed.verify_log().holds


@pytest.mark.parametrize("follows", [None, 0, 2, 7])
def test_a_flip_that_has_not_seen_the_last_one_is_refused(routed: Store, follows: int | None) -> None:
    """And leaves nothing behind, in the log neither."""
    before = routed.verify_log().n_entries
    with pytest.raises(ConflictError, match="revision 1 is in force"):
        routed.flip_route(a_route(OLD, **share(5)), follows=follows, reason="late", **WHO)
    assert len(routed.route_history("refunds", "production")) == 1
    assert routed.verify_log().n_entries == before


def test_of_many_flips_at_once_one_wins(routed: Store) -> None:
    """The others are told, and none is lost in silence."""
    outcomes: list[str] = []

    def flip(percent: int) -> None:
        try:
            routed.flip_route(a_route(OLD, **share(percent)), follows=1, reason=str(percent), **WHO)
            outcomes.append("won")
        except ConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=flip, args=(percent,)) for percent in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["won"]
    assert routed.find_route("refunds", "production").revision == 2


def test_a_route_names_bundles_of_its_own_workflow(routed: Store) -> None:
    """One that is not stored, or another workflow's, could not be served."""
    for digest in (a_digest("nothing"), a_bundle("old", workflow="chat").digest):
        with pytest.raises(NotFoundError, match="refunds"):
            routed.flip_route(a_route(OLD, candidate=digest), follows=1, reason="no", **WHO)


def anyone(_under_way: UnderWay | None) -> None:
    """Everybody may."""


def test_everybody_is_taken_back_whatever_is_in_force(routed: Store) -> None:
    """On the revision that is the last one by then; where nobody is on a candidate nothing is written."""
    back: dict[str, Any] = {"author": "bob", "reason": "it burns", "at": "t3", "may": anyone}
    assert routed.take_back("refunds", "production", **back) == (routed.find_route("refunds", "production"), False)
    routed.flip_route(a_route(OLD, **share(5), shadow={"share": 0.5}), follows=1, reason="step", **WHO)
    done = routed.take_back("refunds", "production", **back)
    assert done == (RouteRevision(3, a_route(OLD).following(a_route(OLD, **share(5))), "bob", "it burns", "t3"), True)
    assert routed.find_route("refunds", "production") == done[0]
    before = routed.verify_log()
    assert routed.take_back("refunds", "production", **back) == (done[0], False)
    assert routed.verify_log() == before
    assert before.holds
    with pytest.raises(NotFoundError, match="it has one in production"):
        routed.take_back("refunds", "staging", **back)


def test_whoever_may_not_take_anybody_back_changes_nothing(routed: Store) -> None:
    """Who is asked sees the upgrade under way, of this workflow and environment, and no other."""
    routed.flip_route(a_route(OLD, **share(5)), follows=1, reason="step", **WHO)
    routed.open_upgrade("over", "refunds", "production", {"n": 1}, **WHO)
    routed.add_upgrade_entry("over", 1, {}, ends=True, fence=None, **WHO)
    routed.open_upgrade("elsewhere", "refunds", "staging", {"n": 2}, **WHO)
    seen: list[UnderWay | None] = []

    def nobody(under_way: UnderWay | None) -> None:
        seen.append(under_way)
        raise InputError("Not yours.", fix="Ask.")

    for _ in range(2):
        before = routed.verify_log()
        with pytest.raises(InputError, match="Not yours"):
            routed.take_back("refunds", "production", reason="no", may=nobody, **WHO)
        assert routed.verify_log() == before
        assert routed.find_route("refunds", "production").revision == 2
        if len(seen) == 1:
            routed.open_upgrade("on", "refunds", "production", {"n": 3}, **WHO)
    assert seen == [None, UnderWay("on", "refunds", {"n": 3})]


def test_environments_have_routes_of_their_own(routed: Store) -> None:
    """Staging counts from 1, and a list of one environment leaves the other out."""
    staging = routed.flip_route(a_route(NEW, environment="staging"), follows=None, reason="try", **WHO)
    assert staging.revision == 1
    assert [one.route.environment for one in routed.list_routes()] == ["production", "staging"]
    assert routed.list_routes("staging") == [staging]
    assert routed.find_route("refunds", "production").route.incumbent == OLD.digest


def test_a_route_that_is_not_there_names_the_near_ones(routed: Store) -> None:
    """A slip in the workflow, or an environment that has none."""
    with pytest.raises(NotFoundError, match="it has one in production"):
        routed.find_route("refunds", "staging")
    with pytest.raises(NotFoundError, match="refunds"):
        routed.find_route("refund", "production")
    assert routed.route_history("refund", "production") == []


def test_routes_are_there_when_the_store_is_opened_again(database: Place) -> None:
    """By another process, with everything they say."""
    store = database.open()
    store.add_bundle(OLD, **WHO)
    store.add_bundle(NEW, **WHO)
    rule = {"segment": "staff", "where": {"staff": ["yes"]}, "share": 1.0}
    route = a_route(OLD, candidate=NEW.digest, share=0.05, segments=[rule], shadow={"share": 0.5}, salt="s")
    flipped = store.flip_route(route, follows=None, reason="all of it", **WHO)
    assert database.open().find_route("refunds", "production") == flipped
