"""A full disk, on a file system of a limited size: the gateway serves on, and says that it is not ready and why.

It counts what it could not keep, and recovers by itself. Nothing that was kept is lost.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from segue.exchanges.query import ExchangeLog
from tests.gateway.faults.load import HEADERS, has_ended
from tests.gateway.team import Running, Team, a_stand_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIZE_MIB = 450
BODY = json.dumps({"model": "mail", "messages": [{"role": "user", "content": "x" * 900_000}], "user": "ada"})


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A workspace's root whose `.segue` is a file system of its own, of 450 MiB in memory."""
    state = tmp_path / ".segue"
    state.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(state)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("There is no mount program here, so no file system of a limited size can be made.")
    if done.returncode:
        pytest.skip(f"A file system of a limited size cannot be mounted here; that needs root ({done.stderr.strip()}).")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(state)], check=True)


def fill(path: Path) -> None:
    """All that is left of the disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))


class Client:
    """One connection that asks with large bodies."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._line = HTTPConnection("127.0.0.1", int(running.origin.rpartition(":")[2]), timeout=60)

    def ask(self) -> str:
        """The exchange of an answer, which there always is."""
        self._line.request("POST", "/v1/chat/completions", BODY, HEADERS)
        answer = self._line.getresponse()
        content = answer.read()
        assert (answer.status, b'"choices"' in content) == (200, True)
        return answer.headers["segue-exchange"] or ""

    def ready(self) -> dict[str, Any]:
        """What readiness says."""
        self._line.request("GET", "/readyz")
        answer = self._line.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        assert (answer.status == 200) == found["ready"]
        return found

    def close(self) -> None:
        """Go away."""
        self._line.close()


def test_a_full_disk_costs_no_answer_and_no_exchange_that_was_kept(small: Path) -> None:
    """Full while it serves; then there is room again."""
    with a_stand_in("An answer.") as provider:
        team = Team(small, {"old": provider})
        team.segue("route", "set", "mail", "old")
        kept, lost = [], 0
        with team.gateway(workers=1) as running:
            client = Client(running)
            kept.append(client.ask())
            assert client.ready()["ready"]
            filler = small / ".segue" / "filler"
            fill(filler)
            while (found := client.ready())["ready"]:
                before = found["log"]["not_kept"]
                assert before == 0
                kept.append(client.ask())
            lost = found["log"]["not_kept"]
            assert lost == 1, "it says so from the first that it could not keep"
            del kept[-1]
            assert "bytes left" in found["log"]["fault"] or "space" in found["log"]["fault"]
            for _ in range(5):
                client.ask()
            assert client.ready()["log"]["not_kept"] == lost + 5
            filler.unlink()
            while not client.ready()["ready"]:
                assert not has_ended(running.process)
            kept += [client.ask() for _ in range(5)]
            found = client.ready()
            assert found["log"]["not_kept"] == lost + 5
            assert found["log"]["kept"] == len(kept)
            client.close()
        stored = [one.id for one in team.kept()]
        assert sorted(stored) == sorted(kept)
        log = ExchangeLog(small / ".segue" / "spool", small / ".segue" / "exchanges")
        assert log.recount().waiting == 0, "shipped, as soon as there was room"


def test_a_gateway_that_starts_on_a_full_disk_serves_and_says_that_it_keeps_nothing(small: Path) -> None:
    """From the routes it knows; with room again it keeps, without a restart."""
    with a_stand_in("An answer.") as provider:
        team = Team(small, {"old": provider})
        team.segue("route", "set", "mail", "old")
        with team.gateway(workers=1):
            pass
        filler = small / ".segue" / "filler"
        fill(filler)
        with team.gateway(workers=1) as running:
            client = Client(running)
            client.ask()
            found = client.ready()
            assert (found["ready"], found["log"]["not_kept"]) == (False, 1)
            assert found["log"]["fault"]
            os.truncate(filler, 0)
            while not client.ready()["ready"]:
                assert not has_ended(running.process)
            kept = client.ask()
            client.close()
        assert [one.id for one in team.kept()] == [kept]
