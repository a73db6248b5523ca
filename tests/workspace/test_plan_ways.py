"""The eight ways in which upgrades go wrong: one plan for each, and one that invites none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest

from segue.model.plan import Plan
from segue.workspace.plan_ways import WAYS, Kind, Measured, WayFacts, ways_wrong

OLD, NEW = "a" * 64, "b" * 64
PAGE = Path(__file__).parents[2] / "docs/plan.md"
QUALITY: dict[str, Any] = {"metric": "right"}
WATCHED: dict[str, Any] = {"metric": "polite", "required": False}
KNOWN = WayFacts(
    workflow="mail",
    begins=date(2026, 11, 1),
    thin=(),
    slices=("task=refund", "task=other"),
    critical=frozenset({"task=refund"}),
    route_serves=OLD,
    gateways=2,
    incumbent=OLD,
    incumbent_model="gpt-4.1",
    measured=Measured("v" * 64, (), 0.8),
    effort=(),
)


def a_plan(*gates: dict[str, Any], **fields: Any) -> Plan:
    """A careful one, unless said otherwise."""
    return Plan.model_validate({"preset": "1-5-25-100", "gates": gates or (QUALITY,), **fields})


def found(plan: Plan, **facts: Any) -> list[tuple[Kind, str]]:
    """Which ways, and how gravely."""
    return [(one.kind, one.severity) for one in ways_wrong(plan, replace(KNOWN, **facts))]


def test_a_careful_plan_invites_none() -> None:
    """Of a workflow with suite, slices, route and gateways, and a candidate that is cheaper and as good."""
    assert found(a_plan()) == []


INVITED: dict[Kind, list[tuple[Plan, dict[str, Any], str]]] = {
    "no-suite": [
        (a_plan(), {"thin": None}, "error"),
        (a_plan(), {"thin": ("The task refund has 12 cases. Write 88 more.",)}, "error"),
    ],
    "aggregate-only": [
        (a_plan({**QUALITY, "watch": "total"}), {}, "error"),
        (a_plan({**QUALITY, "watch": "total"}, {"metric": "error", "source": "served"}), {}, "error"),
        (a_plan(), {"slices": (), "critical": frozenset()}, "error"),
        (a_plan(slices={"task=other": 0.5}), {}, "error"),
        (a_plan({**QUALITY, "watch": "total"}, {**WATCHED, "only": ("task=refund",)}), {}, "error"),
        (a_plan({**QUALITY, "watch": "total"}, WATCHED), {"critical": frozenset()}, "warning"),
        (a_plan({**QUALITY, "only": ("task=refund",)}, WATCHED), {}, "warning"),
    ],
    "shadow-skipped": [
        (a_plan(shadow={"length": 0}), {}, "error"),
        (a_plan(shadow={"share": 0.0}), {}, "error"),
        (a_plan(shadow={"length": 0.5}), {}, "warning"),
    ],
    "short-canary": [
        (a_plan(preset=None, steps=({"share": 0.05, "hold": 0.2}, {"share": 0.5, "hold": 2})), {}, "error"),
        (a_plan(preset=None, steps=({"share": 0.05, "hold": 1},), cycle=7, soak=14), {}, "error"),
        (a_plan(cycle="1h"), {}, "warning"),
    ],
    "rollback-by-deploy": [
        (a_plan(), {"route_serves": ""}, "error"),
        (a_plan(), {"route_serves": NEW}, "error"),
        (a_plan(), {"gateways": 0}, "warning"),
        (a_plan(), {"route_serves": None}, "remark"),
    ],
    "incumbent-removed": [
        (a_plan(soak=0), {}, "error"),
        (a_plan(soak="12h"), {}, "warning"),
        (a_plan(), {"retires": date(2026, 12, 4)}, "warning"),
    ],
    "cheaper-but-worse": [
        (a_plan(), {"measured": Measured("v" * 64, ("right on task=refund",), 0.5)}, "error"),
        (a_plan(), {"measured": None}, "remark"),
    ],
    "effort-ungated": [
        (a_plan(), {"effort": ("reasoning effort low → high",)}, "error"),
        (a_plan(QUALITY, {"metric": "cost", "source": "served"}), {"effort": ("reasoning effort low → high",)}, "error"),
        (a_plan(budgets={"latency_p99_ms": 900}), {"effort": ("reasoning effort low → high",)}, "error"),
        (a_plan(), {"effort": None}, "remark"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "plan", "facts", "severity"),
    [(kind, *one) for kind, cases in INVITED.items() for one in cases],
    ids=[f"{kind}-{place}" for kind, cases in INVITED.items() for place in range(len(cases))],
)
def test_each_of_the_eight_is_refused_or_warned_of(kind: Kind, plan: Plan, facts: dict[str, Any], severity: str) -> None:
    """And no other way than that one, for everything else about the plan is careful."""
    assert found(plan, **facts) == [(kind, severity)]


def test_all_eight_are_shown_refused() -> None:
    """Each of the product's list has a plan above that is refused, and a reason with a remedy."""
    assert list(INVITED) == list(WAYS) == list(get_args(Kind))
    for cases in INVITED.values():
        plan, facts, severity = cases[0]
        assert severity == "error"
        (one,) = ways_wrong(plan, replace(KNOWN, **facts))
        assert one.what.endswith(".")
        assert one.fix


def test_a_plan_that_waits_for_nothing_is_refused() -> None:
    """Its gates could stop an upgrade, and none would have to be shown: neither in total nor on the slices that matter."""
    plan = a_plan({**QUALITY, "required": False}, {"metric": "error", "source": "served"})
    assert found(plan) == [("aggregate-only", "error"), ("aggregate-only", "warning"), ("cheaper-but-worse", "error")]
    told = " ".join(one.sentence() for one in ways_wrong(plan, KNOWN))
    for one in ("look at task=refund, which the workflow calls critical", "at task=other:", "No gate on quality is required"):
        assert one in told
    assert told.count("Delete `required: false`") == 3
    outcome = {"metric": "negative_feedback", "source": "outcome"}
    assert found(a_plan({**QUALITY, "required": False}, outcome)) == [], "one that is required is enough"


def test_nothing_but_price_in_the_gates_is_no_upgrade() -> None:
    """A plan that looks at cost alone lets what is cheaper pass for better; it watches no slice of quality either."""
    plan = a_plan({"metric": "cost", "source": "served"})
    assert found(plan) == [("aggregate-only", "error"), ("cheaper-but-worse", "error")]


@pytest.mark.parametrize("ratio", [None, 1.3], ids=["unknown", "dearer"])
def test_worse_is_the_gates_business_where_it_is_not_cheaper(ratio: float | None) -> None:
    """The eval itself refuses a worse candidate; this way is the one that calls a saving an upgrade."""
    assert found(a_plan(), measured=Measured("v", ("right",), ratio)) == []


@pytest.mark.parametrize("latency", ["slow", "slow_start"])
def test_effort_is_free_to_change_behind_gates_of_cost_and_latency(latency: str) -> None:
    """Relative gates or absolute budgets, one of each."""
    cost = {"metric": "cost", "source": "served"}
    plan = a_plan(QUALITY, cost, {"metric": latency, "source": "served"})
    assert found(plan, effort=("reasoning effort low → high",)) == []
    budgeted = a_plan(budgets={"cost_usd_per_request": 0.02, "ttft_p95_ms": 900})
    assert found(budgeted, effort=("reasoning effort low → high",)) == []


def test_the_page_has_the_eight_in_their_order() -> None:
    """And says of each whether it is ever warned of, as the plans above are."""
    section = PAGE.read_text(encoding="utf-8").split("## The plan check", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([a-z].*?) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)[1:]
    assert [title for title, _, _ in rows] == list(WAYS.values())
    warned = [any(severity == "warning" for _, _, severity in INVITED[kind]) for kind in WAYS]
    assert [told != "–" for _, _, told in rows] == warned
