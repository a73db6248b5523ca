"""Whether a bundle may be retired, and the fact that it was. Retiring deletes nothing: bundles are immutable, and stay.

It says that nobody means to serve it again, so that its provider, quota and prompt need not be kept. Until an upgrade's soak
has closed its incumbent is the way back, and retiring it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segue.controller.moments import iso
from segue.controller.reading import read_open
from segue.errors import ConflictError, Fault
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.upgrade.decide import where
from segue.upgrade.log import Upgrade

KIND = "retired"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Retired:
    """A bundle that was retired, by whom, when and why."""

    bundle: str
    by: str
    at: str
    reason: str


def obstacles_to_retiring(store: Store, workflow: str, digest: str) -> tuple[Fault, ...]:
    """Why the bundle may not be retired now, each with when it would be possible. Empty if it may."""
    upgrades = [one for one in read_open(store) if one.opening.workflow == workflow]
    faults = [fault for one in upgrades for fault in _of_upgrade(one, digest)]
    faults += [
        fault for one in store.list_routes() if one.route.workflow == workflow for fault in _of_route(one, digest, upgrades)
    ]
    return tuple(faults)


def retire_bundle(store: Store, workflow: str, digest: str, *, reason: str, author: str, at: str) -> bool:
    """Write down that the bundle is retired; `False` if it was already. `ConflictError` with every reason against it."""
    if find_retired(store, workflow, digest) is not None:
        return False
    if faults := obstacles_to_retiring(store, workflow, digest):
        raise ConflictError(f"Bundle {digest[:10]} of {workflow} cannot be retired now.", faults=faults)
    store.add_fact(KIND, workflow, digest, {"reason": reason}, author=author, at=at)
    return True


def find_retired(store: Store, workflow: str, digest: str) -> Retired | None:
    """When it was retired, if it was."""
    for fact in store.list_facts(workflow, kind=KIND, subject=digest):
        return Retired(digest, fact.author, fact.at, str(fact.body.get("reason", "")))
    return None


def upgrade_left_behind(store: Store, last: RouteRevision | None, kept: Sequence[str]) -> str | None:
    """A warning where a new route of bundles `kept` drops the incumbent of an open upgrade: the way back would be gone."""
    if last is None:
        return None
    route = last.route
    for upgrade in read_open(store, route.environment):
        state = upgrade.state
        if upgrade.opening.workflow != route.workflow or state.incumbent in kept:
            continue
        return (
            f"Upgrade {state.upgrade} is in {where(state)}, and this route no longer names its incumbent "
            f"{state.incumbent[:10]}: the upgrade holds, and a rollback would bring that bundle back. "
            f"To go back: segue rollback {route.workflow}"
        )
    return None


def _of_upgrade(upgrade: Upgrade, digest: str) -> list[Fault]:
    state, name = upgrade.state, upgrade.opening.upgrade
    role = "incumbent" if state.incumbent == digest else "candidate" if state.candidate == digest else None
    if role is None:
        return []
    what = f"It is the {role} of upgrade {name}, which is in {where(state)}."
    if role == "candidate":
        return [Fault(what, "It may be retired once that upgrade was aborted, deferred or rolled back.")]
    return [Fault(what, f"It is the way back until the soak has closed: {_when(upgrade)}.")]


def _when(upgrade: Upgrade) -> str:
    """The earliest moment the soak can close; no date where the soak has not begun to count."""
    state, soak = upgrade.state, upgrade.plan.soak
    if state.stage != "soak" or not state.is_counting:
        return f"{soak:g} days after it has begun, at the earliest"
    counted = sum((one.end or one.begin) - one.begin for one in state.periods)
    return f"not before {iso(state.periods[-1].begin + soak * DAY_S - counted)}"


def _of_route(revision: RouteRevision, digest: str, upgrades: Sequence[Upgrade]) -> list[Fault]:
    route = revision.route
    where_ = f"the route in {route.environment} (revision {revision.revision})"
    change = f"segue route set {route.workflow} BUNDLE --environment {route.environment}"
    # Of what an upgrade owns the upgrade says when it ends; changing the route under it is no remedy.
    is_told = any(digest in (one.state.incumbent, one.state.candidate) for one in upgrades)
    faults = []
    if digest == route.incumbent and not is_told:
        faults.append(Fault(f"It serves: it is the incumbent of {where_}.", f"Put another one in its place first: {change}"))
    if digest == route.candidate and not is_told:
        faults.append(Fault(f"It is the candidate of {where_}.", f"Take it out first: {change}"))
    if digest == route.fallback:
        faults.append(Fault(f"It is the fallback of {where_}.", f"Name another first: {change} --fallback BUNDLE"))
    if digest in route.draining:
        fix = f"It may be retired once they have ended; {change} --conversations switch ends them on it."
        faults.append(Fault(f"Conversations begun on it are still continued by {where_}.", fix))
    return faults
