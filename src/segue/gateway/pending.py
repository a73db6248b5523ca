"""The rollbacks of one gateway that the store does not have yet: in force at once, and written there as soon as it is there.

Which routes follow from them is `last_known`'s; what an order is, and when it is obeyed, `orders`'. Called from the keeper's
loop alone; the store is asked in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from segue.errors import SegueError
from segue.gateway.last_known import LastKnown
from segue.gateway.orders import RollbackOrder
from segue.gateway.telemetry.lines import Field, Happened


class OrderSource(Protocol):
    """Where orders wait, and where they are written. Called in threads of their own."""

    def orders(self, known: Iterable[RollbackOrder] = ()) -> list[RollbackOrder]:
        """Those that wait, `known` ones among them, without those that the store is seen to have."""
        ...

    def enact(self, order: RollbackOrder) -> None:
        """Write it into the store, once. `SegueError` where that cannot be."""
        ...


class Pending:
    """What is in force on this gateway's own word."""

    def __init__(self, source: OrderSource, report: Callable[[Happened], None]) -> None:
        self._source, self._report = source, report
        self.orders: dict[str, RollbackOrder] = {}
        """By workflow."""
        self._enacted: dict[str, RollbackOrder] = {}
        self._faults: dict[str, str] = {}

    def take(self, orders: Iterable[RollbackOrder]) -> bool:
        """Those that are new; whether any was. The first of a workflow stays."""
        before = len(self.orders)
        for order in orders:
            name = order.route.workflow
            if self._enacted.get(name) != order and name not in self.orders:
                self.orders[name] = order
                self._tell("rollback_ordered", name, order.sentence(), "warning")
        return len(self.orders) != before

    async def find(self, known: Iterable[RollbackOrder] = ()) -> list[RollbackOrder]:
        """Those that wait, wherever; `known` ones only if the store is not seen to have them."""
        return await asyncio.to_thread(self._source.orders, list(known))

    async def enact(self) -> bool:
        """Write each into the store; whether one was, so that the routes are to be read anew."""
        is_new = False
        for name, order in list(self.orders.items()):
            try:
                await asyncio.to_thread(self._source.enact, order)
            except SegueError as error:
                if self._faults.get(name) != error.what:
                    self._faults[name] = error.what
                    text = f"The rollback of '{name}' cannot be written into the store: {error.what} It is tried again."
                    self._tell("rollback_not_written", name, text, "error")
                continue
            self._faults.pop(name, None)
            is_new = True
        return is_new

    def settle(self, asked: Mapping[str, RollbackOrder], waiting: Iterable[RollbackOrder]) -> bool:
        """Of those `asked` for, the ones that do not wait are in the store, and in what was read since; whether one was."""
        left = list(waiting)
        done = {name: one for name, one in asked.items() if one not in left and self.orders.get(name) == one}
        for name, order in done.items():
            self._enacted[name] = order
            del self.orders[name]
            self._tell("rollback_written", name, f"The rollback of '{name}' is in the store.", "warning")
        return bool(done)

    def sentences(self) -> dict[str, str]:
        """Workflow → why the store's route is not served."""
        return {name: order.sentence() for name, order in self.orders.items()}

    def _tell(self, event: str, workflow: str, text: str, level: Any) -> None:
        fields: dict[str, Field] = {"workflow": workflow}
        self._report(Happened(event, text, level, fields))


def asked_order(asked: Mapping[str, Any], known: LastKnown) -> RollbackOrder | str:
    """The order that somebody gives over the socket, on the route that is known here; or what is wrong with it."""
    workflow, environment = str(asked.get("workflow")), asked.get("environment", known.environment)
    if environment != known.environment:
        return f"It serves {known.environment}."
    found = known.find(workflow)
    if found is None:
        return f"It serves no workflow '{workflow[:100]}'."
    said = {name: asked.get(name) for name in ("author", "reason", "at")}
    try:
        return RollbackOrder.model_validate({**said, "after": found.revision, "route": found.route.rolled_back()})
    except ValidationError as error:
        return f"This is no order: {error.errors(include_url=False, include_input=False)[0]['msg']}."
