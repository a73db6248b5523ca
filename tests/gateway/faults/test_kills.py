"""`kill -9` of a worker, the keeper, the shipping, of all of them, under load: no answered exchange is lost, none is twice."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.gateway.faults.load import Load, a_bare_gateway, children, has_ended, recount, shipping_of
from tests.gateway.team import Team, a_stand_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc"),
]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """One for all."""
    with a_stand_in("An answer of some words.") as url:
        yield url


@pytest.fixture
def team(tmp_path: Path, provider: str) -> Team:
    """With a route on which one bundle serves everyone."""
    made = Team(tmp_path, {"old": provider})
    made.segue("route", "set", "mail", "old")
    return made


def test_workers_killed_under_load_lose_nothing(team: Team) -> None:
    """At random moments, several times; whoever asks again is answered, and those who had their answer find it in the log."""
    rng = np.random.default_rng(5)
    with team.gateway(workers=2) as running, Load(int(running.origin.rpartition(":")[2])) as load:
        for _ in range(3):
            load.wait(int(rng.integers(1, 60)))
            pids = [one["pid"] for one in running.workers(team.root / ".segue")]
            os.kill(pids[int(rng.integers(0, len(pids)))], signal.SIGKILL)
            load.wait(30)
    assert not load.odd
    recount(team, load.acknowledged)


def test_everything_killed_at_random_moments_loses_nothing(team: Team) -> None:
    """Keeper, workers and shipping at once; the next start serves on, ships what was left, and nothing is there twice."""
    rng = np.random.default_rng(6)
    acknowledged: list[str] = []
    for _ in range(2):
        with a_bare_gateway(team.root) as gateway, Load(gateway.port) as load:
            load.wait(int(rng.integers(5, 120)))
            gateway.kill_all()
            load.__exit__()
        assert not load.odd
        acknowledged += load.acknowledged
    recount(team, acknowledged)


def test_a_killed_keeper_takes_its_workers_with_it_in_an_orderly_way(team: Team) -> None:
    """They finish what is under way and end, and so does the shipping; a supervisor's next start takes the same port."""
    with a_bare_gateway(team.root) as gateway, Load(gateway.port) as load:
        load.wait(20)
        family = [os.pidfd_open(child) for child in children(gateway.process.pid)]
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait(timeout=30)
        for descriptor in family:
            assert select.select([descriptor], [], [], 60)[0], "It ends by itself."
            os.close(descriptor)
        with a_bare_gateway(team.root, port=gateway.port):
            load.wait(20)
            load.__exit__()
    assert not load.odd
    recount(team, load.acknowledged)


def test_shipping_killed_in_the_middle_ships_everything_once(team: Team) -> None:
    """Again and again, whatever it was doing: each exchange is in Parquet once."""
    rng = np.random.default_rng(7)
    killed: list[int] = []
    with a_bare_gateway(team.root, workers=1) as gateway, Load(gateway.port) as load:
        for _ in range(3):
            while (pid := shipping_of(gateway.process.pid)) is None or pid in killed:
                assert not has_ended(gateway.process)
            load.wait(int(rng.integers(1, 150)))
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        load.wait(20)
    assert not load.odd
    found = recount(team, load.acknowledged)
    assert len(found) >= len(load.acknowledged)
