"""What people are told of though nothing was decided: once, when it begins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import pytest

from segue.controller.controller import Controller
from segue.controller.daily_facts import DailyMetric, DailyResult, save_daily
from segue.controller.moments import iso
from segue.controller.notices import Webhooks
from segue.controller.notices_made import Trouble
from segue.controller.notices_troubles import Troubles
from segue.controller.ports import LedFault
from segue.model import Bundle
from segue.model.plan_parts import NoticeSpec, ShadowSpec
from segue.store.memory import MemoryStore
from segue.upgrade.log import Upgrade
from segue.upgrade.seen import Seen
from segue.upgrade.state import Period
from tests.controller.pretend import DAY, Stage
from tests.controller.undertaken import NOW, OLD, a_plan, an_upgrade

READ = "30 of 30 drawn outputs are unread."


class Heard:
    """Troubles as they are told, of a store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.told: list[Trouble] = []

    def look(self, upgrade: Upgrade, at: float, *missing: str, **seen: Any) -> list[Trouble]:
        """What is told at this look. A controller that was started anew knows no more than the facts do."""
        before = len(self.told)
        what = {"missing": missing, "served_s": upgrade.state.counted_s(at), "incumbent_answers": True, **seen}
        Troubles(self.store, lambda _, one: self.told.append(one)).look(upgrade, Seen(at=at, **what), at, None)
        return self.told[before:]

    def measure(self, upgrade: Upgrade, day: float, bundle: Bundle = OLD, **changes: Any) -> None:
        """A daily eval of so many days later: a hundred cases, 95 of them right."""
        right = changes.pop("right", 95.0)
        metrics = changes.pop("metrics", {"right": DailyMetric(cells={"": (100, right, right)})})
        base: dict[str, Any] = {"cases": "c", "n_cases": 100, "n_answered": 100, "metrics": metrics, "role": "incumbent"}
        at = NOW + day * DAY
        result = DailyResult(day=day_of(at), bundle=bundle.digest, **{**base, **changes})
        save_daily(self.store, upgrade, result, author="ada", at=iso(at))


def day_of(at: float) -> str:
    """As UTC has it."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def under_way(heard: Heard, stage: Any = "soak", *, soak: float = 14.0, **state: Any) -> Upgrade:
    """Since now, and its time has run since."""
    upgrade = an_upgrade(heard.store, stage=stage, plan=a_plan(soak=soak, shadow=ShadowSpec(length=7)))
    return standing(upgrade, **{"periods": (Period(begin=NOW),), **state})


def standing(upgrade: Upgrade, **state: Any) -> Upgrade:
    """The same, but for its state."""
    entry = upgrade.entries[-1]
    changed = entry.model_copy(update={"state": entry.state.model_copy(update=state)})
    return Upgrade(upgrade.opening, (*upgrade.entries[:-1], changed))


def short(heard: Heard, **state: Any) -> Upgrade:
    """A soak that waits for no daily eval."""
    return under_way(heard, soak=0.5, **state)


def test_a_soak_past_its_planned_length_is_told_once_with_what_is_missing() -> None:
    """Not before, nor within the eighth of a cycle in which what was served last is read; then once, however long it lasts."""
    heard = Heard()
    upgrade = short(heard)
    assert heard.look(upgrade, NOW + 1.1 * DAY, READ) == []
    (told,) = heard.look(upgrade, NOW + 1.2 * DAY, READ)
    assert told.what == "past_length"
    assert told.because == (
        f"The soak has had its planned length and cannot end. Unsettled, it holds at {iso(NOW + 1.5 * DAY)}.",
        READ,
    )
    assert heard.look(upgrade, NOW + 1.3 * DAY, READ) == []
    assert heard.look(upgrade, NOW + 1.4 * DAY, "Something else.") == []


def test_evidence_begun_anew_has_a_length_of_its_own() -> None:
    """Whoever heard of the first is told again."""
    heard = Heard()
    upgrade = short(heard)
    for restarts in (0, 1):
        assert len(heard.look(standing(upgrade, restarts=restarts), NOW + 1.2 * DAY, READ)) == 1


@pytest.mark.parametrize(
    ("stage", "state", "seen"),
    [
        ("soak", {"standing": "paused"}, {}),
        ("soak", {"standing": "holding"}, {}),
        ("soak", {"periods": (Period(begin=NOW, end=NOW + 9 * DAY),)}, {}),
        ("soak", {"asked_for_approval": True}, {"missing": ()}),
        ("canary", {}, {}),
    ],
    ids=["paused", "held", "unconfirmed", "only-a-yes", "canary"],
)
def test_what_stands_or_waits_for_a_yes_is_told_as_that(stage: Any, state: dict[str, Any], seen: dict[str, Any]) -> None:
    """And a step of the canary extends by itself."""
    heard = Heard()
    upgrade = under_way(heard, stage, soak=0.5, **state)
    assert heard.look(upgrade, NOW + 1.2 * DAY, **{"missing": (READ,), **seen}) == []


def test_a_shadow_that_is_not_covered_is_told_when_its_length_has_passed() -> None:
    """By its clock: time at full coverage may never come."""
    heard = Heard()
    upgrade = under_way(heard, "shadow")
    for day in range(8):
        heard.measure(upgrade, day)
    (told,) = heard.look(upgrade, NOW + 7.2 * DAY, served_s=3 * DAY)
    assert "Of the 7 days that the plan asks for, 3 days were at full coverage" in told.because[1]


def test_a_silent_change_is_told_once_though_its_figures_change_daily() -> None:
    """Another metric that changes is another trouble."""
    heard = Heard()
    upgrade = under_way(heard)
    rights, polite = (95.0, 20.0, 10.0, 10.0), (95.0, 95.0, 95.0, 20.0)
    found = []
    for day in range(4):
        sums = {"right": (100, rights[day], rights[day]), "polite": (100, polite[day], polite[day])}
        heard.measure(upgrade, day, metrics={name: DailyMetric(cells={"": one}) for name, one in sums.items()})
        found.append([sentence for one in heard.look(upgrade, NOW + day * DAY + 60) for sentence in one.because])
    assert [[one.split(",")[0] for one in day] for day in found] == [[], ["right got worse"], [], ["polite got worse"]]


def test_days_without_a_measurement_are_told_once_each_time() -> None:
    """Until it is measured again; a failing bundle is told at its first day."""
    heard = Heard()
    upgrade = under_way(heard)
    heard.measure(upgrade, 0)
    assert heard.look(upgrade, NOW + 1 * DAY) == []
    (told,) = heard.look(upgrade, NOW + 2 * DAY)
    assert "no daily eval since" in told.because[0]
    assert heard.look(upgrade, NOW + 5 * DAY) == []
    heard.measure(upgrade, 6)
    assert heard.look(upgrade, NOW + 6 * DAY) == []
    assert len(heard.look(upgrade, NOW + 9 * DAY)) == 1
    for day in (10, 11):
        heard.measure(upgrade, day, n_answered=50, failures={"timeout": 50})
        found = heard.look(upgrade, NOW + day * DAY)
        assert [one.because[0].startswith("The incumbent did not answer 50") for one in found] == [True] * (day == 10)


def test_an_upgrade_that_took_long_to_go_live_is_no_absence() -> None:
    """Nothing is measured before shadow: two days from there on are trouble."""
    heard = Heard()
    upgrade = under_way(heard)
    entry = upgrade.entries[0].model_copy(update={"at": NOW + 5 * DAY})
    late = Upgrade(upgrade.opening, (entry,))
    assert heard.look(late, NOW + 6 * DAY) == []
    assert len(heard.look(late, NOW + 7 * DAY)) == 1


def test_a_fault_that_lasts_is_told_once() -> None:
    """Of one that came later there is another."""
    heard = Heard()
    upgrade = short(heard)
    teller = Troubles(heard.store, lambda _, one: heard.told.append(one))
    for since in (NOW, NOW, NOW + 900):
        teller.led_fault(upgrade, LedFault(since, "A file is broken.", "Mend it."), NOW + 1000, None)
    assert [one.what for one in heard.told] == ["led_fault", "led_fault"]
    assert heard.told[0].because == (f"It cannot be led on since {iso(NOW)}: A file is broken.", "Mend it.")


def test_whoever_wants_to_hear_when_people_are_needed_gets_it_and_nobody_else() -> None:
    """In the form of every notice; what a killed process had not sent, the next one does."""
    heard, sent = Heard(), Queue[tuple[str, str, dict[str, Any]]]()
    specs = [NoticeSpec(url=f"https://{on}.example", secret="$KEY", on=(on,)) for on in ("hold", "stage")]
    upgrade = an_upgrade(heard.store, stage="soak", plan=a_plan(soak=0.5, notify=tuple(specs)))

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        sent.put((url, headers["webhook-id"], json.loads(body)))
        return 200

    killed = Webhooks(heard.store, {"KEY": "k"}, clock=lambda: NOW, post=post)
    killed.close()
    Troubles(heard.store, killed.tell).led_fault(upgrade, LedFault(NOW, "It is broken."), NOW + 60, None)
    hooks = Webhooks(heard.store, {"KEY": "k"}, clock=lambda: NOW + 120, post=post)
    hooks.catch_up()
    got = [sent.get(timeout=20) for _ in range(2)]
    hooks.close()
    assert sorted(url for url, *_ in got) == ["https://hold.example", "https://stage.example"]
    ((_, name, body),) = [one for one in got if one[0] == "https://hold.example"]
    assert (name, body["type"], body["data"]["occasions"]) == ("mail-1-trouble-1", "upgrade.led_fault", ["hold"])
    assert (body["data"]["stage"], body["data"]["number"], body["data"]["by"]) == ("soak", 1, "")


def test_the_controller_has_it_looked_for_at_its_looks() -> None:
    """In all live stages, a few times a cycle; with what it has just seen."""
    stage, asked = Stage(), []
    stage.open()
    controller = stage.controller()

    def troubles(upgrade: Upgrade, seen: Seen, now: float, fence: Any) -> None:
        asked.append((upgrade.state.stage, seen.missing, now == seen.at, fence is not None))

    world = replace(controller.world, troubles=troubles)
    led = Controller(world, "c2", keeps_time=False)
    stage.pretend.missing = ("Labels.",)
    stage.days(led, 0.2, each=600)
    assert asked[0] == ("shadow", ("Labels.",), True, True)
    assert 4 <= len(asked) <= 6
