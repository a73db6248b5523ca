"""From an observation to the one event that matters most at this look. Pure; what is not known never counts as good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from segue.evidence.sequential.verdicts import Evidence, Judgement
from segue.model.plan import EXTENSION, Plan
from segue.upgrade.accepting import has_new_harm, new_harm, new_overruns
from segue.upgrade.people import due_approvals, missing_approvals, names
from segue.upgrade.seen import RouteSeen, Seen, SuiteSeen
from segue.upgrade.state import UpgradeState
from segue.upgrade.table import LIVE, Observed

DAY_S = 86_400.0
LEAST_QUIET_S = 60.0
"""However short a cycle is: what was served takes some seconds to be seen."""
LATE = 1 / 8
"""So much of the next cycle still is a step's cycle's end: what was served last has to come of age, and be read."""
UNHEARD = 1 / 24
"""Of a cycle. So long nobody may have heard of the incumbent before people look."""
LEAST_UNHEARD_S = 120.0
"""However short a cycle is: a probe may take half a minute, and is repeated."""
MOMENT_S = 60.0
"""However long a cycle is: for so long a route may be unconfirmed again before its time stands."""
STILL_S = DAY_S
"""So long an offline stage may stand still before people look: its job hangs, or somebody else's eval keeps it waiting."""
_INSTANT_S = 1.0
Found = tuple[Observed, tuple[str, ...]]
"""An event, and what it rests on, in sentences."""


def event_of(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """The worst that holds, with its reasons; `None` where nothing follows from what was seen."""
    if state.stage in LIVE:
        return _of_live(state, seen, plan)
    if state.stage == "decide" and seen.missing is not None:
        return ("unsound", seen.missing) if seen.missing else ("passed", ())
    if state.stage == "eval" and seen.suite is not None:
        return _of_suite(seen.suite)
    if state.stage == "staging" and seen.staging_passed is not None:
        return _of_approvals(state, plan) if seen.staging_passed else ("staging_failed", seen.staging_faults)
    return _of_standstill(state, seen) if state.stage in ("decide", "eval", "staging") else None


def _of_standstill(state: UpgradeState, seen: Seen) -> Found | None:
    """Nobody knows yet what it waits for. That may take long, but not without moving."""
    still_s = seen.at - max(still_since(state), seen.moved_at or 0.0)
    if still_s <= STILL_S:
        return None
    what = f"Nothing has moved for {_duration(still_s)}, and what {state.stage} comes to is not known."
    return "overdue", (what, *seen.waits_for)


def still_since(state: UpgradeState) -> float:
    """Since when an offline stage waits, if nothing moves in it."""
    return max(state.entered_at, state.going_since)


def _of_suite(suite: SuiteSeen) -> Found:
    if suite.outcome == "fail":
        return "suite_failed", suite.reasons
    if suite.outcome == "hold":
        return "suite_open", suite.reasons
    return ("passed", suite.reasons) if suite.may_migrate else ("suite_equal", suite.reasons)


def _of_live(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    route, judgement = seen.route, seen.judgement
    if route is not None and route.standing == "rolled back":
        return "rolled_back_elsewhere", (f"{route.by} rolled back: {route.reason}",)
    if seen.incidents:
        return "critical_incident", seen.incidents
    if judgement is not None and judgement.verdict == "harm" and judgement.limit == "rollback":
        return "harm", _sentences(judgement, [one for one in judgement.cells if one.verdict == "harm"])
    if route is not None and route.standing == "changed":
        return "route_changed", tuple(_changed(route))
    if seen.incumbent_answers is False:
        return "incumbent_silent", ("The incumbent does not answer: there would be nothing to go back to.",)
    if judgement is not None and (found := _of_comparison(state, judgement)):
        return found
    if over := new_overruns(state, seen.over_budget):
        return "over_budget", tuple(one.sentence for one in over)
    if "incumbent_unheard" not in state.accepted and (unheard := _unheard(seen, plan)):
        return "incumbent_unheard", (unheard,)
    if route is None or route.standing == "unconfirmed":
        return _of_waiting(state, seen, plan)
    if not state.is_counting:
        return "confirmed", ()
    return _of_time(state, seen, plan)


def _of_comparison(state: UpgradeState, judgement: Judgement) -> Found | None:
    """What the arms show that nobody took upon them. Harm that somebody did hides no comparison that is none."""
    if has_new_harm(state, judgement):
        return "harm_hold", _sentences(judgement, new_harm(state, judgement))
    invalid = [one for one in judgement.cells if one.verdict == "invalid"]
    if judgement.verdict == "invalid" or (judgement.verdict == "harm" and invalid):
        return "invalid", tuple(one.sentence for one in invalid)
    return None


def _changed(route: RouteSeen) -> Iterator[str]:
    yield f"{route.by} changed the route to revision {route.revision}: {route.reason}"
    if route.has_other_incumbent:
        yield (
            "Its incumbent is not the one that this upgrade compares with, and no resumption takes it back. Make the one "
            "before the incumbent again and resume; or end this upgrade, and open another from the one in force."
        )


def _unheard(seen: Seen, plan: Plan) -> str:
    """Why nobody knows whether there is anything to go back to, where that has lasted; nothing else."""
    silent_s = seen.incumbent_unheard_s
    if seen.incumbent_answers is not None or silent_s is None:
        return ""
    if silent_s <= max(UNHEARD * plan.cycle * DAY_S, LEAST_UNHEARD_S):
        return ""
    why = f": {seen.incumbent_unheard}" if seen.incumbent_unheard else ""
    return (
        f"Whether the incumbent answers has not been known for {_duration(silent_s)}{why}. Mend how it is asked (its "
        "provider's key where the controller runs; or where production is reached, and a key that may pin), or answer for it, "
        "and resume."
    )


def _duration(seconds: float) -> str:
    """`3 hours`."""
    for unit_s, name in ((DAY_S, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}s"
    return f"{seconds:.0f} seconds"


def _of_waiting(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """Some gateway that lives does not serve the route, or none lives: time stands. For a cycle that is patience; then people
    look.
    """
    if state.is_counting:
        return None if _is_moment(seen, plan) else ("unconfirmed", ("Some gateway does not serve the route any more.",))
    if seen.route is None or seen.at <= _unserved_at(state, plan):
        return None
    return "unserved", (
        f"Revision {seen.route.revision} is not served by every gateway that lives: segue route show says which.",
    )


def _is_moment(seen: Seen, plan: Plan) -> bool:
    """Whether so little of it is unconfirmed that the next look may well find it served: by a drill, or as a gateway starts."""
    if seen.route is None or seen.route.unconfirmed_s is None:
        return False
    return seen.route.unconfirmed_s <= min(MOMENT_S, UNHEARD * plan.cycle * DAY_S)


def lost_at(seen: Seen) -> float:
    """When the confirmation was lost that is missing in this look."""
    return seen.at - ((seen.route and seen.route.unconfirmed_s) or 0.0)


def _unserved_at(state: UpgradeState, plan: Plan) -> float:
    """So long nobody has to look: a cycle after it was entered or resumed, or after a confirmation was lost."""
    ends = (one.begin if one.end is None else one.end for one in state.periods)
    return max(state.entered_at, state.going_since, *ends) + max(plan.cycle * DAY_S, LEAST_QUIET_S)


def _of_time(state: UpgradeState, seen: Seen, plan: Plan) -> Found | None:
    """What follows when nothing is wrong: from silence, from time, and from what was shown."""
    cycle_s = max(plan.cycle * DAY_S, LEAST_QUIET_S)
    if (seen.quiet_s is None or seen.quiet_s > cycle_s) and state.counted_s(seen.at, since=state.going_since) > cycle_s:
        return "quiet", ("Nothing has arrived for a whole cycle.",)
    need, longest = lengths(state, plan)
    is_settled = seen.missing == () and _is_heard(state, seen) and seen.served_s >= need
    if is_settled and _may_end(state, plan, seen.served_s):
        return _of_approvals(state, plan)
    # Shadow time counts at full coverage only: one that is never covered is overdue by its clock.
    if _lasted_s(state, seen.served_s, seen.at) >= longest:
        return "overdue", tuple(lacks(state, seen, need))
    return None


def _lasted_s(state: UpgradeState, served_s: float, now: float) -> float:
    """What is held against its longest length."""
    return max(served_s, state.counted_s(now))


def lacks(state: UpgradeState, seen: Seen, need: float) -> Iterator[str]:
    """What keeps it at its longest length, in sentences."""
    if seen.missing is None:
        yield "What this step asks for was not seen at all."
    yield from seen.missing or ()
    if seen.missing == () and not _is_heard(state, seen):
        yield "Whether the incumbent answers is not known."
    elif seen.missing == () and seen.served_s >= need:
        yield "All is there, but not since the end of a cycle: resume it, and it goes on at the next one."
    if state.stage == "shadow" and seen.served_s < need:
        yield (
            f"Of the {_duration(need)} that the plan asks for, {_duration(seen.served_s)} were at full coverage: "
            "only time counts in which all that should be was mirrored, and the candidate answered."
        )


def _is_heard(state: UpgradeState, seen: Seen) -> bool:
    """Who does not know whether there is anything to go back to takes nobody further, unless a person answers for it."""
    return seen.incumbent_answers is True or (seen.incumbent_answers is None and "incumbent_unheard" in state.accepted)


def _may_end(state: UpgradeState, plan: Plan, served_s: float) -> bool:
    """A step is left at the end of a cycle, also one that extends; what only waited for a yes by then waits for no other."""
    if state.stage != "canary" or state.asked_for_approval:
        return True
    return _beyond_cycle(plan, served_s) <= max(LATE * plan.cycle * DAY_S, LEAST_QUIET_S)


def _beyond_cycle(plan: Plan, served_s: float) -> float:
    """Since the last whole cycle ended, in seconds. What is short of one by an instant is one."""
    return max(0.0, (served_s + _INSTANT_S) % (plan.cycle * DAY_S) - _INSTANT_S)


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

    A step that is extended goes on at the end of a cycle. `None` where that is not known: its time stands, or nothing here is a
    matter of time. Where its time stands for want of a confirmation, a person decides a cycle after that was lost.
    """
    if state.stage not in LIVE or state.standing != "going":
        return None, None
    if not state.is_counting:
        return None, _unserved_at(state, plan)
    need, longest = lengths(state, plan)
    latest = now + max(longest - _lasted_s(state, served_s, now), 0.0)
    wait_s = max(need - served_s, 0.0)
    if not wait_s and not _may_end(state, plan, served_s):
        wait_s = plan.cycle * DAY_S - _beyond_cycle(plan, served_s)
    return now + wait_s, latest


def lengths(state: UpgradeState, plan: Plan) -> tuple[float, float]:
    """How long the stage or step lasts at least, in whole cycles, and at most before a person decides. Seconds.

    Whoever resumes it at its longest length gives it one more from there.
    """
    if state.stage == "canary":
        step = plan.canary[state.step]
        least, most = step.hold, plan.longest(step)
    else:
        least, own = (plan.shadow.length, plan.shadow.longest) if state.stage == "shadow" else (plan.soak, plan.soak_longest)
        most = EXTENSION * least if own is None else own
    whole = ceil(least / plan.cycle - 1e-9) * plan.cycle
    longest = max(most, whole) * DAY_S
    # Older logs do not say when somebody accepted that it is overdue: not before it was.
    begun = longest if state.lasts_from_s is None and "overdue" in state.accepted else state.lasts_from_s or 0.0
    return whole * DAY_S, begun + longest


def _sentences(judgement: Judgement, harmed: Sequence[Evidence]) -> tuple[str, ...]:
    """The harm, cell by cell, or that it is of all together."""
    found = tuple(one.sentence for one in harmed)
    if judgement.cells and not found:
        found = ("All gates together show harm; which of them it is cannot be said yet.",)
    if any(one.void == "assignment" for one in judgement.cells):
        return (*found, "Users were not assigned in the shares that were set either, so how large the harm is may be wrong.")
    return found
