"""The keeper of one gateway: starts its workers, brings them every flip, and says when the last of them serves it.

It reads routes through a function (from a store, or from the file it wrote last), writes the last known ones before any worker
hears of them, and answers on a socket beside the store: `sync` reads anew and answers when all workers have loaded it. Beside
that it looks once a second, so that a flip nobody told it of is served too. A worker that dies is started again.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from segue.errors import SegueError
from segue.gateway.last_known import LastKnown, save_last_known
from segue.gateway.shipping import ShippingSettings, run_shipping
from segue.gateway.worker import WorkerSettings, run_worker

POLL_S = 1.0
RESTART_S = 0.5
CONFIRM_S = 10.0
"""How long a worker may take to confirm a flip before it is said not to have."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class KeeperSettings:
    """`worker` is the pattern of all workers; `socket` is where flips are told."""

    workers: int
    worker: WorkerSettings
    socket: Path
    archive: Path
    poll_s: float = POLL_S


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    pipe: Connection
    said: dict[str, Any] = field(default_factory=dict)
    waiting: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    is_serving: asyncio.Event = field(default_factory=asyncio.Event)
    is_stopping: bool = False


class Keeper:
    """Make it, `run` it; `stop` ends it in an orderly way."""

    def __init__(
        self,
        settings: KeeperSettings,
        *,
        read: Callable[[], LastKnown],
        environ: Mapping[str, str],
        report: Report = lambda _: None,
        started: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._read = read
        self._environ = dict(environ)
        self._report = report
        self._started = started
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._shipping: tuple[BaseProcess, Connection] | None = None
        self._known: LastKnown | None = None
        self._asked = 0
        self._stop = asyncio.Event()
        self._rung = asyncio.Event()
        self._syncing = asyncio.Lock()
        self._fault: str | None = None

    def stop(self) -> None:
        """End: requests under way are finished first."""
        self._stop.set()

    def ring(self) -> None:
        """Somebody flipped a route: look now. To be called from its own loop."""
        self._rung.set()

    async def run(self) -> None:
        """Serve until `stop`. Raises the `SegueError` of the first reading where there is nothing to serve from."""
        settings = self._settings
        self._known = await asyncio.to_thread(self._read)
        save_last_known(settings.worker.last_known, self._known)
        port = settings.worker.port
        for number in range(settings.workers):
            worker = self._start(number, port)
            await asyncio.wait_for(worker.is_serving.wait(), 30.0)
            port = port or worker.said["port"]
        self._settings = replace(settings, worker=replace(settings.worker, port=port))
        settings.socket.unlink(missing_ok=True)
        self._start_shipping()
        server = await asyncio.start_unix_server(self._answer, settings.socket)
        polling = asyncio.create_task(self._poll())
        self._started(port)
        try:
            await self._stop.wait()
        finally:
            polling.cancel()
            server.close()
            settings.socket.unlink(missing_ok=True)
            await self._end()

    # workers

    def _start(self, number: int, port: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        own = replace(
            self._settings.worker, number=number, port=port, run=f"{self._settings.worker.run}-{self._asked:x}-{number}"
        )
        process = self._context.Process(target=run_worker, args=(own, theirs, self._environ), name=f"segue-gateway-{number}")
        process.start()
        theirs.close()
        self._asked += 1
        worker = _Worker(number, process, ours)
        if number < len(self._workers):
            self._workers[number] = worker
        else:
            self._workers.append(worker)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._heard, worker)
        return worker

    def _heard(self, worker: _Worker) -> None:
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(worker)
            return
        worker.said.update(said)
        if said["said"] == "serving":
            worker.is_serving.set()
        elif said["said"] == "loaded":
            waiting = worker.waiting.pop(said["ask"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said)
        elif said["said"] == "breaker":
            self._report(f"Bundle {said['bundle'][:10]} is {_BREAKER[said['state']]} (worker {worker.number}).")

    def _lost(self, worker: _Worker) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(worker.pipe.fileno())
        worker.pipe.close()
        for waiting in worker.waiting.values():
            if not waiting.done():
                waiting.cancel()
        if not worker.is_stopping and not self._stop.is_set():
            self._report(f"Worker {worker.number} ended without being asked; another takes its place.")
            loop.call_later(RESTART_S, self._restart, worker)

    def _restart(self, worker: _Worker) -> None:
        worker.process.join(0)
        if not self._stop.is_set():
            self._start(worker.number, self._settings.worker.port)

    def _start_shipping(self) -> None:
        settings = self._settings
        ours, theirs = self._context.Pipe()
        shipping = ShippingSettings(settings.worker.last_known, settings.worker.spool, settings.archive)
        process = self._context.Process(target=run_shipping, args=(shipping, theirs), name="segue-shipping")
        process.start()
        theirs.close()
        self._shipping = (process, ours)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._shipping_ended)

    def _shipping_ended(self) -> None:
        assert self._shipping is not None, "it was started"
        process, pipe = self._shipping
        loop = asyncio.get_running_loop()
        loop.remove_reader(pipe.fileno())
        pipe.close()
        process.join(0)
        self._shipping = None
        if not self._stop.is_set():
            self._report("The shipping of exchanges ended without being asked; it is started again. Nothing is lost meanwhile.")
            loop.call_later(RESTART_S, self._start_shipping)

    async def _end(self) -> None:
        await self._end_workers()
        if self._shipping is not None:
            process, pipe = self._shipping
            asyncio.get_running_loop().remove_reader(pipe.fileno())
            with suppress(OSError):
                pipe.send("stop")
            await asyncio.to_thread(process.join, self._settings.worker.grace_s)
            if process.is_alive():
                process.kill()
                process.join()

    async def _end_workers(self) -> None:
        for worker in self._workers:
            worker.is_stopping = True
            with suppress(OSError):
                worker.pipe.send({"do": "stop"})
        grace = self._settings.worker.grace_s + 5.0
        await asyncio.gather(*(asyncio.to_thread(worker.process.join, grace) for worker in self._workers))
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    # flips

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), self._settings.poll_s)
            self._rung.clear()
            try:
                await self.sync()
            except Exception as error:
                self._report(f"Looking for flips failed: {error}. It is tried again.")

    async def sync(self) -> dict[str, Any]:
        """Read the routes, and bring them to every worker if they have changed. Says what each of them serves."""
        async with self._syncing:
            began = time.perf_counter()
            assert self._known is not None, "read once before"
            found, fault = self._known, None
            try:
                found = await asyncio.to_thread(self._read)
            except SegueError as error:
                fault = error.what
            if fault != self._fault:
                self._fault = fault
                self._report(
                    f"The routes cannot be read: {fault} Serving the last known ones."
                    if fault
                    else "The routes can be read again."
                )
            if found != self._known:
                fault = await self._bring(found) or fault
            ms = (time.perf_counter() - began) * 1e3
            environment = found.environment
            return {
                "pid": os.getpid(),
                "environment": environment,
                "wanted": found.numbers(),
                "fault": fault,
                "ms": ms,
                "workers": self._serves(),
            }

    async def _bring(self, found: LastKnown) -> str | None:
        """Write new routes down and have all workers load them; what is wrong where they cannot be written."""
        try:
            save_last_known(self._settings.worker.last_known, found)
        except SegueError as error:
            self._report(error.what)
            return error.what
        self._known = found
        await asyncio.gather(*(self._load(worker) for worker in self._workers))
        return None

    async def _load(self, worker: _Worker) -> None:
        self._asked += 1
        ask, waiting = self._asked, asyncio.get_running_loop().create_future()
        worker.waiting[ask] = waiting
        with suppress(OSError, TimeoutError, asyncio.CancelledError):
            worker.pipe.send({"do": "load", "ask": ask})
            await asyncio.wait_for(waiting, CONFIRM_S)

    def _serves(self) -> list[dict[str, Any]]:
        return [
            {
                "worker": worker.number,
                "pid": worker.process.pid,
                "revisions": worker.said.get("revisions", {}),
                "fault": worker.said.get("fault") or (None if worker.process.is_alive() else "It is not running."),
            }
            for worker in self._workers
        ]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question of one caller: a line in, a line out."""
        try:
            line = await asyncio.wait_for(reader.readline(), 5.0)
            asked = json.loads(line) if line.strip() else {}
            found = await self.sync() if isinstance(asked, dict) and asked.get("do") == "sync" else {"fault": "Ask: sync."}
            writer.write(json.dumps(found).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError, SegueError):
            pass
        finally:
            writer.close()


_BREAKER = {"open": "cut off: it fails too often", "closed": "asked again", "half open": "tried"}
