"""The route that each stage asks for: it grows, is never more than the plan allows, and asks for the same twice."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model.plan import Plan
from segue.model.route import Route, SegmentRule, ShadowRule
from segue.routing import Asked, RoutingTable
from segue.upgrade.state import Stage, UpgradeState
from segue.upgrade.wanted import most_share, wanted_route
from tests.upgrade.builders import NEW, OLD, OTHER, began

INTERNAL = {"share": "2%", "where": {"staff": "yes"}}
LOW = {"share": "30%", "where": {"risk": ["low", "none"]}}
GATES = ({"metric": "right"},)
PLANS = {
    "shares": Plan(preset="1-5-25-100", gates=GATES, shadow={"share": 0.5, "usd_per_day": 7.0}),
    "internal": Plan(preset="internal-5-50-100", gates=GATES, segments={"internal": INTERNAL}, holdback=0.02),
    "risk": Plan(preset="internal-low-risk-everyone", gates=GATES, segments={"internal": INTERNAL, "low-risk": LOW}),
    "whole": Plan(
        steps=(
            {"share": 0.05, "hold": 1},
            {"share": 1.0, "hold": 1, "segment": "internal"},
            {"share": 0.6, "hold": 1},
        ),
        gates=GATES,
        segments={"internal": INTERNAL},
    ),
}
ALONE = Route(workflow="w", incumbent=OLD, salt="s", fallback=OTHER)
GROWING: tuple[Stage, ...] = ("decide", "eval", "staging", "shadow", "canary", "soak", "completed")


def places(plan: Plan) -> list[UpgradeState]:
    """Every place on the way of a good candidate, in order."""
    return [
        began(stage=stage, step=step)
        for stage in GROWING
        for step in (range(len(plan.canary)) if stage == "canary" else range(1))
    ]


def served(route: Route, unit: str, staff: bool, is_low: bool) -> str:
    """Which bundle answers."""
    attributes = {"staff": "yes" if staff else "no", "risk": "low" if is_low else "high"}
    return RoutingTable(route).assign(Asked(unit, attributes)).bundle


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@given(unit=st.text(min_size=1), staff=st.booleans(), is_low=st.booleans())
def test_growing_never_takes_a_unit_back(plan: Plan, unit: str, staff: bool, is_low: bool) -> None:
    """From the first step to completion, whoever met the candidate goes on meeting it; but for the soak's holdback."""
    route, met = ALONE, False
    for state in places(plan):
        route = wanted_route(state, plan, route)
        is_new = served(route, unit, staff, is_low) == NEW
        if not (state.stage == "soak" and plan.holdback):
            assert is_new or not met
        met = is_new
    assert met
    assert (route.incumbent, route.candidate) == (NEW, None)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_nobody_gets_more_than_the_step_allows(plan: Plan) -> None:
    """Neither everyone nor a segment, and a segment never less than everyone."""
    for state in places(plan):
        route = wanted_route(state, plan, ALONE)
        if state.stage != "completed":
            assert route.share <= most_share(state, plan)
        for rule in route.segments:
            assert route.share < rule.share <= most_share(state, plan, rule.segment)
            assert rule.where == {"internal": {"staff": ("yes",)}, "low-risk": {"risk": ("low", "none")}}[rule.segment]


@given(
    plan=st.sampled_from(list(PLANS.values())),
    stage=st.sampled_from(get_args(Stage)),
    step=st.integers(0, 2),
    route=st.builds(
        Route,
        workflow=st.just("w"),
        incumbent=st.sampled_from([OLD, OTHER]),
        candidate=st.sampled_from([NEW]),
        share=st.floats(0, 1),
        segments=st.sampled_from([(), (SegmentRule(segment="internal", share=0.3, where={"a": ("b",)}),)]),
        salt=st.sampled_from(["", "s"]),
        shadow=st.none() | st.builds(ShadowRule, share=st.floats(0, 1), max_in_flight=st.integers(1, 9)),
        fallback=st.none() | st.just(OTHER),
        conversations=st.sampled_from(["switch", "drain", "pin"]),
    ),
)
def test_what_is_asked_for_once_is_asked_for_again(plan: Plan, stage: Stage, step: int, route: Route) -> None:
    """So a second flip does nothing; the result is a sound route, and keeps what is not the upgrade's."""
    state = began(stage=stage, step=step if stage == "canary" and step < len(plan.canary) else 0)
    wanted = wanted_route(state, plan, route)
    assert wanted_route(state, plan, wanted) == wanted
    assert Route.model_validate(wanted.model_dump()) == wanted
    for name in ("workflow", "environment", "salt", "fallback", "conversations"):
        assert getattr(wanted, name) == getattr(route, name)


def test_shadow_is_the_plans_and_its_caps_the_gateways() -> None:
    """Share and money of the plan; how many calls at once stays as it was set. Nobody is served."""
    capped = ALONE.model_copy(update={"candidate": NEW, "shadow": ShadowRule(share=0.1, max_in_flight=3, per_second=9.0)})
    found = wanted_route(began(stage="shadow"), PLANS["shares"], capped)
    assert found.shadow == ShadowRule(share=0.5, max_in_flight=3, per_second=9.0, usd_per_day=7.0)
    assert (found.candidate, found.share, found.segments) == (NEW, 0.0, ())
    later = wanted_route(began(stage="canary"), PLANS["shares"], found)
    assert later.shadow is None


@pytest.mark.parametrize("stage", ["rolled_back", "stopped", "deferred"])
def test_an_end_without_success_is_a_rollback(stage: Stage) -> None:
    """The same value that any other rollback is."""
    serving = wanted_route(began(stage="canary", step=1), PLANS["internal"], ALONE)
    assert wanted_route(began(stage=stage), PLANS["internal"], serving) == serving.rolled_back()


def test_rolling_back_brings_back_the_incumbent_whatever_was_flipped_meanwhile() -> None:
    """Somebody made the candidate the incumbent by hand: it goes all the same. Before users met it, theirs stays."""
    by_hand = ALONE.model_copy(update={"incumbent": NEW})
    assert wanted_route(began(stage="rolled_back"), PLANS["shares"], by_hand).incumbent == OLD
    other = ALONE.model_copy(update={"incumbent": OTHER})
    assert wanted_route(began(stage="deferred"), PLANS["shares"], other).incumbent == OTHER


def test_a_holdback_stays_on_the_incumbent_through_the_soak() -> None:
    """The screen says 98 %, and the incumbent is still the route's."""
    found = wanted_route(began(stage="soak"), PLANS["internal"], ALONE)
    assert (found.incumbent, found.candidate, found.share, found.segments) == (OLD, NEW, 0.98, ())


def test_a_segment_that_is_a_name_alone_gets_nothing() -> None:
    """Without a predicate it would be everyone."""
    plan = Plan(preset="internal-5-50-100", gates=GATES, segments={"internal": 0.02})
    found = wanted_route(began(stage="canary"), plan, ALONE)
    assert (found.share, found.segments) == (0.0, ())


def test_conversations_that_drain_keep_the_bundle_they_began_on() -> None:
    """After completion the old incumbent still ends what it began."""
    draining = ALONE.model_copy(update={"conversations": "drain"})
    done = wanted_route(began(stage="completed"), PLANS["shares"], draining)
    assert done.draining == (OLD,)
