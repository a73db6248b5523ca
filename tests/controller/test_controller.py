"""The controller on virtual time: the whole way, and back at any moment."""

from __future__ import annotations

import pytest

from segue.controller.controller import SCAN_S, Took
from segue.store.upgrades import UpgradeRecord
from tests.controller.pretend import DAY, Stage, gone


def stages(stage: Stage) -> list[str]:
    """The stages that the log went through, in order."""
    found = [one.state.stage for one in stage.upgrade().entries]
    return [one for place, one in enumerate(found) if place == 0 or found[place - 1] != one]


def test_a_good_candidate_goes_all_the_way() -> None:
    """Through every stage in order, and the candidate is the incumbent at the end."""
    stage = Stage()
    stage.open()
    stage.days(stage.controller(), 12)
    assert stages(stage) == ["eval", "staging", "shadow", "canary", "soak", "completed"]
    assert [one.state.step for one in stage.upgrade().entries if one.event == "passed" and one.state.stage == "canary"] == [
        0,
        1,
        2,
    ]
    assert stage.route().incumbent == stage.new
    assert stage.store.verify_log().holds


def test_shares_are_those_of_the_plan() -> None:
    """Each step serves its own share and no more."""
    stage = Stage()
    stage.open()
    stage.days(stage.controller(), 12)
    assert [round(share, 3) for share, _ in stage.shares] == [0.0, 0.05, 0.25, 0.5, 1.0, 0.0]
    assert all(share <= most for share, most in stage.shares)


def test_harm_takes_users_back_at_once() -> None:
    """At the look that sees it, with an incident and a notice."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 3)
    assert stage.upgrade().state.stage == "canary"
    stage.pretend.verdict, stage.pretend.limit = "harm", "rollback"
    stage.days(controller, 0.25)
    last = stage.upgrade().entries[-1]
    assert (last.event, last.state.stage) == ("harm", "rolled_back")
    assert (stage.route().candidate, stage.route().share) == (None, 0.0)
    assert stage.pretend.incidents == [("u1", last.number)]
    assert ("u1", last.number) in stage.pretend.sent


def test_silence_advances_nothing() -> None:
    """Evidence that is not known keeps every step waiting, however long."""
    stage = Stage()
    stage.open()
    stage.pretend.missing = None
    controller = stage.controller()
    stage.days(controller, 40)
    state = stage.upgrade().state
    assert (state.stage, state.standing) == ("shadow", "holding")


def test_somebody_who_flips_back_ends_the_upgrade() -> None:
    """The route is the truth: what was rolled back without the controller is rolled back."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 3)
    last = stage.store.find_route("w", "production")
    stage.store.flip_route(last.route.rolled_back(), follows=last.revision, author="eve", reason="at night", at=stage.at)
    stage.days(controller, 0.25)
    found = stage.upgrade().entries[-1]
    assert (found.event, found.state.stage) == ("rolled_back_elsewhere", "rolled_back")
    assert "eve" in found.because[0]


def test_a_route_that_somebody_changed_is_not_changed_back() -> None:
    """It holds, says who did it, and leaves the route alone until a person resumes."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 3)
    last = stage.store.find_route("w", "production")
    other = last.route.model_copy(update={"share": 0.02})
    stage.store.flip_route(other, follows=last.revision, author="eve", reason="less, please", at=stage.at)
    stage.days(controller, 1)
    state = stage.upgrade().state
    assert (state.standing, stage.route().share) == ("holding", 0.02)
    stage.person("resume")
    stage.days(controller, 0.25)
    assert stage.route().share == last.route.share == 0.25


def test_a_rollback_between_decision_and_flip_stands() -> None:
    """The controller has decided to grow, and before it flips somebody goes back: nobody meets the candidate again."""
    stage = Stage()
    stage.open()

    def meanwhile(when: str, name: str) -> None:
        if (when, name) == ("before", "flip_route") and stage.upgrade().state.step == 1:
            last = stage.store.find_route("w", "production")
            if last.route.share == 0.05:
                back = last.route.rolled_back()
                stage.store.flip_route(back, follows=last.revision, author="eve", reason="at night", at=stage.at)

    controller = stage.controller(trouble=meanwhile)
    stage.days(controller, 8)
    assert stage.upgrade().state.stage == "rolled_back"
    assert stage.route().share == 0.0
    assert max(share for share, _ in stage.shares) == 0.05


def test_a_store_that_is_gone_stops_nothing_for_good() -> None:
    """Ticks fail while it is, and go on where they stopped."""
    stage = Stage()
    stage.open()
    trouble = [False]
    controller = stage.controller(trouble=lambda when, name: gone(when, name) if trouble[0] and name == "add_fact" else None)
    stage.days(controller, 2)
    trouble[0] = True
    faults = [one for one in stage.days(controller, 2) if one.fault is not None]
    assert faults
    trouble[0] = False
    stage.days(controller, 12)
    assert stage.upgrade().state.stage == "completed"


def test_a_gateway_that_does_not_confirm_keeps_the_clock_standing() -> None:
    """A step's time begins when the last gateway serves its share; one that never does is told of after a cycle."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.pretend.serving = False
    stage.days(controller, 1)
    assert (stage.upgrade().state.stage, stage.upgrade().state.standing, stage.upgrade().state.periods) == (
        "shadow",
        "going",
        (),
    )
    stage.days(controller, 2)
    assert (stage.upgrade().state.standing, stage.upgrade().state.held_by) == ("holding", "unserved")
    stage.pretend.serving = True
    stage.person("resume")
    stage.days(controller, 0.25)
    assert stage.upgrade().state.periods[0].begin == stage.pretend.now


def test_another_controller_waits_until_the_lease_runs_out() -> None:
    """Two of them: one acts."""
    stage = Stage()
    stage.open()
    first, second = stage.controller("c1"), stage.controller("c2")
    assert first.tick() is not None
    assert second.tick() is None
    stage.pretend.now += first.lease_s + 1
    assert second.tick() is not None
    assert first.tick() is None


def test_one_that_leaves_lets_the_other_act_at_once() -> None:
    """No waiting for a lease that nobody needs."""
    stage = Stage()
    stage.open()
    first, second = stage.controller("c1"), stage.controller("c2")
    first.tick()
    first.leave()
    assert second.tick() is not None


def test_decisions_carry_what_they_were_made_on() -> None:
    """Route, time served and judgement are in the entry."""
    stage = Stage()
    stage.open()
    found: list[Took] = stage.days(stage.controller(), 5, DAY)
    passed = [entry for one in found for entry in one.entries if entry.state.stage == "canary" and entry.event == "passed"]
    assert passed
    assert {"route", "served_s", "judgement", "figures"} <= set(passed[0].evidence)


def test_one_upgrade_that_goes_wrong_inside_stops_no_other() -> None:
    """It is said of that one, and the others go on."""
    stage = Stage()
    stage.open()
    broken = [True]

    def trouble(when: str, name: str) -> None:
        if broken[0] and (when, name) == ("before", "missing"):
            raise KeyError("a mistake of ours")

    controller = stage.controller(trouble=trouble)
    (took,) = controller.tick() or []
    assert took.fault is not None
    assert "KeyError" in took.fault.what
    broken[0] = False
    stage.days(controller, 1)
    assert stage.upgrade().state.stage == "shadow"


def test_an_upgrade_that_has_ended_is_read_once_more_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are; one with something left to do is looked after until that is done."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 12)
    assert stage.upgrade().state.stage == "completed"
    read: list[str] = []
    get = stage.store.get_upgrade

    def noted(name: str) -> UpgradeRecord:
        read.append(name)
        return get(name)

    monkeypatch.setattr(stage.store, "get_upgrade", noted)
    last = stage.controller("c2")
    controller.leave()
    for _ in range(4):
        stage.pretend.now += SCAN_S
        last.tick()
    assert read == ["u1"]


def test_a_share_holds_from_the_moment_after_it_was_seen_to() -> None:
    """A tick takes time: what a gateway confirms in the middle of it did not hold when the tick began."""
    stage = Stage()
    stage.open()
    waited = []

    def trouble(when: str, name: str) -> None:
        if (when, name) == ("before", "serve"):
            waited.append(stage.pretend.now)
            stage.pretend.now += 2.0

    controller = stage.controller(trouble=trouble)
    controller.tick()
    entry = next(one for one in stage.upgrade().entries if one.event == "confirmed")
    assert entry.at >= waited[0] + 2.0
