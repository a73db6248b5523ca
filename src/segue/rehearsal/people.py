"""People in a rehearsal, scripted: who approves, who accepts what moved in staging, and who goes on in spite of a verdict. They
act as people do, through the log.

Nobody else acts: what holds and is nobody's here to settle ends the rehearsal as *holding*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from segue.controller.actions import act_on
from segue.controller.moments import iso
from segue.controller.staging_facts import accept, accepted_of, read_result
from segue.controller.staging_gate import moved_questions
from segue.drift.drift_report import DriftReport
from segue.drift.questions import Dimension
from segue.store.base import Store
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.people import due_approvals, missing_approvals
from segue.upgrade.seen import SuiteSeen
from segue.upgrade.state import Stage
from segue.upgrade.table import Action

SOMEBODY = "rehearsal"
PATIENT = frozenset(("overdue", "quiet"))
"""What holds a step for want of evidence."""


@dataclass
class People:
    """Approve `approve_after_s` after they are asked (`None`: never), and advance past `past`, stages at which it stops.

    What moved in staging they accept by name `accept_after_s` after it held (`None`: never); a broken contract never.

    `verdict` is what the eval will say: whoever means to go on where a candidate is merely equal must say so before it is
    deferred.
    """

    store: Store
    approve_after_s: float | None = 0.0
    past: frozenset[Stage] = frozenset()
    verdict: Callable[[], SuiteSeen] | None = None
    accept_after_s: float | None = 0.0
    _asked: dict[tuple[Stage, int], float] = field(default_factory=dict)

    def act(self, upgrade: Upgrade, now: float) -> tuple[UpgradeEntry, ...]:
        """What they do at this moment."""
        state = upgrade.state
        if state.is_ended:
            return ()
        if accepted := self._accept(upgrade, now):
            return accepted
        place = "eval" if state.stage == "retune" else state.stage
        if place in self.past and self._is_stopped(upgrade):
            reason = f"Rehearsed on purpose: past {place}, to see what the next stage finds."
            return (self._do(upgrade, "advance", self._operator(upgrade), reason, now),)
        if not state.asked_for_approval or self.approve_after_s is None:
            return ()
        if now < self._asked.setdefault((state.stage, state.step), now) + self.approve_after_s:
            return ()
        missing = missing_approvals(state, upgrade.plan)
        return tuple(
            self._do(upgrade, "approve", rule.who[0], f"{rule.name}: agreed, in the rehearsal.", now)
            for rule in due_approvals(state, upgrade.plan)
            if rule.name in missing
        )

    def _accept(self, upgrade: Upgrade, now: float) -> tuple[UpgradeEntry, ...]:
        """What staging found unexplained, taken as it is: then it goes on, and is judged anew."""
        report, open_ = self._unexplained(upgrade)
        if report is None or not open_ or self.accept_after_s is None or now < upgrade.entries[-1].at + self.accept_after_s:
            return ()
        operator, reason = self._operator(upgrade), f"Taken as it is, in the rehearsal: {', '.join(open_)}."
        for one in open_:
            accept(self.store, report, one, moved_questions(report, one), reason=reason, author=operator, at=iso(now))
        return (self._do(upgrade, "resume", operator, reason, now),)

    def _unexplained(self, upgrade: Upgrade) -> tuple[DriftReport | None, tuple[Dimension, ...]]:
        """The report of staging, and what of it nobody has explained yet; of a contract that is broken nobody does."""
        opening, state = upgrade.opening, upgrade.state
        if (state.stage, state.standing, state.held_by) != ("staging", "holding", "staging_failed"):
            return None, ()
        result = read_result(self.store, opening.workflow, opening.upgrade)
        if result is None or result.report is None:
            return None, ()
        known = {one.dimension for one in accepted_of(self.store, opening.workflow, state.incumbent, state.candidate)}
        found = [
            one.name
            for one in result.report.dimensions
            if one.name not in known
            and (one.standing == "unknown" or (one.standing == "moved beyond" and one.name != "contract"))
        ]
        return result.report, tuple(found)

    def may_still_act(self, upgrade: Upgrade) -> bool:
        """Whether anybody here has something to do where it stands."""
        state = upgrade.state
        if self.accept_after_s is not None and self._unexplained(upgrade)[1]:
            return True
        place = "eval" if state.stage == "retune" else state.stage
        return (place in self.past and self._is_stopped(upgrade)) or (
            state.asked_for_approval and self.approve_after_s is not None
        )

    def _is_stopped(self, upgrade: Upgrade) -> bool:
        state = upgrade.state
        if state.standing == "holding":
            # Where users meet the candidate, silence may be gone on in spite of; harm may not.
            return not state.is_exposed or state.held_by in PATIENT
        if state.stage != "eval" or self.verdict is None:
            return False
        found = self.verdict()
        return found.outcome in ("pass", "caution") and not found.may_migrate

    def _operator(self, upgrade: Upgrade) -> str:
        return upgrade.plan.operators[0] if upgrade.plan.operators else SOMEBODY

    def _do(self, upgrade: Upgrade, action: Action, by: str, reason: str, now: float) -> UpgradeEntry:
        opening = upgrade.opening
        return act_on(
            self.store,
            opening.workflow,
            action,
            by=by,
            reason=reason,
            at=now,
            environment=opening.environment,
        )
