"""A fault with which an upgrade cannot be led on: a fact while it lasts, shown, and told of once it has lasted."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from rich.console import Console

from segue.controller.controller import Controller
from segue.controller.led_faults import LASTS_S, LEAST_APART_S, LED_FAULT
from segue.controller.moments import iso
from segue.controller.notices_made import Trouble, trouble_notices
from segue.controller.notices_troubles import Troubles
from segue.controller.views import status_view
from segue.errors import InputError, StoreError
from segue.model.plan_parts import NoticeSpec
from segue.papers.upgrade_terminal import print_status, print_statuses
from segue.papers.upgrade_view import StatusView
from segue.store.upgrades import UpgradeRecord
from segue.upgrade.log import Upgrade
from tests.controller.pretend import PLAN, Stage

LOOK_S = 5.0
NO_KEY = InputError("The key is not set.", fix="Set OPENAI_API_KEY.")
NO_FILE = InputError("The file is gone.", fix="Bring it back.")
SPEC = NoticeSpec(url="https://hooks.example/x", secret="$KEY", on=("hold",))


@dataclass
class Led:
    """An upgrade, its controller, what is wrong with leading it (at the port `at`), and who was told."""

    stage: Stage = field(default_factory=lambda: Stage(plan=PLAN.model_copy(update={"notify": (SPEC,)})))
    wrong: Exception | None = None
    at: str = "missing"
    is_full: bool = False
    told: list[tuple[Upgrade, Trouble]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage.open()
        self.another("c1")

    def another(self, holder: str) -> None:
        """A controller that knows nothing yet leads it from here on."""

        def trouble(when: str, name: str) -> None:
            if (when, name) == ("before", self.at) and self.wrong is not None:
                raise self.wrong
            if (when, name) == ("before", "add_fact") and self.is_full:
                raise StoreError("The disk is full.", fix="Make room.")

        self.controller: Controller = self.stage.controller(holder, trouble)
        tell = Troubles(self.stage.store, lambda upgrade, one: self.told.append((upgrade, one))).led_fault
        self.controller.world = replace(self.controller.world, led_fault=tell)

    def looks(self, lasts_s: float = LOOK_S, each_s: float = LOOK_S) -> None:
        """Let the controller look for so long."""
        for _ in range(round(lasts_s / each_s)):
            self.stage.pretend.now += each_s
            self.controller.tick()

    def facts(self) -> list[tuple[str, str]]:
        """What was written down of faults."""
        found: list[Any] = [one.body for one in self.stage.store.list_facts("w", kind=LED_FAULT, subject="u1")]
        return [(one["standing"], one["what"]) for one in found]

    def status(self) -> StatusView:
        """As it stands now."""
        now = self.stage.pretend.now
        return status_view(self.stage.store, self.stage.upgrade(), now, lease_now=now)


@pytest.fixture
def led() -> Led:
    """Before the first look."""
    return Led()


def test_a_fault_is_written_down_when_it_begins_changes_and_ends(led: Led) -> None:
    """Not at each look; since when stays, whatever the reason is by now, and whichever controller leads it."""
    led.wrong = NO_KEY
    led.looks(120)
    since = iso(led.stage.pretend.now - 115)
    led.controller.leave()
    led.another("c2")
    led.wrong = NO_FILE
    led.looks(120)
    found = led.status().fault
    assert found is not None
    assert (found.since, found.what, found.fix) == (since, "The file is gone.", "Bring it back.")
    led.wrong = None
    led.looks(120)
    assert led.facts() == [("begun", NO_KEY.what), ("changed", NO_FILE.what), ("ended", NO_FILE.what)]
    assert led.status().fault is None


def test_one_that_comes_and_goes_at_every_look_fills_no_log(led: Led) -> None:
    """At most one begins each minute."""
    led.looks()
    led.at = "look"
    for look in range(120):
        led.wrong = None if look % 2 else NO_KEY
        led.looks()
    assert 10 <= len(led.facts()) <= 2 * (120 * LOOK_S / LEAST_APART_S + 1)


def test_status_says_since_when_and_why_with_the_remedy(led: Led) -> None:
    """On the screen of one, in the list of all, and as JSON."""
    led.wrong = NO_KEY
    led.looks()
    view = led.status()
    assert view.as_json()["fault"] == {"since": led.stage.at, "what": NO_KEY.what, "fix": NO_KEY.fix}
    console = Console(file=io.StringIO(), width=200)
    print_status(view, console)
    print_statuses([view, view], console)
    file: Any = console.file
    text = str(file.getvalue())
    assert "cannot be led on since" in text
    assert "The key is not set. → Set OPENAI_API_KEY." in text
    assert "decide, cannot be led on" in text


def test_one_that_lasts_is_told_once_to_those_who_hear_of_holds(led: Led) -> None:
    """Not before five minutes, not again by the next controller, and again where it comes back."""
    led.wrong = NO_KEY
    led.looks(LASTS_S)
    assert led.told == []
    led.looks()
    led.looks(LASTS_S)
    led.controller.leave()
    led.another("c2")
    led.wrong = NO_FILE
    led.looks(LASTS_S)
    ((upgrade, trouble),) = led.told
    (notice,) = trouble_notices(upgrade, trouble)
    assert notice.spec == SPEC
    assert NO_KEY.what in trouble.because[0]
    assert trouble.because[1] == NO_KEY.fix
    led.wrong = None
    led.looks(LEAST_APART_S)
    led.at, led.wrong = "look", NO_KEY
    led.looks(2 * LASTS_S)
    assert len(led.told) == 2


def test_a_store_that_takes_no_facts_stops_nothing_and_is_told_as_soon_as_it_does(led: Led) -> None:
    """A fault of the store is one with which nothing can be led on, and cannot be written down while it lasts."""
    led.is_full = True
    led.looks(60)
    assert led.facts() == []
    led.is_full, led.at, led.wrong = False, "seen", NO_KEY
    led.looks()
    assert led.facts() == [("begun", NO_KEY.what)]


def test_a_record_that_cannot_be_read_is_written_down_and_told(led: Led, monkeypatch: pytest.MonkeyPatch) -> None:
    """To those whom the part of it names that can be read."""
    led.looks()
    given = led.stage.store.list_upgrades

    def damaged(*args: Any, **named: Any) -> list[UpgradeRecord]:
        return [replace(one, entries=(*one.entries, {"number": "none"})) for one in given(*args, **named)]

    monkeypatch.setattr(led.stage.store, "list_upgrades", damaged)
    led.looks(LASTS_S + LOOK_S)
    assert set(led.controller.unreadable) == {"w"}
    assert [standing for standing, _ in led.facts()] == ["begun"]
    ((upgrade, trouble),) = led.told
    assert (upgrade.opening.upgrade, upgrade.entries) == ("u1", led.stage.upgrade().entries)
    assert "cannot be read" in trouble.because[0]
    monkeypatch.setattr(led.stage.store, "list_upgrades", given)
    led.looks()
    assert [standing for standing, _ in led.facts()] == ["begun", "ended"]


def test_one_of_an_upgrade_that_has_ended_is_shown_until_all_of_it_is_carried_out(led: Led) -> None:
    """Also where whoever carried it out could not say so any more."""
    led.looks()
    led.at, led.wrong = "send", NO_KEY
    led.stage.person("abort")
    led.looks()
    assert led.stage.upgrade().state.is_ended
    assert led.status().fault is not None
    led.wrong = None
    led.looks()
    assert led.status().fault is None
    last = {"standing": "begun", "since": led.stage.pretend.now, "what": "late", "fix": ""}
    led.stage.store.add_fact(LED_FAULT, "w", "u1", last, author="segue", at=led.stage.at)
    assert led.status().fault is None
