"""A rollback that was ordered while the store could not be reached: kept as a file beside it until the store has it.

An order is on the revision its author saw, and names the route it asks for. It is obeyed once the store has a revision that
came after that one and takes everybody back. Nothing here talks to gateways (`control`), and nothing serves (`pending`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from pydantic import Field, ValidationError

from segue.errors import ConflictError, StoreError
from segue.model.base import Frozen
from segue.model.route import Route, RouteRevision
from segue.store.base import RouteStore

FOLDER = "orders"
TRIES = 20
"""Others may flip meanwhile; nobody does so often."""


class RollbackOrder(Frozen):
    """`route` is the one asked for: the incumbent for everyone. `after` is the revision that was known when it was given."""

    author: str = Field(min_length=1)
    reason: str
    at: str
    after: int = Field(ge=0)
    route: Route

    @property
    def ident(self) -> str:
        """What tells it from others of its workflow."""
        return f"{self.at} {self.author}"

    @property
    def key(self) -> tuple[str, str]:
        """Workflow and environment: there is one at a time."""
        return self.route.workflow, self.route.environment

    def sentence(self) -> str:
        """For whoever asks why the store's route is not served."""
        return f"A rollback that {self.author} ordered at {self.at} is in force; the store does not have it yet."


def order_of(revision: RouteRevision, *, author: str, reason: str, at: str) -> RollbackOrder:
    """Back to the incumbent of this revision."""
    return RollbackOrder(author=author, reason=reason, at=at, after=revision.revision, route=revision.route.rolled_back())


def is_back(route: Route, wanted: Route) -> bool:
    """Whether the incumbent of `wanted` serves everyone, and nobody is shadowed."""
    shares = (route.share, *(rule.share for rule in route.segments))
    return route.incumbent == wanted.incumbent and route.shadow is None and not any(shares)


def obeyed_by(order: RollbackOrder, history: Iterable[RouteRevision]) -> RouteRevision | None:
    """The revision of the store, newest first, that does what the order asks for; `None` while there is none."""
    newest = None
    for one in history:
        newest = newest or one
        if is_back(one.route, order.route) and (one.revision > order.after or one is newest):
            return one
    return None


def enact_order(store: RouteStore, order: RollbackOrder) -> RouteRevision:
    """Write it into the store, unless that was done: however many gateways have it, it becomes one revision."""
    for _ in range(TRIES):
        history = store.route_history(*order.key)
        found = obeyed_by(order, history)
        if found is not None:
            return found
        follows = history[0].revision if history else None
        with suppress(ConflictError):
            return store.flip_route(order.route, follows=follows, author=order.author, reason=order.reason, at=order.at)
    raise StoreError(
        f"The route of '{order.route.workflow}' is flipped again and again, so its rollback cannot be written down.",
        fix=f"See who does: segue route history {order.route.workflow}",
    )


def save_order(state: Path, order: RollbackOrder) -> None:
    """Keep it, synced; one that waits already stays. `StoreError` where it cannot be written."""
    path = _path(state, *order.key)
    if find_order(state, *order.key) is not None:
        return
    scratch = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(order.model_dump_json(exclude_defaults=True).encode())
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        raise StoreError(
            f"The order cannot be written to {path}: {error.strerror or type(error).__name__}.",
            fix="Make room, or let this user write there.",
        ) from error


def find_order(state: Path, workflow: str, environment: str) -> RollbackOrder | None:
    """The one that waits; `None` where there is none, or none that can be read."""
    return _read(_path(state, workflow, environment))


def list_orders(state: Path, environment: str) -> Sequence[RollbackOrder]:
    """All that wait, of one environment. Files that are no orders are passed over: routes are served without them, too."""
    found = (_read(path) for path in sorted((state / FOLDER).glob("*.json")))
    return [one for one in found if one is not None and one.route.environment == environment]


def forget_order(state: Path, order: RollbackOrder) -> None:
    """The store has it. No error where it is gone, or where another one waits there."""
    if find_order(state, *order.key) == order:
        with suppress(OSError):
            _path(state, *order.key).unlink(missing_ok=True)


def _read(path: Path) -> RollbackOrder | None:
    try:
        return RollbackOrder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _path(state: Path, workflow: str, environment: str) -> Path:
    # Names may be longer than a file's may be, and hold what a file's may not.
    return state / FOLDER / f"{sha256(f'{environment} {workflow}'.encode()).hexdigest()[:24]}.json"
