"""`decide`: from state and observation to what follows. `act`: the same for what a person does.

Nothing here happens: a decision is a value, and becomes true by being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from segue.errors import InputError
from segue.model.plan import Plan
from segue.upgrade.accepting import held_for, taken_upon
from segue.upgrade.event import event_of, lost_at
from segue.upgrade.people import due_approvals, missing_approvals, names, roles_of
from segue.upgrade.seen import Seen
from segue.upgrade.state import ORDER, Approval, Period, Stage, Standing, UpgradeState
from segue.upgrade.table import LIVE, Action, Effect, Event, Row, find_row

UNPASSABLE: frozenset[str] = frozenset(("invalid", "incumbent_silent"))
"""What holds it so that nobody can advance: nothing was compared, or there is nothing to go back to."""
_UNSAID: dict[str, Any] = {"approvals": (), "asked_for_approval": False, "accepted": (), "lasts_from_s": None}
"""What people said of one step, and of one beginning of its evidence."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows: the state after it, what is to be done, and on what grounds. `by` is empty where evidence decided."""

    event: Event
    state: UpgradeState
    effects: tuple[Effect, ...]
    because: tuple[str, ...]
    by: str = ""


def decide(state: UpgradeState, seen: Seen, plan: Plan) -> Decision | None:
    """What follows from an observation; `None` if nothing does."""
    if state.is_ended:
        return None
    found = event_of(state, seen, plan)
    if found is not None and state.standing == "holding" and state.held_by == found[0]:
        return None
    row = None if found is None else find_row(state.stage, state.standing, found[0], state.held_by)
    if found is None or row is None:
        return None
    at = lost_at(seen) if row.event == "unconfirmed" else seen.at
    after = _after(state, row, plan, at, found[1])
    if after.held_by == row.event:
        after = after.model_copy(update={"held_for": held_for(row.event, seen)})
    return Decision(row.event, after, row.effects, found[1])


def act(
    state: UpgradeState,
    action: Action,
    plan: Plan,
    *,
    by: str,
    reason: str,
    at: float,
    candidate: str | None = None,
) -> Decision:
    """What follows from what a person does. `InputError` where it is not possible here, or not theirs to do."""
    if not by.strip():
        raise InputError(f"{_word(action)} needs a name.", fix="Say who does it: SEGUE_AUTHOR, or the author of the request.")
    if not reason.strip():
        raise InputError(f"{_word(action)} needs a reason.", fix="Say why, for whoever reads the log in a year.")
    row = find_row(state.stage, state.standing, action, state.held_by)
    if row is None:
        raise InputError(f"{_word(action)} is not possible in {where(state)}.", fix=f"Possible: {possible(state, plan)}.")
    if row.who is not None and row.who not in roles_of(plan, by):
        who = _who_may(plan, row)
        raise InputError(f"{by} may not {_word(action)}: that takes the role {row.who}.", fix=f"Ask {who}.")
    after = _after(state, row, plan, at, (reason,))
    if action == "approve":
        _require_due(state, plan, by)
        after = after.model_copy(update={"approvals": (*state.approvals, Approval(by=by, reason=reason, at=at))})
    if action == "advance":
        _require_passable(state, plan)
    if action == "replace":
        if candidate is None or candidate in (state.candidate, state.incumbent):
            raise InputError("replace needs another bundle.", fix="Name one that is neither of the two.")
        after = after.model_copy(update={"candidate": candidate})
    if action == "resume":
        after = after.model_copy(update=taken_upon(state, after.accepted, at))
    return Decision(action, after, row.effects, (reason,), by)


def _word(action: Action) -> str:
    """`roll back`."""
    return action.replace("_", " ")


def _who_may(plan: Plan, row: Row) -> str:
    """Those whom the plan names for it."""
    if row.who == "approver":
        found = names(one for rule in plan.approvals for one in rule.who)
        return found or "nobody: the plan asks for no approval"
    return names((*plan.operators, *(plan.roll_back if row.who == "rescuer" else ())))


def _require_due(state: UpgradeState, plan: Plan, by: str) -> None:
    """An approval answers a rule of this step, and one person answers once."""
    due = due_approvals(state, plan)
    if not due:
        raise InputError(f"Nothing waits for an approval in {where(state)}.", fix="Approve when it does: segue status says so.")
    if any(one.by == by for one in state.approvals):
        raise InputError(f"{by} has approved this step already.", fix="Another approver is needed.")
    if not any(by in rule.who for rule in due):
        asked = "; ".join(f"{rule.name}: {names(rule.who)}" for rule in due)
        raise InputError(f"{by} is not among those asked in {where(state)}.", fix=f"Asked are {asked}.")


def _require_passable(state: UpgradeState, plan: Plan) -> None:
    """Nobody advances without the approvals that the plan asks for, or with nothing to compare with or to go back to."""
    missing = missing_approvals(state, plan)
    if missing:
        asked = "; ".join(f"{rule.name}: {names(rule.who)}" for rule in due_approvals(state, plan) if rule.name in missing)
        raise InputError(f"{where(state)} cannot be left without approval by {asked}.", fix="Ask them to approve first.")
    if state.held_by in UNPASSABLE:
        raise InputError(
            f"{where(state)} cannot be left while it is held by {state.held_by.replace('_', ' ')}.",
            fix="Mend what holds it, then resume.",
        )


def where(state: UpgradeState) -> str:
    """`canary, step 2 (holding)`."""
    step = f", step {state.step + 1}" if state.stage == "canary" else ""
    return f"{state.stage.replace('_', ' ')}{step}" + ("" if state.standing == "going" else f" ({state.standing})")


def possible(state: UpgradeState, plan: Plan) -> str:
    """What a person may do here, or that nothing is left to do. To approve only where somebody's yes is asked for."""
    found = [
        _word(one)
        for one in get_args(Action)
        if find_row(state.stage, state.standing, one) is not None and (one != "approve" or due_approvals(state, plan))
    ]
    return ", ".join(found) or f"nothing; it ended as {state.stage.replace('_', ' ')}"


def _after(state: UpgradeState, row: Row, plan: Plan, at: float, because: tuple[str, ...]) -> UpgradeState:
    """The state a row leads to."""
    stage, step = _goal(state, row, plan)
    standing = state.standing if row.standing == "keep" else row.standing
    is_fresh = "fresh_evidence" in row.effects
    if (stage, step) != (state.stage, state.step) or row.event == "replace":
        fresh: dict[str, Any] = {"periods": (), **_UNSAID, "entered_at": at, "going_since": at}
        if is_fresh or (stage != state.stage and stage in LIVE):
            fresh |= {"evidence_from": at, "restarts": 0}
    elif is_fresh:
        # Time that was served beside a broken comparison has shown nothing, so it does not count either.
        # Whoever said yes to it, or took something upon them, is asked again.
        fresh = {"periods": (), **_UNSAID, "evidence_from": at, "restarts": state.restarts + 1, "going_since": at}
    else:
        fresh = {"periods": _periods(state, row, standing, at)}
        if row.event == "needs_approval":
            fresh["asked_for_approval"] = True
        if standing == "going" and state.standing != "going":
            fresh["going_since"] = at
    moved: dict[str, Any] = {"stage": stage, "step": step, "standing": standing, "because": because, "number": state.number + 1}
    if standing == "holding" and row.standing != "keep":
        moved |= {"held_by": row.event if row.who is None else "", "held_for": ()}
    elif standing == "going":
        moved |= {"held_by": "", "held_for": ()}
    return state.model_copy(update={**moved, **fresh})


def _goal(state: UpgradeState, row: Row, plan: Plan) -> tuple[Stage, int]:
    if row.to == "same":
        return state.stage, state.step
    if row.to != "next":
        return row.to, 0
    if state.stage == "canary" and state.step + 1 < len(plan.canary):
        return "canary", state.step + 1
    # A failed suite that somebody goes on in spite of goes on where a passed one does.
    here = "eval" if state.stage == "retune" else state.stage
    later = ORDER[ORDER.index(here) + 1 :]
    empty = {"shadow"} if plan.shadow.length == 0 else set()
    empty |= {"soak"} if plan.soak == 0 else set()
    return next(stage for stage in later if stage not in empty), 0


def _periods(state: UpgradeState, row: Row, standing: Standing, at: float) -> tuple[Period, ...]:
    """Time runs from a confirmation until that is lost, or it is held or paused. A clock set back ends none before it began."""
    if "start_clock" in row.effects and not state.is_counting:
        return (*state.periods, Period(begin=at))
    if (standing != "going" or "stop_clock" in row.effects) and state.is_counting:
        last = state.periods[-1]
        return (*state.periods[:-1], Period(begin=last.begin, end=max(last.begin, at)))
    return state.periods
