"""The gateway as a user runs it: processes, kills, flips, and no store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import openai
import pytest

from segue.exchanges import ServedExchange
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.gateway.control import socket_folder
from segue.gateway.keys import hash_key
from tests.gateway.wiring import KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HELLO: Any = [{"role": "user", "content": "Hello"}]
SEGUE = [sys.executable, "-c", "from segue.cli import main; main()"]


@contextmanager
def a_stand_in(text: str) -> Iterator[str]:
    """A provider, as a process."""
    command = [sys.executable, "-m", "segue.standin", "--text", text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=10)


class Team:
    """A workspace with two bundles of two providers, and the commands typed in it."""

    def __init__(self, root: Path, providers: dict[str, str]) -> None:
        self.root = root
        entries = {name: {"type": "openai", "base_url": url} for name, url in providers.items()}
        keys = {"keys": [{"name": "app", "hash": hash_key(KEY)}]}
        self._write("segue.yaml", {"version": 1, "providers": entries, "gateway": keys})
        home = "workflows/mail"
        scorer = {"name": "right", "type": "contains"}
        self._write(f"{home}/workflow.yaml", {"scorers": [scorer], "gate": {"primary": ["right"]}})
        for name in providers:
            self._write(f"{home}/bundles/{name}.yaml", {"model": {"provider": name, "snapshot": f"{name}-1"}})
        case = {"case_id": "c1", "messages": HELLO, "reference": "Hello"}
        self._write(f"{home}/suites/main.jsonl", case)

    def _write(self, name: str, content: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content) + "\n")

    def segue(self, *words: str, code: int = 0) -> Any:
        """A command with `--json`."""
        done = subprocess.run([*SEGUE, *words, "--json"], cwd=self.root, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def gateway(self, workers: int = 2) -> Iterator[Running]:
        """`segue gateway`, until left."""
        command = [*SEGUE, "gateway", "--port", "0", "--workers", str(workers)]
        process = subprocess.Popen(command, cwd=self.root, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("OpenAI clients"):
                break
        rest = threading.Thread(target=lambda: said.extend(process.stderr or []))
        rest.start()
        try:
            assert process.poll() is None, "".join(said)
            origin = next(word for line in said for word in line.split() if word.startswith("http://"))
            yield Running(process, origin, said)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
            rest.join()
            process.stderr.close()

    def kept(self) -> list[ServedExchange]:
        """The exchanges that are in the log, shipped or not."""
        log = ExchangeLog(self.root / ".segue" / "spool", self.root / ".segue" / "exchanges")
        return [one.exchange for one in log.iterate(Selection())]


class Running:
    """A gateway that runs."""

    def __init__(self, process: subprocess.Popen[str], origin: str, said: list[str]) -> None:
        self.process, self.origin, self.said = process, origin, said

    def ask(self, user: str = "ada") -> tuple[str, str]:
        """An answer and its exchange, on a connection of its own, so that any worker may get it."""
        with openai.OpenAI(base_url=f"{self.origin}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
            raw = client.chat.completions.with_raw_response.create(model="mail", messages=HELLO, user=user)
            return raw.parse().choices[0].message.content or "", raw.headers["segue-exchange"]

    def ready(self) -> dict[str, Any]:
        """What readiness says."""
        with urlopen(f"{self.origin}/readyz", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def workers(self, folder: Path) -> list[dict[str, Any]]:
        """What the keeper says of its workers."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(socket_folder(folder) / f"{self.process.pid}.sock"))
            line.sendall(b'{"do": "sync"}\n')
            found: dict[str, Any] = json.loads(b"".join(iter(lambda: line.recv(65_536), b"")))
        return list(found["workers"])


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    """A team with a route on which the old bundle serves everyone."""
    with a_stand_in("The old one.") as old, a_stand_in("The new one.") as new:
        made = Team(tmp_path, {"old": old, "new": new})
        made.segue("route", "set", "mail", "old", "--candidate", "new")
        yield made


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
        team._write("workflows/mail/bundles/lost.yaml", {"model": {"provider": "old", "snapshot": "x"}})
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
