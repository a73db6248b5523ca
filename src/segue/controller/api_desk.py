"""What the HTTP API does: reads and acts through the same functions as the command line, and gives what it came to as JSON.

Blocking; `api` calls it in threads. Knows no HTTP but the statuses of its answers. Opening needs the workspace, which is given
from outside as `openings`; so are the gateways, which are waited for when users are taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from segue.controller.actions import Admission, Request, act_on, warnings_of
from segue.controller.api_answers import Answer
from segue.controller.api_bodies import ActBody, OpenBody, TicketBody
from segue.controller.moments import iso
from segue.controller.ports import Clock
from segue.controller.reading import read_named, read_record, read_upgrade
from segue.controller.rolling_back import roll_back
from segue.controller.tickets import record_tickets
from segue.controller.views import controller_view, history_view, status_view, why_view
from segue.errors import ConflictError, NotFoundError
from segue.gates.report import plain
from segue.model import Json
from segue.model.route import RouteRevision
from segue.store.base import Store
from segue.upgrade.log import Opening, Upgrade
from segue.upgrade.table import Action


class Openings(Protocol):
    """Opens upgrades from the workspace as it is now."""

    def open(
        self, store: Store, asked: OpenBody, *, environment: str, at: float, key: str, secret: str
    ) -> tuple[Upgrade, Json]:
        """Gives the upgrade, and what there is to remark on. `secret` ends its name."""
        ...

    def admission(self, store: Store) -> Admission:
        """Who says whether another candidate may take the place of the first, as it is asked at an opening."""
        ...


class Confirming(Protocol):
    """Waits for the gateways."""

    def __call__(self, store: Store, revision: RouteRevision) -> Sequence[Json]:
        """What each of them said."""
        ...


@dataclass(frozen=True)
class ApiDesk:
    """Of one environment; another one can be asked of. `store` raises `StoreError` where there is none to be had."""

    store: Callable[[], Store]
    openings: Openings
    confirm: Confirming
    clock: Clock
    environment: str = "production"

    def list_upgrades(self, environment: str, *, only_open: bool, may: Callable[[str], bool]) -> Answer:
        """Newest first, in short, of the workflows that `may` be shown."""
        store = self.store()
        found = [
            read_record(one) for one in store.list_upgrades(environment=environment, only_open=only_open) if may(one.workflow)
        ]
        controller = plain(controller_view(store, environment))
        return 200, {"environment": environment, "controller": controller, "upgrades": [_short(one) for one in found]}

    def status(self, workflow: str, environment: str) -> Answer:
        """As `segue status --json`."""
        store = self.store()
        return 200, status_view(store, read_upgrade(store, workflow, environment), self.clock()).as_json()

    def history(self, workflow: str, environment: str) -> Answer:
        """As `segue history --json`."""
        store = self.store()
        return 200, history_view(store, read_upgrade(store, workflow, environment)).as_json()

    def why(self, workflow: str, environment: str, number: int | None) -> Answer:
        """As `segue why --json`."""
        store = self.store()
        return 200, why_view(store, read_upgrade(store, workflow, environment), number).as_json()

    def open(self, asked: OpenBody, environment: str, *, key: str, name: str) -> Answer:
        """201, or 200 where this very request opened it before."""
        store = self.store()
        at = self.clock()
        known = self._opened_before(store, asked, environment, name) if name else None
        if known is not None:
            return 200, {**status_view(store, known, at).as_json(), "remarks": []}
        upgrade, remarks = self.openings.open(store, asked, environment=environment, at=at, key=key, secret=name)
        return 201, {**status_view(store, upgrade, at).as_json(), "remarks": remarks}

    def act(self, workflow: str, environment: str, action: Action, asked: ActBody, *, key: str, name: str) -> Answer:
        """As `segue upgrade ACTION --json`; *replace* finds its bundle by label or digest."""
        store = self.store()
        opening = read_upgrade(store, workflow, environment).opening
        if action == "roll_back":
            return self._roll_back(store, opening, asked, key)
        candidate = None
        if asked.candidate is not None:
            candidate = store.find_bundle(opening.workflow, asked.candidate).bundle.digest
        entry = act_on(
            store,
            opening.workflow,
            action,
            by=asked.by,
            reason=asked.reason,
            at=self.clock(),
            environment=opening.environment,
            candidate=candidate,
            key=key,
            request=Request(name, _digest(opening.workflow, action, asked)) if name else None,
            despite=tuple(asked.despite),
            admission=self.openings.admission(store) if action == "replace" else None,
        )
        return 200, self._done(store, opening.upgrade, entry.number)

    def tickets(self, asked: TicketBody, *, key: str) -> Answer:
        """Whether it was news."""
        now = self.clock()
        today = datetime.fromtimestamp(now, UTC).date()
        author = f"{asked.by} (key {key})" if asked.by else f"key {key}"
        store = self.store()
        is_new = record_tickets(
            store, asked.workflow, asked.date, asked.count, asked.source, author=author, at=iso(now), today=today
        )
        return 200, {"workflow": asked.workflow, "day": asked.day, "count": asked.count, "new": is_new}

    def _roll_back(self, store: Store, opening: Opening, asked: ActBody, key: str) -> Answer:
        """The flip at once, then the log: as `segue rollback` does it. Again, it changes nothing."""
        told: list[Json] = []
        done = roll_back(
            store,
            opening.workflow,
            by=asked.by,
            reason=f"{asked.reason} (key {key})",
            at=self.clock(),
            environment=opening.environment,
            tell=lambda revision: told.extend(self.confirm(store, revision)),
        )
        body = {
            "revision": done.revision.revision,
            "new": done.is_new,
            "gateways": told,
            "incident": done.incident,
            "notes": list(done.notes),
        }
        if done.entry is None:
            return 200, {**body, "entry": None, "status": self._status(store, opening.upgrade)}
        return 200, {**body, **self._done(store, done.entry.upgrade, done.entry.number)}

    def _done(self, store: Store, upgrade: str, number: int) -> dict[str, Json]:
        found = read_named(store, upgrade)
        entry = found.entries[number - 1]
        warned: dict[str, Json] = {"warnings": list(warnings_of(entry))} if entry.event == "replace" else {}
        return {
            "entry": plain(history_view(store, found).entries[number]),
            "status": status_view(store, found, self.clock()).as_json(),
            **warned,
        }

    def _status(self, store: Store, upgrade: str) -> Json:
        return status_view(store, read_named(store, upgrade), self.clock()).as_json()

    def _opened_before(self, store: Store, asked: OpenBody, environment: str, name: str) -> Upgrade | None:
        """The upgrade that this very request opened: its name ends in what the request is known by."""
        for record in store.list_upgrades(asked.workflow, environment):
            if not record.upgrade.endswith(f"-{name}"):
                continue
            upgrade = read_record(record)
            opening = upgrade.opening
            try:
                candidate = store.find_bundle(asked.workflow, asked.candidate).bundle.digest
            except NotFoundError:
                candidate = ""
            same = (opening.by, opening.reason) == (asked.by, asked.reason.strip()) and opening.candidate == candidate
            if not same or asked.plan not in ("", opening.plan_name):
                raise ConflictError(
                    f"This Idempotency-Key belongs to another request, which opened {opening.upgrade}.",
                    fix="Draw a fresh key for each request, and repeat it only with the same body.",
                )
            return upgrade
        return None


def _short(upgrade: Upgrade) -> dict[str, Json]:
    opening, state = upgrade.opening, upgrade.state
    return {
        "upgrade": opening.upgrade,
        "workflow": opening.workflow,
        "environment": opening.environment,
        "incumbent": state.incumbent,
        "candidate": state.candidate,
        "plan": opening.plan_name,
        "opened_by": opening.by,
        "opened_at": iso(opening.at),
        "stage": state.stage,
        "standing": state.standing,
        "step": state.step if state.stage == "canary" else None,
        "entries": len(upgrade.entries),
    }


def _digest(workflow: str, action: str, asked: ActBody) -> str:
    return sha256(f"{workflow}\n{action}\n{asked.model_dump_json()}".encode()).hexdigest()[:16]
