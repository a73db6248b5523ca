"""How a gateway starts where something is wrong: a route, the port, a worker, the store."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from segue.errors import InputError
from segue.gateway.crew import Crew
from segue.gateway.last_known import LastKnown, save_last_known
from segue.gateway.port import hold_port
from segue.gateway.worker import WorkerSettings
from tests.gateway.team import Running, Team, a_stand_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team with one route to a stand-in."""
    with a_stand_in("The old one.") as old:
        made = Team(tmp_path, {"old": old})
        made.segue("route", "set", "mail", "old")
        yield made


def until(running: Running, line: str) -> None:
    """Wait until the gateway has said that."""
    while not any(line in said for said in running.said):
        assert running.process.poll() is None


def test_one_bad_route_takes_no_other_workflow_with_it(team: Team) -> None:
    """At the start it is said and its clients hear why; flips of the others pass; mended, it is served."""
    team.settings["providers"]["odd"] = dict(team.settings["providers"]["old"])
    team.configure()
    team.add_workflow("chat")
    team.segue("route", "set", "chat", "odd")
    odd = team.settings["providers"].pop("odd")
    team.configure()
    with team.gateway(workers=2) as running:
        assert any("'chat' cannot be served" in line and "Requests for it get an error" in line for line in running.said)
        assert running.ready()["refused"].keys() == {"chat"}
        assert running.ask()[0] == "The old one."
        with pytest.raises(openai.InternalServerError, match=r"'chat' cannot be served.*'odd', which is no provider"):
            running.ask(workflow="chat")
        assert team.segue("route", "set", "mail", "old", "--reason", "again")["gateways"][0]["fault"] is None
        team.settings["providers"]["odd"] = odd
        team.configure()
        assert team.segue("route", "set", "chat", "odd", "--reason", "mended")["gateways"][0]["revision"] == 2
        assert running.ask(workflow="chat")[0] == "The old one."
        del team.settings["providers"]["odd"]
        team.configure()
        until(running, "Revision 2 is served on.")
        assert running.ask(workflow="chat")[0] == "The old one."
    with team.gateway(workers=1) as again:
        assert again.ask(workflow="chat")[0] == "The old one.", "what was served is served after a restart, too"


def test_a_gateway_that_can_serve_nothing_ends_and_says_why(team: Team) -> None:
    """Listening would only answer every request with an error."""
    team.settings["providers"] = {}
    team.configure()
    said = team.process("gateway", "--port", "0", code=1)
    assert "None of the workflows can be served" in said["error"]["what"]
    assert "'old', which is no provider over HTTP here" in said["error"]["what"]


def test_a_port_has_one_gateway(team: Team) -> None:
    """The second is refused, with the remedy, and takes no request of the first."""
    with team.gateway(workers=2) as running:
        port = running.origin.rpartition(":")[2]
        said = team.process("gateway", "--port", port, code=1)
        assert f"Port {port} on 127.0.0.1 is taken" in said["error"]["what"]
        assert said["error"]["fix"]
        assert {running.ask(f"u{number}")[0] for number in range(6)} == {"The old one."}
    with team.gateway(workers=1) as again:
        assert again.ask()[0] == "The old one."


async def test_a_worker_that_cannot_begin_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    """At once: nobody waits for what is not coming."""
    crew = Crew(2, tmp_path / "exchanges", {}, lambda _: None)
    path = tmp_path / "known.json"
    save_last_known(path, LastKnown(environment="production"))
    with hold_port("127.0.0.1", 0) as port, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert port != taken
        pattern = WorkerSettings(
            number=0, run="r", host="127.0.0.1", port=taken, last_known=path, spool=tmp_path / "spool", grace_s=1.0
        )
        with pytest.raises(InputError, match=f"Port {taken} on 127.0.0.1 is taken"):
            await crew.start(pattern)
    await crew.stop()


async def test_a_worker_that_died_unheard_holds_nobody_up(tmp_path: Path) -> None:
    """Asked to load before the loop has heard of its end, the crew waits for the one that takes its place."""
    crew = Crew(1, tmp_path / "exchanges", {}, lambda _: None)
    path = tmp_path / "known.json"
    save_last_known(path, LastKnown(environment="production"))
    await crew.start(WorkerSettings(0, "r", "127.0.0.1", 0, path, tmp_path / "spool", grace_s=1.0))
    try:
        (process,) = (child for child in multiprocessing.active_children() if child.name == "segue-gateway-0")
        loading = asyncio.create_task(crew.load())
        await asyncio.sleep(0)
        # The worker is asked in the loop's next round, in which its end is heard of, too: afterwards.
        process.kill()
        process.join()
        await asyncio.wait_for(loading, 60)
        (again,) = (child for child in multiprocessing.active_children() if child.name == "segue-gateway-0")
        assert again.pid != process.pid
    finally:
        await crew.stop()


def test_a_held_port_is_refused_to_others() -> None:
    """Held, and not listened on: whoever asks next is told; let go, it can be had."""
    with hold_port("127.0.0.1", 0) as port, pytest.raises(InputError, match="is taken"), hold_port("127.0.0.1", port):
        pytest.fail("it is taken")
    with hold_port("127.0.0.1", port) as again:
        assert again == port


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host"], ids=["elsewhere", "no-name"])
def test_an_address_that_is_none_of_this_machine_is_said_so(host: str) -> None:
    """With what would be one."""
    with pytest.raises(InputError) as caught, hold_port(host, 0):
        pytest.fail("there is no such address")
    assert "--host 127.0.0.1" in caught.value.fix


def test_a_store_that_comes_back_is_taken_up(team: Team) -> None:
    """Started without it, from the last known routes and with simulated models; flips are heard of once it is there again."""
    model = {"accuracy": 1.0, "latency": {"median_ms": 1}}
    team.settings["providers"]["simulated"] = {"type": "scripted", "seed": 7, "models": {"simulated-1": model}}
    team.configure()
    team.add_workflow("mail")
    team.segue("route", "set", "mail", "simulated")
    with team.gateway(workers=1) as running:
        assert running.ask()[0] == "Hello"
    state, away = team.root / ".segue" / "state.db", team.root / ".segue" / "away.db"
    state.rename(away)
    state.mkdir()
    with team.gateway(workers=1) as running:
        assert any("Serving the last known routes" in line for line in running.said)
        assert running.ask()[0] == "Hello"
        state.rmdir()
        away.rename(state)
        until(running, "The routes can be read again.")
        flipped = team.segue("route", "flip", "mail", "--to", "old")
        assert [(one["revision"], one["fault"]) for one in flipped["gateways"]] == [(3, None)]
        assert running.ask()[0] == "The old one."
