"""`decide`: from state and observation to what follows. `act`: the same for what a person does.

Nothing here happens: a decision is a value, and becomes true by being written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from segue.errors import InputError
from segue.model.plan import Plan
from segue.upgrade.event import event_of
from segue.upgrade.seen import Seen
from segue.upgrade.state import Approval, Period, Role, Stage, Standing, UpgradeState
from segue.upgrade.table import Action, Effect, Event, Row, find_row

ORDER: tuple[Stage, ...] = ("decide", "eval", "staging", "shadow", "canary", "soak", "completed")
ACCEPTABLE: frozenset[Event] = frozenset(("harm_hold", "over_budget", "overdue"))
"""What a person who resumes takes upon them for the rest of the step. Harm beyond the rollback limit nobody can."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows: the state after it, what is to be done, and on what grounds. `by` is empty where evidence decided."""

    event: Event
    state: UpgradeState
    effects: tuple[Effect, ...]
    because: tuple[str, ...]
    by: str = ""


def decide(state: UpgradeState, seen: Seen, plan: Plan, *, approvers: int = 0) -> Decision | None:
    """What follows from an observation; `None` if nothing does. So many `approvers` have to agree before this step is left."""
    if state.is_ended:
        return None
    found = event_of(state, seen, plan, approvers)
    row = None if found is None else find_row(state.stage, state.standing, found[0])
    if found is None or row is None:
        return None
    return Decision(row.event, _after(state, row, plan, seen.at, found[1]), row.effects, found[1])


def act(
    state: UpgradeState,
    action: Action,
    plan: Plan,
    *,
    by: str,
    reason: str,
    at: float,
    roles: frozenset[Role],
    candidate: str | None = None,
) -> Decision:
    """What follows from what a person does. `InputError` where it is not possible here, or not theirs to do."""
    if not reason.strip():
        raise InputError(f"{action} needs a reason.", fix="Say why, for whoever reads the log in a year.")
    row = find_row(state.stage, state.standing, action)
    if row is None:
        raise InputError(f"{action} is not possible in {where(state)}.", fix=f"Possible: {possible(state)}.")
    if row.who is not None and row.who not in roles:
        raise InputError(f"{by} may not {action}: that takes the role {row.who}.", fix="Ask one who has it.")
    after = _after(state, row, plan, at, (reason,))
    if action == "approve":
        if any(one.by == by for one in state.approvals):
            raise InputError(f"{by} has approved this step already.", fix="Another approver is needed.")
        after = after.model_copy(update={"approvals": (*state.approvals, Approval(by=by, reason=reason, at=at))})
    if action == "replace":
        if candidate is None or candidate in (state.candidate, state.incumbent):
            raise InputError("replace needs another bundle.", fix="Name one that is neither of the two.")
        after = after.model_copy(update={"candidate": candidate})
    if action == "resume":
        accepted = {state.held_by} & ACCEPTABLE
        after = after.model_copy(update={"accepted": tuple(sorted({*state.accepted, *accepted}))})
    return Decision(action, after, row.effects, (reason,), by)


def where(state: UpgradeState) -> str:
    """`canary, step 2 (holding)`."""
    step = f", step {state.step + 1}" if state.stage == "canary" else ""
    return f"{state.stage.replace('_', ' ')}{step}" + ("" if state.standing == "going" else f" ({state.standing})")


def possible(state: UpgradeState) -> str:
    """What a person may do here, or that nothing is left to do."""
    found = [one for one in get_args(Action) if find_row(state.stage, state.standing, one) is not None]
    return ", ".join(found) or f"nothing; it ended as {state.stage.replace('_', ' ')}"


def _after(state: UpgradeState, row: Row, plan: Plan, at: float, because: tuple[str, ...]) -> UpgradeState:
    """The state a row leads to."""
    stage, step = _goal(state, row, plan)
    standing = state.standing if row.standing == "keep" else row.standing
    if (stage, step) != (state.stage, state.step) or row.event == "replace":
        fresh: dict[str, Any] = {"periods": (), "approvals": (), "asked_for_approval": False, "accepted": (), "entered_at": at}
    else:
        fresh = {"periods": _periods(state, row, standing, at)}
        if row.event == "needs_approval":
            fresh["asked_for_approval"] = True
    moved: dict[str, Any] = {"stage": stage, "step": step, "standing": standing, "because": because, "number": state.number + 1}
    if standing == "holding" and row.standing != "keep":
        moved["held_by"] = row.event if row.who is None else ""
    elif standing == "going":
        moved["held_by"] = ""
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
    """Time runs from a confirmation or a resumption until it is held or paused. A clock set back ends none before it began."""
    if "start_clock" in row.effects and not state.is_counting:
        return (*state.periods, Period(begin=at))
    if standing != "going" and state.is_counting:
        last = state.periods[-1]
        return (*state.periods[:-1], Period(begin=last.begin, end=max(last.begin, at)))
    return state.periods
