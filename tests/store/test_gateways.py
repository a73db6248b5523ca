"""Gateways say in the store what they serve; whoever flips reads it there."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from segue.errors import InputError, TamperError
from segue.store import MemoryStore, Store
from segue.store.gateways import FORGET_S, GatewaySaid, said_as_json, said_from_json
from segue.store.sql import SqlStore
from tests.store.conftest import Place

SAID = GatewaySaid(
    name="box-1-a",
    environment="production",
    host="box",
    pid=1,
    workers=8,
    read={"mail": 3},
    revisions={"mail": 2},
    refused={"mail": "no key"},
    breakers={"a" * 64: 2},
)
OTHER = replace(SAID, name="den-7-b", host="den", environment="staging")


def test_what_a_gateway_says_takes_the_place_of_what_it_said(store: Store) -> None:
    """A row for each, by name and environment, and the log knows nothing of it."""
    for said in (SAID, OTHER, replace(SAID, revisions={"mail": 3}, refused={})):
        store.tell_gateway(said)
    found = store.list_gateways()
    assert [one.said for one in found] == [replace(SAID, revisions={"mail": 3}, refused={}), OTHER]
    assert all(0 <= one.age_s < FORGET_S for one in found)
    assert [one.said.name for one in store.list_gateways("staging")] == ["den-7-b"]
    assert store.verify_log().n_entries == 0


def test_a_gateway_that_ended_is_forgotten(store: Store) -> None:
    """Twice is no error."""
    store.tell_gateway(SAID)
    store.forget_gateway(SAID.name)
    store.forget_gateway(SAID.name)
    assert store.list_gateways() == []


def test_a_name_that_cannot_be_stored_is_refused(store: Store) -> None:
    """As in every other record."""
    with pytest.raises(InputError):
        store.tell_gateway(replace(SAID, name="a\0b"))
    assert store.list_gateways() == []


def test_silence_is_told_by_its_age_and_then_forgotten() -> None:
    """Age grows with the store's clock; after an hour there was nobody."""
    now = 100.0
    store = MemoryStore(clock=lambda: now)
    store.tell_gateway(SAID)
    now = 130.0
    assert [one.age_s for one in store.list_gateways()] == [30.0]
    now += FORGET_S
    assert store.list_gateways() == []


def test_age_is_by_the_databases_clock(database: Place) -> None:
    """A row of long ago is silent or gone, whatever the clock here says; the next sign of life clears it away."""
    store = database.open()
    assert isinstance(store, SqlStore)
    for name, ago in (("silent", 60.0), ("gone", FORGET_S + 60.0)):
        store.tell_gateway(replace(SAID, name=name))
        with store._db.write() as session:
            session.run("UPDATE gateways SET told_s = told_s - ? WHERE name = ?", (ago, name))
    silent = store.list_gateways()
    assert [one.said.name for one in silent] == ["silent"]
    assert 60.0 <= silent[0].age_s < FORGET_S
    store.tell_gateway(SAID)
    with store._db.read() as session:
        assert session.core.execute(sa.text("SELECT count(*) FROM gateways")).scalar() == 2


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_a_sign_of_life_waits_for_no_long_write(database: Place) -> None:
    """An import that takes minutes makes no gateway look dead."""
    writer, gateway = database.open(), database.open()
    assert isinstance(writer, SqlStore)
    done = threading.Event()

    def tell() -> None:
        gateway.tell_gateway(SAID)
        done.set()

    with writer._db.write():
        thread = threading.Thread(target=tell)
        thread.start()
        assert done.wait(20)
    thread.join()


def test_what_a_later_version_says_beside_it_is_left_out() -> None:
    """Machines are upgraded one after the other."""
    assert said_from_json({**said_as_json(SAID), "colour": "blue"}) == SAID


@pytest.mark.parametrize("body", ["[]", "{}", "no", '{"name": 1}'], ids=["list", "empty", "no-json", "half"])
def test_a_row_that_no_gateway_wrote_is_said_so(database: Place, body: str) -> None:
    """It is not read half."""
    store = database.open()
    assert isinstance(store, SqlStore)
    store.tell_gateway(SAID)
    with store._db.write() as session:
        session.run("UPDATE gateways SET body = ?", (body,))
    with pytest.raises(TamperError):
        store.list_gateways()
