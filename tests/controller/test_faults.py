"""Controllers, database and gateways that go at random moments: what must hold of an upgrade holds in every run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from segue.errors import SegueError, StoreError
from segue.upgrade.log import Upgrade, faults_of
from segue.upgrade.state import EXPOSED, ORDER
from tests.controller.pretend import DAY, PLAN, Killed, Stage

SEEDS = 200
LOOKS = 90
EACH = DAY / 5
OFTEN = DAY / 8
"""Two looks at each cycle's end: where one is lost, the step is left by the other."""


class Fate:
    """What happens at each call of a port, drawn beforehand."""

    def __init__(self, random: Random) -> None:
        self._random, self._calls, self._at = random, 0, random.randrange(1, 120)
        self.is_gone = False
        self.kills = 0

    def __call__(self, when: str, name: str) -> None:
        """One call, before or after it took effect."""
        self._calls += 1
        if self._calls == self._at:
            self._calls, self._at = 0, self._random.randrange(1, 120)
            self.kills += 1
            raise Killed
        if self.is_gone and when == "before":
            raise StoreError("It is gone.", fix="Wait.")


def place(upgrade: Upgrade, number: int) -> tuple[int, int]:
    """How far entry `number` is along the plan."""
    state = upgrade.entries[number].state
    return ORDER.index(state.stage) if state.stage in ORDER else -1, state.step


def check(stage: Stage, upgrade: Upgrade) -> None:
    """Nothing skipped, nothing twice, no share beyond the plan's."""
    assert not faults_of(upgrade)
    assert all(share <= most + 1e-12 for share, most in stage.shares)
    last = (0, 0)
    for number, entry in enumerate(upgrade.entries):
        here = place(upgrade, number)
        if here[0] < 0:
            continue
        if here > last and not entry.by:
            assert here in ((last[0] + 1, 0), (last[0], last[1] + 1)), f"{last} was followed by {here}"
        last = here


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_anywhere_it_goes_on_elsewhere(seed: int) -> None:
    """Kills, a database that comes and goes, gateways that stop confirming, people who hold and resume."""
    random = Random(seed)
    stage, fate = Stage(), Fate(random)
    stage.open()
    controller, number = stage.controller("c0", fate), 0
    harm_at = random.choice([None, None, random.randrange(20, LOOKS)])
    for look in range(LOOKS):
        stage.pretend.now += EACH
        fate.is_gone = random.random() < 0.1
        stage.pretend.serving = random.random() < 0.8
        if look == harm_at:
            stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
        try:
            controller.tick()
        except Killed:
            number += 1
            controller = stage.controller(f"c{number}", fate)
        except StoreError:
            pass
        if random.random() < 0.05:
            with suppress(SegueError):
                stage.person(random.choice(["hold", "resume", "pause", "resume"]))
    settle(stage)
    upgrade = stage.upgrade()
    check(stage, upgrade)
    assert stage.store.verify_log().holds
    if harm_at is not None and upgrade.state.stage == "rolled_back":
        assert stage.route().share == 0.0
        assert stage.pretend.incidents
    if upgrade.state.stage == "completed":
        assert stage.route().incumbent == stage.new


def settle(stage: Stage) -> None:
    """A controller that nothing happens to carries out what is left."""
    stage.pretend.serving = True
    controller = stage.controller("last")
    for _ in range(3):
        stage.pretend.now += 60.0
        controller.tick()


@pytest.mark.parametrize("seed", range(0, SEEDS, 4))
def test_going_back_is_possible_at_any_moment(seed: int) -> None:
    """Whatever has just been killed: a person rolls back, and the next controller has nobody on the candidate."""
    random = Random(seed)
    stage, fate = Stage(), Fate(random)
    stage.open()
    controller, until = stage.controller("c0", fate), random.randrange(12, 40)
    for look in range(until):
        stage.pretend.now += EACH
        try:
            controller.tick()
        except Killed:
            controller = stage.controller(f"c{look}", fate)
    if stage.upgrade().state.stage not in EXPOSED:
        return
    stage.person("roll_back")
    settle(stage)
    assert stage.upgrade().state.stage == "rolled_back"
    assert (stage.route().candidate, stage.route().share) == (None, 0.0)
    check(stage, stage.upgrade())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["take_lease", "list_upgrades", "add_upgrade_entry", "flip_route", "add_fact", "start", "send"]
)
def test_killed_at_each_kind_of_call(call: str, when: str) -> None:
    """Once at every occurrence of it, before it took effect or after: the upgrade completes, each decision taken once."""
    plain = _finished(lambda _when, _name: None)
    kills = 0

    def fate(at: str, name: str) -> None:
        nonlocal kills
        if (at, name) == (when, call) and not spared:
            kills += 1
            spared.append(call)
            raise Killed

    spared: list[str] = []
    stage = Stage()
    stage.open()
    controller = stage.controller("c0", fate)
    for look in range(128):
        stage.pretend.now += OFTEN
        try:
            controller.tick()
            # The next one of these calls is hit again, in the controller that goes on.
            if look % 2:
                spared.clear()
        except Killed:
            controller = stage.controller(f"c{look}", fate)
    settle(stage)
    assert kills
    check(stage, stage.upgrade())
    assert [one.event for one in stage.upgrade().entries] == plain


def _finished(fate: Callable[[str, str], None]) -> list[str]:
    stage = Stage()
    stage.open()
    stage.days(stage.controller("c0", fate), 16, OFTEN)
    assert stage.upgrade().state.stage == "completed"
    return [one.event for one in stage.upgrade().entries]


def test_the_plan_of_these_tests_has_several_steps() -> None:
    """Else nothing could be skipped."""
    assert len(PLAN.canary) == 3
