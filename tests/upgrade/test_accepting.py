"""What a person who resumes takes upon them: what held it, by name, and for how long."""

from __future__ import annotations

import pytest

from segue.evidence.sequential.verdicts import Judgement
from segue.model.plan import Plan
from segue.upgrade.decide import act, decide
from segue.upgrade.event import event_of, lengths
from segue.upgrade.seen import Seen
from segue.upgrade.state import Period, Stage, UpgradeState
from tests.upgrade.builders import COST, SLOW, all_well, began, cell, harmed, judged

DAY = 86_400.0
PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})
LIVE: tuple[Stage, ...] = ("shadow", "canary", "soak")


def held(state: UpgradeState, seen: Seen) -> UpgradeState:
    """After a look that holds it."""
    found = decide(state, seen, PLAN)
    assert found is not None
    assert found.state.standing == "holding"
    return found.state


def resumed(state: UpgradeState, at: float) -> UpgradeState:
    """Somebody takes upon them what holds it."""
    return act(state, "resume", PLAN, by="ada", reason="known", at=at).state


def harm(judgement: Judgement, **changes: object) -> Seen:
    """A look that shows it."""
    return Seen(1.0, judgement=judgement, **changes)  # type: ignore[arg-type]


def test_resuming_accepts_what_held_and_no_more() -> None:
    """Who resumes from a hold at the hold limit is not held by it again in this step; by another event they are."""
    seen = harm(harmed("right"))
    going = resumed(held(began(stage="canary"), seen), at=2.0)
    assert decide(going, seen, PLAN) is None
    over = decide(going, harm(harmed("right"), over_budget=(COST,)), PLAN)
    assert over is not None
    assert over.event == "over_budget"


@pytest.mark.parametrize("stage", LIVE)
@pytest.mark.parametrize("other", ["refused", "right@lang=de", "refused@lang=de"])
def test_harm_of_another_metric_or_slice_holds_again(stage: Stage, other: str) -> None:
    """Whoever took one upon them has not seen the other; what is said is what is new."""
    going = resumed(held(began(stage=stage), harm(harmed("right"))), at=2.0)
    assert going.accepted == ("harm_hold:right@everyone",)
    again = decide(going, harm(harmed("right", other)), PLAN)
    assert again is not None
    assert (again.event, again.because) == ("harm_hold", (cell(other, limit="hold").sentence,))
    both = resumed(again.state, at=3.0)
    assert decide(both, harm(harmed("right", other)), PLAN) is None
    assert decide(both, harm(harmed(other)), PLAN) is None


def test_harm_of_all_together_is_accepted_as_such() -> None:
    """No cell is named; as soon as one is, that is more than was known."""
    state = held(began(stage="canary"), harm(harmed()))
    assert state.because == ("All gates together show harm; which of them it is cannot be said yet.",)
    going = resumed(state, at=2.0)
    assert decide(going, harm(harmed()), PLAN) is None
    assert held(going, harm(harmed("right"))).held_by == "harm_hold"


def test_harm_beyond_the_rollback_limit_goes_back_whoever_resumed() -> None:
    """In the cell that was accepted, too."""
    going = resumed(held(began(stage="canary"), harm(harmed("right"))), at=2.0)
    found = decide(going, harm(harmed("right", limit="rollback")), PLAN)
    assert found is not None
    assert found.state.stage == "rolled_back"


def test_harm_that_was_accepted_hides_no_comparison_that_is_none() -> None:
    """The labels of another gate come back differently from the two arms: that still holds."""
    going = resumed(held(began(stage="canary"), harm(harmed("right"))), at=2.0)
    assert held(going, harm(harmed("right", invalid="fluent"))).held_by == "invalid"


def test_each_budget_is_accepted_by_name() -> None:
    """The cost was taken upon somebody; that it is slow as well was not, and the cost is not said again."""
    going = resumed(held(began(stage="canary"), harm(judged("safe"), over_budget=(COST,))), at=2.0)
    assert going.accepted == ("over_budget:cost_usd_per_request",)
    assert decide(going, Seen(3.0, over_budget=(COST,)), PLAN) is None
    assert held(going, Seen(3.0, over_budget=(COST, SLOW))).because == (SLOW.sentence,)


def test_what_an_older_log_accepted_is_accepted_whole() -> None:
    """There only the kind was written down, and that is what was promised."""
    state = began(stage="canary", accepted=("harm_hold", "over_budget"))
    assert decide(state, harm(harmed("right", "fluent@lang=de"), over_budget=(COST, SLOW)), PLAN) is None


def test_the_next_step_asks_again() -> None:
    """What was accepted was accepted for one step."""
    going = resumed(held(began(stage="canary"), harm(harmed("right"))), at=2.0)
    after = act(going, "advance", PLAN, by="ada", reason="x", at=3.0).state
    assert (after.step, after.accepted) == (1, ())
    assert held(after, harm(harmed("right"))).held_by == "harm_hold"


def test_nobody_accepts_a_broken_comparison() -> None:
    """Who resumes while the shares are not as planned is held again by the next look."""
    seen = harm(judged("invalid"))
    going = resumed(held(began(stage="canary"), seen), at=2.0)
    assert held(going, seen).held_by == "invalid"


@pytest.mark.parametrize("stage", LIVE)
def test_a_longest_length_that_was_accepted_begins_once_more(stage: Stage) -> None:
    """From the resumption, and after that it holds again, as often as somebody resumes; paused time does not count."""
    longest = lengths(began(stage=stage), PLAN)[1]
    state, at = began(stage=stage, periods=(Period(begin=0.0),)), longest
    for times in (1, 2, 3):
        state = held(state, unsettled(at))
        assert state.held_by == "overdue"
        at += 9 * DAY
        state = resumed(state, at)
        confirmed = decide(state, unsettled(at), PLAN)
        assert confirmed is not None
        state = confirmed.state
        assert lengths(state, PLAN)[1] == (times + 1) * longest
        assert event_of(state, unsettled(at + longest - 1), PLAN) is None
        at += longest


def unsettled(at: float) -> Seen:
    """A look that finds all well, but not enough of it."""
    return all_well(at, missing=("right: harm is not excluded yet.",), served_s=0.0)


def test_no_more_time_is_taken_along_than_the_step_was_given() -> None:
    """The next step has its own longest length, and so has evidence that begins anew."""
    going = began(stage="canary", periods=(Period(begin=0.0),), lasts_from_s=9 * DAY)
    left = act(going, "advance", PLAN, by="ada", reason="x", at=10 * DAY).state
    anew = resumed(held(going, all_well(10 * DAY, judgement=judged("invalid"))), at=11 * DAY)
    assert (left.lasts_from_s, anew.lasts_from_s) == (None, None)


def test_an_older_log_that_does_not_say_when_is_taken_to_have_said_it_in_time() -> None:
    """It was overdue, so one longest length had passed; one more is what it gave."""
    state = began(stage="canary", periods=(Period(begin=0.0),), accepted=("overdue",))
    longest = lengths(began(stage="canary"), PLAN)[1]
    assert event_of(state, unsettled(2 * longest - 1), PLAN) is None
    assert held(state, unsettled(2 * longest)).held_by == "overdue"
