"""What opening an upgrade takes from the workspace, for command line and API alike: plan and bundle, checked and filled."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from segue.cli.desk import Desk
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
    from segue.controller.admission import admit
    from segue.controller.notices_made import unset_notices
    from segue.controller.opening import Proposal, check_openable, name_of, open_upgrade

    desk.workspace.load_workflow(wanted.workflow)
    name = wanted.plan or only_plan(desk, wanted.workflow)
    plan, critical, remarks = settled_plan(desk, wanted.workflow, name)
    candidate = digest_of(desk, wanted.workflow, wanted.candidate)
    proposal = Proposal(wanted.workflow, candidate, plan, name, critical, wanted.environment, wanted.despite)
    check_openable(desk.store, proposal, reason=wanted.reason)
    warnings = (
        *admit(desk.workspace, desk.store, proposal, at=at),
        *unset_notices(plan.notify, desk.workspace.environ),
    )
    upgrade = open_upgrade(
        desk.store,
        proposal,
        name=name_of(wanted.workflow, at, secret or secrets.token_hex(2)),
        by=by,
        reason=wanted.reason,
        at=at,
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
