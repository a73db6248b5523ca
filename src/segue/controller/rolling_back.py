"""Rolling back through the store: the route first, then everything that says so. Command line and HTTP API do it here.

Three steps, in the order of what users notice: `take_back` flips the route, whoever calls waits for the gateways,
`note_rollback` appends the upgrade's entry and opens its incident. Each may be done twice and happens once. No controller is
needed; one that runs carries out what the entry asks for, and finds it done. Where no store answers: `segue.gateway.orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from segue.controller.actions import act_on
from segue.controller.incidents import incident_of, open_incident
from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION, read_record
from segue.errors import ConflictError, InputError, NotFoundError, SegueError, StoreError, TamperError
from segue.gateway.orders import is_back
from segue.model.plan import Plan
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.store.upgrades import UpgradeRecord
from segue.upgrade.log import UpgradeEntry
from segue.upgrade.people import names, roles_of

TRIES = 20
"""Others may flip meanwhile; nobody does so often."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`revision` is the one in force, `is_new` whether this made it. `notes` are for whoever did it."""

    revision: RouteRevision
    is_new: bool
    upgrade: str | None = None
    entry: UpgradeEntry | None = None
    incident: str | None = None
    notes: tuple[str, ...] = ()


def roll_back(
    store: Store,
    workflow: str,
    *,
    by: str,
    reason: str,
    at: float,
    environment: str = PRODUCTION,
    tell: Callable[[RouteRevision], object] = lambda _: None,
) -> RolledBack:
    """All three steps; `tell` waits for the gateways, or leaves it. Raises what `take_back` raises."""
    done = take_back(store, workflow, by=by, reason=reason, at=at, environment=environment)
    tell(done.revision)
    return note_rollback(store, done, by=by, reason=reason, at=at)


def take_back(store: Store, workflow: str, *, by: str, reason: str, at: float, environment: str = PRODUCTION) -> RolledBack:
    """The incumbent for everyone, in force. `InputError` where the plan leaves that to others, `NotFoundError` without a route.

    A plan that cannot be read stops nobody: users come first.
    """
    if not by.strip():
        raise InputError(
            "Who rolls back? It needs a name.", fix="Say who: SEGUE_AUTHOR=… on the command line, `by` in the API."
        )
    found, notes = _open_record(store, workflow, environment)
    if found is not None:
        notes = (*notes, *_check_may(found, by))
    for _ in range(TRIES):
        last = store.find_route(workflow, environment)
        route = last.route.rolled_back()
        if is_back(last.route, route) and last.route.candidate is None:
            return RolledBack(last, is_new=False, upgrade=None if found is None else found.upgrade, notes=notes)
        try:
            flipped = store.flip_route(route, follows=last.revision, author=by, reason=reason, at=iso(at))
        except ConflictError:
            continue
        return RolledBack(flipped, is_new=True, upgrade=None if found is None else found.upgrade, notes=notes)
    raise StoreError(
        f"The route of '{workflow}' is flipped again and again.", fix=f"See who does: segue route history {workflow}"
    )


def note_rollback(store: Store, done: RolledBack, *, by: str, reason: str, at: float) -> RolledBack:
    """The upgrade's entry and its incident, where there is an upgrade under way. The rollback stands whatever comes of it."""
    route = done.revision.route
    if done.upgrade is None:
        return done
    try:
        upgrade = read_record(store.get_upgrade(done.upgrade))
        if not upgrade.state.is_ended:
            entry = act_on(store, route.workflow, "roll_back", by=by, reason=reason, at=at, environment=route.environment)
            done = replace(done, entry=entry)
            upgrade = read_record(store.get_upgrade(upgrade.opening.upgrade))
            if "incident" in entry.effects:
                done = replace(done, incident=open_incident(store, upgrade, entry, at))
        elif upgrade.entries:
            done = replace(done, entry=upgrade.entries[-1], incident=incident_of(store, upgrade, upgrade.entries[-1]))
    except SegueError as error:
        # The controller finds the route as it is, and writes down that somebody rolled back.
        told = f"It is not in the log of upgrade {done.upgrade} yet: {error.what}"
        return replace(done, notes=(*done.notes, told))
    return done


def _open_record(store: Store, workflow: str, environment: str) -> tuple[UpgradeRecord | None, tuple[str, ...]]:
    """The upgrade under way. One that cannot be read stops nobody."""
    try:
        found = store.list_upgrades(workflow, environment, only_open=True)
    except TamperError as error:
        return None, (f"The upgrade under way cannot be read ({error.what}), so anyone may roll back.",)
    return (found[0] if found else None), ()


def _check_may(record: UpgradeRecord, by: str) -> tuple[str, ...]:
    """`InputError`, naming who may; a note where the plan cannot be read."""
    try:
        opening = record.opening
        plan = Plan.model_validate(opening.get("plan") if isinstance(opening, dict) else None)
    except ValidationError:
        return (f"The plan of upgrade {record.upgrade} cannot be read, so anyone may roll back.",)
    if "rescuer" in roles_of(plan, by):
        return ()
    may = names((*plan.operators, *plan.roll_back))
    raise InputError(
        f"{by} may not roll back '{record.workflow}': the plan of upgrade {record.upgrade} leaves it to {may}.",
        fix=f"Ask {may}, or set SEGUE_AUTHOR if you are one of them.",
    )


def find_current(store: Store, workflow: str, environment: str) -> RouteRevision | None:
    """The revision in force, if there is one."""
    try:
        return store.find_route(workflow, environment)
    except NotFoundError:
        return None
