"""Rolling back while the store is locked or gone, with real gateways: in force at once, in the store once, and never lost."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from segue.controller.reading import read_named
from segue.store import open_store
from segue.upgrade.log import UpgradeEntry
from tests.controller.undertaken import NOW, an_upgrade
from tests.gateway.faults.database import a_database
from tests.gateway.faults.load import has_ended
from tests.gateway.team import Running, Team, a_stand_in
from tests.gateway.wiring import KEY
from tests.store.postgres import find_programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OLD, NEW = "The old one.", "The new one."


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, str]]:
    """Two for all."""
    with a_stand_in(OLD) as old, a_stand_in(NEW) as new:
        yield {"old": old, "new": new}


def exposed(root: Path, providers: dict[str, str], **more: Any) -> Team:
    """A team whose candidate serves everyone."""
    team = Team(root, providers, **more)
    team.segue("route", "set", "mail", "old", "--candidate", "new", "--share", "100%")
    return team


def until(running: Running, line: str) -> None:
    """Wait until the gateway has said that."""
    while not any(line in said for said in running.said):
        assert not has_ended(running.process)


def said_by(found: dict[str, Any]) -> list[tuple[str | None, bool]]:
    """What each gateway said: its fault, and whether it is silent."""
    return [(one["fault"], one["silent"]) for one in found["gateways"]]


def test_a_locked_sqlite_file_keeps_nobody_on_the_candidate(tmp_path: Path, providers: dict[str, str]) -> None:
    """Told over the sockets, two gateways serve the incumbent; unlocked, the store has one revision by whoever ordered it."""
    team = exposed(tmp_path, providers)
    orders = team.root / ".segue" / "orders"
    with team.gateway(workers=2) as one, team.gateway(workers=1) as two:
        assert one.ask()[0] == NEW
        with closing(sqlite3.connect(team.root / ".segue" / "state.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            found = team.process("rollback", "mail", "--reason", "it burns")
            assert (found["pending"], found["new"], found["revision"]) == (True, True, None)
            assert said_by(found) == [(None, False)] * 2
            assert [one.ask(f"u{n}")[0] for n in range(4)] == [OLD] * 4
            assert two.ask()[0] == OLD
            again = team.process("rollback", "mail")
            assert (again["pending"], again["new"]) == (True, False)
            assert "ordered it at" in again["notes"][0]
            assert len(list(orders.glob("*.json"))) == 1
            other.rollback()
        until(one, "is in the store")
        until(two, "is in the store")
        done = team.segue("rollback", "mail")
        assert (done["pending"], done["new"], done["revision"], done["reason"]) == (False, False, 2, "it burns")
        assert said_by(done) == [(None, False)] * 2
        assert [each["revision"] for each in team.segue("route", "history", "mail")] == [2, 1]
        assert list(orders.glob("*.json")) == []
        assert team.segue("route", "flip", "mail", "--to", "new")["gateways"][0]["revision"] == 3
        assert one.ask()[0] == NEW, "what was ordered before is done with"


@pytest.mark.postgres
def test_a_postgresql_that_is_gone_keeps_nobody_on_the_candidate(tmp_path: Path, providers: dict[str, str]) -> None:
    """In force across a restart of the gateway, and in the store once it is back; other machines are said not to be reached."""
    programs = find_programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server program on this machine (initdb and postgres).")
    with a_database(programs) as database:
        address = database.new_database().replace(":not-a-secret", "")
        team = exposed(tmp_path, providers, state=address)
        with team.gateway(workers=2) as running:
            assert running.ask()[0] == NEW
            database.crash()
            found = team.process("rollback", "mail", "--reason", "it burns", code=13)
            assert found["pending"]
            assert [(one["fault"] is None, one["silent"]) for one in found["gateways"]] == [(True, False), (False, True)]
            assert [running.ask(f"u{n}")[0] for n in range(4)] == [OLD] * 4
        with team.gateway(workers=1) as again:
            assert again.ask()[0] == OLD, "it was written down"
            database.start()
            until(again, "is in the store")
            done = team.segue("rollback", "mail", code=13)
            assert (done["revision"], done["reason"], done["new"]) == (2, "it burns", False)
            assert again.ask()[0] == OLD
        store = open_store(address)
        assert [one.reason for one in store.route_history("mail", "production")] == ["it burns", "set"]
        assert store.verify_log().holds
        store.close()


def test_half_the_gateways_killed(tmp_path: Path, providers: dict[str, str]) -> None:
    """Those that live are back; a killed one is cleared away, and serves the incumbent when it is started again."""
    team = exposed(tmp_path, providers)
    with team.gateway(workers=1) as living:
        lost = team.start("gateway", "--port", "0")
        team.served(lost)
        os.killpg(lost.pid, signal.SIGKILL)
        lost.communicate(timeout=20)
        found = team.segue("rollback", "mail")
        assert (found["new"], said_by(found)) == (True, [(None, False)])
        assert found["ms"] >= found["gateways"][0]["ms"] > 0
        assert living.ask()[0] == OLD
    with team.gateway(workers=1) as again:
        assert again.ask()[0] == OLD


def test_nothing_to_tell_and_nowhere_to_write_is_an_error(tmp_path: Path, providers: dict[str, str]) -> None:
    """Without a store and without a gateway on this machine nothing is promised; an order that waits is obeyed at the start."""
    team = exposed(tmp_path, providers)
    with closing(sqlite3.connect(team.root / ".segue" / "state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        told = team.process("rollback", "mail", code=1)["error"]
        assert "No gateway of this machine serves 'mail' either" in told["what"]
        assert told["fix"]
        other.rollback()
    with team.gateway(workers=1) as running:
        assert running.ask()[0] == NEW
    with closing(sqlite3.connect(team.root / ".segue" / "state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        found = team.process("rollback", "mail", code=13)
        assert (found["pending"], found["gateways"]) == (True, [])
        with team.gateway(workers=1) as running:
            assert running.ask()[0] == OLD
            other.rollback()
            until(running, "is in the store")


def test_while_an_approval_is_pending_and_no_controller_runs(tmp_path: Path, providers: dict[str, str]) -> None:
    """The route, the entry and the incident; a conversation begun on the candidate goes on with the incumbent."""
    team = exposed(tmp_path, providers)
    store = open_store(team.root / ".segue" / "state.db")
    old, new = (store.find_bundle("mail", label).bundle for label in ("old", "new"))
    upgrade = an_upgrade(store, name="up-1", bundles=(old, new), share=1.0)
    waiting = upgrade.state.model_copy(update={"asked_for_approval": True, "number": 2})
    entry = UpgradeEntry(upgrade="up-1", number=2, event="needs_approval", at=NOW, effects=("ask_approval",), state=waiting)
    store.add_upgrade_entry("up-1", 2, entry.model_dump(mode="json"), ends=False, fence=None, author="segue", at="t")
    with (
        team.gateway(workers=1) as running,
        openai.OpenAI(base_url=f"{running.origin}/v1", api_key=KEY, max_retries=0) as client,
    ):
        said: list[Any] = [{"role": "user", "content": "Hello"}]
        for expected in (NEW, OLD):
            answer = client.chat.completions.create(model="mail", messages=said, user="ada").choices[0].message.content
            assert answer == expected
            said += [{"role": "assistant", "content": answer}, {"role": "user", "content": "And then?"}]
            if expected == NEW:
                found = team.segue("rollback", "mail", "--reason", "it burns")
    assert (found["new"], found["entry"], found["incident"]) == (True, 3, "up-1-3")
    assert read_named(store, "up-1").state.stage == "rolled_back"
    store.close()


def test_a_disk_that_takes_nothing_keeps_nobody_on_the_candidate(tmp_path: Path, providers: dict[str, str]) -> None:
    """Neither store nor files can be written: the workers are told all the same, and again when one is started anew."""
    team = exposed(tmp_path, providers)
    state = team.root / ".segue"
    with team.gateway(workers=1) as running:
        assert running.ask()[0] == NEW
        # Where the file would be prepared stands something else.
        (state / f"last-known-production.{running.process.pid}.new").mkdir()
        with closing(sqlite3.connect(state / "state.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            found = team.process("rollback", "mail")
            assert said_by(found) == [(None, False)]
            assert running.ask()[0] == OLD
            os.kill(running.workers(state)[0]["pid"], signal.SIGKILL)
            until(running, "another takes its place")
            while True:
                with suppress(openai.APIConnectionError):
                    if running.ask()[0] == OLD:
                        break
            other.rollback()
        until(running, "is in the store")
