"""Processes killed at any moment: upgrades go on, each to its end, and nothing of them is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random

import pytest

from segue.cli.upgrade_opening import wall_clock
from segue.controller.actions import act_on
from segue.controller.moments import iso
from segue.controller.opening import Proposal, open_upgrade
from segue.controller.reading import read_upgrade
from segue.errors import ConflictError, StoreError
from segue.model import Bundle
from segue.model.plan import Plan, PlanGate, PlanStep, ShadowSpec
from segue.model.route import Route
from segue.store import open_store
from segue.store.base import Store
from segue.upgrade.log import Upgrade, faults_of
from segue.upgrade.state import ORDER
from segue.upgrade.wanted import most_share
from tests.gateway.team import HELLO, SEGUE, Running, Team, a_stand_in
from tests.gateway.wiring import KEY
from tests.thorough import often

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PROVIDERS = ("old", "new")
WORKFLOWS = [f"job{number}" for number in range(often(5, thorough=20))]
SECOND = 1 / 86_400
PLAN = Plan(
    steps=tuple(PlanStep(share=share, hold=2 * SECOND, longest=600 * SECOND) for share in (0.25, 0.5)),
    gates=(PlanGate(metric="right", better="higher", watch="total", required=False, baseline=0.9, age=SECOND),),
    cycle=2 * SECOND,
    shadow=ShadowSpec(length=0),
    soak=10 * SECOND,
    # On a slow machine it takes a while until somebody has asked whether the incumbent answers.
    soak_longest=600 * SECOND,
)
WAIT_S = 240.0


def until(true: Callable[[], bool], what: str, *, wait_s: float = WAIT_S) -> None:
    """Look until it is so."""
    end, bell = time.monotonic() + wait_s, threading.Event()
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(what)
        bell.wait(0.05)


class Ticking:
    """`segue controller`, started again whenever it is killed."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self.start()

    def start(self) -> None:
        """A new one, which knows nothing."""
        command = [*SEGUE, "controller", "--every", "0.1", "--no-api"]
        self.process = subprocess.Popen(command, cwd=self._team.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """As a machine that loses its power does."""
        self.process.kill()
        self.process.wait(timeout=20)
        self.start()


@contextmanager
def asked(origin: str) -> Iterator[dict[str, int]]:
    """Requests of every workflow, one after the other, until left. How many were answered, and how many were not."""
    ended, counts = threading.Event(), {"answered": 0, "failed": 0}
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

    def ask() -> None:
        turn = 0
        while not ended.is_set():
            connection = HTTPConnection(origin.removeprefix("http://"), timeout=30)
            with closing(connection), suppress(OSError, HTTPException):
                while not ended.wait(0.02):
                    turn += 1
                    body = {"model": WORKFLOWS[turn % len(WORKFLOWS)], "messages": HELLO, "user": f"u{turn}"}
                    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
                    answer = connection.getresponse()
                    answer.read()
                    counts["answered" if answer.status == 200 else "failed"] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def begin(store: Store, workflow: str, candidate: str) -> None:
    """Open it, and bring it past what needs a suite: a person says so, with a reason."""
    at = wall_clock()
    proposal = Proposal(workflow, candidate, PLAN, "quick")
    open_upgrade(store, proposal, name=f"{workflow}-1", by="ada", reason="a trial", at=at)
    while read_upgrade(store, workflow).state.stage in ("decide", "eval", "staging"):
        with suppress(ConflictError):
            act_on(store, workflow, "advance", by="ada", reason="a trial", at=wall_clock())


def check(store: Store, upgrade: Upgrade) -> None:
    """Every step in its order, each once; no flip beyond what the log allowed when it was made."""
    assert not faults_of(upgrade)
    passed = [(one.state.stage, one.state.step) for one in upgrade.entries if one.event == "passed"]
    assert passed == [("canary", 1), ("soak", 0), ("completed", 0)]
    places = [(ORDER.index(one.state.stage), one.state.step) for one in upgrade.entries]
    assert places == sorted(places)
    for revision in store.route_history(upgrade.opening.workflow, "production"):
        if f"upgrade {upgrade.opening.upgrade}, entry " in revision.reason:
            number = int(revision.reason.split("entry ")[1].split(":")[0])
            assert revision.route.share <= most_share(upgrade.entries[number - 1].state, PLAN)


def test_killed_at_random_moments_all_of_them_complete(tmp_path: Path) -> None:
    """Three blows for five of them, twelve for twenty: controller, workers of the gateway, a database that is locked."""
    random = Random(20261122)
    with a_stand_in("Hello") as old, a_stand_in("Hello there") as new:
        team = Team(tmp_path, {"old": old, "new": new})
        for workflow in WORKFLOWS:
            team.add_workflow(workflow)
        (tmp_path / ".segue").mkdir()
        store = open_store(tmp_path / ".segue" / "state.db")
        digests = {one: put(store, one) for one in WORKFLOWS}
        with closing(store), team.gateway(workers=2) as running, asked(running.origin) as counts:
            ticking = Ticking(team)
            try:
                strike(random, digests, store, Blows(team, running, ticking))
                names = [f"{one}-1" for one in WORKFLOWS]
                try:
                    until(lambda: all(ended(store, one) for one in names), "an upgrade did not end")
                except TimeoutError as error:
                    last = [read_upgrade(store, one).entries[-1] for one in WORKFLOWS]
                    raise TimeoutError("\n".join((str(error), *map(str, last)))) from None
            finally:
                ticking.process.terminate()
                ticking.process.wait(timeout=30)
            for workflow in WORKFLOWS:
                upgrade = read_upgrade(store, workflow)
                assert upgrade.state.stage == "completed", upgrade.entries[-1]
                check(store, upgrade)
                route = store.find_route(workflow, "production").route
                assert (route.incumbent, route.candidate) == (upgrade.opening.candidate, None)
            assert store.verify_log().holds
            assert counts["failed"] == 0
            assert counts["answered"]


def put(store: Store, workflow: str) -> str:
    """Two bundles, and the first of them serves; gives the digest of the other."""
    old, new = (
        Bundle.model_validate({"workflow": workflow, "model": {"provider": one, "snapshot": "x-1"}}) for one in PROVIDERS
    )
    for bundle in (old, new):
        store.add_bundle(bundle, author="ada", at=iso(wall_clock()))
    route = Route(workflow=workflow, incumbent=old.digest)
    store.flip_route(route, follows=None, author="ada", reason="first", at=iso(wall_clock()))
    return new.digest


@dataclass(frozen=True)
class Blows:
    """What may befall them."""

    team: Team
    running: Running
    ticking: Ticking

    def strike(self, what: str, random: Random) -> None:
        """One of them."""
        state = self.team.root / ".segue"
        if what == "controller":
            self.ticking.kill()
        elif what == "worker":
            with suppress(ProcessLookupError):
                os.kill(random.choice(self.running.workers(state))["pid"], signal.SIGKILL)
        else:
            with closing(sqlite3.connect(state / "state.db", timeout=30)) as other:
                other.execute("BEGIN IMMEDIATE")
                with suppress(TimeoutError):
                    until(lambda: False, "", wait_s=0.3)
                other.rollback()


def strike(random: Random, digests: Mapping[str, str], store: Store, blows: Blows) -> None:
    """Open one upgrade after the other, with a blow somewhere on the way of each few."""
    for place, workflow in enumerate(WORKFLOWS):
        begin(store, workflow, digests[workflow])
        if place % 5 < 3:
            entries = random.randrange(4, 8)
            until(partial(has_come, store, workflow, entries), "it stands still")
            blows.strike(random.choice(["controller", "controller", "worker", "database"]), random)


def has_come(store: Store, workflow: str, entries: int) -> bool:
    """Whether its log has so many entries, or its last one."""
    upgrade = read_upgrade(store, workflow)
    return upgrade.state.is_ended or len(upgrade.entries) >= entries


def ended(store: Store, name: str) -> bool:
    """Whether nothing follows any more."""
    with suppress(StoreError):
        return read_upgrade(store, name.removesuffix("-1")).state.is_ended
    return False
