"""The store crashes, is locked, is torn, is not there: the gateway serves on and starts.

Flips are refused with a reason, and work again as soon as it is back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.gateway.faults.database import a_database
from tests.gateway.faults.load import has_ended
from tests.gateway.team import Running, Team, a_stand_in
from tests.store.postgres import find_programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OLD, NEW = "The old one.", "The new one."


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, str]]:
    """Two for all."""
    with a_stand_in(OLD) as old, a_stand_in(NEW) as new:
        yield {"old": old, "new": new}


def until(running: Running, line: str, times: int = 1) -> None:
    """Wait until the gateway has said that so often."""
    while sum(line in said for said in running.said) < times:
        assert not has_ended(running.process)


def refused(team: Team, *words: str) -> str:
    """Flip, and be told why not."""
    told = team.segue("route", "flip", "mail", *words, code=1)["error"]
    assert told["fix"], "what to do about it"
    return str(told["what"])


def flip(team: Team, running: Running, *words: str) -> int | None:
    """Flip, and what this gateway then serves. One that ended while the store was away may still be listed as silent."""
    _, said, errors = team.typed("route", "flip", "mail", *words, "--json")
    told = json.loads(said)
    assert "gateways" in told, said + errors
    (here,) = [one for one in told["gateways"] if one["gateway"] == str(running.process.pid)]
    assert here["fault"] is None
    assert all(one["silent"] for one in told["gateways"] if one is not here)
    return int(here["revision"])


@pytest.mark.postgres
def test_postgresql_crashes_while_the_gateway_serves_and_before_it_starts(tmp_path: Path, providers: dict[str, str]) -> None:
    """Nobody asking notices; a flip says that the database cannot be reached; back, it works at once."""
    programs = find_programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server program on this machine (initdb and postgres).")
    with a_database(programs) as database:
        team = Team(tmp_path, providers, state=database.new_database().replace(":not-a-secret", ""))
        team.segue("route", "set", "mail", "old", "--candidate", "new")
        with team.gateway(workers=2) as running:
            assert running.ask()[0] == OLD
            database.crash()
            until(running, "cannot be read")
            assert [running.ask(f"u{n}")[0] for n in range(4)] == [OLD] * 4
            assert running.ready()["ready"]
            assert "PostgreSQL" in refused(team, "--share", "100%")
            database.start()
            assert flip(team, running, "--share", "100%") == 2
            assert [running.ask(f"u{n}")[0] for n in range(4)] == [NEW] * 4
            database.crash()
        with team.gateway(workers=2) as again:
            assert any("last known routes" in line for line in again.said)
            assert again.ask()[0] == NEW
            database.start()
            until(again, "can be read again")
            assert flip(team, again, "--back") == 3
            assert again.ask()[0] == OLD


@pytest.fixture
def team(tmp_path: Path, providers: dict[str, str]) -> Team:
    """On SQLite, with a route on which the old bundle serves everyone. A lock is waited for two seconds, not thirty."""
    made = Team(tmp_path, providers, state="sqlite:///.segue/state.db?timeout=2")
    made.segue("route", "set", "mail", "old", "--candidate", "new")
    return made


def test_a_locked_sqlite_file_stops_nobody(team: Team) -> None:
    """Somebody's long transaction: requests are served, the flip says so, and passes once the lock is gone."""
    with team.gateway(workers=1) as running:
        with closing(sqlite3.connect(team.root / ".segue" / "state.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert running.ask()[0] == OLD
            assert refused(team, "--share", "100%")
            assert running.ask()[0] == OLD
            other.rollback()
        assert flip(team, running, "--share", "100%") == 2
        assert running.ask()[0] == NEW


def test_a_torn_sqlite_file_stops_nobody(team: Team) -> None:
    """Overwritten while the gateway serves: it serves on, starts from the last known routes, and takes flips once mended."""
    state = team.root / ".segue" / "state.db"
    with team.gateway(workers=1) as running:
        assert running.ask()[0] == OLD
        whole = {path: path.read_bytes() for path in state.parent.glob("state.db*")}
        for path in whole:
            path.write_bytes(b"torn " * 4000)
        assert refused(team, "--share", "100%")
        assert running.ask()[0] == OLD
        assert running.ready()["ready"]
    with team.gateway(workers=1) as again:
        assert any("last known routes" in line for line in again.said)
        assert again.ask()[0] == OLD
        for path, content in whole.items():
            path.write_bytes(content)
        until(again, "can be read again")
        assert flip(team, again, "--share", "100%") == 2
        assert again.ask()[0] == NEW
