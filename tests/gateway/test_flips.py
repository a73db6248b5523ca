"""Flips under load, and flips of gateways on other machines: confirmed, and nothing is served by the old pointer after that."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from benchmarks.flips import KEY, STATE, Flip, Flipper, gateway, judge
from benchmarks.gateway_http import Process

from segue.gateway.control import SILENT_S, socket_folder
from segue.store import open_store
from tests.gateway.team import Team, a_stand_in
from tests.store.postgres import PostgresServer, find_programs, running_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

KINDS = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    """One for all."""
    programs = find_programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server program on this machine (initdb and postgres).")
    with running_server(programs) as server:
        yield server


@pytest.fixture
def postgresql(postgres_server: PostgresServer) -> str:
    """The address of an empty database: one each, for a gateway that one test kills is waited for by every flip after it."""
    return postgres_server.new_database()


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_after_a_confirmation_is_served_by_the_old_pointer(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """And none fails: over the sockets beside SQLite, through the database alone on PostgreSQL."""
    address = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    folder, records = tmp_path / "w", tmp_path / "records"
    with (
        Process(KEY, str(records), module="benchmarks.flips_parts") as load,
        gateway(folder, load.told["port"], 2, address) as served,
    ):
        store = open_store(address or folder / STATE)
        flipper = Flipper(store, socket_folder(folder / ".segue"))
        load.order(kind="begin", port=served.port, per_second=100, connections=8)
        flips = [flipper.flip(sockets=address is None) for _ in range(10)]
        load.order(kind="end")
        load.end()
        store.close()
    requests = [tuple(one) for one in json.loads(records.read_text())]
    found = judge(flips, requests)
    assert found["requests"] == len(requests) >= 50
    assert (found["failed"], found["by the old pointer"]) == (0, 0)
    assert {bundle for _, _, status, bundle in requests if status == 200} <= {flip.digest for flip in flips}


def test_an_old_pointer_would_be_seen() -> None:
    """What is counted: sent after a confirmation and before the next decision, served by another bundle."""
    old, new = "a" * 64, "b" * 64
    flips = [Flip(10, 20, new), Flip(50, 60, old)]
    requests = [(5, 6, 200, old), (15, 16, 200, old), (25, 26, 200, new), (30, 31, 200, old), (55, 56, 200, new)]
    requests += [(45, 52, 200, old), (61, 62, 200, old), (70, 71, 502, old), (80, 81, 0, "")]
    assert judge(flips, requests) == {
        "requests": 9,
        "failed": 2,
        "after a confirmation": 4,
        "by the old pointer": 1,
    }


@pytest.mark.postgres
def test_a_gateway_of_another_machine_is_waited_for(tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts with one database, as two machines have: the one flips, the other's gateway confirms; dead, it is named."""
    monkeypatch.setenv("SEGUE_TEST_STATE", postgresql)
    with a_stand_in("The old one.") as old, a_stand_in("The new one.") as new:
        here, there = (
            Team(tmp_path / name, {"old": old, "new": new}, state="${SEGUE_TEST_STATE}") for name in ("here", "there")
        )
        here.segue("route", "set", "mail", "old", "--candidate", "new")
        with there.gateway(workers=2) as running:
            flipped = here.segue("route", "flip", "mail", "--share", "100%")
            assert [(one["revision"], one["workers"], one["fault"]) for one in flipped["gateways"]] == [(2, 2, None)]
            assert flipped["ms"] >= flipped["gateways"][0]["ms"]
            assert {running.ask(f"u{number}")[0] for number in range(8)} == {"The new one."}
            shown = here.segue("route", "show", "mail")
            assert [(one["revision"], one["workers"]) for one in shown[0]["gateways"]] == [(2, 2)]
        assert here.segue("route", "flip", "mail", "--share", "50%")["gateways"] == [], "one that ended is not waited for"
        lost = there.start("gateway", "--port", "0")
        there.served(lost)
        store = open_store(postgresql)
        while [one.said.revisions for one in store.list_gateways()] != [{"mail": 3}]:
            assert lost.poll() is None
        store.close()
        os.killpg(lost.pid, signal.SIGKILL)
        lost.communicate(timeout=20)
        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute("UPDATE gateways SET told_s = told_s - %s", (SILENT_S + 1,))
        flipped = here.segue("route", "flip", "mail", "--back", code=13)
        assert [(one["silent"], one["revision"]) for one in flipped["gateways"]] == [(True, 3)]
