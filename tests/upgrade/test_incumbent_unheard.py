"""An incumbent that nobody has heard of: silence passes nothing, and after a while people look."""

from __future__ import annotations

import pytest

from segue.model.plan import Plan
from segue.upgrade.decide import act, decide
from segue.upgrade.event import event_of
from segue.upgrade.seen import Seen
from segue.upgrade.state import Period, Stage, UpgradeState
from tests.upgrade.builders import all_well, began, judged

HOUR, DAY = 3_600.0, 86_400.0
PLAN = Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}]})
LONG = 14_000 * DAY


def in_stage(stage: Stage, **changes: object) -> UpgradeState:
    """With its time running."""
    return began(stage=stage, periods=(Period(begin=0.0),), **changes)


def unheard(for_s: float | None, **changes: object) -> Seen:
    """Everything there, but nothing known of the incumbent for so long."""
    given = {"incumbent_answers": None, "incumbent_unheard_s": for_s, "incumbent_unheard": "no key"}
    return all_well(LONG, **{**given, **changes})


@pytest.mark.parametrize("stage", ["shadow", "canary", "soak"])
@pytest.mark.parametrize("for_s", [None, 0.0, 0.9 * HOUR], ids=["unknown", "at first", "an hour nearly"])
def test_nothing_is_left_while_it_is_not_known(stage: Stage, for_s: float | None) -> None:
    """However good the candidate is; as soon as it is heard of, it goes on."""
    found = event_of(in_stage(stage), unheard(for_s), PLAN)
    assert found == ("overdue", ("Whether the incumbent answers is not known.",))
    assert event_of(in_stage(stage), all_well(LONG), PLAN) == ("passed", ())


@pytest.mark.parametrize("stage", ["shadow", "canary", "soak"])
def test_after_an_hour_of_a_day_it_holds_with_reason_and_remedy(stage: Stage) -> None:
    """Long before the stage could be left, too."""
    state = began(stage=stage, periods=(Period(begin=LONG - 5 * HOUR),))
    found = event_of(state, unheard(3 * HOUR, served_s=5 * HOUR), PLAN)
    assert found is not None
    assert found[0] == "incumbent_unheard"
    assert "not been known for 3 hours: no key. Mend how it is asked" in found[1][0]
    week = PLAN.model_copy(update={"cycle": 7.0})
    assert event_of(state, unheard(3 * HOUR, served_s=5 * HOUR), week) is None


def test_a_person_may_answer_for_it_for_one_step() -> None:
    """A provider that takes no question it is not made for: whoever knows better says so, each time."""
    held = decide(in_stage("canary"), unheard(3 * HOUR), PLAN)
    assert held is not None
    going = act(held.state, "resume", PLAN, by="ada", reason="it serves nine tenths of our users", at=LONG).state
    going = going.model_copy(update={"periods": (Period(begin=0.0),)})
    passed = decide(going, unheard(4 * HOUR), PLAN)
    assert passed is not None
    assert (passed.event, passed.state.step, passed.state.accepted) == ("passed", 1, ())
    silent = decide(going, unheard(4 * HOUR, incumbent_answers=False), PLAN)
    assert silent is not None
    assert silent.event == "incumbent_silent"


def test_harm_does_not_wait_for_it() -> None:
    """Whoever does not know whether the incumbent answers goes back to it all the same: there is nothing else."""
    found = decide(in_stage("canary"), unheard(9 * DAY, judgement=judged("harm", "rollback")), PLAN)
    assert found is not None
    assert found.state.stage == "rolled_back"
