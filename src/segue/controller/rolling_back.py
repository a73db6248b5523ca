"""Rolling back through the store: the route first, then everything that says so. Command line and HTTP API do it here.

Three steps, in the order of what users notice: `take_back` flips the route, whoever calls waits for the gateways,
`note_rollback` appends the upgrade's entry and opens its incident. Each may be done twice and happens once. No controller is
needed; one that runs carries out what the entry asks for, and finds it done. Before shadow nobody has met the candidate and the
route is as it was: what is asked for then is that the upgrade does not go on. Where no store answers: `segue.gateway.orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import ValidationError

from segue.controller.moments import iso
from segue.controller.reading import PRODUCTION, read_record
from segue.errors import InputError, NotFoundError, SegueError, StoreError
from segue.model.plan import Plan
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.store.upgrades import UnderWay
from segue.upgrade.log import Upgrade, UpgradeEntry
from segue.upgrade.people import names, roles_of
from segue.upgrade.state import OFFLINE
from segue.upgrade.table import Action


@dataclass(frozen=True, slots=True)
class RolledBack:
    """`revision` is the one in force, `is_new` whether this made it. `notes` are for whoever did it.

    `goes_on`: the upgrade may still bring its candidate to users, for nobody could stop it, or it is not known.
    """

    revision: RouteRevision
    is_new: bool
    upgrade: str | None = None
    entry: UpgradeEntry | None = None
    incident: str | None = None
    notes: tuple[str, ...] = ()
    goes_on: bool = False


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


def take_back(
    store: Store,
    workflow: str,
    *,
    by: str,
    reason: str,
    at: float,
    environment: str = PRODUCTION,
    is_late: Callable[[], bool] = lambda: False,
) -> RolledBack:
    """The incumbent for everyone, in force. `InputError` where the plan leaves that to others, `NotFoundError` without a route.

    A plan that cannot be read stops nobody: users come first. A store that was long in letting this write is left as it is
    if `is_late` by then (`StoreError`): whoever asked has done it by other means.
    """
    if not by.strip():
        raise InputError(
            "Who rolls back? It needs a name.", fix="Say who: SEGUE_AUTHOR=… on the command line, `by` in the API."
        )
    found: list[UnderWay] = []
    notes: list[str] = []

    def may(under_way: UnderWay | None) -> None:
        if is_late():
            raise StoreError(f"The rollback of '{workflow}' was given up: the store did not let it write in time.")
        if under_way is not None:
            found.append(under_way)
            notes.extend(_check_may(under_way, by))

    revision, is_new = store.take_back(workflow, environment, author=by, reason=reason, at=iso(at), may=may)
    return RolledBack(revision, is_new, found[0].upgrade if found else None, notes=tuple(notes))


def note_rollback(store: Store, done: RolledBack, *, by: str, reason: str, at: float) -> RolledBack:
    """The upgrade's entry and its incident, where there is an upgrade under way. The rollback stands whatever comes of it."""
    # Loaded when the route is back: deciding brings the statistics along, which take longer than a flip.
    from segue.controller.incidents import incident_of, open_incident

    if done.upgrade is None:
        return done
    upgrade: Upgrade | None = None
    try:
        upgrade = read_record(store.get_upgrade(done.upgrade))
        if not upgrade.state.is_ended:
            entry = _enter(store, upgrade, by, reason, at)
            done = replace(done, entry=entry, notes=(*done.notes, *_of_nobody_met(upgrade, entry)))
            upgrade = read_record(store.get_upgrade(upgrade.opening.upgrade))
            if "incident" in entry.effects:
                done = replace(done, incident=open_incident(store, upgrade, entry, at))
        elif upgrade.entries:
            done = replace(done, entry=upgrade.entries[-1], incident=incident_of(store, upgrade, upgrade.entries[-1]))
    except SegueError as error:
        return not_noted(done, error.what, is_offline=None if upgrade is None else upgrade.state.stage in OFFLINE)
    return done


def not_noted(done: RolledBack, why: str, *, is_offline: bool | None) -> RolledBack:
    """The log could not be written. From shadow on, the controller finds the route as it is, and writes that down by itself;
    before, nothing tells it. `is_offline` is `None` where it is not known which of the two it is.
    """
    # A route that there was nothing to take back from tells no controller of anything.
    goes_on = not done.is_new if is_offline is None else is_offline
    told = f"It is not in the log of upgrade {done.upgrade}{'' if goes_on else ' yet'}: {why}"
    if goes_on:
        route = done.revision.route
        where = "" if route.environment == PRODUCTION else f" --environment {route.environment}"
        told += f" It may go on towards users. End it: segue upgrade abort {route.workflow}{where} --reason '…'"
    return replace(done, notes=(*done.notes, told), goes_on=goes_on)


def _enter(store: Store, upgrade: Upgrade, by: str, reason: str, at: float) -> UpgradeEntry:
    """Rolled back; aborted where nobody has met the candidate and whoever asks may; else what the table makes of it there."""
    from segue.controller.actions import act_on

    opening = upgrade.opening

    def enter(now: Upgrade) -> UpgradeEntry:
        may_abort = now.state.stage in OFFLINE and "operator" in roles_of(now.plan, by)
        action: Action = "abort" if may_abort else "roll_back"
        return act_on(
            store, opening.workflow, action, by=by, reason=reason, at=at, environment=opening.environment, of=opening.upgrade
        )

    try:
        return enter(upgrade)
    except InputError:
        again = read_record(store.get_upgrade(opening.upgrade))
        if again.state.stage == upgrade.state.stage:
            raise
        # It moved on meanwhile: what could be aborted then may be rolled back now.
        return enter(again)


def _of_nobody_met(before: Upgrade, entry: UpgradeEntry) -> tuple[str, ...]:
    """In plain words, where there was nobody to take back."""
    name, opening = entry.upgrade, before.opening
    met = f"Nobody had met the candidate of upgrade {name}, in {before.state.stage}: there was no one to take back."
    if entry.event == "abort":
        return (f"{met} The upgrade is aborted.",)
    if entry.event != "roll_back" or entry.state.stage not in OFFLINE:
        return ()
    where = "" if opening.environment == PRODUCTION else f" --environment {opening.environment}"
    may = names(before.plan.operators)
    told = f"It is held, and goes on if an operator resumes it. To end it is for {may}:"
    return (f"{met} {told} segue upgrade abort {opening.workflow}{where} --reason '…'",)


def _check_may(record: UnderWay, by: str) -> tuple[str, ...]:
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
