"""`wanted_route`: the route that an upgrade's stage and step ask for. Pure; putting it in force is the controller's.

Growth only: a step serves whom the steps before it served, and nobody more than the plan allows at this step.
"""

from __future__ import annotations

from segue.model.plan import Plan
from segue.model.route import Route, SegmentRule, ShadowRule
from segue.upgrade.state import EXPOSED, UpgradeState


def wanted_route(state: UpgradeState, plan: Plan, route: Route) -> Route:
    """The route asked for, from the one in force: salt, fallback and conversations are kept as they are."""
    return route.model_copy(update=_asked(state, plan, route)).following(route)


def most_share(state: UpgradeState, plan: Plan, segment: str | None = None) -> float:
    """The largest share of everyone that the plan allows here; with `segment`, that of its members."""
    if state.stage == "completed":
        return 1.0
    if state.stage == "soak":
        return 1.0 - plan.holdback
    if state.stage != "canary":
        return 0.0
    shares = _shares(plan, state.step)
    return max(shares.get(None, 0.0), shares.get(segment, 0.0))


def _asked(state: UpgradeState, plan: Plan, route: Route) -> dict[str, object]:
    alone: dict[str, object] = {
        "incumbent": state.incumbent,
        "candidate": None,
        "share": 0.0,
        "segments": (),
        "shadow": None,
    }
    if state.stage == "completed":
        return {**alone, "incumbent": state.candidate}
    if state.stage == "rolled_back":
        return alone
    if state.stage not in EXPOSED:
        # No user met the candidate: whom somebody made the incumbent meanwhile stays it.
        alone["incumbent"] = route.incumbent
    if state.stage == "shadow" and route.incumbent != state.candidate:
        return {**alone, "candidate": state.candidate, "shadow": _shadow(plan, route)}
    if state.stage not in EXPOSED:
        return alone
    segments = _segments(plan, state.step) if state.stage == "canary" else ()
    return {**alone, "candidate": state.candidate, "share": most_share(state, plan), "segments": segments}


def _shadow(plan: Plan, route: Route) -> ShadowRule:
    """The plan's share and budget; what caps calls at once is the gateway's matter, and stays."""
    caps = route.shadow or ShadowRule()
    return caps.model_copy(update={"share": plan.shadow.share, "usd_per_day": plan.shadow.usd_per_day})


def _segments(plan: Plan, step: int) -> tuple[SegmentRule, ...]:
    """Those that get more than everyone does. One without a predicate would be everyone, and gets nothing."""
    shares = _shares(plan, step)
    everyone = shares.get(None, 0.0)
    known = ((name, share, plan.segments.get(name)) for name, share in shares.items() if name is not None and share > everyone)
    return tuple(
        SegmentRule(segment=name, where=dict(spec.where), share=share)
        for name, share, spec in known
        if spec is not None and spec.where
    )


def _shares(plan: Plan, step: int) -> dict[str | None, float]:
    """What each segment has reached by this step; `None` is everyone."""
    return {one.segment: one.share for one in plan.canary[: step + 1]}
