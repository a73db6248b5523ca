"""One worker: a process with one event loop that serves a port it shares with the others.

It is told two things over its pipe: to load the last known routes (and says when it serves them, or why not), and to stop. It
knows no store. When the pipe breaks it finishes what is under way and ends: a worker that hears of no flip serves the wrong
bundle one day.
"""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import select
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from segue.errors import SegueError
from segue.exchanges.spool import SpoolSettings, SpoolThread
from segue.gateway.asking import Effects
from segue.gateway.handler import Gateway
from segue.gateway.http import Deadlines, Origin, Server, Upstream
from segue.gateway.keys import KeyRing
from segue.gateway.last_known import LastKnown, load_last_known
from segue.gateway.memory import keep_memory
from segue.gateway.orders import RollbackOrder
from segue.gateway.planes import Planes
from segue.gateway.port import port_error
from segue.gateway.scheduling import ask_for_short_slices
from segue.gateway.shadow import Shadows
from segue.gateway.shadow_money import ShadowMoney, has_money_cap, learn_prices
from segue.gateway.spending import MappedSpending
from segue.gateway.target import Plane, Target
from segue.gateway.telemetry.failing import trail_of
from segue.gateway.telemetry.live import live_sums

LIVE_S = 1.0
MOST_FILES = 65_536
GC_AFTER = 20_000
"""Objects made until the collector looks at the young ones. Requests leave none behind that need it."""


@dataclass(frozen=True)
class WorkerSettings:
    """`run` names this start of the gateway: no two starts share it. Routes are loaded from `own`, if there is such a file: the
    last known ones are shared with the other gateways of the machine, of which one may be a moment behind.
    """

    number: int
    run: str
    host: str
    port: int
    last_known: Path
    spool: Path
    grace_s: float = 30.0
    passes_traces: bool = False
    own: Path | None = None


def run_worker(settings: WorkerSettings, pipe: Connection, environ: Mapping[str, str]) -> None:
    """Serve until told to stop."""
    # A terminal's Ctrl-C reaches the whole group; only the keeper acts on it, so that requests under way are finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _allow_many_files()
    try:
        import uvloop
    except ImportError:
        asyncio.run(_Worker(settings, pipe, environ).run())
    else:
        uvloop.run(_Worker(settings, pipe, environ).run())


def _allow_many_files() -> None:
    """A stream is two connections, and many systems begin with a soft limit of 1,024 files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class _Worker:
    def __init__(self, settings: WorkerSettings, pipe: Connection, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._pipe = pipe
        self._environ = environ
        self._stop = asyncio.Event()
        self._fault: str | None = None
        self._has_ended = False
        self._obeyed: dict[str, str] = {}
        self._ids = 0
        # 72 bits of a start, then a count: unique without asking the kernel for each request.
        self._own = secrets.token_urlsafe(9)
        spent = settings.last_known.stem.replace("last-known", "shadow-spending")
        self._money = ShadowMoney(MappedSpending(settings.last_known.with_name(spent)))
        self._listening = select.poll()
        self._listening.register(pipe.fileno(), select.POLLOUT)

    async def run(self) -> None:
        settings, loop = self._settings, asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.set_exception_handler(lambda _, context: self._broke(context.get("exception")))
        deadlines = Deadlines(loop.time, loop.call_later)

        def open_upstream(origin: Origin) -> Upstream:
            return Upstream(origin, deadlines=deadlines, clock=loop.time)

        self._planes = Planes(open_upstream, self._environ)
        with SpoolThread(SpoolSettings(settings.spool, f"w{settings.number}", settings.run)) as self._spool:
            # From here on, and so not for the thread that tends the spool.
            ask_for_short_slices()
            effects = Effects(time.perf_counter_ns, self._spool.append, self._breaker_moved)
            self._shadows = Shadows(effects, self._new_id, loop.call_soon, self._is_busy, self._money, self._broke)
            self._gateway = Gateway(
                plane=Plane(),
                keys=KeyRing(()),
                effects=effects,
                wall_ns=time.time_ns,
                new_id=self._new_id,
                shadows=self._shadows,
                readiness=self._readiness,
                passes_traces=settings.passes_traces,
            )
            self._load()
            server = Server(
                self._gateway,
                deadlines=deadlines,
                clock=loop.time,
                refusal_text=self._gateway.word_refusal,
                early_answer=self._gateway.answer_head,
                shortcut=self._gateway.shortcut,
                report=self._broke,
            )
            try:
                port = await server.listen(settings.host, settings.port, reuse_port=True)
            except OSError as error:
                told = port_error(settings.host, settings.port, error)
                self._say({"said": "failed", "failed": told.what, "fix": told.fix})
                return
            keep_memory(GC_AFTER)
            self._say({"said": "serving", "port": port, "pid": os.getpid(), **self._state()})
            loop.add_reader(self._pipe.fileno(), self._heard)
            self._tell_live(server)
            await self._stop.wait()
            loop.remove_reader(self._pipe.fileno())
            left = await server.stop(settings.grace_s)
            for upstream in self._planes.upstreams:
                await upstream.stop()
            deadlines.close()
            self._has_ended = True
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
            self._load(told.get("orders", {}))
            self._say({"said": "loaded", "ask": told.get("ask"), **self._state()})
        elif told.get("do") == "stop":
            self._stop.set()

    def _load(self, orders: Mapping[str, RollbackOrder] | None = None) -> None:
        """Another plane in the place of the old one, or the old one and the reason why. Keys are taken up in any case.

        `orders` are the rollbacks to obey; without them, those that are written in the file.
        """
        try:
            found = load_last_known(self._settings.own or self._settings.last_known)
            if orders is not None and found.orders != orders:
                found = found.obeying(orders)
        except SegueError as error:
            self._fault = " ".join(fault.sentence() for fault in error.faults)
            return
        self._gateway.keys = KeyRing(found.keys)
        self._gateway.plane = self._planes.build(*found.sources(), last=self._gateway.plane)
        self._obeyed = {name: one.ident for name, one in found.orders.items() if _serves(self._gateway.plane, one)}
        self._fault = None
        if has_money_cap(found):
            # The price list takes a while to load: not on the loop that answers users.
            threading.Thread(target=self._learn_prices, args=(found,), name="segue-prices", daemon=True).start()

    def _learn_prices(self, found: LastKnown) -> None:
        """What shadows cost. Until it is known, those with a cap in money are not sent."""
        self._money.price = learn_prices(found, datetime.fromtimestamp(time.time_ns() / 1e9, UTC).date())

    def _is_busy(self) -> bool:
        """Users wait for a connection: not the time to mirror anybody."""
        for upstream in self._planes.upstreams:  # noqa: SIM110 - asked for each shadow, and `any` takes three times as long
            if upstream.waiting:
                return True
        return False

    def _state(self) -> dict[str, Any]:
        plane = self._gateway.plane
        return {
            "revisions": plane.numbers(),
            "fault": self._fault,
            "refused": dict(plane.refused),
            "orders": self._obeyed,
            "breakers": self._breakers(),
        }

    def _breakers(self) -> dict[str, str]:
        """Bundle → state, of those that are not simply asked."""
        targets = (target for served in self._gateway.plane.workflows.values() for target in served.targets.values())
        return {target.digest: target.breaker.state for target in targets if target.breaker.state != "closed"}

    def _readiness(self) -> Mapping[str, Any]:
        """Ready: there is something to serve, and exchanges are kept."""
        spool, plane = self._spool.state, self._gateway.plane
        return {
            "ready": bool(plane.workflows) and spool.is_keeping,
            "revisions": plane.numbers(),
            "refused": plane.refused,
            "routes_fault": self._fault,
            "breakers": self._breakers(),
            "shadows": self._shadowed(),
            "log": {"kept": spool.kept, "not_kept": spool.not_kept, "fault": spool.fault},
        }

    def _shadowed(self) -> dict[str, Any]:
        """Workflow → how many were mirrored, and how many were not, by reason."""
        found: dict[str, Any] = {}
        mirrored = self._shadows.mirrored
        for name in self._gateway.plane.workflows:
            shed = {reason: count for (workflow, reason), count in sorted(self._shadows.shed.items()) if workflow == name}
            if shed or mirrored[name]:
                found[name] = {"mirrored": mirrored[name], "shed": shed}
        return found

    def _breaker_moved(self, target: Target) -> None:
        told = {"bundle": target.digest, "state": target.breaker.state, "breakers": self._breakers()}
        self._say({"said": "breaker", **told})

    def _tell_live(self, server: Server) -> None:
        """Once a second: what has been counted, and how it stands. Left out where the keeper does not listen."""
        if self._has_ended:
            # The loop turns on while it is shut down; the log is closed by then, which is no fault to tell of.
            return
        asyncio.get_running_loop().call_later(LIVE_S, self._tell_live, server)
        if self._listening.poll(0):
            spool = self._spool.state
            sums = live_sums(
                self._settings.number,
                connections=len(server),
                refused=self._gateway.refused,
                plane=self._gateway.plane,
                upstreams=self._planes.upstreams,
                shadows=self._shadows,
                spool=spool,
                is_ready=bool(self._readiness()["ready"]),
            )
            self._say({"said": "live", "sums": sums, "is_keeping": spool.is_keeping, "spool_fault": spool.fault})

    def _broke(self, error: BaseException | None) -> None:
        """A request, or something beside it, failed within the gateway."""
        self._say({"said": "broke", "trail": "something" if error is None else trail_of(error)})

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._own}{self._ids:010x}"

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._pipe.send({"worker": self._settings.number, **message})
        except OSError:
            return


def _serves(plane: Plane, order: RollbackOrder) -> bool:
    """Whether what an order asks for is served."""
    served = plane.workflows.get(order.route.workflow)
    return served is not None and served.revision.route == order.route
