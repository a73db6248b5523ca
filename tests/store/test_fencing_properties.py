"""Whatever holders of a lease do, in whatever order: no write of a stale token lands, tokens grow, and all stores agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from segue.errors import ConflictError, FencedError, SegueError
from segue.store import MemoryStore, Store, open_store
from segue.store.upgrades import Fence
from tests.store.builders import WHO, a_bundle, a_route

HOLDERS = ("ada", "bob", "eve")
holders = st.sampled_from(HOLDERS)
_names = count(1)


@dataclass
class Model:
    """What has to be true, in its plainest form."""

    now: float = 0.0
    holder: str = ""
    token: int = 0
    until: float = 0.0
    entries: list[str] = field(default_factory=list)
    ended: bool = False
    facts: list[str] = field(default_factory=list)
    revisions: int = 0

    def take(self, holder: str, seconds: float) -> int | None:
        """The token, if it is given."""
        runs = self.token > 0 and self.until > self.now
        if runs and self.holder != holder:
            return None
        self.token += 0 if runs else 1
        self.holder, self.until = holder, self.now + seconds
        return self.token


class Controllers(RuleBasedStateMachine):
    """Three holders, each with what it believes: the token it was given last, and the entries and revision it saw last.

    All stores are asked the same; each example has names of its own in them, so that they need not be made anew.
    """

    stores: tuple[Store, ...]

    def __init__(self) -> None:
        super().__init__()
        name = f"w{next(_names)}"
        self.workflow, self.upgrade, self.lease = name, f"{name}-1", f"controller/{name}"
        self.release = a_bundle(workflow=name)
        for store in self.stores:
            store.add_bundle(self.release, **WHO)
            store.open_upgrade(self.upgrade, name, "production", {}, **WHO)
        self.model = Model()
        self.given: list[int] = []
        self.tokens = dict.fromkeys(HOLDERS, 0)
        self.seen = dict.fromkeys(HOLDERS, (0, 0))

    def all(self, ask: Callable[[Store], Any]) -> Any:
        """What every store answers or refuses, the same each."""
        told = []
        for store in self.stores:
            try:
                told.append(ask(store))
            except SegueError as error:
                told.append(type(error))
        assert all(one == told[0] for one in told)
        return told[0]

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 9.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.model.now += seconds

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def a_clock_is_set_back(self, seconds: float) -> None:
        self.model.now -= seconds

    @rule(holder=holders, seconds=st.sampled_from([1.0, 5.0]))
    def take(self, holder: str, seconds: float) -> None:
        before, model = self.model.token, self.model
        lease = self.all(lambda store: store.take_lease(self.lease, holder, seconds, now=model.now))
        expected = model.take(holder, seconds)
        assert (lease and lease.token) == expected
        if expected is not None:
            self.tokens[holder] = expected
            if expected != before:
                self.given.append(expected)

    @rule(holder=holders)
    def drop(self, holder: str) -> None:
        self.all(lambda store: store.drop_lease(self.lease, self.tokens[holder]))
        if self.tokens[holder] == self.model.token:
            self.model.until = float("-inf")

    @rule(holder=holders)
    def look(self, holder: str) -> None:
        self.seen[holder] = len(self.model.entries), self.model.revisions

    def fence(self, holder: str) -> Fence:
        return Fence(self.lease, self.tokens[holder])

    def may_write(self, holder: str, told: Any) -> bool:
        """Whether the holder's token is the present one; if not, it was told so."""
        if self.model.token and self.tokens[holder] == self.model.token:
            assert told is not FencedError
            return True
        assert told is FencedError
        return False

    @rule(holder=holders, ends=st.booleans())
    def write_entry(self, holder: str, ends: bool) -> None:
        number = self.seen[holder][0] + 1
        entry, ends = {"by": holder, "number": number}, ends and number > 4
        told = self.all(
            lambda store: store.add_upgrade_entry(self.upgrade, number, entry, ends=ends, fence=self.fence(holder), **WHO)
        )
        if not self.may_write(holder, told):
            return
        written, model = len(self.model.entries), self.model
        is_retry = number <= written and model.entries[number - 1] == holder and ends == (model.ended and number == written)
        if is_retry:
            assert told is None
        elif model.ended or number != written + 1:
            assert told is ConflictError
        else:
            assert told is None
            model.entries.append(holder)
            model.ended = ends

    @rule(holder=holders)
    def flip(self, holder: str) -> None:
        follows = self.seen[holder][1] or None
        route = a_route(self.release, salt=f"{holder}{self.model.revisions}")
        told = self.all(lambda store: store.flip_route(route, follows=follows, reason="step", fence=self.fence(holder), **WHO))
        if self.may_write(holder, told):
            is_newest = follows == (self.model.revisions or None)
            assert (told is ConflictError) != is_newest
            self.model.revisions += is_newest

    @rule(holder=holders)
    def note(self, holder: str) -> None:
        body = {"by": holder, "token": self.tokens[holder]}
        told = self.all(
            lambda store: bool(
                store.add_fact("effect-done", self.workflow, self.upgrade, body, fence=self.fence(holder), **WHO)
            )
        )
        if self.may_write(holder, told):
            self.model.facts.append(holder)

    @invariant()
    def what_landed_is_what_may_have(self) -> None:
        record = self.all(lambda store: store.get_upgrade(self.upgrade))
        assert [entry["by"] for entry in record.entries] == self.model.entries
        facts = self.all(lambda store: [one.body for one in store.list_facts(self.workflow)])
        assert [one["by"] for one in facts] == self.model.facts
        assert [one["token"] for one in facts] == sorted(one["token"] for one in facts)
        history = self.all(lambda store: store.route_history(self.workflow, "production"))
        assert len(history) == self.model.revisions

    @invariant()
    def tokens_grow(self) -> None:
        assert self.given == list(range(1, len(self.given) + 1))
        held = self.all(lambda store: store.find_lease(self.lease, now=self.model.now))
        runs = self.model.token > 0 and self.model.until > self.model.now
        assert (held and (held.holder, held.token)) == ((self.model.holder, self.model.token) if runs else None)

    def teardown(self) -> None:
        assert self.all(lambda store: store.verify_log().faults) == ()


@pytest.mark.parametrize(
    ("kind", "examples"),
    [("sqlite", 18), pytest.param("postgresql", 5, marks=pytest.mark.postgres)],
    ids=["sqlite", "postgresql"],
)
def test_no_write_of_a_stale_token_lands_in_any_order(
    kind: str, examples: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The database answers as the fake does, and both as the model."""
    if kind == "sqlite":
        address = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        address = request.getfixturevalue("postgres_server").emptied_database()
    database = open_store(address)
    Controllers.stores = (MemoryStore(), database)
    machine = settings(max_examples=examples, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Controllers, settings=machine)
    database.close()
