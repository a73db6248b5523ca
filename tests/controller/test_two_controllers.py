"""Two controllers at once: one decides. The one that slept through its lease wakes to find that it can write nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.controller.controller import Took
from segue.store import open_store
from segue.store.base import Store
from segue.upgrade.log import faults_of
from tests.controller.pretend import DAY, Stage

WAIT_S = 60.0


class Nap:
    """Holds whoever makes the chosen call until it is woken."""

    def __init__(self, call: str, number: int) -> None:
        self._call, self._left = call, number
        self.asleep, self.wake = threading.Event(), threading.Event()

    def __call__(self, when: str, name: str) -> None:
        """Before the call takes effect."""
        if (when, name) == ("before", self._call):
            self._left -= 1
            if self._left == 0:
                self.asleep.set()
                assert self.wake.wait(WAIT_S)


@contextmanager
def opened(address: str) -> Iterator[tuple[Store, Store]]:
    """One store twice, as two machines have it."""
    one, two = open_store(address), open_store(address)
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def check_the_late_one_is_fenced(address: str, call: str) -> None:
    """It sleeps just before it writes; the other takes over and finishes; then it wakes."""
    with opened(address) as (store, other):
        stage = Stage(store)
        stage.open()
        nap = Nap(call, 4)
        late = stage.controller("late", nap)
        done: list[list[Took] | None] = []

        def lead() -> None:
            for _ in range(60):
                stage.pretend.now += DAY / 4
                done.append(late.tick())
                if nap.asleep.is_set():
                    return

        thread = threading.Thread(target=lead)
        thread.start()
        assert nap.asleep.wait(WAIT_S)
        before = len(stage.upgrade().entries)
        stage.pretend.now += DAY
        second = Stage.__new__(Stage)
        second.__dict__ = {**stage.__dict__, "store": other}
        quick = second.controller("quick", lambda _when, _name: None)
        for _ in range(60):
            stage.pretend.now += DAY / 4
            quick.tick()
        after = second.upgrade()
        revisions = other.route_history("w", "production")
        nap.wake.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        assert done[-1] is None, "the tick of one that was fenced off"
        assert stage.upgrade() == after
        assert other.route_history("w", "production") == revisions
        assert len(after.entries) > before
        assert after.state.stage == "completed"
        assert not faults_of(after)
        assert other.verify_log().holds


@pytest.mark.parametrize("call", ["add_upgrade_entry", "flip_route", "add_fact"])
def test_one_that_wakes_late_writes_nothing(tmp_path: Path, call: str) -> None:
    """On SQLite, asleep before an entry, a flip, and a note."""
    check_the_late_one_is_fenced(str(tmp_path / "state.db"), call)


@pytest.mark.postgres
@pytest.mark.parametrize("call", ["add_upgrade_entry", "flip_route", "add_fact"])
def test_one_that_wakes_late_writes_nothing_on_postgresql(postgres_address: str, call: str) -> None:
    """The same with the database that many machines share."""
    check_the_late_one_is_fenced(postgres_address, call)


def race(address: str) -> None:
    """Both tick as fast as they can while the lease changes hands between any two looks: each decision is taken once."""
    with opened(address) as (store, other):
        stage = Stage(store)
        stage.open()
        second = Stage.__new__(Stage)
        second.__dict__ = {**stage.__dict__, "store": other, "shares": []}
        turns = threading.Barrier(2)

        def lead(which: Stage, holder: str) -> None:
            controller = which.controller(holder)
            for _ in range(70):
                if turns.wait(WAIT_S) == 0:
                    stage.pretend.now += DAY / 4
                turns.wait(WAIT_S)
                controller.tick()

        threads = [threading.Thread(target=lead, args=pair) for pair in ((stage, "a"), (second, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        upgrade = stage.upgrade()
        assert upgrade.state.stage == "completed"
        assert not faults_of(upgrade)
        assert [one.state.stage for one in upgrade.entries if one.event == "passed"] == [
            "eval",
            "staging",
            "shadow",
            "canary",
            "canary",
            "canary",
            "soak",
            "completed",
        ]
        flips = [one for one in other.route_history("w", "production") if one.author == "segue"]
        assert len(flips) == 6
        assert other.verify_log().holds


def test_two_at_once_take_each_decision_once(tmp_path: Path) -> None:
    """On SQLite."""
    race(str(tmp_path / "state.db"))


@pytest.mark.postgres
def test_two_at_once_take_each_decision_once_on_postgresql(postgres_address: str) -> None:
    """On PostgreSQL."""
    race(postgres_address)
