"""A step is left at the end of a cycle, also one that was extended: what it shows is of whole cycles, as it was simulated."""

from __future__ import annotations

import pytest

from segue.model.plan import Plan, PlanStep
from segue.model.plan_people import ApprovalRule
from segue.upgrade.decide import act, decide
from segue.upgrade.event import event_of, until
from segue.upgrade.state import Period, UpgradeState
from tests.upgrade.builders import all_well, began

HOUR, DAY = 3_600.0, 86_400.0
PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})
WEEKLY = PLAN.model_copy(update={"steps": (PlanStep(share=0.05, hold=7, longest=30),), "preset": None, "cycle": 7.0})
ASKING = PLAN.model_copy(update={"approvals": (ApprovalRule(name="owner", who=("olga",), before="every step"),)})


def in_step(**changes: object) -> UpgradeState:
    """In the first step since the beginning of time."""
    return began(**{"stage": "canary", "periods": (Period(begin=0.0),), **changes})


def what_follows(served_s: float, plan: Plan = PLAN, **changes: object) -> str | None:
    """The event after so much time in which everything came to be settled."""
    found = event_of(in_step(**changes), all_well(served_s, served_s=served_s), plan)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("days", "expected"),
    [(1.99, None), (2.0, "passed"), (2.05, "passed"), (2.5, None), (2.99, None), (3.0, "passed"), (5.5, None)],
)
def test_an_extended_step_is_left_at_the_end_of_a_cycle(days: float, expected: str | None) -> None:
    """Two days are its hold; settled in the afternoon of the third, it goes on when that day is over."""
    assert what_follows(days * DAY) == expected


def test_a_week_is_a_cycle_too() -> None:
    """Half a day later what was served at its end is read; in mid-week nothing is left."""
    assert [what_follows(days * DAY, WEEKLY) for days in (7, 7.5, 9, 13.9, 14)] == ["passed", "passed", None, None, "passed"]


def test_a_cycle_shorter_than_a_minute_is_always_at_its_end() -> None:
    """A demonstration whose days are seconds is looked at less often than they end."""
    short = PLAN.model_copy(update={"cycle": 4.0 / DAY, "preset": None, "steps": (PlanStep(share=0.05, hold=8.0 / DAY),)})
    assert what_follows(10.5, short) == "passed"


def test_shadow_and_soak_have_no_cycles_end_to_wait_for() -> None:
    """Nobody's share changes by what ends them."""
    assert [what_follows(20.5 * DAY, stage=stage) for stage in ("shadow", "soak")] == ["passed", "passed"]


def test_what_only_waited_for_a_yes_waits_for_no_cycle() -> None:
    """It was settled at the end of one; whoever says yes at noon says it to that."""
    noon = 2.5 * DAY
    assert what_follows(noon, ASKING) is None
    asked = decide(in_step(), all_well(2 * DAY, served_s=2 * DAY), ASKING)
    assert asked is not None
    assert asked.event == "needs_approval"
    said = act(asked.state, "approve", ASKING, by="olga", reason="fine", at=noon).state
    found = decide(said, all_well(noon, served_s=noon), ASKING)
    assert found is not None
    assert (found.event, found.state.step) == ("passed", 1)


def test_a_longest_length_in_mid_cycle_asks_a_person_and_says_why() -> None:
    """Settled since the last cycle's end: nothing is missing, and its time is over all the same."""
    plan = PLAN.model_copy(update={"preset": None, "steps": (PlanStep(share=0.05, hold=2, longest=2.5),)})
    found = event_of(in_step(), all_well(2.5 * DAY, served_s=2.5 * DAY), plan)
    assert found is not None
    assert found[0] == "overdue"
    assert "end of a cycle" in found[1][0]
    going = in_step(accepted=("overdue",))
    assert event_of(going, all_well(3 * DAY, served_s=3 * DAY), plan) == ("passed", ())


def test_says_that_an_extended_step_goes_on_at_the_next_cycles_end() -> None:
    """Half a cycle from now; within an eighth after one, at once."""
    assert until(in_step(), PLAN, 2.5 * DAY, 1_000.0)[0] == 1_000.0 + 0.5 * DAY
    assert until(in_step(), PLAN, 2.1 * DAY, 1_000.0)[0] == 1_000.0
    assert until(in_step(asked_for_approval=True), PLAN, 2.5 * DAY, 1_000.0)[0] == 1_000.0


def test_a_shadow_that_was_seldom_covered_says_how_much_of_it_was() -> None:
    """What it asks for is there; the time that counts is not."""
    found = event_of(in_step(stage="shadow"), all_well(22 * DAY, served_s=2.5 * DAY), PLAN)
    assert found is not None
    assert found[0] == "overdue"
    assert "Of the 7 days that the plan asks for, 2 days were at full coverage" in found[1][0]
