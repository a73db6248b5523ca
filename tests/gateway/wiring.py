"""A gateway on loopback, in the test's own loop: real connections, stand-ins as providers, a list as the log."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from segue.exchanges.outcome import Outcome, Told
from segue.exchanges.record import ServedExchange
from segue.gateway.asking import Effects
from segue.gateway.handler import Gateway
from segue.gateway.http import Deadlines, Server, ServerLimits, Upstream
from segue.gateway.keys import KeyRing, hash_key, make_key
from segue.gateway.planes import Planes, Sources
from segue.gateway.shadow import Shadows
from segue.gateway.target import Target
from segue.model import Bundle, ModelRef, Parameters, Prompt
from segue.model.route import Route, RouteRevision
from segue.model.serving import GatewayKey, Serving
from segue.providers.config import ProviderConfig, parse_provider
from segue.standin.server import StandIn
from segue.standin.settings import StandInSettings

KEY = make_key(bytes(range(32)))
PIN_KEY = make_key(bytes(range(7, 39)))
KEYS = [
    GatewayKey(name="app", hash=hash_key(KEY), workflows=("mail",)),
    GatewayKey(name="debug", hash=hash_key(PIN_KEY), permissions=("call", "pin")),
]


@dataclass(frozen=True)
class Kept:
    """An exchange as the log got it."""

    record: ServedExchange
    request: bytes
    response: bytes


class SkippedClock:
    """The loop's time, and what a test has skipped of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.skipped_s = 0.0
        self.deadlines = Deadlines(self, loop.call_later, every_s=0.05)

    def __call__(self) -> float:
        return self._loop.time() + self.skipped_s


@dataclass
class Wired:
    """A gateway that serves, with what a test wants to see of it."""

    origin: str
    gateway: Gateway
    planes: Planes
    sources: Sources
    stand_ins: dict[str, StandIn]
    shadows: Shadows
    log: list[Kept] = field(default_factory=list)
    moved: list[Target] = field(default_factory=list)
    feedback: list[Told] = field(default_factory=list)
    is_full: bool = False
    """Set it, and the log keeps nothing any more."""
    clock: SkippedClock = field(init=False, repr=False)
    server: Server = field(init=False, repr=False)

    def pass_time(self, seconds: float) -> None:
        """Skip, and let what is due by then expire: of clients and of providers, not of breakers."""
        self.clock.skipped_s += seconds
        self.clock.deadlines.sweep()

    async def kept(self, count: int) -> list[Kept]:
        """The log, once it holds so many exchanges: what no client waits for comes when it comes."""
        async with asyncio.timeout(10):
            while len(self.log) < count:
                await asyncio.sleep(0)
        return self.log

    def flip(self, route: Route) -> None:
        """Another route, as the gateway gets it: a new plane in the place of the old."""
        last = self.sources.revisions[0]
        revision = RouteRevision(last.revision + 1, route, "ada", "test", "t")
        self.sources = Sources((revision,), self.sources.bundles, self.sources.providers, self.sources.servings)
        self.gateway.plane = self.planes.build(self.sources)


def a_bundle(label: str, dialect: str = "openai", **given: Any) -> Bundle:
    """A bundle whose provider is the stand-in of that name."""
    prompt = Prompt(system=given.pop("system", f"You are {label}."), template=given.pop("template", ""))
    return Bundle(
        workflow="mail",
        model=ModelRef(provider=label, snapshot=f"{label}-1"),
        prompt=prompt,
        **{"parameters": Parameters(max_output_tokens=500), **given},
    )


@asynccontextmanager
async def a_gateway(
    stand_ins: dict[str, StandInSettings],
    *,
    serving: Serving | None = None,
    timeout_s: float = 30.0,
    entries: Mapping[str, dict[str, Any]] | None = None,
    parts: Mapping[str, dict[str, Any]] | None = None,
    limits: ServerLimits | None = None,
    **route: Any,
) -> AsyncIterator[tuple[Wired, dict[str, Bundle]]]:
    """A gateway before these stand-ins. The first is the incumbent's provider; the route names the others.

    `entries` is what else a provider's entry says, `parts` what else a bundle is made of, by their names.
    """
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        providers: dict[str, ProviderConfig] = {}
        running: dict[str, StandIn] = {}
        bundles: dict[str, Bundle] = {}
        for name, settings in stand_ins.items():
            running[name] = StandIn(settings)
            base_url = await stack.enter_async_context(running[name])
            entry = {"type": settings.dialect, "base_url": base_url, "timeout_s": timeout_s, "connect_timeout_s": 5}
            providers[name] = parse_provider(name, {**entry, **(entries or {}).get(name, {})})
            bundles[name] = a_bundle(name, **(parts or {}).get(name, {}))
        labels = list(bundles)
        told = {
            key: bundles[value].digest if value in bundles else value for key, value in route.items() if isinstance(value, str)
        }
        body = {"workflow": "mail", "incumbent": bundles[labels[0]].digest, **route, **told}
        first = RouteRevision(1, Route.model_validate(body), "ada", "first", "t")
        by_digest = {one.digest: one for one in bundles.values()}
        sources = Sources((first,), by_digest, providers, {"mail": serving} if serving else {})
        clock = SkippedClock(loop)
        stack.callback(clock.deadlines.close)
        planes = Planes(lambda origin: Upstream(origin, deadlines=clock.deadlines, clock=clock), {})
        ids = itertools.count(1)
        log: list[Kept] = []
        moved: list[Target] = []
        feedback: list[Told] = []

        def keep(record: ServedExchange | Outcome, request: bytes, response: bytes) -> int | None:
            if wired.is_full:
                return None
            if isinstance(record, Outcome):
                feedback.append(Told(record, request))
                return len(feedback)
            log.append(Kept(record, request, response))
            return len(log)

        effects = Effects(time.perf_counter_ns, keep, moved.append)

        def new_id() -> str:
            return f"x{next(ids)}"

        shadows = Shadows(effects, new_id, loop.call_soon)
        gateway = Gateway(
            plane=planes.build(sources),
            keys=KeyRing(KEYS),
            effects=effects,
            wall_ns=lambda: 1_800_000_000_000_000_000,
            new_id=new_id,
            shadows=shadows,
            readiness=lambda: {"ready": True},
        )
        server = Server(
            gateway,
            deadlines=clock.deadlines,
            clock=clock,
            limits=limits,
            refusal_text=gateway.word_refusal,
            early_answer=gateway.answer_head,
            shortcut=gateway.shortcut,
        )
        port = await server.listen()
        try:
            origin = f"http://127.0.0.1:{port}"
            wired = Wired(origin, gateway, planes, sources, running, shadows, log, moved, feedback)
            wired.clock, wired.server = clock, server
            yield wired, bundles
        finally:
            await server.stop(1.0)
            for upstream in planes.upstreams:
                await upstream.stop()
