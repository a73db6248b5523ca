"""What an upgrade itself costs, before it begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.controller.grounds_cost import CostFacts, estimate_upgrade_cost
from segue.model.plan import Plan, ShadowSpec
from tests.controller.undertaken import a_plan

KNOWN = CostFacts(
    eval_microusd=5e6,
    requests_per_day=1000,
    incumbent_microusd=1000,
    candidate_microusd=2000,
    daily_cases=100,
    standing_usd_per_day=0,
)
PLAN = a_plan(shadow=ShadowSpec(length=7), soak=14)
"""7 + 1 + 2 + 14 = 24 days."""


def part(plan: Plan, facts: CostFacts, name: str) -> float | None:
    return next(one.usd for one in estimate_upgrade_cost(plan, facts).parts if one.name == name)


def test_the_parts_add_up() -> None:
    """Evals, daily evals, second calls, probes."""
    found = estimate_upgrade_cost(PLAN, KNOWN)
    parts = {one.name: one.usd for one in found.parts}
    assert parts["regression eval"] == 5.0
    assert parts["daily evals"] == pytest.approx(100 * 3000e-6 * 24)
    assert parts["shadow"] == pytest.approx(1000 * 7 * 2000e-6)
    assert parts["keeping both warm"] == pytest.approx(288 * 1000e-6 * 24)
    assert found.usd == pytest.approx(sum(one for one in parts.values() if one is not None))
    assert found.sentence.startswith("The upgrade itself costs about $")


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("eval_microusd", {"regression eval"}),
        ("requests_per_day", {"shadow"}),
        ("candidate_microusd", {"shadow", "daily evals"}),
        ("daily_cases", {"daily evals"}),
        ("standing_usd_per_day", {"keeping both warm"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nobody_knows_makes_the_sum_unknown_and_is_named(name: str, lacking: set[str]) -> None:
    """At least so much; never nothing."""
    found = estimate_upgrade_cost(PLAN, replace(KNOWN, **{name: None}))
    assert found.usd is None
    assert {one.name for one in found.parts if one.usd is None} == lacking
    assert "at least" in found.sentence
    assert all(one in found.sentence for one in lacking)


def test_shadow_costs_no_more_than_its_cap() -> None:
    """And the cap is the answer where traffic is unknown."""
    capped = a_plan(shadow=ShadowSpec(length=7, usd_per_day=1), soak=14)
    assert part(capped, KNOWN, "shadow") == 7
    assert part(capped, replace(KNOWN, requests_per_day=None), "shadow") == 7
    assert part(a_plan(shadow=ShadowSpec(length=7, usd_per_day=100)), KNOWN, "shadow") == pytest.approx(14)


def test_without_shadow_there_are_no_second_calls() -> None:
    """Known, and nothing."""
    assert part(a_plan(shadow=ShadowSpec(length=0)), replace(KNOWN, requests_per_day=None), "shadow") == 0
