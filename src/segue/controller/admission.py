"""What a candidate has to pass before an upgrade goes on with it: asked at the opening, and of one that takes its place.

Three things, of command line and HTTP API alike: the eight ways of the plan check, unless a person answers for them; what an
upgrade to the same model left to do when it was rolled back; and, where stage 0 is not passed through again, what that would
hold of the candidate. Whether it may be opened at all is `opening`'s, who may replace `segue.upgrade`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from segue.controller.actions import Admitted
from segue.controller.grounds import faults_of_candidate
from segue.controller.grounds_cost import plan_days
from segue.controller.incidents import SuiteReader, may_reopen
from segue.controller.opening import Proposal
from segue.controller.plan_ways import Known, find_ways
from segue.errors import Fault, InputError
from segue.model import Case
from segue.store.base import Store
from segue.upgrade.log import Upgrade
from segue.workspace import Workspace
from segue.workspace.plan_ways import OF_THE_CANDIDATE, WAYS, Way


@dataclass(frozen=True)
class WorkspaceAdmission:
    """The port `Admission` on a workspace and its store, as they are now."""

    workspace: Workspace
    store: Store

    def __call__(self, upgrade: Upgrade, candidate: str, despite: Sequence[str], at: float) -> Admitted:
        """May this candidate take the place of the one that the upgrade has?"""
        opening = upgrade.opening
        stands = tuple(one for one in upgrade.despite if one not in OF_THE_CANDIDATE)
        answered = tuple(dict.fromkeys((*stands, *despite)))
        plan = Proposal(
            opening.workflow, candidate, upgrade.plan, opening.plan_name, opening.critical, opening.environment, answered
        )
        warnings = admit(self.workspace, self.store, plan, at=at)
        if upgrade.state.stage != "decide":
            self._check_grounds(upgrade, candidate, at)
        return Admitted(answered, warnings)

    def _check_grounds(self, upgrade: Upgrade, candidate: str, at: float) -> None:
        """Stage 0 looks at every candidate; one that comes later would pass it by."""
        old, new = (self.store.get_bundle(one).bundle for one in (upgrade.state.incumbent, candidate))
        ends = datetime.fromtimestamp(at, UTC).date() + timedelta(days=plan_days(upgrade.plan))
        faults = faults_of_candidate(self.workspace, old, new, ends)
        if faults:
            name = upgrade.opening.workflow
            fix = f"Name another candidate. Or end this upgrade (segue upgrade abort {name} --reason '…') and open one to it:"
            fix += " it is held in decide, where an operator may advance with a reason."
            raise InputError(f"{candidate[:10]} is nothing to go on with: stage 0 would hold it.", fix=fix, faults=faults)


def admit(workspace: Workspace, store: Store, proposal: Proposal, *, at: float) -> tuple[str, ...]:
    """The warnings. `InputError` for ways that nobody answers for, and for what was left to do after a rollback."""
    warnings = _check_ways(workspace, store, proposal, at)
    model = store.get_bundle(proposal.candidate).bundle.model.snapshot
    left = may_reopen(store, suite_reader(workspace, proposal.workflow), proposal.workflow, model)
    if left:
        what = f"'{proposal.workflow}' was rolled back from this model, and no new attempt is made before that is dealt with."
        faults = [Fault(what=one, fix="") for one in left]
        raise InputError(what, fix="Do what is named below; segue incident --help says how to record it.", faults=faults)
    return warnings


def suite_reader(workspace: Workspace, workflow: str) -> SuiteReader:
    """Cases of the workspace's suites as they are now, by suite and identifier."""

    def read(suite: str, case_id: str) -> Case | None:
        if suite not in workspace.suites(workflow):
            return None
        return next((one for one in workspace.iter_suite(workflow, suite) if one.case_id == case_id), None)

    return read


def _check_ways(workspace: Workspace, store: Store, proposal: Proposal, at: float) -> tuple[str, ...]:
    """Refuses what invites one of the eight ways and nobody answers for; gives the warnings."""
    _require_known(proposal.despite)
    known = Known(workspace, store, datetime.fromtimestamp(at, UTC).date())
    workflow, environment = proposal.workflow, proposal.environment
    found = find_ways(known, workflow, proposal.plan, None, proposal.candidate, environment=environment)
    refused = [one for one in found if one.severity == "error" and one.kind not in proposal.despite]
    if refused:
        raise _invites(proposal, refused)
    return tuple(one.sentence() for one in found if one.severity != "remark" or one.kind in proposal.despite)


def _invites(proposal: Proposal, refused: Sequence[Way]) -> InputError:
    faults = [Fault(what=f"{one.title}: {one.what}", fix=one.fix, path=one.kind) for one in refused]
    kinds = " ".join(f"--despite {one}" for one in dict.fromkeys(one.kind for one in refused))
    return InputError(
        f"Plan '{proposal.plan_name}' invites ways in which upgrades of '{proposal.workflow}' go wrong.",
        fix=f"Mend it. Who answers for it says so, and the log keeps it: {kinds} --reason '…'",
        faults=faults,
    )


def _require_known(despite: Sequence[str]) -> None:
    """Whoever answers for what is none of the eight has meant another."""
    unknown = [one for one in despite if one not in WAYS]
    if unknown:
        fix = f"There are: {', '.join(WAYS)}."
        faults = [Fault(f"{one[:80]!r} is none of the ways.", fix, path="despite") for one in unknown]
        raise InputError.from_faults(faults, subject="the request")
