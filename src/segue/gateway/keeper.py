"""The keeper of one gateway: reads routes, brings every flip to its workers, and says when the last of them serves it.

It reads routes from a source (a store and a workspace), makes sure that they can be served, and writes them down as the last
known ones before any worker hears of them; a workflow whose newest route cannot be served keeps the one before. It is asked on
a socket beside the store (`control_socket`): `sync` reads anew and answers when all workers have loaded it. Beside that it
looks once a second, so that a flip nobody told it of is served too. `roll_back` asks for no store: what it puts in force stands
until the store has it, too (`pending`). The processes are the `crew`'s.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from socket import gethostname
from typing import Any, Protocol

from segue.errors import InputError, SegueError
from segue.exchanges.segment import let_others_run
from segue.gateway.control_socket import open_control_socket
from segue.gateway.crew import Crew, Report
from segue.gateway.http import Deadlines, Origin, Upstream
from segue.gateway.keys import KeyRing
from segue.gateway.last_known import LastKnown, load_last_known, save_last_known, settle
from segue.gateway.orders import RollbackOrder
from segue.gateway.pending import OrderSource, Pending, asked_order
from segue.gateway.planes import Planes
from segue.gateway.port import hold_port
from segue.gateway.presence import Presence, Registry, slowest
from segue.gateway.refused_routes import refusals_told
from segue.gateway.target import Plane
from segue.gateway.telemetry.board import Board
from segue.gateway.telemetry.failing import trail_of
from segue.gateway.telemetry.lines import Field, Happened
from segue.gateway.telemetry.settings import TelemetrySettings
from segue.gateway.worker import WorkerSettings
from segue.model.serving import SHIP_WITHIN_S
from segue.store.gateways import GatewaySaid

POLL_S = 1.0
_Looked = tuple[list[RollbackOrder], LastKnown | None, str | None]
"""The orders that wait, the routes, and what is wrong where they cannot be read."""


@dataclass(frozen=True)
class KeeperSettings:
    """`name` is of this start of the gateway; `worker` is the pattern of all workers; `socket` is where flips are told."""

    name: str
    workers: int
    worker: WorkerSettings
    socket: Path
    archive: Path
    poll_s: float = POLL_S
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    ship_within_s: float = SHIP_WITHIN_S


@dataclass(frozen=True)
class Started:
    """What a gateway serves once it does: workflow → revision, and the workflows whose newest route it cannot serve."""

    port: int
    revisions: Mapping[str, int]
    refused: Mapping[str, str]
    metrics_port: int | None = None


class RouteSource(Registry, OrderSource, Protocol):
    """Where routes come from, and where it is said which are served. Called in threads of their own."""

    def read(self) -> LastKnown:
        """The routes as they are now. `SegueError` where they cannot be read."""
        ...

    def again(self, known: LastKnown) -> LastKnown:
        """What was written down at an earlier start, as it holds for this one."""
        ...


class Keeper:
    """Make it, `run` it; `stop` ends it in an orderly way."""

    def __init__(
        self,
        settings: KeeperSettings,
        *,
        source: RouteSource,
        environ: Mapping[str, str],
        report: Report = lambda _: None,
        started: Callable[[Started], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._planes = Planes(_open_nothing, environ)
        self._report = report
        self._started = started
        self._board = Board(version("segue-ai"))
        self._crew = Crew(
            settings.workers, settings.archive, environ, report, settings.telemetry, self._board, settings.ship_within_s
        )
        self._read: LastKnown | None = None
        """As the source gave it last."""
        self._known: LastKnown | None = None
        """As it is served: what was read, but for what cannot be served."""
        self._refused: Mapping[str, str] = {}
        self._wanted: Mapping[str, int] = {}
        """Workflow → revision: what every worker is to serve."""
        self._own: Path | None = settings.socket.with_suffix(".json")
        """What its workers load; none where it cannot be written."""
        self._pending = Pending(source, report)
        self._is_unwritten = False
        """The last known routes could not be written, and are served all the same."""
        self._presence = Presence(source, self._said)
        self._fault: str | None = None
        self._stop = asyncio.Event()
        self._rung = asyncio.Event()
        self._rung_for: dict[str, int] | None = {}
        """The revisions that a bell told of; none where it told of nothing in particular."""
        self._syncing = asyncio.Lock()
        """One reads at a time."""
        self._begun = self._looked = 0
        """Looks at the routes, counted: the last one begun, and the last one that was brought to the workers."""
        self._bringing = asyncio.Lock()
        """One changes what is served: never held while the store is asked, for a rollback does not wait for that."""

    def stop(self) -> None:
        """End: requests under way are finished first."""
        self._stop.set()

    def ring(self, told: Mapping[str, int] | None = None) -> None:
        """Somebody flipped a route, to this revision if that is known: look now. To be called from its own loop."""
        if told is None or self._rung_for is None:
            self._rung_for = None
        else:
            self._rung_for.update(told)
        self._rung.set()

    async def run(self) -> None:
        """Serve until `stop`. `SegueError` where there is nothing to serve, nowhere to listen, or a worker cannot begin."""
        async with AsyncExitStack() as stack:
            await self._run(await self._serve_metrics(stack))

    async def _serve_metrics(self, stack: AsyncExitStack) -> int | None:
        """Where they are asked for; the port."""
        if self._settings.telemetry.metrics is None:
            return None
        from segue.gateway.telemetry.listener import MetricsListener

        listener = MetricsListener(self._board.snapshot, lambda: KeyRing(() if self._known is None else self._known.keys))
        port = await listener.listen(*self._settings.telemetry.metrics)
        stack.push_async_callback(listener.stop)
        return port

    async def _run(self, metrics_port: int | None) -> None:
        settings = self._settings
        with ExitStack() as held:
            # Held for as long as it serves: a port with one worker is free for a moment when that is started again.
            port = held.enter_context(hold_port(settings.worker.host, settings.worker.port))
            plane = await self._begin()
            await self._presence.begin(late=self.ring)
            telling = asyncio.create_task(self._presence.run())
            try:
                await self._crew.start(replace(settings.worker, port=port, own=self._own))
            except BaseException:
                telling.cancel()
                await self._presence.leave()
                await self._crew.stop()
                raise
            await self._serve(Started(port, plane.numbers(), plane.refused, metrics_port), telling, held)

    async def _serve(self, found: Started, telling: asyncio.Task[None], held: ExitStack) -> None:
        """Bring flips until told to stop."""
        settings = self._settings
        settings.socket.unlink(missing_ok=True)
        server = await open_control_socket(settings.socket, self)
        polling, writing = asyncio.create_task(self._poll()), asyncio.create_task(self._write_orders())
        self._presence.moved()
        self._started(found)
        try:
            await self._stop.wait()
        finally:
            held.close()
            polling.cancel()
            writing.cancel()
            telling.cancel()
            server.close()
            await self._presence.leave()
            settings.socket.unlink(missing_ok=True)
            await self._crew.stop()
            if self._own is not None:
                self._own.unlink(missing_ok=True)

    async def _begin(self) -> Plane:
        """What to serve at first: as it is now, or as it was known last. Written down, unless nothing of it can be served."""
        path = self._settings.worker.last_known
        before: LastKnown | None = None
        with suppress(SegueError):
            before = await asyncio.to_thread(self._source.again, load_last_known(path))
        try:
            self._read = found = await asyncio.to_thread(self._source.read)
        except SegueError as error:
            if before is None:
                raise
            self._fault, found = error.what, before
            text = f"The routes cannot be read: {error.what} Serving the last known routes, of {_when(path)}."
            self._report(Happened("routes_unreadable", text, "error"))
        self._pending.take(await self._pending.find(() if before is None else before.orders.values()))
        known, plane = self._settled(found.obeying(self._pending.orders, before), before)
        if plane.refused and not plane.workflows:
            reasons = " ".join(plane.refused.values())
            fix = "Mend one of them, and start the gateway again."
            raise InputError(f"None of the workflows can be served. {reasons}", fix=fix)
        save_last_known(path, known)
        try:
            self._write_own(known)
        except SegueError:
            # A full disk: the last known routes are there, and need no room.
            self._own = None
        self._known, self._refused, self._wanted = known, plane.refused, plane.numbers()
        return plane

    def _settled(self, found: LastKnown, before: LastKnown | None) -> tuple[LastKnown, Plane]:
        """What can be served of it, tried here so that nothing else is ever written down or told to a worker."""
        plane = self._planes.build(*found.sources())
        if not plane.refused:
            return found, plane
        known = settle(found, before, plane.refused)
        return known, self._planes.build(*known.sources())

    # flips

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), self._settings.poll_s)
            self._rung.clear()
            told, self._rung_for = self._rung_for, {}
            try:
                await self.sync(told)
            except Exception as error:
                text = f"Looking for flips failed: {error}. It is tried again."
                self._report(Happened("routes_unreadable", text, "error", {"trail": trail_of(error)}))

    async def _write_orders(self) -> None:
        """Rollbacks that the store does not have: written as soon as it takes them."""
        while True:
            await asyncio.sleep(self._settings.poll_s)
            try:
                if await self._pending.enact():
                    self.ring()
            except Exception as error:
                text = f"Writing a rollback into the store failed: {error}. It is tried again."
                self._report(Happened("rollback_not_written", text, "error", {"trail": trail_of(error)}))

    async def sync(self, wanted: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Read the routes, and bring them to every worker if they have changed. Says what each of them serves.

        Nothing is read anew where a look that was begun after this was asked is done by then, or one that found the `wanted`
        revisions: whoever makes a flip and the bell that tells of it ask for the same.
        """
        before = self._begun
        async with self._syncing:
            began = time.perf_counter()
            assert self._known is not None, "known since the start"
            asked = dict(self._pending.orders)
            looked: _Looked = [], None, self._fault
            if self._looked <= before and not (wanted and self._has_read(wanted)):
                self._begun += 1
                looked = await asyncio.to_thread(self._look, list(asked.values()))
            waiting, found, fault = looked
            if fault != self._fault:
                self._fault = fault
                told = f"The routes cannot be read: {fault} Serving the last known ones."
                unreadable = Happened("routes_unreadable", told, "error")
                self._report(unreadable if fault else Happened("routes_readable", "The routes can be read again.", "warning"))
            async with self._bringing:
                is_ordered = self._pending.take(waiting)
                if found is not None:
                    is_ordered = self._pending.settle(asked, waiting) or is_ordered
                if (found is not None and found != self._read) or is_ordered or self._is_unwritten:
                    fault = await self._bring(found or self._read or self._known) or fault
                elif any((one["revisions"], one["orders"]) != self._expected() for one in self._crew.said()):
                    await self._crew.load(self._pending.orders)
                    self._presence.moved()
            self._looked = self._begun
            return self._answered(began, fault)

    def _look(self, known: list[RollbackOrder]) -> _Looked:
        """In a thread, and all of it in one."""
        # A look takes a millisecond or two, each second, and a worker on this core has users.
        let_others_run()
        # Before the routes are read: what the store is seen to have by then is in them.
        waiting = self._source.orders(known)
        try:
            return waiting, self._source.read(), None
        except SegueError as error:
            return waiting, None, error.what

    def _has_read(self, wanted: Mapping[str, int]) -> bool:
        """Whether the last look found these revisions, or later ones, and nothing stands in their way."""
        if self._read is None or self._fault is not None or self._pending.orders:
            return False
        numbers = self._read.numbers()
        return all(numbers.get(name, 0) >= revision for name, revision in wanted.items())

    async def roll_back(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The incumbent for everyone, now, whatever the store says or does not say."""
        began = time.perf_counter()
        assert self._known is not None, "known since the start"
        async with self._bringing:
            order = asked_order(asked, self._known)
            if isinstance(order, str):
                return self._answered(began, order)
            self._pending.take([order])
            await self._bring(self._read or self._known)
            return self._answered(began, self._refused.get(order.route.workflow))

    def _expected(self) -> tuple[Mapping[str, int], dict[str, str]]:
        """What every worker is to say that it serves."""
        return self._wanted, {name: order.ident for name, order in self._pending.orders.items() if name not in self._refused}

    def _answered(self, began: float, fault: str | None) -> dict[str, Any]:
        """To whoever asked over the socket."""
        assert self._known is not None, "known since the start"
        return {
            "name": self._settings.name,
            "pid": os.getpid(),
            "environment": self._known.environment,
            "wanted": {} if self._read is None else self._read.numbers(),
            "fault": fault,
            "ms": (time.perf_counter() - began) * 1e3,
            "workers": self._crew.said(),
            "orders": {name: order.ident for name, order in self._pending.orders.items()},
            "pending": self._pending.sentences(),
        }

    async def _bring(self, found: LastKnown) -> str | None:
        """Write new routes down and have all workers load them; what is wrong where they cannot be written.

        Rollbacks reach the workers without a file: a disk that is full keeps nobody on the candidate.
        """
        known, plane = self._settled(found.obeying(self._pending.orders, self._known), self._known)
        try:
            save_last_known(self._settings.worker.last_known, known)
            self._write_own(known)
            self._is_unwritten = False
        except SegueError as error:
            if not self._is_unwritten:
                self._report(Happened("routes_not_written", error.what, "error"))
            if not self._pending.orders:
                return error.what
            self._is_unwritten = True
        before, self._read, self._known = self._known.numbers() if self._known else {}, found, known
        self._wanted = plane.numbers()
        for told in refusals_told(self._refused, plane):
            self._report(told)
        self._refused = plane.refused
        await self._crew.load(self._pending.orders)
        self._presence.moved()
        for workflow, revision in sorted(plane.numbers().items() - before.items()):
            fields: dict[str, Field] = {"workflow": workflow, "revision": revision}
            self._report(Happened("route_loaded", f"Revision {revision} of '{workflow}' is served.", "info", fields))
        return None

    def _write_own(self, known: LastKnown) -> None:
        if self._own is not None:
            save_last_known(self._own, known, is_synced=False)

    def _said(self) -> GatewaySaid:
        """What whoever flips a route elsewhere has to know."""
        assert self._known is not None, "known since the start"
        workers = self._crew.said()
        cut_off = Counter(bundle for one in workers for bundle, state in one["breakers"].items() if state != "closed")
        return GatewaySaid(
            name=self._settings.name,
            environment=self._known.environment,
            host=gethostname(),
            pid=os.getpid(),
            workers=len(workers),
            read={} if self._read is None else self._read.numbers(),
            revisions=slowest(workers),
            refused={**self._refused, **self._pending.sentences()},
            breakers=dict(sorted(cut_off.items())),
        )


def _open_nothing(place: Origin) -> Upstream:
    """The keeper calls nobody: it only sees whether a plane can be built."""
    loop = asyncio.get_running_loop()
    return Upstream(place, deadlines=Deadlines(loop.time, loop.call_later), clock=loop.time)


def _when(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
