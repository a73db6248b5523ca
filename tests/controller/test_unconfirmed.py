"""Gateways that fall silent in a step: a moment holds nothing, then time stands, and after a cycle people look."""

from __future__ import annotations

from itertools import count

import pytest

from segue.controller.controller import Controller
from segue.controller.drilling import DrillAsked, run_drill
from segue.controller.views import status_view
from segue.gateway.control import Confirmed
from segue.model.route import RouteRevision
from tests.controller.pretend import DAY, WORKFLOW, Stage

HOUR = 3_600.0


def late_in_a_step() -> tuple[Stage, Controller]:
    """In the second day of the second step, which lasts two, with a controller that looks."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 3.5)
    state = stage.upgrade().state
    assert (state.stage, state.step, state.is_counting) == ("canary", 1, True)
    assert stage.pretend.now - state.periods[-1].begin > DAY
    return stage, controller


def seconds(stage: Stage, controller: Controller, seconds: float, each: float = 5.0) -> None:
    """Let time pass, a look every few seconds."""
    stage.days(controller, seconds / DAY, each=each)


def test_the_only_gateway_that_is_silent_for_half_a_minute_holds_nothing() -> None:
    """Nor does it stop the clock, however often: it may have been started anew."""
    stage, controller = late_in_a_step()
    before = stage.upgrade().state
    for _ in range(4):
        stage.pretend.serving = False
        seconds(stage, controller, 30)
        stage.pretend.serving = True
        seconds(stage, controller, 30)
    assert stage.upgrade().state == before


def test_time_stands_from_when_it_fell_silent_and_goes_on_by_itself() -> None:
    """Also where another controller has come to look meanwhile."""
    stage, controller = late_in_a_step()
    counted = stage.upgrade().state.counted_s(stage.pretend.now)
    stage.pretend.serving = False
    seconds(stage, controller, 300)
    controller.leave()
    other = stage.controller("c2")
    seconds(stage, other, 20 * HOUR, each=HOUR)
    state = stage.upgrade().state
    assert (state.standing, state.step, state.is_counting) == ("going", 1, False)
    # It was served when it was looked at last, five seconds before.
    assert state.counted_s(stage.pretend.now) == counted + 5.0
    view = status_view(stage.store, stage.upgrade(), stage.pretend.now)
    assert view.next[0].what.startswith(
        "Its time goes on once every gateway serves the route again; a person decides if it is not"
    )
    stage.pretend.serving = True
    seconds(stage, other, HOUR, each=HOUR)
    assert stage.upgrade().state.is_counting


def test_a_cycle_after_it_fell_silent_people_look_and_again_a_cycle_after_they_resumed() -> None:
    """Not before, and each time somebody is told."""
    stage, controller = late_in_a_step()
    stage.pretend.serving = False
    stage.days(controller, 1.0)
    for _ in range(2):
        assert stage.upgrade().state.standing == "going"
        stage.days(controller, 0.5)
        assert stage.upgrade().state.held_by == "unserved"
        assert stage.pretend.sent[-1] == ("u1", stage.upgrade().entries[-1].number)
        stage.days(controller, 2)
        stage.person("resume")
        stage.days(controller, 1.0)


def test_a_drill_on_the_holdback_holds_nothing_whichever_look_falls_into_it() -> None:
    """A look while each of its flips waits to be confirmed: nothing is decided on it, and no time is lost."""
    stage, controller = late_in_a_step()
    before, share, looks = stage.upgrade().state, stage.route().share, count()

    def confirm(revision: RouteRevision) -> list[Confirmed]:
        stage.pretend.now += 2.0
        stage.pretend.serving = next(looks) % 2 == 0
        controller.tick()
        return [Confirmed("1", 1.0, revision.revision, 2, None)]

    asked = DrillAsked("d1", WORKFLOW, "production", "holdback", "ada")
    drilled = run_drill(stage.store, asked, confirm, ticks=lambda: stage.pretend.now, now=stage.pretend.now)
    assert drilled.ok
    assert next(looks) == 2
    stage.pretend.serving = True
    seconds(stage, controller, 10)
    assert (stage.upgrade().state, stage.route().share) == (before, share)


def test_status_says_until_when_a_step_lasts_that_was_resumed_at_its_longest() -> None:
    """One longest length more, and then it is held again."""
    stage = Stage()
    stage.open()
    controller = stage.controller()
    stage.days(controller, 1.5)
    stage.pretend.missing = ("right: harm is not excluded yet.",)
    stage.days(controller, 6)
    assert (stage.upgrade().state.step, stage.upgrade().state.held_by) == (0, "overdue")
    first = status_view(stage.store, stage.upgrade(), stage.pretend.now).clock
    stage.person("resume")
    stage.days(controller, 0.25)
    view = status_view(stage.store, stage.upgrade(), stage.pretend.now)
    assert first is not None
    assert view.clock is not None
    assert view.clock.longest_s == first.longest_s + stage.plan.longest(stage.plan.canary[0]) * DAY
    left = view.clock.longest_s - view.clock.served_s
    assert left == pytest.approx(stage.plan.longest(stage.plan.canary[0]) * DAY, abs=DAY / 4)
    assert "a person decides if it is not by" in view.next[0].what
    stage.days(controller, left / DAY)
    assert stage.upgrade().state.held_by == "overdue"
