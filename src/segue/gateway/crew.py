"""The processes of one gateway: its workers, and the one that ships exchanges. Starts them, tells them, starts them again.

Knows nothing of routes: workers load them from the file that the keeper wrote before it says `load`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from segue.errors import InputError, StoreError
from segue.gateway.orders import RollbackOrder
from segue.gateway.shipping import ShippingSettings, run_shipping
from segue.gateway.telemetry.board import Board
from segue.gateway.telemetry.lines import Field, Happened
from segue.gateway.telemetry.settings import TelemetrySettings
from segue.gateway.telemetry.sums import Sums
from segue.gateway.worker import WorkerSettings, run_worker
from segue.model.digest import short_id
from segue.model.serving import SHIP_WITHIN_S

RESTART_S = 0.5
BEGIN_S = 60.0
"""How long the first workers may take until they serve."""
CONFIRM_S = 10.0
"""How long a worker may take to confirm a flip before it is said not to have."""

Report = Callable[[str | Happened], None]


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    said: dict[str, Any] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[bool]] = field(default_factory=dict)
    serves: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Done when it serves; an error where it ended before."""
    is_gone: bool = False


class Crew:
    """Make it, `start` it with the pattern of all workers, `load` at each flip, `stop` it."""

    def __init__(
        self,
        workers: int,
        archive: Path,
        environ: Mapping[str, str],
        report: Report,
        telemetry: TelemetrySettings | None = None,
        board: Board | None = None,
        ship_within_s: float = SHIP_WITHIN_S,
    ) -> None:
        self._telemetry, self._board = telemetry or TelemetrySettings(), board or Board("")
        self._count, self._archive, self._environ, self._report = workers, archive, dict(environ), report
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._shipping: tuple[BaseProcess, Connection] | None = None
        self._pattern: WorkerSettings | None = None
        self._asked = 0
        self._is_begun = False
        self._is_stopping = False
        self._ship_within_s = ship_within_s

    async def start(self, pattern: WorkerSettings) -> None:
        """All workers at once, then shipping. `SegueError` with the reason as soon as one of the first ends."""
        self._pattern = pattern
        self._workers = [self._start(number) for number in range(self._count)]
        try:
            async with asyncio.timeout(BEGIN_S):
                await asyncio.gather(*(worker.serves for worker in self._workers))
        except TimeoutError:
            late = ", ".join(str(worker.number) for worker in self._workers if not worker.serves.done())
            what = f"Worker {late} does not serve {BEGIN_S:.0f} s after its start."
            raise StoreError(what, fix="See the messages above; try fewer: --workers.") from None
        self._is_begun = True
        self._start_shipping()

    async def load(self, orders: Mapping[str, RollbackOrder] | None = None) -> None:
        """Have every worker load the routes as they are in the file now, and obey `orders` in any case.

        Waits for those that are being started again.
        """
        await asyncio.gather(*(self._load(number, dict(orders or {})) for number in range(len(self._workers))))

    def said(self) -> list[dict[str, Any]]:
        """What each worker serves, as it said last."""
        return [
            {
                "worker": worker.number,
                "pid": worker.process.pid,
                "revisions": worker.said.get("revisions", {}),
                "refused": worker.said.get("refused", {}),
                "orders": worker.said.get("orders", {}),
                "breakers": worker.said.get("breakers", {}),
                "fault": worker.said.get("fault") or ("It is not running." if worker.is_gone else None),
            }
            for worker in self._workers
        ]

    async def stop(self) -> None:
        """Requests under way are finished first, then what was kept is shipped."""
        self._is_stopping = True
        grace = self._pattern.grace_s if self._pattern is not None else 0.0
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.send({"do": "stop"})
        await asyncio.gather(*(_joined(worker.process, grace + 5.0) for worker in self._workers))
        for worker in self._workers:
            self._close(worker)
        if self._shipping is not None:
            process, pipe = self._shipping
            with suppress(OSError):
                pipe.send("stop")
            # It is still listened to: nobody may wait for room in a pipe that nobody reads.
            await _joined(process, grace)
            if self._shipping is not None:
                self._shipping_ended()

    # workers

    def _start(self, number: int) -> _Worker:
        assert self._pattern is not None, "started before"
        ours, theirs = self._context.Pipe()
        own = replace(self._pattern, number=number, run=f"{self._pattern.run}-{self._asked:x}-{number}")
        process = self._context.Process(target=run_worker, args=(own, theirs, self._environ), name=f"segue-gateway-{number}")
        process.start()
        theirs.close()
        self._asked += 1
        worker = _Worker(number, process, ours)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._heard, worker)
        return worker

    def _heard(self, worker: _Worker) -> None:
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        if said["said"] == "live":
            told = self._board.worker_said(
                worker.number, said["sums"], is_keeping=said["is_keeping"], fault=said["spool_fault"]
            )
            if told is not None:
                self._report(told)
            return
        worker.said.update(said)
        if said["said"] == "serving" and not worker.serves.done():
            worker.serves.set_result(None)
            fields: dict[str, Field] = {"worker": worker.number, "pid": worker.process.pid}
            self._report(Happened("worker_serves", f"Worker {worker.number} serves.", "info", fields))
        elif said["said"] == "loaded":
            waiting = worker.waiting.pop(said["ask"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(True)
        elif said["said"] == "breaker":
            self._report(breaker_moved(worker.number, said["bundle"], said["state"]))
        elif said["said"] == "broke":
            text = f"Something failed within worker {worker.number}: {said['trail']}."
            self._report(Happened("worker_failed", text, "error", {"worker": worker.number, "trail": said["trail"]}))

    def _close(self, worker: _Worker) -> None:
        if not worker.is_gone:
            worker.is_gone = True
            asyncio.get_running_loop().remove_reader(worker.pipe.fileno())
            worker.pipe.close()

    def _lost(self, worker: _Worker) -> None:
        self._close(worker)
        for waiting in worker.waiting.values():
            if not waiting.done():
                waiting.set_result(False)
        self._board.worker_gone(worker.number, was_asked=self._is_stopping)
        if self._is_stopping:
            return
        if not self._is_begun:
            if not worker.serves.done():
                worker.serves.set_exception(self._stillborn(worker))
            return
        text = f"Worker {worker.number} ended without being asked; another takes its place."
        self._report(Happened("worker_lost", text, "error", {"worker": worker.number, "pid": worker.process.pid}))
        if said := worker.said.get("failed"):
            self._report(f"It said: {said}")
        asyncio.get_running_loop().call_later(RESTART_S, self._restart, worker)

    def _stillborn(self, worker: _Worker) -> InputError | StoreError:
        if said := worker.said.get("failed"):
            return InputError(said, fix=worker.said.get("fix", ""))
        worker.process.join(1.0)
        what = f"Worker {worker.number} ended before it served (exit code {worker.process.exitcode})."
        return StoreError(what, fix="See the message above.")

    def _restart(self, worker: _Worker) -> None:
        worker.process.join(0)
        if not self._is_stopping:
            self._workers[worker.number] = self._start(worker.number)

    async def _load(self, number: int, orders: dict[str, RollbackOrder]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_S):
                while not await self._asked_to_load(self._workers[number], orders) and not self._is_stopping:
                    # It is gone, and the loop has yet to hear of it; the one that takes its place reads the file by itself.
                    await asyncio.sleep(RESTART_S / 10)
                    while self._workers[number].is_gone and not self._is_stopping:
                        await asyncio.sleep(RESTART_S / 10)

    async def _asked_to_load(self, worker: _Worker, orders: dict[str, RollbackOrder]) -> bool:
        self._asked += 1
        ask, waiting = self._asked, asyncio.get_running_loop().create_future()
        worker.waiting[ask] = waiting
        try:
            worker.pipe.send({"do": "load", "ask": ask, "orders": orders})
            return bool(await waiting)
        except OSError:
            return False
        finally:
            worker.waiting.pop(ask, None)

    # shipping

    def _start_shipping(self) -> None:
        assert self._pattern is not None, "started before"
        ours, theirs = self._context.Pipe()
        pattern = self._pattern
        shipping = ShippingSettings(
            pattern.last_known, pattern.spool, self._archive, self._telemetry, within_s=self._ship_within_s
        )
        process = self._context.Process(target=run_shipping, args=(shipping, theirs), name="segue-shipping")
        process.start()
        theirs.close()
        self._shipping = (process, ours)
        self._board.shipping_is(up=True)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._shipping_heard)

    def _shipping_heard(self) -> None:
        assert self._shipping is not None, "it was started"
        try:
            said = self._shipping[1].recv()
        except (EOFError, OSError):
            self._shipping_ended()
            return
        if isinstance(said, Sums):
            self._board.add(said)
        elif isinstance(said, Happened):
            self._report(said)

    def _shipping_ended(self) -> None:
        assert self._shipping is not None, "it was started"
        process, pipe = self._shipping
        loop = asyncio.get_running_loop()
        loop.remove_reader(pipe.fileno())
        pipe.close()
        if not self._is_stopping:
            process.join(0)  # else it is waited for already
        self._shipping = None
        self._board.shipping_is(up=False)
        if not self._is_stopping:
            text = "The shipping of exchanges ended without being asked; it is started again. Nothing is lost meanwhile."
            self._report(Happened("shipping_lost", text, "error", {"pid": process.pid}))
            loop.call_later(RESTART_S, self._start_shipping)


async def _joined(process: BaseProcess, within_s: float) -> None:
    await asyncio.to_thread(process.join, within_s)
    if process.is_alive():
        process.kill()
        process.join()


def breaker_moved(worker: int, bundle: str, state: str) -> Happened:
    """A worker's breaker of a bundle opened or closed."""
    fields: dict[str, Field] = {"worker": worker, "bundle": short_id(bundle), "state": state}
    text = f"Bundle {short_id(bundle)} is {_BREAKER[state]} (worker {worker})."
    return Happened(f"breaker_{state.replace(' ', '_')}", text, "warning", fields)


_BREAKER = {"open": "cut off: it fails too often", "closed": "asked again", "half open": "tried"}
