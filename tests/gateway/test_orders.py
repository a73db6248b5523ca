"""Rollbacks that wait for the store: written there once, whoever holds them, and done with when the store has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import StoreError
from segue.gateway.control import _obeyed
from segue.gateway.last_known import Held, LastKnown, known
from segue.gateway.orders import (
    RollbackOrder,
    enact_order,
    find_order,
    forget_order,
    list_orders,
    obeyed_by,
    order_of,
    save_order,
)
from segue.gateway.pending import Pending, asked_order
from segue.model.route import Route, RouteRevision, SegmentRule, ShadowRule
from segue.store import MemoryStore
from tests.store.builders import WHO, a_bundle

OLD, NEW = a_bundle("old", workflow="mail"), a_bundle("new", workflow="mail")
BACK = Route(workflow="mail", incumbent=OLD.digest)
EXPOSED = BACK.model_copy(update={"candidate": NEW.digest, "share": 0.25})
SAID = {"author": "ada", "reason": "it burns", "at": "t9"}


def at(number: int, route: Route = EXPOSED) -> RouteRevision:
    """A revision."""
    return RouteRevision(number, route, "bob", "r", "t1")


def a_store(*routes: Route) -> MemoryStore:
    """With these revisions."""
    store = MemoryStore()
    for bundle in (OLD, NEW):
        store.add_bundle(bundle, **WHO)
    for number, route in enumerate(routes):
        store.flip_route(route, follows=number or None, author="bob", reason="r", at="t1")
    return store


ORDER = order_of(at(1), **SAID)


def test_an_order_becomes_one_revision_however_many_hold_it() -> None:
    """By whoever gave it, with their reason and time."""
    store = a_store(EXPOSED)
    assert {enact_order(store, ORDER).revision for _ in range(3)} == {2}
    written = store.find_route("mail", "production")
    assert (written.route, written.author, written.reason, written.at) == (BACK, "ada", "it burns", "t9")


def test_a_flip_made_meanwhile_is_taken_back_and_one_made_afterwards_stands() -> None:
    """Whoever flipped forward while the order waited had not seen it; whoever does when it is in the store has."""
    store = a_store(EXPOSED, EXPOSED.model_copy(update={"share": 0.5}))
    assert enact_order(store, ORDER).revision == 3
    store.flip_route(EXPOSED, follows=3, author="bob", reason="again", at="t10")
    assert enact_order(store, ORDER).revision == 3
    assert store.find_route("mail", "production").route == EXPOSED


def test_one_that_loses_the_race_to_another_holder_writes_nothing() -> None:
    """The revision of the other is the one asked for."""

    class Slow(MemoryStore):
        """Somebody else enacts the order between the look and the flip."""

        def flip_route(self, route: Route, *, follows: int | None, **more: Any) -> RouteRevision:
            if more["author"] == "ada" and not self.raced:
                self.raced = True
                enact_order(self, ORDER)
            return super().flip_route(route, follows=follows, **more)

        raced = True

    store = Slow()
    for bundle in (OLD, NEW):
        store.add_bundle(bundle, **WHO)
    store.flip_route(EXPOSED, follows=None, author="bob", reason="r", at="t1")
    store.raced = False
    assert enact_order(store, ORDER).revision == 2
    assert len(store.route_history("mail", "production")) == 2


ROUTES = st.sampled_from(
    [
        BACK,
        EXPOSED,
        EXPOSED.model_copy(update={"share": 0.0}),
        EXPOSED.model_copy(update={"share": 0.0, "shadow": ShadowRule()}),
        EXPOSED.model_copy(update={"share": 0.0, "segments": (SegmentRule(segment="s", share=0.1),)}),
        BACK.model_copy(update={"incumbent": NEW.digest}),
    ]
)


@given(st.lists(ROUTES, min_size=1, max_size=6), st.integers(1, 6))
def test_whatever_the_store_holds_it_has_a_rollback_after_the_order_is_enacted(routes: list[Route], after: int) -> None:
    """And enacting it once more changes nothing; nobody but the incumbent is asked on the revision that obeys."""
    store, order = a_store(*routes), ORDER.model_copy(update={"after": min(after, len(routes))})
    done = enact_order(store, order)
    assert (done.route.incumbent, done.route.share, done.route.shadow) == (OLD.digest, 0.0, None)
    assert not any(one.share for one in done.route.segments)
    assert done.revision > order.after or done.revision == len(routes)
    length = len(store.route_history("mail", "production"))
    assert enact_order(store, order) == done
    assert len(store.route_history("mail", "production")) == length <= len(routes) + 1


def test_orders_lie_in_files_until_they_are_forgotten(tmp_path: Path) -> None:
    """The first of a workflow stays; garbage is passed over; names of any length and script have a file."""
    long = order_of(at(1, Route(workflow="ü" * 120, incumbent=OLD.digest)), **SAID)
    staged = order_of(at(1, BACK.model_copy(update={"environment": "staging"})), **SAID)
    for one in (ORDER, ORDER.model_copy(update={"author": "bob"}), long, staged):
        save_order(tmp_path, one)
    (tmp_path / "orders" / "x.json").write_text("{")
    assert find_order(tmp_path, "mail", "production") == ORDER
    assert {one.route.workflow for one in list_orders(tmp_path, "production")} == {"mail", "ü" * 120}
    forget_order(tmp_path, ORDER.model_copy(update={"author": "bob"}))
    assert find_order(tmp_path, "mail", "production") == ORDER, "another one's is not forgotten"
    forget_order(tmp_path, ORDER)
    forget_order(tmp_path, ORDER)
    assert find_order(tmp_path, "mail", "production") is None
    assert list_orders(tmp_path / "nowhere", "production") == []


def test_an_order_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    """With the place."""
    (tmp_path / "orders").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        save_order(tmp_path, ORDER)


def known_routes(*revisions: RouteRevision, **more: Any) -> LastKnown:
    """As a gateway has them."""
    bundles = {one.digest: one for one in (OLD, NEW)}
    return LastKnown(environment="production", revisions=tuple(known(one) for one in revisions), bundles=bundles, **more)


def test_what_is_served_obeys_whatever_the_store_says() -> None:
    """With the mark, and the bundles it needs, also where the newest route lacks them, or cannot be served at all."""
    newer = LastKnown(environment="production", revisions=(known(at(7, EXPOSED)),), bundles={NEW.digest: NEW})
    found = newer.obeying({"mail": ORDER}, known_routes(at(1)))
    assert [(one.revision, one.route) for one in found.revisions] == [(1, BACK)]
    assert found.orders == {"mail": ORDER}
    assert OLD.digest in found.bundles
    assert LastKnown.model_validate_json(found.model_dump_json(exclude_defaults=True)) == found
    assert found.obeying({"mail": ORDER}, found) == found
    refused = known_routes(held={"mail": Held(reason="no key", revision=known(at(1)))}).obeying({"mail": ORDER})
    assert [one.route for one in refused.revisions] == [BACK]
    assert refused.held == {}
    assert newer.obeying({}) == newer


def test_an_order_over_the_socket_is_on_what_is_known_there() -> None:
    """And one that makes no sense is refused by name."""
    asked = {"do": "roll_back", "workflow": "mail", "environment": "production", **SAID}
    assert asked_order(asked, known_routes(at(4))) == order_of(at(4), **SAID)
    assert asked_order({**asked, "environment": "staging"}, known_routes(at(4))) == "It serves production."
    assert asked_order({**asked, "workflow": "chat"}, known_routes(at(4))) == "It serves no workflow 'chat'."
    assert "This is no order" in str(asked_order({**asked, "author": 5}, known_routes(at(4))))


class Shelf:
    """Where orders wait: a list, and a store that may be gone."""

    def __init__(self, store: MemoryStore | None, *waiting: RollbackOrder) -> None:
        self.store, self.waiting = store, list(waiting)

    def orders(self, known: Any = ()) -> list[RollbackOrder]:
        """Without those that the store has."""
        found = list(dict.fromkeys((*known, *self.waiting)))
        return [one for one in found if self.store is None or not obeyed_by(one, self.store.route_history(*one.key))]

    def enact(self, order: RollbackOrder) -> None:
        """As the gateway's reader."""
        if self.store is None:
            raise StoreError("gone")
        enact_order(self.store, order)


async def test_an_order_is_pending_until_the_store_is_seen_to_have_it() -> None:
    """What stands against writing it is said once; an order that was done with is not taken up again."""
    said: list[str] = []
    shelf = Shelf(None, ORDER)
    pending = Pending(shelf, lambda happened: said.append(happened.event))
    assert pending.take(await pending.find())
    assert not pending.take(await pending.find()), "it is known"
    assert not await pending.enact()
    assert not await pending.enact()
    asked = dict(pending.orders)
    assert not pending.settle(asked, await pending.find(asked.values()))
    shelf.store = a_store(EXPOSED)
    assert await pending.enact()
    assert pending.settle(asked, await pending.find(asked.values()))
    assert (pending.orders, pending.take([ORDER])) == ({}, False)
    assert said == ["rollback_ordered", "rollback_not_written", "rollback_written"]


@pytest.mark.parametrize(
    ("orders", "workers", "fault"),
    [
        ({"mail": "t9 ada"}, [{"mail": "t9 ada"}, {"mail": "t9 ada"}], None),
        ({"mail": "t8 bob"}, [{"mail": "t8 bob"}], None),
        ({"mail": "t9 ada"}, [{"mail": "t9 ada"}, {}], "1 of its workers did not confirm it in time."),
        ({}, [{}], "It did not take the order."),
        ({"mail": "t9 ada"}, [], "It did not take the order."),
    ],
    ids=["all", "an-earlier-order", "one-is-late", "not-taken", "no-workers"],
)
def test_an_order_is_confirmed_by_every_worker(
    orders: dict[str, str], workers: list[dict[str, str]], fault: str | None
) -> None:
    """In the words of the order that the gateway has; the sentence that it is pending is no fault here."""
    each = [{"revisions": {"mail": 1}, "refused": {}, "fault": None, "orders": one} for one in workers]
    said = {"fault": None, "orders": orders, "workers": each, "pending": {"mail": "It waits."}}
    assert _obeyed(said, "mail")[2] == fault
