"""What `segue rollback` does where nothing can be relied on: the store gets a moment, then the gateways are told without it.

The store is worked with in a thread that nobody waits for longer than that: locked, hung or gone, it holds up no rollback. What
it finishes later is the same rollback, and counts once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segue.cli.app import ERROR
from segue.cli.flipping import UNREACHABLE, state_folder
from segue.cli.route_views import confirmed_as_json, serves_it
from segue.errors import SegueError, StoreError

if TYPE_CHECKING:
    from segue.controller.rolling_back import RolledBack
    from segue.gateway.control import Confirmed
    from segue.gateway.orders import RollbackOrder
    from segue.model.route import RouteRevision
    from segue.store.base import Store
    from segue.workspace import Workspace

STORE_S = 3.0
"""So long the store may take until the gateways are told without it."""
SYNC_S = 5.0
"""So long a gateway may take to read a rollback from the store until it is told to obey without reading."""
NOTE_S = 20.0
"""So long the log of the upgrade may take; the route is back by then."""
UNSEEN = (
    "By the last known route nobody met a candidate. An upgrade on its way there is known to the store alone, and goes on: "
    "once the store answers, say it again: segue rollback {workflow}"
)
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What somebody wants: of which workflow, who, why, when (seconds since the epoch)."""

    root: Path
    workflow: str
    environment: str
    by: str
    reason: str
    at: float

    @property
    def moment(self) -> str:
        """As it is written."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Outcome:
    """What came of it. `order` waits for the store, whose `fault` says why; else it is in the store, as `done` says.

    `waited`: an earlier command ordered it. `moves_nobody`: by the last known route there was no candidate to order away, and
    whether an upgrade on its way to users was stopped nobody can say.
    """

    revision: RouteRevision
    confirmed: list[Confirmed]
    ms: float
    done: RolledBack | None = None
    order: RollbackOrder | None = None
    waited: bool = False
    fault: str | None = None
    notes: tuple[str, ...] = ()
    moves_nobody: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether an upgrade may still bring its candidate to users."""
        return self.moves_nobody if self.done is None else self.done.goes_on

    @property
    def is_new(self) -> bool:
        """This command made it, and no earlier one."""
        return self.done.is_new if self.done is not None else not self.waited

    @property
    def code(self) -> int:
        """The exit code, as flips have; an upgrade that may go on towards users is an error."""
        if self.goes_on or any(not one.is_silent and not serves_it(one, self.revision) for one in self.confirmed):
            return ERROR
        nobody = self.order is not None and not any(not one.is_silent for one in self.confirmed)
        return UNREACHABLE if nobody or any(one.is_silent for one in self.confirmed) else 0

    def as_json(self) -> dict[str, Any]:
        """For a program. `revision` is `null` while the store does not have it."""
        revision, done = self.revision, self.done
        return {
            "workflow": revision.route.workflow,
            "environment": revision.route.environment,
            "revision": None if done is None else revision.revision,
            "route": revision.route.model_dump(mode="json"),
            "author": revision.author,
            "reason": revision.reason,
            "at": revision.at,
            "new": self.is_new,
            "pending": self.order is not None,
            "fault": self.fault,
            "ms": self.ms if self.confirmed else None,
            "gateways": [confirmed_as_json(one) for one in self.confirmed],
            "upgrade": None if done is None else done.upgrade,
            "entry": None if done is None or done.entry is None else done.entry.number,
            "incident": None if done is None else done.incident,
            "goes_on": self.goes_on,
            "notes": list(self.notes if done is None else done.notes),
        }


class Aside(Generic[T]):
    """Something done in a thread of its own, begun when it is made."""

    def __init__(self, work: Callable[[], T], given_up: threading.Event | None = None) -> None:
        """`given_up` is set once nobody waits for it any more: what it has not done by then is not to be done."""
        self._found: T | None = None
        self._error: BaseException | None = None
        self._given_up = given_up or threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True, name="segue-store")
        self._thread.start()

    def wait(self, seconds: float, what: str) -> T:
        """What came of it, or its error; `StoreError` where it is not done by then, or failed in a way nobody foresaw."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._given_up.set()
            raise StoreError(f"{what} is not done after {seconds:g} s.", fix="See whether the store is locked or gone.")
        if isinstance(self._error, SegueError):
            raise self._error
        if self._error is not None:
            raise StoreError(f"{what} failed ({type(self._error).__name__}).") from self._error
        assert self._found is not None, "done, and without an error"
        return self._found

    @property
    def is_at_it(self) -> bool:
        """Whether it is still being done, awaited or not."""
        return self._thread.is_alive()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._found = work()
        except BaseException as error:
            self._error = error


class Rolling:
    """One rollback: `run` it, then `note` it."""

    def __init__(self, asked: Asked) -> None:
        # Here, and not while the store has its moment: loading what works with it may take a second or two.
        import segue.controller.rolling_back
        import segue.gateway.orders
        import segue.store.sql  # noqa: F401
        from segue.gateway.control import socket_folder

        self.asked = asked
        self.state = state_folder(asked.root)
        self.sockets = socket_folder(self.state)
        self.store: Store | None = None
        self._workspace: Workspace | None = None
        self._unloaded: SegueError | None = None
        self._asides: list[Aside[RolledBack]] = []
        self._load()

    def close(self) -> None:
        """Close the store, unless somebody left behind still waits for it: nobody waits for that one."""
        if self.store is not None and not any(one.is_at_it for one in self._asides):
            self.store.close()

    def _load(self) -> None:
        """The workspace, and the driver of its store."""
        from segue.workspace import load_workspace

        try:
            self._workspace = load_workspace(self.asked.root, os.environ)
            if self._workspace.state.startswith("postgres"):
                import segue.store.sql.postgresql  # noqa: F401
        except SegueError as error:
            self._unloaded = error

    def run(self) -> Outcome:
        """Until the last gateway confirmed. `InputError` where it is not theirs to do, `NotFoundError` where nothing serves."""
        began = time.perf_counter()
        given_up = threading.Event()
        aside = Aside(lambda: self._take_back(given_up.is_set), given_up)
        self._asides.append(aside)
        try:
            done = aside.wait(STORE_S, "The rollback in the store")
        except StoreError as error:
            return self._without_store(error, began)
        return self._confirmed(done, began)

    def note(self, outcome: Outcome) -> Outcome:
        """The upgrade's entry, and the incident."""
        from segue.controller.rolling_back import not_noted, note_rollback

        done, store, asked = outcome.done, self.store, self.asked
        if done is None or store is None:
            return outcome
        aside = Aside(lambda: note_rollback(store, done, by=asked.by, reason=asked.reason, at=asked.at))
        self._asides.append(aside)
        try:
            return replace(outcome, done=aside.wait(NOTE_S, "Writing it into the log of the upgrade"))
        except StoreError as error:
            if done.upgrade is None:
                return replace(outcome, done=replace(done, notes=(*done.notes, error.what)))
            return replace(outcome, done=not_noted(done, error.what, is_offline=None))

    def _take_back(self, is_late: Callable[[], bool]) -> RolledBack:
        """All that needs the store. What is not the store's fault, and stops a rollback, leaves as it is.

        Once `is_late` nothing is flipped any more: the order that the gateways have is the rollback, and whoever lets a
        candidate in after it has seen it.
        """
        from segue.cli.desk import open_state
        from segue.controller.rolling_back import take_back
        from segue.errors import InputError, NotFoundError, TamperError
        from segue.gateway.orders import enact_order, find_order, forget_order

        asked = self.asked
        try:
            if self._unloaded is not None:
                raise self._unloaded
            assert self._workspace is not None, "loaded, or it is said why not"
            self.store = open_state(self._workspace)
            if (order := find_order(self.state, asked.workflow, asked.environment)) is not None:
                enact_order(self.store, order)
                forget_order(self.state, order)
        except (InputError, NotFoundError, TamperError) as error:
            raise StoreError(error.what, fix=error.fix) from error
        try:
            return take_back(
                self.store,
                asked.workflow,
                by=asked.by,
                reason=asked.reason,
                at=asked.at,
                environment=asked.environment,
                is_late=is_late,
            )
        except TamperError as error:
            raise StoreError(error.what, fix=error.fix) from error

    def _confirmed(self, done: RolledBack, began: float) -> Outcome:
        """By every gateway; those of this machine that cannot read it are told to obey."""
        from segue.gateway.control import confirm_flip

        assert self.store is not None, "it was rolled back there"
        found = confirm_flip(self.store, self.sockets, done.revision, timeout_s=SYNC_S)
        late = {one.gateway for one in found if not one.is_silent and not serves_it(one, done.revision)}
        if late:
            told = {one.gateway: one for one in self._tell() if one.gateway in late}
            # On whatever revision it was told: what it serves is this route.
            served = {name: replace(one, revision=done.revision.revision) for name, one in told.items() if one.fault is None}
            found = [served.get(one.gateway, one) for one in found]
        return Outcome(done.revision, found, _since(began), done=done)

    def _tell(self) -> list[Confirmed]:
        from segue.gateway.control import order_rollback

        asked = self.asked
        return order_rollback(
            self.sockets, asked.workflow, asked.environment, author=asked.by, reason=asked.reason, at=asked.moment
        )

    def _without_store(self, error: StoreError, began: float) -> Outcome:
        """The gateways of this machine, at once; the order waits beside the store until that has it."""
        from segue.gateway.orders import save_order
        from segue.model.route import RouteRevision

        order, waits, moves_nobody = self._order()
        notes = [UNSEEN.format(workflow=self.asked.workflow)] if moves_nobody else []
        if waits:
            assert order is not None, "it waits"
            notes.append(f"It is in force already: {order.author} ordered it at {order.at}. It waits for the store still.")
        told = self._tell()
        served = [one for one in told if one.fault is None]
        if order is None:
            fix = f"Run this on a machine with a gateway, or when the store can be reached again. {error.fix}".strip()
            raise StoreError(f"{error.what} No gateway of this machine serves '{self.asked.workflow}' either.", fix=fix)
        if not waits:
            try:
                save_order(self.state, order)
            except StoreError as unwritten:
                notes.append(f"{unwritten.what} The gateways that were told keep it." if served else unwritten.what)
        ms = _since(began)
        revision = RouteRevision(0, order.route, order.author, order.reason, order.at)
        found = [*told, *self._elsewhere()]
        outcome = Outcome(revision, found, ms, order=order, waited=waits, fault=error.what, notes=tuple(notes))
        return replace(outcome, moves_nobody=moves_nobody)

    def _order(self) -> tuple[RollbackOrder | None, bool, bool]:
        """The one that waits, or a new one on the last known route; whether it waited, and whether it takes nobody back."""
        from segue.gateway.last_known import load_last_known
        from segue.gateway.orders import RollbackOrder, find_order
        from segue.store.rules import is_taken_back

        asked = self.asked
        waiting = find_order(self.state, asked.workflow, asked.environment)
        if waiting is not None:
            return waiting, True, False
        try:
            found = load_last_known(self.state / f"last-known-{asked.environment}.json").find(asked.workflow)
        except SegueError:
            found = None
        if found is None:
            return None, False, False
        route = found.route.rolled_back()
        order = RollbackOrder(author=asked.by, reason=asked.reason, at=asked.moment, after=found.revision, route=route)
        return order, False, is_taken_back(found.route)

    def _elsewhere(self) -> list[Confirmed]:
        """Gateways of other machines: by name where the store can still be read."""
        from segue.gateway.control import Confirmed

        def silent(name: str, fault: str) -> Confirmed:
            return Confirmed(name, 0.0, None, 0, fault, is_silent=True)

        store, asked = self.store, self.asked
        fault = "It hears of it once the store has it. To have it there now, run the same command on its machine."
        try:
            if store is None:
                raise StoreError("It was not opened.")
            seen = Aside(lambda: store.list_gateways(asked.environment)).wait(1.0, "Reading which gateways there are")
            return [silent(one.said.name, fault) for one in seen if one.said.host != gethostname()]
        except StoreError:
            if self._workspace is not None and "://" not in self._workspace.state.replace("sqlite://", ""):
                return []
            return [silent("elsewhere", "Which gateways other machines have is not known. Run the same command there, too.")]


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1e3
