"""Flips are heard of at once, on every machine that shares a PostgreSQL store."""

from __future__ import annotations

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


def test_a_store_without_a_server_has_no_bell() -> None:
    """Beside SQLite gateways are told by the command, and look by themselves."""
    with FlipBell("memory:", pytest.fail) as bell:
        assert not bell.listens.is_set()
