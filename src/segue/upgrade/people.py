"""Who may do what in an upgrade, as its plan says, and whose yes is still missing. Pure; who a person is, others establish."""

from __future__ import annotations

from collections.abc import Iterable

from segue.model.plan import Plan
from segue.model.plan_people import COMPLETION, EVERY_STEP, EVERYONE, ApprovalRule
from segue.upgrade.state import Role, UpgradeState


def roles_of(plan: Plan, person: str) -> frozenset[Role]:
    """A plan that names no operators leaves it to whoever can run the command.

    Rolling back is never harder than holding: operators may do it too, and everyone where the plan names nobody for it.
    """
    roles: set[Role] = set()
    if not plan.operators or person in plan.operators:
        roles |= {"operator", "rescuer"}
    if not plan.roll_back or person in plan.roll_back:
        roles.add("rescuer")
    if any(person in rule.who for rule in plan.approvals):
        roles.add("approver")
    return frozenset(roles)


def due_approvals(state: UpgradeState, plan: Plan) -> tuple[ApprovalRule, ...]:
    """The rules that have to be met before this stage or step is left."""
    return tuple(rule for rule in plan.approvals if _stands_before(rule, state, plan))


def missing_approvals(state: UpgradeState, plan: Plan) -> tuple[str, ...]:
    """The names of those that nobody entitled has said yes to."""
    given = {one.by for one in state.approvals}
    return tuple(rule.name for rule in due_approvals(state, plan) if not given.intersection(rule.who))


def _stands_before(rule: ApprovalRule, state: UpgradeState, plan: Plan) -> bool:
    """Whether what the rule guards comes next. What is not in the plan, such as a soak of no length, is passed over."""
    last = len(plan.canary) - 1
    if state.stage == "soak":
        return rule.before == COMPLETION
    if state.stage == "canary" and state.step == last:
        return rule.before in (EVERYONE, EVERY_STEP) or (rule.before == COMPLETION and not plan.soak)
    if state.stage == "canary":
        return rule.before == EVERY_STEP or rule.step == state.step + 1
    if state.stage == "shadow" or (state.stage == "staging" and not plan.shadow.length):
        return rule.before == EVERY_STEP or rule.step == 0
    return False


def names(people: Iterable[str]) -> str:
    """`ada or bo`."""
    return " or ".join(dict.fromkeys(people))
