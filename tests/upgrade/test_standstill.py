"""An offline stage that stands still: it waits for a day, then people look; what moves may take as long as it takes."""

from __future__ import annotations

from typing import Any

import pytest

from segue.model.plan import Plan, ShadowSpec
from segue.model.plan_people import ApprovalRule
from segue.upgrade.decide import act, decide
from segue.upgrade.event import STILL_S, event_of
from segue.upgrade.people import due_approvals
from segue.upgrade.seen import Seen, SuiteSeen
from segue.upgrade.state import Stage
from tests.upgrade.builders import began

PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})
OFFLINE: tuple[Stage, ...] = ("decide", "eval", "staging")
HOUR = 3_600.0


@pytest.mark.parametrize("stage", OFFLINE)
def test_a_day_without_anything_moving_holds_and_says_what_is_waited_for(stage: Stage) -> None:
    """Not before; and whoever resumes waits for one more."""
    state = began(stage=stage, entered_at=HOUR)
    assert decide(state, Seen(HOUR + STILL_S), PLAN) is None
    held = decide(state, Seen(HOUR + STILL_S + 1, waits_for=("It waits for bob's eval.",)), PLAN)
    assert held is not None
    assert (held.event, held.state.standing, held.effects) == ("overdue", "holding", ("notify",))
    assert held.because[1] == "It waits for bob's eval."
    resumed = act(held.state, "resume", PLAN, by="ada", reason="it is slow", at=10 * STILL_S).state
    assert (resumed.stage, resumed.standing) == (stage, "going")
    assert decide(resumed, Seen(11 * STILL_S), PLAN) is None
    again = decide(resumed, Seen(11 * STILL_S + 1), PLAN)
    assert again is not None
    assert again.event == "overdue"


@pytest.mark.parametrize("stage", OFFLINE)
def test_what_moved_since_is_waited_for(stage: Stage) -> None:
    """However long it takes altogether."""
    state = began(stage=stage)
    assert event_of(state, Seen(9 * STILL_S, moved_at=8 * STILL_S), PLAN) is None
    assert event_of(state, Seen(9 * STILL_S, moved_at=8 * STILL_S - 1), PLAN) is not None


@pytest.mark.parametrize(
    ("stage", "seen", "event"),
    [
        ("decide", {"missing": ()}, "passed"),
        ("decide", {"missing": ("No suite.",)}, "unsound"),
        ("eval", {"suite": SuiteSeen("pass", may_migrate=True, verdict="v")}, "passed"),
        ("eval", {"suite": SuiteSeen("hold", may_migrate=False, verdict="v")}, "suite_open"),
        ("staging", {"staging_passed": True}, "passed"),
        ("staging", {"staging_passed": False}, "staging_failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_known_counts_however_late_it_comes(stage: Stage, seen: dict[str, Any], event: str) -> None:
    """Nothing is overdue that is there."""
    found = event_of(began(stage=stage), Seen(9 * STILL_S, **seen), PLAN)
    assert found is not None
    assert found[0] == event


def test_what_people_do_themselves_is_not_hurried() -> None:
    """Re-tuning, and an approval that staging waits for."""
    assert event_of(began(stage="retune"), Seen(9 * STILL_S), PLAN) is None
    rule = ApprovalRule(name="the boss", who=("eve",), before="step 1")
    asked = PLAN.model_copy(update={"approvals": (rule,), "shadow": ShadowSpec(length=0)})
    waiting = began(stage="staging", asked_for_approval=True)
    assert due_approvals(waiting, asked) == (rule,)
    assert event_of(waiting, Seen(9 * STILL_S, staging_passed=True), asked) is None
