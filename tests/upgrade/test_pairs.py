"""Every event at every stage and standing: what the table says happens, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from segue.errors import InputError
from segue.model.plan import Plan, PlanGate
from segue.model.plan_people import ApprovalRule
from segue.upgrade.decide import act, decide, possible
from segue.upgrade.drawing import EFFECTS, MEANINGS, ROLES, diagram, events_markdown, table_markdown
from segue.upgrade.seen import RouteSeen, Seen, SuiteSeen
from segue.upgrade.state import ENDED, Period, Role, Stage, Standing, UpgradeState
from segue.upgrade.table import LIVE, ROWS, Action, Effect, Event, Observed, Row, find_row
from tests.upgrade.builders import COST, NEWER, all_well, began, judged

BARE = Plan(preset="1-5-25-100", gates=(PlanGate(metric="right"),))
ASKING = BARE.model_copy(
    update={
        "approvals": (
            ApprovalRule(name="owner", who=("ada",), before="every step"),
            ApprovalRule(name="close", who=("ada",), before="completion"),
        ),
        "shadow": BARE.shadow,
    }
)
HELD_BY = ("", "invalid", "suite_open", "staging_failed", "harm_hold")
SUITES: dict[Event, SuiteSeen] = {
    "passed": SuiteSeen("pass", True, "v"),
    "suite_open": SuiteSeen("hold", True, "v"),
    "suite_failed": SuiteSeen("fail", True, "v"),
    "suite_equal": SuiteSeen("pass", False, "v"),
}
LIVE_LOOKS: dict[Event, Seen] = {
    "rolled_back_elsewhere": all_well(9e5, route=RouteSeen("rolled back", 2, "rob", "x")),
    "critical_incident": all_well(9e5, incidents=("leaked a name",)),
    "harm": all_well(9e5, judgement=judged("harm", "rollback")),
    "route_changed": all_well(9e5, route=RouteSeen("changed", 2, "rob", "x")),
    "incumbent_silent": all_well(9e5, incumbent_answers=False),
    "invalid": all_well(9e5, judgement=judged("invalid")),
    "harm_hold": all_well(9e5, judgement=judged("harm", "hold")),
    "over_budget": all_well(9e5, over_budget=(COST,)),
    "incumbent_unheard": all_well(9e5, incumbent_answers=None, incumbent_unheard_s=8e5),
    "unserved": all_well(9e6, route=RouteSeen("unconfirmed", 2)),
    "unconfirmed": all_well(9e5, route=RouteSeen("unconfirmed", 2)),
    "quiet": all_well(9e5, quiet_s=8e5),
    "overdue": all_well(9e5, missing=("right on refund",)),
    "confirmed": all_well(9e5),
    "needs_approval": all_well(9e5),
    "passed": all_well(9e5),
}


def look(event: Observed, stage: Stage) -> Seen:
    """An observation that amounts to this event, at a stage where it can."""
    if stage in LIVE:
        return LIVE_LOOKS.get(event, Seen(9e5))
    return Seen(
        9e5,
        suite=SUITES.get(event),
        staging_passed={"passed": True, "needs_approval": True, "staging_failed": False}.get(event),
        missing={"passed": (), "unsound": ("no suite",)}.get(event),
    )


def at(stage: Stage, standing: Standing, held_by: str, event: Event) -> UpgradeState:
    """An upgrade there, whose time runs if it can and the event is not about its standing."""
    runs = stage in LIVE and standing == "going" and event not in ("confirmed", "unserved")
    periods = (Period(begin=0.0),) if runs else ()
    return began(stage=stage, standing=standing, held_by=held_by if standing == "holding" else "", periods=periods)


def check_follows(row: Row, before: UpgradeState, after: UpgradeState, effects: tuple[Effect, ...]) -> None:
    """What the row says, and no more."""
    assert effects == row.effects
    assert after.standing == (before.standing if row.standing == "keep" else row.standing)
    if row.to == "same":
        assert (after.stage, after.step) == (before.stage, before.step)
    elif row.to != "next":
        assert (after.stage, after.step) == (row.to, 0)
    else:
        assert (after.stage, after.step) != (before.stage, before.step)


@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("standing", get_args(Standing))
def test_evidence_does_what_the_table_says_and_nothing_else(stage: Stage, standing: Standing) -> None:
    """A pair without a row changes nothing."""
    for event in get_args(Observed):
        for held_by in HELD_BY:
            plan = ASKING if event == "needs_approval" and stage == "staging" else BARE
            if event == "needs_approval":
                plan = ASKING.model_copy(update={"shadow": ASKING.shadow.model_copy(update={"length": 0.0})})
            before = at(stage, standing, held_by, event)
            row = find_row(stage, standing, event, before.held_by)
            found = decide(before, look(event, stage), plan)
            if row is None or (standing == "holding" and before.held_by == event):
                assert found is None or found.event != event, (stage, standing, event)
                continue
            assert found is not None, (stage, standing, event)
            assert (found.event, found.by) == (event, "")
            check_follows(row, before, found.state, found.effects)


@pytest.mark.parametrize("stage", ["staging", "shadow", "canary", "soak"])
def test_to_approve_is_possible_only_where_somebodys_yes_is_asked_for(stage: Stage) -> None:
    """Whoever reads what is possible is not sent to approve what nobody asks about."""
    asking = ASKING.model_copy(update={"shadow": ASKING.shadow.model_copy(update={"length": 0.0})})
    assert "approve" in possible(at(stage, "going", "", "approve"), asking)
    assert "approve" not in possible(at(stage, "going", "", "approve"), BARE)


@pytest.mark.parametrize("stage", get_args(Stage))
@pytest.mark.parametrize("standing", get_args(Standing))
def test_people_do_what_the_table_says_and_nothing_else(stage: Stage, standing: Standing) -> None:
    """A pair without a row is refused, with what is possible instead."""
    for action in get_args(Action):
        for held_by in HELD_BY:
            plan = ASKING.model_copy(update={"shadow": ASKING.shadow.model_copy(update={"length": 0.0})})
            plan = plan if action == "approve" else BARE
            before = at(stage, standing, held_by, action)
            row = find_row(stage, standing, action, before.held_by)
            if row is None:
                with pytest.raises(InputError, match="is not possible in") as refused:
                    act(before, action, plan, by="ada", reason="x", at=9e5, candidate=NEWER)
                assert possible(before, plan) in refused.value.fix
                continue
            if action == "advance" and before.held_by == "invalid":
                continue
            found = act(before, action, plan, by="ada", reason="x", at=9e5, candidate=NEWER)
            assert (found.event, found.by, found.because) == (action, "ada", ("x",))
            check_follows(row, before, found.state, found.effects)


def test_what_has_ended_stays_as_it_is() -> None:
    """No row leaves an end."""
    assert not [row for row in ROWS if row.stages & ENDED]


@pytest.mark.parametrize("stage", sorted(LIVE))
def test_every_live_stage_can_be_left_backwards_at_any_time(stage: Stage) -> None:
    """By a person and by evidence, in every standing."""
    for standing in get_args(Standing):
        for event in ("roll_back", "critical_incident", "rolled_back_elsewhere"):
            row = find_row(stage, standing, event)
            assert row is not None
            assert row.to in ("rolled_back", "stopped")


def test_the_page_and_the_words_cover_the_machine() -> None:
    """Nothing of the machine is without a word, and every row and every way between stages is drawn."""
    assert set(MEANINGS) == {*get_args(Observed), *get_args(Action)}
    assert set(EFFECTS) == set(get_args(Effect))
    assert set(ROLES) == set(get_args(Role))
    assert len(table_markdown().splitlines()) == len(ROWS) + 2
    assert len(events_markdown().splitlines()) == len(MEANINGS) + 2
    drawn = diagram()
    for line in ("shadow --> canary: passed, advance", "soak --> completed: passed, advance", "retune --> staging: advance"):
        assert line in drawn
    assert "completed --> canary" not in drawn


def test_harm_counts_before_everything_but_a_rollback_and_an_incident() -> None:
    """Of all that holds at one look, the worst is what happened."""
    everything = replace(
        LIVE_LOOKS["harm"], over_budget=(COST,), incumbent_answers=False, quiet_s=8e5, route=RouteSeen("changed", 2)
    )
    found = decide(at("canary", "going", "", "harm"), everything, BARE)
    assert found is not None
    assert found.event == "harm"
