"""A drill with real gateways in staging: confirmed, measured, counted for readiness, and the route as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.store import open_store
from tests.gateway.team import SEGUE, Team, a_stand_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """With a route in staging and one in production."""
    with a_stand_in("The old one.") as old, a_stand_in("The new one.") as new:
        made = Team(tmp_path, {"old": old, "new": new})
        made.segue("route", "set", "mail", "old", "--candidate", "new", "--share", "25%")
        made.segue("route", "set", "mail", "old", "--environment", "staging")
        yield made


def test_a_rollback_is_practised_in_staging(team: Team) -> None:
    """Killed in the middle, the next one says so and puts it right; production is not touched."""
    gateway = team.start("gateway", "--port", "0", "--environment", "staging")
    team.served(gateway)
    store = open_store(team.root / ".segue" / "state.db")
    words = [*SEGUE, "drill", "mail", "--candidate", "new", "--json"]
    # A gateway that is stopped confirms nothing, so the drill waits for it when it is killed.
    os.kill(gateway.pid, signal.SIGSTOP)
    cut_off = subprocess.Popen(words, cwd=team.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while store.find_route("mail", "staging").revision < 2:
        assert cut_off.poll() is None
    cut_off.kill()
    cut_off.wait()
    os.kill(gateway.pid, signal.SIGCONT)
    assert store.find_route("mail", "staging").route.share == 1.0
    done = team.segue("drill", "mail", "--candidate", "new")
    assert (done["ok"], done["gateways"], done["repaired"] is None) == (True, 1, False)
    assert min(done["flip_ms"], done["rollback_ms"]) > 0
    assert store.find_route("mail", "staging").route.candidate is None
    assert len(store.route_history("mail", "production")) == 1
    ready = team.segue("ready", "mail", code=11)
    assert {one["name"]: one["answer"] for one in ready["boxes"]}["drill"] == "yes"
    store.close()
    os.killpg(gateway.pid, signal.SIGTERM)
    gateway.communicate(timeout=60)
