"""The plan of an upgrade stands alone: what was filled in means what the facts beside it meant."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from segue.model.plan import Plan, PlanGate
from segue.simulation import Facts, Setting, fill_plan, find_gaps, settle
from segue.upgrade.log import Opening
from segue.upgrade.settled import setting_of

FACTS = Facts(
    better={"quality": "higher"},
    rates={"quality": 0.9},
    shares={"task=refund": 0.2, "task=other": 0.8},
    slices=("task=refund", "task=other"),
    critical=frozenset(["task=refund"]),
)
OUTCOME = {"metric": "thumbs_down", "source": "outcome", "better": "lower", "baseline": 0.03, "age": 0.5}


def same(one: Setting, other: Setting) -> bool:
    """But for the plan itself and its name."""
    parts = (field.name for field in fields(Setting) if field.name not in ("plan", "name", "weights"))
    return all(getattr(one, name) == getattr(other, name) for name in parts) and np.array_equal(one.weights, other.weights)


@pytest.mark.parametrize(
    "gates",
    [
        [{"metric": "quality"}],
        [{"metric": "quality", "watch": "total"}, OUTCOME],
        [{"metric": "quality", "only": ("task=other",)}],
        [OUTCOME, {"metric": "quality", "baseline": 0.8}],
    ],
    ids=["all-slices", "two-gates", "one-slice", "own-baseline"],
)
def test_a_filled_plan_means_the_same_without_the_facts(gates: list[dict[str, Any]]) -> None:
    """Through JSON too, as the store keeps it; only the critical slices are the opening's."""
    plan = Plan(preset="1-5-25-100", gates=tuple(PlanGate(**gate) for gate in gates))
    filled = fill_plan(plan, FACTS)
    alone = Facts(critical=FACTS.critical)
    assert not list(find_gaps(filled, alone))
    again = Plan.model_validate(filled.model_dump(mode="json"), strict=False)
    assert same(settle(plan, FACTS), settle(again, alone))


def test_the_setting_of_an_upgrade_knows_its_critical_slices() -> None:
    """So they have to be safe before any step is left."""
    plan = fill_plan(Plan(preset="1-5-25-100", gates=(PlanGate(metric="quality"),)), FACTS)
    opening = Opening(
        upgrade="up",
        workflow="reply",
        incumbent="a" * 64,
        candidate="b" * 64,
        plan=plan,
        plan_name="careful",
        critical=("task=refund",),
        by="ann",
        at=0.0,
    )
    setting = setting_of(opening)
    assert setting.name == "careful"
    assert [setting.slices[cell] for cell in setting.gates[0].required] == ["", "task=refund"]
