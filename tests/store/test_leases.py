"""Leases and fences in every store: one acts at a time, and whoever slept through a lease can write nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from segue.errors import ConflictError, FencedError, InputError
from segue.store import MemoryStore, Store
from segue.store.sql import SqlStore
from segue.store.upgrades import Fence, Lease
from tests.store.builders import WHO, a_bundle, a_route
from tests.store.conftest import Place

Take = Callable[[str, float], int | None]
HOUR = 3600.0


@pytest.fixture
def take(store: Store) -> Take:
    """Take the lease `c` for ten seconds at a time of our own; the token, if it was given."""

    def taken(holder: str, now: float) -> int | None:
        lease = store.take_lease("c", holder, 10, now=now)
        assert lease is None or lease == Lease("c", holder, lease.token, 10)
        return None if lease is None else lease.token

    return taken


class TestLeases:
    def test_one_holds_it_and_renews_it_under_one_token(self, take: Take) -> None:
        """Everybody else hears no, for as long as it is renewed."""
        assert [take("ada", 0), take("bob", 0), take("ada", 6), take("bob", 15.9), take("ada", 15.9)] == [1, None, 1, None, 1]

    def test_once_it_ran_out_another_takes_it_with_a_greater_token(self, take: Take) -> None:
        """At the very moment; the one before hears no then."""
        assert [take("ada", 0), take("bob", 9.9), take("bob", 10), take("ada", 19)] == [1, None, 2, None]

    def test_whoever_slept_through_it_comes_back_with_a_greater_token(self, take: Take) -> None:
        """Though nobody took it meanwhile: what was begun under the old one may still be on its way."""
        assert [take("ada", 0), take("ada", 10), take("ada", 15)] == [1, 2, 2]

    def test_dropped_it_is_free_at_once_and_the_token_grows(self, store: Store, take: Take) -> None:
        """For the same holder, too; and nobody drops another's."""
        assert take("ada", 0) == 1
        store.drop_lease("c", 1)
        store.drop_lease("c", 1)
        assert store.find_lease("c", now=0) is None
        assert take("ada", 0) == 2
        store.drop_lease("c", 2)
        assert take("bob", 0) == 3
        for stale in (1, 2, 9):
            store.drop_lease("c", stale)
        store.drop_lease("nobody's", 1)
        assert [take("ada", 1), take("bob", 1)] == [None, 3]

    def test_leases_of_different_names_know_nothing_of_each_other(self, store: Store) -> None:
        """Each counts its own tokens."""
        for name in ("controller/production", "controller/staging"):
            assert store.take_lease(name, "ada", 10, now=0) == Lease(name, "ada", 1, 10)

    def test_one_can_look_who_holds_it_without_taking_it(self, store: Store, take: Take) -> None:
        """With the seconds left; nobody, where it ran out or never was."""
        assert store.find_lease("c", now=0) is None
        take("ada", 100)
        assert store.find_lease("c", now=104) == Lease("c", "ada", 1, 6)
        assert store.find_lease("c", now=110) is None
        assert take("ada", 105) == 1

    def test_it_is_no_record(self, store: Store, take: Take) -> None:
        """The log knows nothing of it."""
        take("ada", 0)
        store.drop_lease("c", 1)
        assert store.verify_log().n_entries == 0

    @pytest.mark.parametrize(
        ("name", "holder", "seconds", "now"),
        [
            ("a\0b", "ada", 1, None),
            ("c", "\ud800", 1, None),
            ("c", "ada", 0, None),
            ("c", "ada", -1, None),
            ("c", "ada", float("inf"), None),
            ("c", "ada", float("nan"), None),
            ("c", "ada", 1, float("nan")),
        ],
        ids=["name", "holder", "none", "negative", "endless", "nan", "no-time"],
    )
    def test_a_lease_nobody_could_hold_is_refused(
        self, store: Store, name: str, holder: str, seconds: float, now: float | None
    ) -> None:
        """And leaves nothing behind."""
        with pytest.raises(InputError):
            store.take_lease(name, holder, seconds, now=now)
        assert store.find_lease("c") is None

    def test_times_far_and_near_are_told_apart(self, take: Take) -> None:
        """Seconds of the epoch with their fractions; a clock that begins at nothing."""
        epoch = 1_714_564_800.123456
        assert [take("ada", -5.0), take("bob", epoch), take("ada", epoch + 9.999999), take("ada", epoch + 10)] == [
            1,
            2,
            None,
            3,
        ]

    def test_without_a_time_it_runs_by_the_memory_stores_clock(self) -> None:
        """Which is handed in."""
        now = 100.0
        store = MemoryStore(clock=lambda: now)
        store.take_lease("c", "ada", 10)
        now = 109.0
        assert store.take_lease("c", "bob", 10) is None
        assert store.find_lease("c") == Lease("c", "ada", 1, 1.0)
        now = 110.0
        assert store.take_lease("c", "bob", 10) == Lease("c", "bob", 2, 10)

    def test_without_a_time_it_runs_by_the_databases_clock(self, database: Place) -> None:
        """Machines whose clocks disagree agree on it; it outlives the connection that took it."""
        store, other = database.open(), database.open()
        assert isinstance(store, SqlStore)
        assert store.take_lease("c", "ada", HOUR) == Lease("c", "ada", 1, HOUR)
        assert other.take_lease("c", "bob", HOUR) is None
        found = other.find_lease("c")
        assert found is not None
        assert (found.holder, found.token) == ("ada", 1)
        assert HOUR - 60 < found.seconds <= HOUR
        store.close()
        with database.open()._db.write() as session:  # type: ignore[attr-defined]
            session.run("UPDATE leases SET until_s = until_s - ?", (HOUR,))
        assert other.find_lease("c") is None
        assert other.take_lease("c", "bob", HOUR) == Lease("c", "bob", 2, HOUR)

    @pytest.mark.parametrize("database", ["postgresql"], indirect=True)
    @pytest.mark.postgres
    def test_renewing_waits_for_no_long_write(self, database: Place) -> None:
        """An import that takes minutes costs no controller its lease."""
        writer, controller = database.open(), database.open()
        assert isinstance(writer, SqlStore)
        done = threading.Event()

        def renew() -> None:
            for _ in range(2):
                controller.take_lease("c", "ada", HOUR)
            done.set()

        with writer._db.write():
            thread = threading.Thread(target=renew)
            thread.start()
            assert done.wait(20)
        thread.join()


Write = Callable[[Store, Fence | None], object]
OLD = a_bundle("old")
WRITES: dict[str, Write] = {
    "entry": lambda store, fence: store.add_upgrade_entry("u", 1, {"event": "passed"}, ends=False, fence=fence, **WHO),
    "fact": lambda store, fence: store.add_fact("effect-done", "refunds", "u", {}, fence=fence, **WHO),
    "flip": lambda store, fence: store.flip_route(a_route(OLD), follows=None, reason="step", fence=fence, **WHO),
}
"""The writes that can be fenced, on a store that is `ready`."""


def ready(store: Store) -> Store:
    """A store with an open upgrade, a bundle and no route."""
    store.add_bundle(OLD, **WHO)
    store.open_upgrade("u", "refunds", "production", {}, **WHO)
    return store


def landed(store: Store) -> int:
    """How many of the writes are there."""
    routes = store.route_history("refunds", "production")
    return len(store.get_upgrade("u").entries) + len(store.list_facts()) + len(routes)


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
class TestFences:
    def test_whoever_holds_the_lease_writes(self, store: Store, write: Write) -> None:
        """Also once it ran out, as long as nobody took it over: nobody else has acted."""
        ready(store).take_lease("c", "ada", 10, now=0)
        write(store, Fence("c", 1))
        assert landed(store) == 1
        assert store.verify_log().holds

    def test_whoever_lost_it_writes_nothing(self, store: Store, write: Write) -> None:
        """Whether another took it or dropped it since; neither row nor log entry is left."""
        ready(store).take_lease("c", "ada", 10, now=0)
        store.take_lease("c", "bob", 10, now=10)
        store.drop_lease("c", 2)
        before = store.verify_log()
        with pytest.raises(FencedError, match="token 2 by now; this was written with 1"):
            write(store, Fence("c", 1))
        assert (landed(store), store.verify_log()) == (0, before)
        write(store, Fence("c", 2))
        assert landed(store) == 1

    @pytest.mark.parametrize("token", [0, 2, -1])
    def test_a_token_that_was_never_given_writes_nothing(self, store: Store, write: Write, token: int) -> None:
        """Nor does one of a lease that nobody ever took: the store may be another one, or restored from a backup."""
        ready(store).take_lease("c", "ada", 10, now=0)
        for fence in (Fence("c", token), Fence("other", 1)):
            with pytest.raises(FencedError):
                write(store, fence)
        assert landed(store) == 0

    def test_being_fenced_off_is_told_before_anything_else(self, store: Store, write: Write) -> None:
        """Not as a conflict with what the new holder wrote, nor as done because it wrote the same."""
        ready(store).take_lease("c", "ada", 10, now=0)
        store.take_lease("c", "bob", 10, now=10)
        write(store, Fence("c", 2))
        with pytest.raises(FencedError):
            write(store, Fence("c", 1))
        assert landed(store) == 1


def test_a_fenced_flip_still_has_to_follow(store: Store) -> None:
    """The lease says who acts, not what is in force: a person may have flipped meanwhile."""
    ready(store).take_lease("c", "ada", 10, now=0)
    WRITES["flip"](store, None)
    with pytest.raises(ConflictError, match="revision 1 is in force") as caught:
        WRITES["flip"](store, Fence("c", 1))
    assert not isinstance(caught.value, FencedError)
