"""Two at once: real threads and processes on SQLite and PostgreSQL, in an order that is set, not slept for."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from segue.errors import FencedError, StoreError
from segue.store import Store, open_store
from segue.store.sql import facts, leases, routes, upgrades
from segue.store.sql.database import Session
from segue.store.upgrades import Fence, Lease
from tests.store.builders import WHO
from tests.store.conftest import Place
from tests.store.test_leases import WRITES, landed, ready

LATER = 1_000.0
"""When the first lease has run out."""
HOLDERS = ("ada", "bob")

RIVAL = """
import json, sys
from segue.errors import ConflictError
from segue.store import open_store
from segue.store.upgrades import Fence

store, name = open_store(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
lease = store.take_lease("c", name, 3600.0)
wrote = []
for number in range(1, 21):
    try:
        entry = {"event": "passed", "by": name}
        store.add_upgrade_entry("u", number, entry, ends=False, fence=None, author=name, at="t")
        wrote.append(number)
    except ConflictError:
        pass
store.close()
print(json.dumps([lease and lease.token, wrote]))
"""


@pytest.mark.slow
def test_of_two_processes_one_has_the_lease_and_one_writes_each_entry(database: Place) -> None:
    """Each number once, with the content of whoever was told that it was written."""
    store = ready(database.open())
    rivals = {
        name: subprocess.Popen(
            [sys.executable, "-c", RIVAL, database.address, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in HOLDERS
    }
    for rival in rivals.values():
        assert rival.stdout is not None
        assert rival.stdout.readline() == "ready\n"
    for rival in rivals.values():
        assert rival.stdin is not None
        rival.stdin.write("go\n")
        rival.stdin.flush()
    told = {name: json.loads(rival.communicate()[0]) for name, rival in rivals.items()}
    assert sorted(str(lease) for lease, _ in told.values()) == ["1", "None"]
    held = store.find_lease("c")
    assert held is not None
    assert told[held.holder][0] == held.token == 1
    wrote = {number: name for name, (_, numbers) in told.items() for number in numbers}
    assert sorted(number for _, numbers in told.values() for number in numbers) == list(range(1, 21))
    entries = store.get_upgrade("u").entries
    assert [entry["by"] for entry in entries] == [wrote[number] for number in range(1, 21)]
    check = store.verify_log()
    assert (check.faults, check.n_entries) == ((), 22)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each gave, all begun at the same moment, in threads of their own."""
    gate, gave = threading.Barrier(len(calls)), [None] * len(calls)

    def run(place: int) -> None:
        gate.wait()
        gave[place] = calls[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return gave


def test_of_many_threads_one_takes_a_lease(database: Place) -> None:
    """The first time, after it ran out, and after it was dropped; on connections of their own."""
    stores = [database.open() for _ in range(4)]

    def all_take(now: float) -> list[int]:
        calls = [
            lambda store=store, name=f"h{place}": store.take_lease("c", name, 10, now=now) for place, store in enumerate(stores)
        ]
        return [lease.token for lease in at_once(*calls) if lease is not None]

    for turn in range(10):
        assert all_take(now=20.0 * turn) == [1 + 2 * turn]
        stores[0].drop_lease("c", 1 + 2 * turn)
        assert all_take(now=20.0 * turn) == [2 + 2 * turn]


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
class TestATakeoverBesideAWrite:
    def test_before_the_check_it_lets_nothing_land(self, database: Place, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though the write had begun: on PostgreSQL a takeover waits for no writer. On SQLite it has to, and comes after."""
        store, other = two_of(database)

        def takeover() -> None:
            if database.kind == "sqlite":
                with pytest.raises(StoreError, match="locked"):
                    other.take_lease("c", "bob", 10, now=LATER)
            else:
                assert other.take_lease("c", "bob", 10, now=LATER) == Lease("c", "bob", 2, 10)

        with beside_the_check(monkeypatch, before=takeover):
            if database.kind == "sqlite":
                write(store, Fence("c", 1))
                assert landed(store) == 1
            else:
                with pytest.raises(FencedError):
                    write(store, Fence("c", 1))
                assert landed(store) == 0

    def test_after_the_check_it_waits_for_the_write(self, database: Place, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """So what was checked is still true when it is committed; whoever takes over finds the write there."""
        store, _ = two_of(database)
        other = open_store(database.address)
        found: list[tuple[Lease | None, int]] = []

        def take_over() -> None:
            lease = other.take_lease("c", "bob", 10, now=LATER)
            found.append((lease, landed(other)))

        thread = threading.Thread(target=take_over)

        def begin_takeover() -> None:
            thread.start()
            if database.kind == "postgresql":
                wait_until_blocked(database.address, thread)
            assert found == []

        with beside_the_check(monkeypatch, after=begin_takeover):
            write(store, Fence("c", 1))
        thread.join()
        other.close()
        assert found == [(Lease("c", "bob", 2, 10), 1)]

    @pytest.mark.parametrize("database", ["postgresql"], indirect=True)
    @pytest.mark.postgres
    def test_one_that_stands_still_after_its_check_is_ended(
        self, database: Place, write: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A controller that is frozen in the middle of a write neither keeps others from taking over, nor lands it late."""
        monkeypatch.setattr(leases, "STUCK_S", 0.2)
        store, other = two_of(database)

        def takeover() -> None:
            # It waits for the lease's row, until the server has ended this transaction.
            assert other.take_lease("c", "bob", 10, now=LATER) == Lease("c", "bob", 2, 10)

        with beside_the_check(monkeypatch, after=takeover), pytest.raises(StoreError):
            write(store, Fence("c", 1))
        assert landed(other) == 0
        with pytest.raises(FencedError):
            write(store, Fence("c", 1))
        assert other.verify_log().holds


def two_of(database: Place) -> tuple[Store, Store]:
    """Two openings of a ready store; `ada` has the lease by the first. The second waits for a lock of SQLite only a moment."""
    store = ready(database.open())
    store.take_lease("c", "ada", 10, now=0)
    if database.kind == "sqlite":
        database.opened.append(open_store(f"{database.address}?timeout=0.05"))
        return store, database.opened[-1]
    return store, database.open()


@contextmanager
def beside_the_check(
    monkeypatch: pytest.MonkeyPatch, *, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None
) -> Iterator[None]:
    """Within a fenced write's transaction, do something right before its check of the lease, or right after it."""

    def check(session: Session, fence: Fence | None) -> None:
        if before is not None:
            before()
        leases.check_fenced(session, fence)
        if after is not None:
            after()

    with monkeypatch.context() as patch:
        for module in (upgrades, facts, routes):
            patch.setattr(module, "check_fenced", check)
        yield


def wait_until_blocked(address: str, taker: threading.Thread) -> None:
    """Until the server says that somebody waits for the lease's row."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE leases%'"
    with closing(psycopg.connect(address, autocommit=True)) as raw:
        while raw.execute(waiting).fetchone() == (0,):
            assert taker.is_alive(), "it did not wait"


@pytest.mark.slow
def test_what_was_written_under_a_lease_survives_kill_9(database: Place) -> None:
    """Entries, facts, the upgrade and the lease's token: whoever takes over goes on where it was."""
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, database.address], stdout=subprocess.PIPE, text=True
    ) as controller:
        assert controller.stdout is not None
        told = 0
        for line in controller.stdout:
            told = int(line)
            if told >= 25:
                break
        controller.kill()
    store = database.open()
    entries = store.get_upgrade("u").entries
    numbers = [fact.body["number"] for fact in store.list_facts(kind="effect-done", subject="u")]
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) >= told
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(entries) - 1 <= len(numbers) <= len(entries)
    assert store.verify_log().holds
    lease = store.take_lease("c", "next", 10, now=2e9)
    assert lease == Lease("c", "next", 2, 10)
    number = len(entries) + 1
    with pytest.raises(FencedError):
        store.add_upgrade_entry("u", number, {}, ends=False, fence=Fence("c", 1), **WHO)
    store.add_upgrade_entry("u", number, {}, ends=True, fence=Fence("c", 2), **WHO)
    assert store.list_upgrades(only_open=True) == []


CONTROLLER = """
import sys
from segue.store import open_store
from segue.store.upgrades import Fence

store = open_store(sys.argv[1])
store.open_upgrade("u", "refunds", "production", {}, author="ada", at="t")
for number in range(1, 100_000):
    fence = Fence("c", store.take_lease("c", "first", 10, now=1e9 + number).token)
    store.add_upgrade_entry("u", number, {"number": number}, ends=False, fence=fence, author="ada", at="t")
    store.add_fact("effect-done", "refunds", "u", {"number": number}, fence=fence, author="ada", at="t")
    print(number, flush=True)
"""
