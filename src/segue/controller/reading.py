"""Upgrades as the store keeps them, read into what `segue.upgrade` works with. Raw JSON becomes typed here and nowhere else.

A record that cannot be read, or whose entries contradict each other, was changed after it was written: `TamperError`.
"""

from __future__ import annotations

from pydantic import ValidationError

from segue.errors import Fault, NotFoundError, TamperError
from segue.model.base import Json
from segue.store.upgrades import UpgradeRecord, UpgradeStore
from segue.upgrade.log import Opening, Upgrade, UpgradeEntry, faults_of

PRODUCTION = "production"
_FIX = "See what was changed: segue log verify. A backup of the store is the way back."


def read_upgrade(store: UpgradeStore, workflow: str, environment: str = PRODUCTION) -> Upgrade:
    """The workflow's open upgrade in this environment, else the last one that ended. `NotFoundError` where it never had one."""
    found = find_upgrade(store, workflow, environment)
    if found is None:
        raise NotFoundError(
            f"'{workflow}' has had no upgrade in {environment}.",
            fix=f"Open one: segue upgrade {workflow} --candidate BUNDLE",
        )
    return found


def find_upgrade(store: UpgradeStore, workflow: str, environment: str = PRODUCTION) -> Upgrade | None:
    """As `read_upgrade`; `None` where there is none. Newest first is the store's order, and only the newest can be open."""
    for record in store.list_upgrades(workflow, environment, most=1):
        return read_record(record)
    return None


def read_named(store: UpgradeStore, ref: str) -> Upgrade:
    """The upgrade of this name, or of a name that begins so and no other does."""
    return read_record(store.get_upgrade(ref))


def read_ref(store: UpgradeStore, ref: str, environment: str = PRODUCTION) -> Upgrade:
    """What people mean by a word: a workflow's upgrade in this environment, else the upgrade of that name, wherever it is."""
    found = find_upgrade(store, ref, environment)
    if found is not None:
        return found
    # A workflow's own name never means the upgrade of another whose name begins so.
    if any(one.upgrade.startswith(ref) and ref.startswith(f"{one.workflow}-") for one in store.list_upgrades()):
        return read_named(store, ref)
    known = {one.workflow for one in store.list_upgrades(environment=environment)}
    if not known:
        return read_upgrade(store, ref, environment)
    raise NotFoundError.naming(
        f"upgrade in {environment} of",
        ref,
        known,
        fix=f"Open one: segue upgrade {ref} --candidate BUNDLE. All there are: segue upgrade list",
    )


def read_open(store: UpgradeStore, environment: str | None = None) -> list[Upgrade]:
    """Every upgrade that has not ended, newest first."""
    return [read_record(one) for one in store.list_upgrades(environment=environment, only_open=True)]


def read_record(record: UpgradeRecord) -> Upgrade:
    """One record as it is typed. `TamperError` with every fault of it."""
    faults: list[Fault] = []
    opening: Opening | None = None
    try:
        opening = Opening.model_validate(record.opening)
    except ValidationError as error:
        faults += _faults(error, "opening")
    entries: list[UpgradeEntry] = []
    for place, body in enumerate(record.entries, 1):
        entry = _entry(body, f"entry {place}", faults)
        if entry is not None:
            entries.append(entry)
    if opening is not None and not faults:
        upgrade = Upgrade(opening, tuple(entries))
        faults = [Fault(what=one, fix=_FIX) for one in (*_misplaced(record, upgrade), *faults_of(upgrade))]
        if not faults:
            return upgrade
    raise TamperError(f"Upgrade '{record.upgrade}' cannot be read as it is stored.", fix=_FIX, faults=faults)


def _entry(body: Json, place: str, faults: list[Fault]) -> UpgradeEntry | None:
    try:
        return UpgradeEntry.model_validate(body)
    except ValidationError as error:
        faults += _faults(error, place)
        return None


def _misplaced(record: UpgradeRecord, upgrade: Upgrade) -> list[str]:
    """An opening that was stored under another upgrade's name."""
    opening = upgrade.opening
    stored, said = (
        (record.upgrade, record.workflow, record.environment),
        (
            opening.upgrade,
            opening.workflow,
            opening.environment,
        ),
    )
    return [] if stored == said else [f"It is stored as {' '.join(stored)}, and says that it is {' '.join(said)}."]


def _faults(error: ValidationError, place: str) -> list[Fault]:
    """Without the values: what was changed may be anything. One for each place."""
    found: dict[str, Fault] = {}
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join((place, *(str(part) for part in one["loc"] if not str(part).startswith("literal["))))
        what = "It is none of the words there are." if one["type"] == "literal_error" else f"{one['msg']}."
        found.setdefault(path, Fault(what=what, fix=_FIX, path=path))
    return list(found.values())
