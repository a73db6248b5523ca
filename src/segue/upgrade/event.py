"""From an observation to the one event that matters most at this look. Pure; what is not known never counts as good."""

from __future__ import annotations

from math import ceil

from segue.model.plan import Plan
from segue.upgrade.people import due_approvals, missing_approvals, names
from segue.upgrade.seen import Seen
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import LIVE, Observed

DAY_S = 86_400.0
LEAST_QUIET_S = 60.0
"""However short a cycle is: what was served takes some seconds to be seen."""
Found = tuple[Observed, tuple[str, ...]]
"""An event, and what it rests on, in sentences."""


def event_of(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """The worst that holds, with its reasons; `None` where nothing follows from what was seen."""
    if state.stage in LIVE:
        return _of_live(state, seen, plan)
    if state.stage == "decide":
        return None if seen.missing is None else ("unsound", seen.missing) if seen.missing else ("passed", ())
    if state.stage == "eval":
        return _of_suite(seen)
    if state.stage == "staging" and seen.staging_passed is not None:
        return _of_approvals(state, plan) if seen.staging_passed else ("staging_failed", seen.staging_faults)
    return None


def _of_suite(seen: Seen) -> Found | None:
    if seen.suite is None:
        return None
    reasons = seen.suite.reasons
    if seen.suite.outcome == "fail":
        return "suite_failed", reasons
    if seen.suite.outcome == "hold":
        return "suite_open", reasons
    return ("passed", reasons) if seen.suite.may_migrate else ("suite_equal", reasons)


def _of_live(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    route, judgement = seen.route, seen.judgement
    if route is not None and route.standing == "rolled back":
        return "rolled_back_elsewhere", (f"{route.by} rolled back: {route.reason}",)
    if seen.incidents:
        return "critical_incident", seen.incidents
    if judgement is not None and judgement.verdict == "harm" and judgement.limit == "rollback":
        return "harm", _culprits(seen)
    if route is not None and route.standing == "changed":
        return "route_changed", (f"{route.by} changed the route to revision {route.revision}: {route.reason}",)
    if seen.incumbent_answers is False:
        return "incumbent_silent", ("The incumbent does not answer: there would be nothing to go back to.",)
    if judgement is not None and judgement.verdict == "invalid" and "invalid" not in state.accepted:
        return "invalid", _culprits(seen)
    if judgement is not None and judgement.verdict == "harm" and "harm_hold" not in state.accepted:
        return "harm_hold", _culprits(seen)
    if seen.over_budget and "over_budget" not in state.accepted:
        return "over_budget", seen.over_budget
    if route is None or route.standing == "unconfirmed":
        return _of_waiting(state, seen, plan)
    if not state.is_counting:
        return "confirmed", ()
    return _of_time(state, seen, plan)


def _of_waiting(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """Some gateway that lives does not serve the route, or none lives. For a cycle that is patience; then people look."""
    since = max((one.begin if one.end is None else one.end for one in state.periods), default=state.entered_at)
    if seen.route is None or "unserved" in state.accepted or seen.at - since <= max(plan.cycle * DAY_S, LEAST_QUIET_S):
        return None
    return "unserved", (
        f"Revision {seen.route.revision} is not served by every gateway that lives: segue route show says which.",
    )


def _of_time(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """What follows when nothing is wrong: from silence, from time, and from what was shown."""
    cycle_s = max(plan.cycle * DAY_S, LEAST_QUIET_S)
    if (seen.quiet_s is None or seen.quiet_s > cycle_s) and seen.at - state.periods[-1].begin > cycle_s:
        return "quiet", ("Nothing has arrived for a whole cycle.",)
    need, longest = lengths(state, plan)
    if seen.missing is not None and not seen.missing and seen.served_s >= need:
        return _of_approvals(state, plan)
    # Shadow time counts at full coverage only: one that is never covered is overdue by its clock.
    if max(seen.served_s, state.counted_s(seen.at)) >= longest and "overdue" not in state.accepted:
        return "overdue", seen.missing or ("What this step asks for was not seen at all.",)
    return None


def _of_approvals(state: UpgradeState, plan: Plan) -> Found | None:
    """All is there but, perhaps, a yes. It is asked for once."""
    missing = missing_approvals(state, plan)
    if not missing:
        return "passed", ()
    if state.asked_for_approval:
        return None
    return "needs_approval", tuple(
        f"{rule.name}: {names(rule.who)} has to say yes." for rule in due_approvals(state, plan) if rule.name in missing
    )


def until(state: UpgradeState, plan: Plan, served_s: float, now: float) -> tuple[float | None, float | None]:
    """When it may go on at the earliest, and when a person has to decide at the latest, if its time runs on from `now`.

    `None` where that is not known: its time stands, or nothing here is a matter of time. An overdue that somebody accepted
    has no latest time.
    """
    if state.stage not in LIVE or not state.is_counting:
        return None, None
    need, longest = lengths(state, plan)
    latest = None if "overdue" in state.accepted else now + max(longest - served_s, 0.0)
    return now + max(need - served_s, 0.0), latest


def lengths(state: UpgradeState, plan: Plan) -> tuple[float, float]:
    """How long the stage or step lasts at least, in whole cycles, and at most before a person decides. Seconds."""
    if state.stage == "canary":
        step = plan.canary[state.step]
        least, most = step.hold, plan.longest(step)
    else:
        least = plan.shadow.length if state.stage == "shadow" else plan.soak
        most = 3 * least
    whole = ceil(least / plan.cycle - 1e-9) * plan.cycle
    return whole * DAY_S, max(most, whole) * DAY_S


def _culprits(seen: Seen) -> tuple[str, ...]:
    assert seen.judgement is not None
    return tuple(one.sentence for one in seen.judgement.cells if one.verdict == seen.judgement.verdict)
