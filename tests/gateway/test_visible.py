"""What a gateway shows of bundles it has cut off and of requests it did not mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.store import open_store
from tests.gateway.team import Team, a_stand_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_bundle_that_is_cut_off_and_what_shadow_did_are_seen(tmp_path: Path) -> None:
    """In readiness, on standard error, and beside the route; the users have had their answers meanwhile."""
    with a_stand_in("The old one.") as old:
        team = Team(tmp_path, {"old": old, "gone": "http://127.0.0.1:9/v1"})
        route = team.segue("route", "set", "mail", "old", "--candidate", "gone", "--share", "100%")["route"]
        with team.gateway(workers=1) as running:
            assert running.ready()["breakers"] == {}
            assert running.ready()["shadows"] == {}
            assert {running.ask(f"u{number}")[0] for number in range(7)} == {"The old one."}
            assert running.ready()["breakers"] == {route["candidate"]: "open"}
            store = open_store(team.root / ".segue" / "state.db")
            while not any(one.said.breakers for one in store.list_gateways()):
                assert running.process.poll() is None
            store.close()
            shown = team.segue("route", "show", "mail")[0]["gateways"]
            assert [one["cut_off"] for one in shown] == [{route["candidate"]: 1}]
            team.segue("route", "set", "mail", "old", "--candidate", "gone", "--shadow", "100%")
            running.ask()
            assert running.ready()["shadows"] == {"mail": {"mirrored": 1, "shed": {}}}
        assert any("is cut off: it fails too often (worker 0)" in line for line in running.said)
