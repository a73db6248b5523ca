"""The incumbent is asked every few minutes, off the controller's way; what nobody knows is unknown."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from segue.controller.grounds_workspace import CurrentWorkspace
from segue.controller.probing import KIND, Probed, Prober
from segue.controller.probing_asking import probe_endpoint, probe_provider
from segue.controller.suites_endpoint import Endpoint
from segue.model import Bundle, ModelRef, Prompt
from segue.standin.settings import StandInSettings, Trouble
from segue.store.memory import MemoryStore
from segue.upgrade.log import Upgrade
from tests.controller.undertaken import NOW, an_upgrade
from tests.evals.team import Team
from tests.gateway.wiring import KEY, PIN_KEY, a_gateway

MINUTE = 60.0


class AtOnce(Executor):
    """Runs what it is given before it returns."""

    def submit(self, fn: Any, /, *words: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*words, **named))
        except Exception as error:
            done.set_exception(error)
        return done


class Scene:
    """An upgrade, and an incumbent that says what the test wants."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.upgrade = an_upgrade(self.store)
        self.says = Probed(True)
        self.asked: list[str] = []
        self.prober = Prober(self.store, self.probe, executor=AtOnce())

    def probe(self, upgrade: Upgrade, bundle: Bundle) -> Probed:
        self.asked.append(bundle.digest)
        return self.says

    def facts(self) -> list[Any]:
        return [one.body for one in self.store.list_facts("mail", kind=KIND)]

    def answers(self, minutes: float) -> bool | None:
        return self.prober.answers(self.upgrade, NOW + minutes * MINUTE)


@pytest.fixture
def scene() -> Scene:
    """Before the first probe."""
    return Scene()


def test_it_asks_the_incumbent_every_five_minutes(scene: Scene) -> None:
    """And not at every look."""
    assert [scene.answers(at) for at in (0, 1, 4, 5, 6, 10)] == [True] * 6
    assert scene.asked == [scene.upgrade.state.incumbent] * 3


def test_one_failure_is_asked_again_before_anybody_is_told(scene: Scene) -> None:
    """A lost packet is no silence; the second one in a row is."""
    assert scene.answers(0) is True
    scene.says = Probed(False, "timeout")
    assert scene.answers(5) is True
    assert scene.answers(5.1) is False
    scene.says = Probed(True)
    assert scene.answers(10.1) is True


def test_only_a_change_is_written_down(scene: Scene) -> None:
    """With its reason."""
    for at in range(0, 60, 5):
        scene.answers(at)
    scene.says = Probed(False, "timeout")
    for at in range(60, 90, 5):
        scene.answers(at)
    assert [(one["answers"], one["reason"]) for one in scene.facts()] == [(True, ""), (False, "timeout")]


def test_what_cannot_be_asked_says_nothing_and_becomes_unknown(scene: Scene) -> None:
    """No endpoint, no key: that is ours, not the incumbent's. After three periods the last answer is too old."""
    assert scene.answers(0) is True
    scene.says = Probed(None, "it is not known where production is reached")
    assert [scene.answers(at) for at in (5, 10, 15)] == [True] * 3
    assert scene.answers(16) is None
    seen = scene.prober.seen(scene.upgrade, NOW + 16 * MINUTE)
    assert (seen.answers, seen.reason) == (None, "it is not known where production is reached")
    assert len(scene.facts()) == 1


def test_while_nothing_is_known_it_is_asked_more_often(scene: Scene) -> None:
    """A gateway that was not there for the first question would leave the incumbent unheard for five minutes."""
    scene.says = Probed(None, "the gateway cannot be reached")
    assert scene.answers(0) is None
    scene.says = Probed(True)
    assert scene.answers(1 / 12) is None
    assert scene.answers(1 / 6) is True


def test_a_probe_that_breaks_is_none_at_all(scene: Scene) -> None:
    """An error of ours is no answer of theirs."""

    def breaks(upgrade: Upgrade, bundle: Bundle) -> Probed:
        raise RuntimeError("boom")

    prober = Prober(scene.store, breaks, executor=AtOnce())
    seen = prober.seen(scene.upgrade, NOW)
    assert (seen.answers, seen.age_s, seen.reason) == (None, None, "RuntimeError")


def test_a_slow_provider_keeps_nobody_waiting() -> None:
    """The look returns at once; the answer is as old as its question."""
    store, let_go = MemoryStore(), threading.Event()
    upgrade = an_upgrade(store)

    def slow(upgrade: Upgrade, bundle: Bundle) -> Probed:
        assert let_go.wait(30)
        return Probed(True)

    prober = Prober(store, slow)
    assert prober.answers(upgrade, NOW) is None
    assert prober.answers(upgrade, NOW + 1000) is None
    let_go.set()
    prober.close()
    seen = prober.seen(upgrade, NOW + 200)
    assert (seen.answers, seen.age_s) == (True, 200.0)


def test_nothing_asked_is_unknown(scene: Scene) -> None:
    """Before the first answer, and where time went backwards it is asked anew."""
    prober = Prober(scene.store, lambda *_: Probed(None, "?"), executor=AtOnce())
    assert prober.answers(scene.upgrade, NOW) is None
    assert scene.answers(10) is True
    scene.answers(0)
    assert len(scene.asked) == 2


# what is asked


def test_the_incumbents_own_provider_is_asked(tmp_path: Path) -> None:
    """With its prompt, whose variables are filled in."""
    team = Team(tmp_path)
    ask = probe_provider(CurrentWorkspace(tmp_path, {}), team.store)
    upgrade = an_upgrade(MemoryStore())
    bundle = Bundle(workflow="mail", model=ModelRef(provider="sim", snapshot="old-1"), prompt=Prompt(system="At {{firm}}."))
    assert ask(upgrade, bundle) == Probed(True)
    nowhere = bundle.model_copy(update={"model": ModelRef(provider="gone", snapshot="x")})
    assert ask(upgrade, nowhere).answers is None


@pytest.mark.parametrize(
    ("key", "given", "route", "answers"),
    [
        (PIN_KEY, {}, {}, True),
        (PIN_KEY, {"troubles": (Trouble(kind="server_error"),)}, {}, False),
        (KEY, {}, {}, None),
        (PIN_KEY, {}, {"incumbent": "new"}, None),
    ],
    ids=["answers", "fails", "may not pin", "not in the route"],
)
async def test_through_the_gateway_it_goes_the_way_of_a_rollback(
    key: str, given: dict[str, Any], route: dict[str, Any], answers: bool | None
) -> None:
    """Pinned, and marked as no evidence."""
    stand_ins = {"old": StandInSettings(**given), "new": StandInSettings()}
    async with a_gateway(stand_ins, **route) as (wired, bundles):
        upgrade = an_upgrade(MemoryStore(), bundles=(bundles["old"], bundles["new"]))
        ask = probe_endpoint(lambda: Endpoint(wired.origin, key))
        found = await asyncio.to_thread(ask, upgrade, bundles["old"])
        assert found.answers is answers
        assert {one.record.tags for one in wired.log} <= {("probe",)}
        assert {one.record.arm for one in wired.log} <= {"pinned"}


def test_a_gateway_that_is_away_says_nothing_of_the_incumbent() -> None:
    """Nor does one that nobody named."""
    upgrade = an_upgrade(MemoryStore())
    bundle = Bundle(workflow="mail", model=ModelRef(provider="p", snapshot="m"))
    away = probe_endpoint(lambda: Endpoint("http://127.0.0.1:1", "k"))(upgrade, bundle)
    assert (away.answers, "cannot be reached" in away.reason) == (None, True)
    assert probe_endpoint(lambda: None)(upgrade, bundle).answers is None
