"""One worker: a process with one event loop that serves a port it shares with the others.

It is told two things over its pipe: to load the last known routes (and says when it serves them, or why not), and to stop. It
knows no store. When the pipe breaks it finishes what is under way and ends: a worker that hears of no flip serves the wrong
bundle one day.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from segue.errors import SegueError
from segue.exchanges.record import ServedExchange
from segue.exchanges.spool import SpoolSettings, SpoolThread
from segue.gateway.asking import Effects
from segue.gateway.handler import Gateway
from segue.gateway.http import Deadlines, Origin, Server, Upstream
from segue.gateway.keys import KeyRing
from segue.gateway.last_known import load_last_known
from segue.gateway.planes import Planes
from segue.gateway.shadow import Shadows
from segue.gateway.target import Plane, Target

GC_AFTER = 20_000
"""Objects made until the collector looks at the young ones. Requests leave none behind that need it."""


@dataclass(frozen=True)
class WorkerSettings:
    """`run` names this start of the gateway: no two starts share it."""

    number: int
    run: str
    host: str
    port: int
    last_known: Path
    spool: Path
    grace_s: float = 30.0


def run_worker(settings: WorkerSettings, pipe: Connection, environ: Mapping[str, str]) -> None:
    """Serve until told to stop."""
    # A terminal's Ctrl-C reaches the whole group; only the keeper acts on it, so that requests under way are finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import uvloop
    except ImportError:
        asyncio.run(_Worker(settings, pipe, environ).run())
    else:
        uvloop.run(_Worker(settings, pipe, environ).run())


class _Worker:
    def __init__(self, settings: WorkerSettings, pipe: Connection, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._pipe = pipe
        self._environ = environ
        self._stop = asyncio.Event()
        self._numbers: dict[str, int] = {}
        self._fault: str | None = None
        self._ids = 0
        # 72 bits of a start, then a count: unique without asking the kernel for each request.
        self._own = secrets.token_urlsafe(9)

    async def run(self) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        deadlines = Deadlines(loop.time, loop.call_later)

        def open_upstream(origin: Origin) -> Upstream:
            return Upstream(origin, deadlines=deadlines, clock=loop.time)

        self._planes = Planes(open_upstream, self._environ)
        with SpoolThread(SpoolSettings(settings.spool, f"w{settings.number}", settings.run)) as self._spool:
            effects = Effects(time.perf_counter_ns, self._keep, self._breaker_moved)
            self._gateway = Gateway(
                plane=Plane(),
                keys=KeyRing(()),
                effects=effects,
                wall_ns=time.time_ns,
                new_id=self._new_id,
                shadows=Shadows(effects, self._new_id, self._is_busy),
                readiness=self._readiness,
            )
            self._load()
            server = Server(self._gateway, deadlines=deadlines, clock=loop.time)
            port = await server.listen(settings.host, settings.port, reuse_port=True)
            # What is there now stays: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(GC_AFTER)
            self._say({"said": "serving", "port": port, "pid": os.getpid(), **self._state()})
            loop.add_reader(self._pipe.fileno(), self._heard)
            await self._stop.wait()
            loop.remove_reader(self._pipe.fileno())
            left = await server.stop(settings.grace_s)
            for upstream in self._planes.upstreams:
                await upstream.stop()
            deadlines.close()
            self._say({"said": "stopped", "cut_off": left})

    def _heard(self) -> None:
        """What the keeper says."""
        try:
            told = self._pipe.recv()
        except (EOFError, OSError):
            # The keeper is gone, and nobody tells of flips any more: what is under way is finished, nothing else is taken.
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._stop.set()
            return
        if told.get("do") == "load":
            self._load()
            self._say({"said": "loaded", "ask": told.get("ask"), **self._state()})
        elif told.get("do") == "stop":
            self._stop.set()

    def _load(self) -> None:
        """Another plane in the place of the old one, or the old one and the reason why."""
        try:
            found = load_last_known(self._settings.last_known)
            plane = self._planes.build(found.sources())
        except SegueError as error:
            self._fault = " ".join(fault.sentence() for fault in error.faults)
            return
        self._gateway.plane, self._gateway.keys = plane, KeyRing(found.keys)
        self._numbers, self._fault = found.numbers(), None

    def _is_busy(self) -> bool:
        """Users wait for a connection: not the time to mirror anybody."""
        return any(upstream.waiting for upstream in self._planes.upstreams)

    def _state(self) -> dict[str, Any]:
        return {"revisions": self._numbers, "fault": self._fault}

    def _readiness(self) -> Mapping[str, Any]:
        """Ready: there is something to serve, and exchanges are kept."""
        spool = self._spool.state
        return {
            "ready": bool(self._numbers) and spool.is_keeping,
            "revisions": self._numbers,
            "routes_fault": self._fault,
            "log": {"kept": spool.kept, "not_kept": spool.not_kept, "fault": spool.fault},
        }

    def _keep(self, record: ServedExchange, request: bytes, response: bytes) -> int | None:
        return self._spool.append(record, request, response)

    def _breaker_moved(self, target: Target) -> None:
        self._say({"said": "breaker", "bundle": target.digest, "state": target.breaker.state})

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._own}{self._ids:010x}"

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._pipe.send({"worker": self._settings.number, **message})
        except OSError:
            return
