"""Who may do what, and whose yes is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from segue.errors import InputError
from segue.model.plan import Plan
from segue.upgrade.decide import act, decide
from segue.upgrade.people import missing_approvals, roles_of
from segue.upgrade.state import Period, UpgradeState
from segue.upgrade.table import Action
from tests.upgrade.builders import all_well, began, judged


def a_plan(*approvals: dict[str, Any], **fields: Any) -> Plan:
    """Three steps; anyone may do anything, unless said otherwise."""
    return Plan.model_validate({"preset": "1-5-25-100", "gates": [{"metric": "right"}], "approvals": approvals, **fields})


LEGAL = {"name": "legal", "who": ("lea", "max")}
OPS = {"name": "ops", "who": ("olga",)}


def test_where_nobody_is_named_anyone_operates_and_nobody_approves() -> None:
    """Whoever can run the command; a yes is only somebody's who is asked for it."""
    assert roles_of(a_plan(), "anyone") == {"operator", "rescuer"}


def test_rolling_back_is_never_harder_than_holding() -> None:
    """Operators may do it whoever else is named; those named for it may do no more than that."""
    plan = a_plan(LEGAL, operators=("ada",), roll_back=("rob",))
    assert roles_of(plan, "ada") == {"operator", "rescuer"}
    assert roles_of(plan, "rob") == {"rescuer"}
    assert roles_of(plan, "lea") == {"approver"}
    assert roles_of(plan, "eve") == frozenset()
    assert "rescuer" in roles_of(a_plan(operators=("ada",)), "eve")


def serving(step: int, **changes: Any) -> UpgradeState:
    """At a step of the canary, its time running."""
    return began(stage="canary", step=step, periods=(Period(begin=0.0),), **changes)


SHADOW, SOAK = began(stage="shadow", periods=(Period(begin=0.0),)), began(stage="soak", periods=(Period(begin=0.0),))


@pytest.mark.parametrize(
    ("before", "places"),
    [
        ("everyone", [serving(2)]),
        ("soak", [serving(2)]),
        ("completion", [SOAK]),
        ("step 1", [SHADOW]),
        ("step  3", [serving(1)]),
        ("every step", [SHADOW, serving(0), serving(1), serving(2)]),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_rule_is_due_before_what_it_guards(before: str, places: list[UpgradeState]) -> None:
    """And nowhere else on the way."""
    plan = a_plan({**LEGAL, "before": before})
    way = [began(stage="eval"), began(stage="staging"), SHADOW, *(serving(step) for step in range(3)), SOAK]
    assert [state for state in way if missing_approvals(state, plan)] == places


def test_what_the_plan_leaves_out_is_passed_over() -> None:
    """Without shadow, staging is what comes before step 1; without soak, the last step before completion."""
    first = a_plan({**LEGAL, "before": "step 1"}, shadow={"length": 0})
    assert missing_approvals(began(stage="staging"), first) == ("legal",)
    last = a_plan({**LEGAL, "before": "completion"}, soak=0)
    assert missing_approvals(serving(2), last) == ("legal",)


def test_one_entitled_yes_meets_a_rule_and_a_strangers_none() -> None:
    """Whoever is not asked is told who is."""
    plan = a_plan(LEGAL, OPS)
    with pytest.raises(InputError, match="eve may not approve") as refused:
        act(serving(2), "approve", plan, by="eve", reason="x", at=1.0)
    assert refused.value.fix == "Ask lea or max or olga."
    given = act(serving(2), "approve", plan, by="max", reason="read it", at=1.0).state
    assert missing_approvals(given, plan) == ("ops",)
    with pytest.raises(InputError, match="Nothing waits for an approval in canary, step 1"):
        act(serving(0), "approve", plan, by="max", reason="x", at=1.0)


def test_who_is_asked_at_another_step_is_not_asked_here() -> None:
    """An approver is one where the plan says so."""
    plan = a_plan(LEGAL, {**OPS, "before": "step 2"})
    with pytest.raises(InputError, match="olga is not among those asked in canary, step 3") as refused:
        act(serving(2), "approve", plan, by="olga", reason="x", at=1.0)
    assert "legal: lea or max" in refused.value.fix


def test_it_waits_for_the_last_yes_and_asks_once() -> None:
    """Then it goes on by itself; the next look does not ask again; an early yes counts."""
    plan = a_plan(LEGAL, OPS)
    asked = decide(serving(2), all_well(1.0), plan)
    assert asked is not None
    assert asked.event == "needs_approval"
    assert asked.because == ("legal: lea or max has to say yes.", "ops: olga has to say yes.")
    assert decide(asked.state, all_well(2.0), plan) is None
    one = act(asked.state, "approve", plan, by="lea", reason="x", at=3.0).state
    assert decide(one, all_well(4.0), plan) is None
    both = act(one, "approve", plan, by="olga", reason="x", at=5.0).state
    found = decide(both, all_well(6.0), plan)
    assert found is not None
    assert found.state.stage == "soak"
    assert found.state.approvals == ()


def test_a_trigger_fires_while_a_yes_is_waited_for() -> None:
    """Harm waits for nobody."""
    plan = a_plan(LEGAL)
    asked = decide(serving(2), all_well(1.0), plan)
    assert asked is not None
    found = decide(asked.state, all_well(2.0, judgement=judged("harm", "rollback")), plan)
    assert found is not None
    assert found.state.stage == "rolled_back"


def test_nobody_advances_past_a_rule_of_approval() -> None:
    """An operator may go on without evidence, with a reason, and never without the yes that the plan asks for."""
    plan = a_plan(LEGAL)
    with pytest.raises(InputError, match="cannot be left without approval by legal: lea or max"):
        act(serving(2), "advance", plan, by="ada", reason="x", at=1.0)
    given = act(serving(2), "approve", plan, by="max", reason="read it", at=1.0).state
    assert act(given, "advance", plan, by="ada", reason="x", at=2.0).state.stage == "soak"


@pytest.mark.parametrize("action", ["hold", "pause", "advance"])
def test_who_is_no_operator_is_told_who_is(action: Action) -> None:
    """By name."""
    plan = a_plan(operators=("ada", "bo"), roll_back=("rob",))
    with pytest.raises(InputError) as refused:
        act(serving(0), action, plan, by="rob", reason="x", at=1.0)
    assert refused.value.fix == "Ask ada or bo."
    assert act(serving(0), "roll_back", plan, by="rob", reason="x", at=1.0).state.stage == "rolled_back"
