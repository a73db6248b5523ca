"""Opening an upgrade: what is refused at the door, and the one record that begins its log.

Command line and HTTP API open upgrades here and nowhere else. The plan comes read, checked and filled with facts; whoever
calls has resolved names to digests, and brings time and name along. What follows is the controller's.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.controller.actions import signed
from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION, find_upgrade
from segue.errors import ConflictError, InputError, NotFoundError
from segue.model.plan import Plan
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.upgrade.decide import where
from segue.upgrade.log import Opening, Upgrade


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody wants to release, and by which plan. `despite` are warnings that they go on in spite of, with a reason."""

    workflow: str
    candidate: str
    plan: Plan
    plan_name: str = ""
    critical: tuple[str, ...] = ()
    environment: str = PRODUCTION
    despite: tuple[str, ...] = ()


def open_upgrade(
    store: Store,
    proposal: Proposal,
    *,
    name: str,
    by: str,
    reason: str,
    at: float,
    key: str = "",
) -> Upgrade:
    """Begin an upgrade in place of what serves now; `key` names the API key it came with.

    `ConflictError` where one is under way, or a candidate serves already; `NotFoundError` where nothing serves yet;
    `InputError` where the candidate serves everyone. What else a candidate has to pass: `segue.controller.admission`.
    """
    workflow, environment = proposal.workflow, proposal.environment
    incumbent = check_openable(store, proposal, reason=reason)
    opening = Opening(
        upgrade=name,
        workflow=workflow,
        environment=environment,
        incumbent=incumbent,
        candidate=proposal.candidate,
        plan=proposal.plan,
        plan_name=proposal.plan_name,
        critical=proposal.critical,
        despite=proposal.despite,
        by=by,
        reason=reason.strip(),
        at=at,
    )
    store.open_upgrade(name, workflow, environment, opening.model_dump(mode="json"), author=signed(by, key), at=iso(at))
    return Upgrade(opening)


def check_openable(store: Store, proposal: Proposal, *, reason: str) -> str:
    """The incumbent that the candidate would take the place of; raises what `open_upgrade` does."""
    workflow, environment = proposal.workflow, proposal.environment
    if proposal.despite and not reason.strip():
        raise InputError("Answering for what the plan check refuses needs a reason.", fix="Say why: --reason '…'.")
    _check_alone(find_upgrade(store, workflow, environment))
    incumbent = _incumbent(store, workflow, environment)
    if incumbent == proposal.candidate:
        raise InputError(
            f"{proposal.candidate[:10]} serves '{workflow}' in {environment} already.",
            fix=f"Name another bundle: segue bundle list {workflow}.",
        )
    store.find_bundle(workflow, proposal.candidate)
    return incumbent


def name_of(workflow: str, at: float, secret: str) -> str:
    """The name of a new upgrade: when it was opened, and what no other has."""
    return f"{workflow}-{iso(at)[:10].replace('-', '')}-{secret}"


def _check_alone(upgrade: Upgrade | None) -> None:
    if upgrade is None or upgrade.state.is_ended:
        return
    opening = upgrade.opening
    name = opening.workflow
    ways = f"End it first: segue upgrade abort {name} --reason '…', or give it another candidate: segue upgrade replace."
    if upgrade.state.is_exposed:
        ways = f"Users meet its candidate: let it end, or take them back: segue rollback {name} --reason '…'."
    raise ConflictError(
        f"'{name}' has an upgrade in {opening.environment} already: {opening.upgrade}, to "
        f"{upgrade.state.candidate[:10]}, in {where(upgrade.state)}, opened by {opening.by} at {iso(opening.at)}.",
        fix=f"See where it stands: segue status {name}. {ways}",
    )


def _incumbent(store: Store, workflow: str, environment: str) -> str:
    """The bundle that serves everyone now."""
    try:
        found = store.find_route(workflow, environment)
    except NotFoundError:
        raise NotFoundError(
            f"'{workflow}' has no route in {environment}, so there is nothing to upgrade from.",
            fix=f"Put what serves today in force first: segue route set {workflow} BUNDLE",
        ) from None
    if _is_shared(found):
        raise ConflictError(
            f"'{workflow}' has a candidate in {environment} already (route revision {found.revision}, by {found.author}).",
            fix=f"Take it back, and let the upgrade bring it in: segue route flip {workflow} --back",
        )
    return found.route.incumbent


def _is_shared(found: RouteRevision) -> bool:
    route = found.route
    return route.share > 0 or route.shadow is not None or any(one.share > 0 for one in route.segments)
