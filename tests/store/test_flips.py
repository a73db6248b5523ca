"""Flips are heard of at once, on every machine that shares a PostgreSQL store."""

from __future__ import annotations

import queue
import threading

import pytest

from segue.store.flips import FlipBell
from tests.store.builders import WHO, a_bundle, a_route
from tests.store.conftest import Place


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_a_flip_rings_whoever_listens(database: Place) -> None:
    """Once when it begins to listen, for what it may have missed; then for each flip, and for nothing that was undone."""
    store, rung = database.open(), threading.Semaphore(0)
    store.add_bundle(a_bundle(), **WHO)
    with FlipBell(database.address, rung.release) as bell:
        assert bell.listens.wait(20)
        assert rung.acquire(timeout=20)
        for follows in (None, 1, 2):
            store.flip_route(a_route(a_bundle(), salt=str(follows)), follows=follows, reason="flip", **WHO)
            assert rung.acquire(timeout=20)
        assert not rung.acquire(blocking=False)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_a_flip_is_told_with_its_revision_to_whoever_wants_to_know(database: Place) -> None:
    """In the place of the bare bell, which rings for what nobody can read."""
    store, told, rung = database.open(), queue.SimpleQueue[object](), threading.Semaphore(0)
    store.add_bundle(a_bundle(), **WHO)
    with FlipBell(database.address, rung.release, tell=lambda *said: told.put(said)) as bell:
        assert bell.listens.wait(20)
        assert rung.acquire(timeout=20)
        store.flip_route(a_route(a_bundle()), follows=None, reason="flip", **WHO)
        assert told.get(timeout=20) == ("refunds", "production", 1)
        assert not rung.acquire(blocking=False)


@pytest.mark.parametrize("payload", ["", "{", "[]", '["refunds", "production", "1"]', '["refunds", 1, 1]', "[1, 2, 3, 4]", "7"])
def test_what_is_no_flip_as_segue_tells_it_rings_all_the_same(payload: str) -> None:
    """Anybody with the database's password may notify."""
    heard: list[str] = []
    bell = FlipBell("memory:", lambda: heard.append("rung"), tell=lambda *said: heard.append(f"told {said}"))
    bell._heard(payload)
    assert heard == ["rung"]


def test_a_store_without_a_server_has_no_bell() -> None:
    """Beside SQLite gateways are told by the command, and look by themselves."""
    with FlipBell("memory:", pytest.fail) as bell:
        assert not bell.listens.is_set()
