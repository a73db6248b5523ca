"""What opening an upgrade takes from the workspace, for command line and API alike: plan, bundle, the ways it may go wrong."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.errors import Fault, InputError, NotFoundError

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.model import Case
    from segue.model.plan import Plan
    from segue.upgrade.log import Upgrade


@dataclass(frozen=True)
class Wanted:
    """What somebody asks to open. `plan` may be empty where the workflow has one alone."""

    workflow: str
    candidate: str
    plan: str = ""
    reason: str = ""
    environment: str = "production"
    despite: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenedUpgrade:
    """It is open; `remarks` are of what the plan took from elsewhere, `warnings` of ways in which it may go wrong."""

    upgrade: Upgrade
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def wall_clock() -> float:
    """Now, in seconds since the epoch: the edge where commands on upgrades read the clock."""
    return time.time()  # noqa: TID251  the edge: commands pass it on


def open_wanted(desk: Desk, wanted: Wanted, *, by: str, at: float, key: str = "", secret: str = "") -> OpenedUpgrade:
    """Read, check and fill the plan, find the bundle, and open. Every refusal says what to do.

    `secret` ends the upgrade's name; without one, it is drawn.
    """
    from segue.cli.flipping import digest_of
    from segue.cli.plan_setting import settled_plan
    from segue.controller.incidents import may_reopen
    from segue.controller.opening import Proposal, check_openable, name_of, open_upgrade

    desk.workspace.load_workflow(wanted.workflow)
    name = wanted.plan or only_plan(desk, wanted.workflow)
    plan, critical, remarks = settled_plan(desk, wanted.workflow, name)
    candidate = digest_of(desk, wanted.workflow, wanted.candidate)
    model = desk.store.get_bundle(candidate).bundle.model.snapshot
    proposal = Proposal(wanted.workflow, candidate, plan, name, critical, wanted.environment, wanted.despite)
    check_openable(desk.store, proposal, reason=wanted.reason)
    warnings = _checked_ways(desk, wanted, plan, candidate, name)
    upgrade = open_upgrade(
        desk.store,
        proposal,
        name=name_of(wanted.workflow, at, secret or secrets.token_hex(2)),
        by=by,
        reason=wanted.reason,
        at=at,
        obstacles=may_reopen(desk.store, case_reader(desk, wanted.workflow), wanted.workflow, model),
        key=key,
    )
    return OpenedUpgrade(upgrade, (*remarks, _cost(desk, upgrade)), warnings)


def _cost(desk: Desk, upgrade: Upgrade) -> str:
    """What the upgrade itself will cost, as far as it is known; kept as a fact."""
    from segue.cli.review_commands import exchange_log
    from segue.controller.grounds_facts import cost_of_upgrade, save_cost
    from segue.providers.clock import SystemClock

    found = cost_of_upgrade(desk.workspace, desk.store, exchange_log(desk), upgrade, SystemClock())
    save_cost(desk.store, upgrade, found, author=desk.author, at=desk.now())
    return found.sentence


def case_reader(desk: Desk, workflow: str) -> Callable[[str, str], Case | None]:
    """Cases of the workspace's suites as they are now, by suite and identifier."""

    def read(suite: str, case_id: str) -> Case | None:
        if suite not in desk.workspace.suites(workflow):
            return None
        return next((one for one in desk.workspace.iter_suite(workflow, suite) if one.case_id == case_id), None)

    return read


def _checked_ways(desk: Desk, wanted: Wanted, plan: Plan, candidate: str, name: str) -> tuple[str, ...]:
    """Refuses what invites one of the eight ways and nobody answers for; gives the warnings."""
    from segue.cli.plan_ways import find_ways

    found = find_ways(desk, wanted.workflow, plan, None, candidate, environment=wanted.environment)
    refused = [one for one in found if one.severity == "error" and one.kind not in wanted.despite]
    if refused:
        faults = [Fault(what=f"{one.title}: {one.what}", fix=one.fix, path=one.kind) for one in refused]
        kinds = " ".join(f"--despite {one}" for one in dict.fromkeys(one.kind for one in refused))
        raise InputError(
            f"Plan '{name}' invites ways in which upgrades of '{wanted.workflow}' go wrong.",
            fix=f"Mend it. Who answers for it says so, and the log keeps it: {kinds} --reason '…'",
            faults=faults,
        )
    return tuple(one.sentence() for one in found if one.severity != "remark" or one.kind in wanted.despite)


def only_plan(desk: Desk, workflow: str) -> str:
    """The workflow's plan where it has one. `NotFoundError`, `InputError` with what to write."""
    from segue.workspace.plan_file import plan_names

    names: Sequence[str] = sorted(plan_names(desk.workspace.folder(workflow)))
    if len(names) == 1:
        return names[0]
    if names:
        raise InputError(f"'{workflow}' has {len(names)} plans: {', '.join(names[:8])}.", fix=f"Name one: --plan {names[0]}")
    raise NotFoundError(
        f"'{workflow}' has no plan to upgrade by.",
        fix=f"Write workflows/{workflow}/plans/careful.yaml (docs/plan.md says what is in it), and try it out: "
        "segue plan simulate careful --traffic 20000/day",
    )
