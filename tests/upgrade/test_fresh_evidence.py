"""From when evidence counts, when it begins anew, and until when a stage may wait."""

from __future__ import annotations

from typing import Any

import pytest

from segue.model.plan import Plan
from segue.upgrade.decide import act, decide
from segue.upgrade.event import until
from segue.upgrade.seen import RouteSeen, Seen
from segue.upgrade.state import Approval, Period, UpgradeState
from tests.upgrade.builders import NEWER, all_well, began, judged

DAY = 86_400.0
PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})


def looked(state: UpgradeState, seen: Seen) -> UpgradeState:
    """After a look from which something follows."""
    found = decide(state, seen, PLAN)
    assert found is not None
    return found.state


def served(state: UpgradeState, at: float) -> UpgradeState:
    """The stage confirmed, and passed."""
    return looked(looked(state, all_well(at, served_s=0.0)), all_well(at + 1))


def test_the_canarys_steps_are_one_process() -> None:
    """Shadow, the first step and the soak begin anew; the steps between do not."""
    state = began(stage="staging")
    state = looked(state, Seen(10.0, staging_passed=True))
    assert (state.stage, state.evidence_from) == ("shadow", 10.0)
    state = served(state, 20.0)
    assert (state.stage, state.step, state.evidence_from) == ("canary", 0, 21.0)
    state = served(served(state, 30.0), 40.0)
    assert (state.stage, state.step, state.evidence_from, state.restarts) == ("canary", 2, 21.0, 0)
    state = served(state, 50.0)
    assert (state.stage, state.evidence_from) == ("soak", 51.0)


def test_after_a_broken_comparison_nothing_of_it_counts() -> None:
    """Neither evidence nor time; each time once more."""
    state = began(stage="canary", step=1, evidence_from=5.0, periods=(Period(begin=6.0),))
    for times in (1, 2):
        at = 100.0 * times
        state = looked(state, all_well(at, judgement=judged("invalid")))
        assert (state.standing, state.held_by, state.evidence_from) == ("holding", "invalid", 5.0 if times == 1 else 150.0)
        done = act(state, "resume", PLAN, by="ada", reason="mended", at=at + 50)
        assert "fresh_evidence" in done.effects
        state = done.state
        assert (state.step, state.evidence_from, state.restarts, state.periods) == (1, at + 50, times, ())
        assert decide(state, Seen(at + 51, route=RouteSeen("unconfirmed", 3)), PLAN) is None
        state = looked(state, all_well(at + 52, judgement=judged("safe"), served_s=0.0))
        assert state.is_counting


@pytest.mark.parametrize("held_by", ["harm_hold", "quiet", "route_changed", ""])
def test_any_other_hold_keeps_the_evidence(held_by: str) -> None:
    """What was seen was seen."""
    periods = (Period(begin=6.0, end=9.0),)
    state = began(stage="canary", standing="holding", held_by=held_by, evidence_from=5.0, periods=periods)
    done = act(state, "resume", PLAN, by="ada", reason="x", at=99.0)
    assert "fresh_evidence" not in done.effects
    assert (done.state.evidence_from, done.state.restarts, done.state.periods) == (5.0, 0, periods)


def test_another_candidate_begins_again() -> None:
    """With the eval; nothing that was said, served or seen of the one before is its own."""
    before = began(
        stage="shadow",
        standing="holding",
        held_by="harm",
        periods=(Period(begin=6.0, end=9.0),),
        approvals=(Approval(by="lea", reason="x", at=7.0),),
        accepted=("over_budget",),
        asked_for_approval=True,
        evidence_from=5.0,
        restarts=2,
    )
    found = act(before, "replace", PLAN, by="ada", reason="re-tuned", at=50.0, candidate=NEWER)
    after = found.state
    assert (after.stage, after.standing, after.candidate, after.held_by) == ("eval", "going", NEWER, "")
    assert (after.periods, after.approvals, after.accepted, after.asked_for_approval) == ((), (), (), False)
    assert (after.evidence_from, after.restarts, after.entered_at) == (50.0, 0, 50.0)
    assert set(found.effects) >= {"flip", "fresh_evidence", "run_suite"}


def test_another_candidate_has_to_have_grounds_too() -> None:
    """Replacing one that was not looked at yet does not skip the look."""
    found = act(began(), "replace", PLAN, by="ada", reason="x", at=5.0, candidate=NEWER)
    assert (found.state.stage, found.state.candidate) == ("decide", NEWER)


def test_who_goes_on_by_hand_still_has_the_next_stage_begun() -> None:
    """The suite is run, and staging: what nobody starts would be waited for for ever."""
    for stage, effect in (("decide", "run_suite"), ("eval", "run_staging"), ("retune", "run_staging"), ("staging", "flip")):
        assert effect in act(began(stage=stage), "advance", PLAN, by="ada", reason="x", at=5.0).effects


WAITS: list[tuple[str, dict[str, Any], float, tuple[float | None, float | None]]] = [
    ("a step", {"stage": "canary"}, 0.5 * DAY, (1000.0 + 1.5 * DAY, 1000.0 + 5.5 * DAY)),
    ("an extended one", {"stage": "canary"}, 3 * DAY, (1000.0, 1000.0 + 3 * DAY)),
    ("the soak", {"stage": "soak"}, 1000.0, (14 * DAY, 42 * DAY)),
    ("a shadow that is seldom covered", {"stage": "shadow"}, 0.0, (1000.0 + 7 * DAY, 21 * DAY)),
    ("one that was resumed", {"stage": "canary", "lasts_from_s": 7 * DAY}, 9 * DAY, (1000.0, 1000.0 + 4 * DAY)),
    ("one that was in an older log", {"stage": "canary", "accepted": ("overdue",)}, 9 * DAY, (1000.0, 1000.0 + 3 * DAY)),
    ("one that is not confirmed", {"stage": "canary", "periods": (), "going_since": 50.0}, 0.0, (None, 50.0 + DAY)),
    ("one that stands", {"stage": "canary", "standing": "paused", "periods": ()}, 0.0, (None, None)),
    ("the eval", {"stage": "eval"}, 0.0, (None, None)),
]


@pytest.mark.parametrize(("state", "served_s", "expected"), [one[1:] for one in WAITS], ids=[one[0] for one in WAITS])
def test_says_until_when_it_waits(state: dict[str, Any], served_s: float, expected: tuple[float | None, float | None]) -> None:
    """The earliest time it may go on, and the latest before somebody decides; unknown while its time stands."""
    assert until(began(**{"periods": (Period(begin=0.0),), **state}), PLAN, served_s, 1000.0) == expected
