"""A route that some gateway does not serve: time stands from when that was lost, and people look a cycle after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.model.plan import Plan
from segue.upgrade.decide import act, decide
from segue.upgrade.event import until
from segue.upgrade.seen import RouteSeen, Seen
from segue.upgrade.state import Stage, UpgradeState
from tests.upgrade.builders import all_well, began

DAY = 86_400.0
PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})
LIVE: tuple[Stage, ...] = ("shadow", "canary", "soak")


def fine(at: float) -> Seen:
    """All serve it; it is not long enough yet."""
    return all_well(at, served_s=0.0, missing=("right: harm is not excluded yet.",))


def blind(at: float, for_s: float | None = None) -> Seen:
    """Some gateway does not serve it."""
    return replace(fine(at), route=RouteSeen("unconfirmed", 1, unconfirmed_s=for_s))


def led(state: UpgradeState, *looks: Seen) -> tuple[UpgradeState, list[str]]:
    """After these looks, and the events they came to."""
    events: list[str] = []
    for seen in looks:
        found = decide(state, seen, PLAN)
        if found is not None:
            state = found.state
            events.append(found.event)
    return state, events


def resumed(state: UpgradeState, at: float) -> UpgradeState:
    """Somebody lets it go on."""
    return act(state, "resume", PLAN, by="ada", reason="x", at=at).state


@pytest.mark.parametrize("stage", LIVE)
def test_one_look_without_confirmation_on_a_later_day_holds_nothing(stage: Stage) -> None:
    """The clock stands from there, and goes on with the next confirmation."""
    state, events = led(began(stage=stage), fine(10.0), blind(3 * DAY), blind(3 * DAY + 5), fine(3 * DAY + 60))
    assert events == ["confirmed", "unconfirmed", "confirmed"]
    assert (state.standing, state.counted_s(4 * DAY)) == ("going", 4 * DAY - 70)


@pytest.mark.parametrize("stage", LIVE)
def test_a_cycle_after_confirmation_was_lost_people_look(stage: Stage) -> None:
    """Counted from the loss, and not from when the step began; time has stood since."""
    lost = 3.5 * DAY
    looks = [blind(lost), blind(lost + DAY), blind(lost + DAY + 1)]
    state, events = led(began(stage=stage), fine(10.0), *looks[:2])
    assert (state.standing, events) == ("going", ["confirmed", "unconfirmed"])
    assert until(state, PLAN, 0.0, lost + 5) == (None, lost + DAY)
    state, events = led(state, looks[2])
    assert (events, state.held_by, state.counted_s(9 * DAY)) == (["unserved"], "unserved", lost - 10)


def test_that_is_told_of_again_a_cycle_after_each_resumption() -> None:
    """Who resumes answers for one more cycle, and not for good."""
    state, _ = led(began(stage="canary"), fine(10.0), blind(2 * DAY), blind(3 * DAY + 1))
    for at in (9 * DAY, 12 * DAY):
        assert state.held_by == "unserved"
        state, events = led(resumed(state, at), blind(at + 5), blind(at + DAY))
        assert (state.standing, events) == ("going", [])
        state, _ = led(state, blind(at + DAY + 1))
    assert state.held_by == "unserved"


@pytest.mark.parametrize("action", ["pause", "hold"])
def test_who_resumes_after_days_is_not_held_by_one_look(action: str) -> None:
    """Nobody was asked to serve anything meanwhile."""
    state, _ = led(began(stage="canary"), fine(10.0))
    stood = act(state, action, PLAN, by="ada", reason="x", at=DAY).state  # type: ignore[arg-type]
    state, events = led(resumed(stood, 9 * DAY), blind(9 * DAY + 1), fine(9 * DAY + 5))
    assert (state.standing, events) == ("going", ["confirmed"])


def test_a_moment_without_confirmation_leaves_no_trace() -> None:
    """A drill takes seconds, and so does a gateway's start; whoever looks often sees that. Longer counts from its beginning."""
    state, _ = led(began(stage="canary"), fine(0.0))
    state, events = led(state, blind(2 * DAY, 0.0), blind(2 * DAY + 5, 5.0), fine(2 * DAY + 9))
    assert (events, state.is_counting) == ([], True)
    state, events = led(state, blind(3 * DAY, 0.0), blind(3 * DAY + 61, 61.0))
    assert (events, state.counted_s(9 * DAY)) == (["unconfirmed"], 3 * DAY)


def test_it_passes_nothing_meanwhile() -> None:
    """Not for a moment."""
    state, _ = led(began(stage="canary"), fine(0.0))
    for for_s in (None, 0.0, 5.0):
        whole = all_well(2 * DAY, served_s=2 * DAY, route=RouteSeen("unconfirmed", 1, unconfirmed_s=for_s))
        assert led(state, whole)[0].step == 0
    assert led(state, all_well(2 * DAY, served_s=2 * DAY))[0].step == 1


def test_gateways_that_start_anew_each_night_hide_no_silence() -> None:
    """A cycle's time in which nothing came is told of, however often a confirmation was lost in it."""
    state, _ = led(began(stage="canary"), fine(0.0))
    for hours in range(6, 30, 6):
        at = hours * 3_600.0
        quiet = replace(fine(at + 900), quiet_s=at + 900)
        state, events = led(state, replace(blind(at), quiet_s=at), quiet)
    assert (events, state.held_by) == (["unconfirmed", "confirmed"], "")
    found = decide(state, replace(fine(30 * 3_600.0), quiet_s=30 * 3_600.0), PLAN)
    assert found is not None
    assert found.event == "quiet"
    going, events = led(resumed(found.state, 5 * DAY), *(replace(fine(at * DAY), quiet_s=at * DAY) for at in (5.1, 6.0)))
    assert (going.standing, events) == ("going", ["confirmed"])
