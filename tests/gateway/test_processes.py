"""The gateway as a user runs it: processes, kills, flips, and no store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from segue.gateway.scheduling import SLICE_NS
from tests.gateway.team import HELLO, SEGUE, Running, Team, a_stand_in
from tests.gateway.test_scheduling import attributes_of, skip_where_refused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team with a route on which the old bundle serves everyone."""
    with a_stand_in("The old one.") as old, a_stand_in("The new one.") as new:
        made = Team(tmp_path, {"old": old, "new": new})
        made.segue("route", "set", "mail", "old", "--candidate", "new")
        yield made


def test_workers_have_short_slices_and_nobody_else(team: Team) -> None:
    """What goes on beside a worker on its core gives way to it."""
    skip_where_refused()
    with team.gateway(workers=2) as running:
        workers = [attributes_of(one["pid"])[2] for one in running.workers(team.root / ".segue")]
        assert set(workers) in ({SLICE_NS}, {0}), "a kernel before 6.12 takes no notice"
        keeper, pids = running.process.pid, {one["pid"] for one in running.workers(team.root / ".segue")}
        children = set(map(int, Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()))
        assert len(children - pids) >= 1, "the shipping"
        for pid in (keeper, *(children - pids)):
            assert attributes_of(pid)[2] != SLICE_NS


def test_a_flip_reaches_every_worker_and_nothing_after_it_is_served_by_the_old_pointer(team: Team) -> None:
    """The command says when all serve it; a request accepted after that is never the old route's."""
    with team.gateway(workers=3) as running:
        assert {running.ask()[0] for _ in range(6)} == {"The old one."}
        flipped = team.segue("route", "flip", "mail", "--share", "100%")
        assert [(one["revision"], one["workers"], one["fault"]) for one in flipped["gateways"]] == [(2, 3, None)]
        assert {running.ask(f"u{number}")[0] for number in range(12)} == {"The new one."}
        team.segue("route", "flip", "mail", "--back")
        assert {running.ask(f"u{number}")[0] for number in range(12)} == {"The old one."}
    kept = team.kept()
    assert {one.route_revision for one in kept} == {1, 2, 3}
    assert all(one.output_tokens and one.finish_reason == "stop" and one.scores["refusal"] == 0 for one in kept)
    assert not list((team.root / ".segue" / "spool").glob("*.spool")), "what was kept is archived when the gateway ends"


def test_a_worker_that_is_killed_loses_no_exchange_and_is_replaced(team: Team) -> None:
    """Every exchange whose answer a client has is in the spool, and the gateway goes on."""
    acknowledged: list[str] = []
    state = team.root / ".segue"
    with team.gateway(workers=2) as running:
        for _ in range(3):
            acknowledged += [running.ask()[1] for _ in range(4)]
            victim = running.workers(state)[0]["pid"]
            os.kill(victim, signal.SIGKILL)
            while any(one["pid"] == victim or one["fault"] or not one["revisions"] for one in running.workers(state)):
                pass
        acknowledged.append(running.ask()[1])
        assert any("another takes its place" in line for line in running.said)
    assert set(acknowledged) <= {one.id for one in team.kept()}


def test_everything_killed_at_once_loses_no_exchange(team: Team) -> None:
    """The kernel owns the pages; the next start serves the same route."""
    with team.gateway() as running:
        acknowledged = [running.ask()[1] for _ in range(5)]
    command = [*SEGUE, "gateway", "--port", "0", "--workers", "2"]
    process = subprocess.Popen(command, cwd=team.root, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    origin = next(word for line in process.stderr for word in line.split() if word.startswith("http://"))
    running = Running(process, origin, [])
    while not any("OpenAI clients" in line for line in [process.stderr.readline()]):
        pass
    acknowledged += [running.ask()[1] for _ in range(5)]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    assert set(acknowledged) <= {one.id for one in team.kept()}
    with team.gateway() as again:
        assert again.ask()[0] == "The old one."


def test_without_its_store_it_serves_and_starts(team: Team) -> None:
    """What runs goes on; what starts anew starts from the last known routes, and says so."""
    with team.gateway(workers=1) as running:
        running.ask()
        for path in (team.root / ".segue").glob("state.db*"):
            path.unlink()
        (team.root / ".segue" / "state.db").mkdir()
        assert running.ask()[0] == "The old one."
    with team.gateway(workers=1) as again:
        assert again.ask()[0] == "The old one."
        assert any("Serving the last known routes" in line for line in again.said)


def test_a_route_that_cannot_be_served_never_takes_effect(team: Team) -> None:
    """The command says why and fails; users stay where they were."""
    with team.gateway(workers=2) as running:
        team.write("workflows/mail/bundles/lost.yaml", {"model": {"provider": "old", "snapshot": "x"}})
        entries = json.loads((team.root / "segue.yaml").read_text())
        del entries["providers"]["new"]
        (team.root / "segue.yaml").write_text(json.dumps(entries))
        flipped = team.segue("route", "flip", "mail", "--share", "50%", code=1)
        assert "'new', which is no provider over HTTP here" in flipped["gateways"][0]["fault"]
        assert {running.ask(f"u{number}")[0] for number in range(8)} == {"The old one."}
        assert running.ready()["revisions"] == {"mail": 1}


def test_a_key_is_shown_once_and_its_entry_is_what_the_gateway_takes(team: Team) -> None:
    """Written into segue.yaml, it is valid without a restart."""
    made = team.segue("gateway", "key", "other", "--workflow", "mail")
    assert made["key"] not in json.dumps(made["entry"])
    with team.gateway(workers=1) as running:
        entries = json.loads((team.root / "segue.yaml").read_text())
        entries["gateway"]["keys"].append(made["entry"])
        (team.root / "segue.yaml").write_text(json.dumps(entries))
        team.segue("route", "flip", "mail", "--share", "0%")
        with openai.OpenAI(base_url=f"{running.origin}/v1", api_key=made["key"], max_retries=0) as client:
            assert client.chat.completions.create(model="mail", messages=HELLO).choices[0].message.content
