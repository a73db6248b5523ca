"""`segue daily` against a gateway that runs: both bundles, through the front door."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from segue.controller.suites_endpoint import ENDPOINT_KEY
from segue.evals.catalogue import Catalogue
from segue.gateway.keys import hash_key
from segue.store import open_store
from segue.upgrade.log import Opening
from segue.workspace import load_workspace
from tests.cli.conftest import Segue
from tests.controller.undertaken import a_plan
from tests.gateway.team import Team, a_stand_in
from tests.gateway.wiring import KEY

AT = "2026-01-01T00:00:00Z"


def opened(team: Team) -> tuple[str, str]:
    """An upgrade from `old` to `new`, as the store has it."""
    store = open_store(str(team.root / ".segue" / "state.db"))
    catalogue = Catalogue(load_workspace(team.root, os.environ), store, author="ada", at=AT)
    old, new = (catalogue.bundle("mail", label).bundle.digest for label in ("old", "new"))
    opening = Opening(upgrade="mail-1", workflow="mail", incumbent=old, candidate=new, plan=a_plan(), by="ada", at=time.time())
    body: Any = opening.model_dump(mode="json")
    store.open_upgrade("mail-1", "mail", "production", body, author="ada", at=AT)
    store.close()
    return old, new


@pytest.mark.slow
def test_both_bundles_are_asked_through_a_gateway_that_runs(
    tmp_path: Path, segue: Segue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored, kept out of evidence, once a day; and the key never leaves the environment."""
    monkeypatch.chdir(tmp_path)
    with a_stand_in("Hello") as old_url, a_stand_in("Bye") as new_url:
        team = Team(tmp_path, {"old": old_url, "new": new_url})
        keys = [{"name": "daily", "hash": hash_key(KEY), "permissions": ["call", "pin"]}]
        team.settings["gateway"] = {"keys": keys}
        team.configure()
        team.segue("route", "set", "mail", "old", "--candidate", "new", "--share", "5%")
        old, new = opened(team)
        assert "It is not known where production is reached" in segue("daily", "mail").err
        with team.gateway(workers=1) as running:
            monkeypatch.setenv(ENDPOINT_KEY, KEY)
            found = segue("daily", "mail", "--endpoint", running.origin, "--json").json
            again = segue("daily", "mail", "--endpoint", running.origin)
    assert [(one["bundle"], one["n_answered"], one["metrics"]["right"]["cells"][""]) for one in found] == [
        (old, 1, [1, 1.0, 1.0]),
        (new, 1, [1, 0.0, 0.0]),
    ]
    assert again.out == "Both bundles were asked today already.\n"
    assert {(one.arm, one.tags) for one in team.kept()} == {("pinned", ("eval",))}
    status = segue("status", "mail", "--json").json
    assert next(one for one in status["beside"] if one["name"] == "daily eval")["figures"]["days"] == 1
    everything = b"".join(path.read_bytes() for path in (tmp_path / ".segue").rglob("*") if path.is_file())
    assert KEY.encode() not in everything


def test_without_an_upgrade_there_are_no_two_bundles(workspace: Path, segue: Segue) -> None:
    """It says how to open one."""
    typed = segue("daily", "support-reply")
    assert (typed.code, "has had no upgrade" in typed.err) == (1, True)


@pytest.mark.parametrize("command", ["status", "history", "why", "review", "daily"])
def test_a_workflow_that_is_not_there_is_not_told_to_open_an_upgrade(workspace: Path, segue: Segue, command: str) -> None:
    """It says which workflows there are."""
    typed = segue(command, "suport-reply")
    assert typed.code == 1
    assert "There is no workflow 'suport-reply'. Did you mean 'support-reply'?" in typed.err
