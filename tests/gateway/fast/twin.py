"""A gateway between pretend wires, with the fast path or without it, and all that can be seen of it from outside.

Two that are told the same must look the same after every step. Nothing is asynchronous here: connections to providers are
opened by hand, time is told, and an id is the number of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segue.exchanges.outcome import Outcome
from segue.exchanges.record import ServedExchange
from segue.gateway.asking import Effects
from segue.gateway.fast_call import FastCall
from segue.gateway.handler import Gateway
from segue.gateway.http import Call, ClientConnection, Deadlines, FailureKind, KnownHead, Origin, Server, Upstream
from segue.gateway.http.upstream_connection import UpstreamConnection
from segue.gateway.keys import KeyRing, hash_key, make_key
from segue.gateway.planes import Planes, Sources
from segue.gateway.shadow import Shadows
from segue.model import Bundle, ModelRef, Parameters, Prompt
from segue.model.route import Route, RouteRevision
from segue.model.serving import GatewayKey, Serving
from segue.providers.config import parse_provider
from tests.gateway.http.wire import ManualClock, Nothing, Wire

KEY, OTHER_KEY = make_key(bytes(range(32))), make_key(bytes(range(7, 39)))
ALL_KEYS = (
    GatewayKey(name="app", hash=hash_key(KEY), workflows=("mail",)),
    GatewayKey(name="debug", hash=hash_key(OTHER_KEY), permissions=("call", "pin")),
)


class InOrder(dict[Any, None]):
    """A set that is gone through in the order in which it was filled, so that two of them are gone through alike."""

    def add(self, one: Any) -> None:
        """One more."""
        self[one] = None

    def discard(self, one: Any) -> None:
        """One less, if it is there."""
        self.pop(one, None)


class ByHand(Upstream):
    """Connections to it are opened, or not, when the test says so."""

    wires: list[Wire]
    dialled: list[tuple[ByHand, Call]]

    def _dial(self, call: Call) -> None:
        self.dialled.append((self, call))

    def connected(self, call: Call) -> None:
        """What `Upstream` does when a connection is open."""
        wire = Wire(UpstreamConnection(self))
        self.wires.append(wire)
        connection = wire.protocol
        assert isinstance(connection, UpstreamConnection)
        self._deadlines.forget(call)
        if call.is_cancelled:
            connection.deadline = self.clock() + self.limits.idle_s
            self.released(connection)
        else:
            connection.start(call)

    def refused(self, call: Call) -> None:
        """And when it was not."""
        if not call.is_cancelled:
            self._fail(call, FailureKind.REFUSED, "The connection was refused.")


def a_bundle(label: str, provider: str = "one", **given: Any) -> Bundle:
    """A bundle of the workflow."""
    return Bundle(
        workflow="mail",
        model=ModelRef(provider=provider, snapshot=f"{label}-1"),
        prompt=Prompt(system=given.pop("system", f"You are {label}.")),
        parameters=Parameters(max_output_tokens=500),
        **given,
    )


INCUMBENT, CANDIDATE = a_bundle("incumbent"), a_bundle("candidate", "two")
SILENT = a_bundle("silent", system="")
ASKS = Bundle(
    workflow="mail",
    model=ModelRef(provider="one", snapshot="asks-1"),
    prompt=Prompt(system="You speak {{language}}."),
    parameters=Parameters(max_output_tokens=500),
)
CLAUDE, NEXT_CLAUDE = a_bundle("claude", "three"), a_bundle("claude-next", "five")
OLDER, NEXT_OLDER = a_bundle("older", "four"), a_bundle("older-next", "six")
LOOKS = a_bundle("looks", "two", tools=({"name": "look", "parameters": {"type": "object"}},))
ACTS = CANDIDATE.model_copy(update={"parameters": Parameters(max_output_tokens=500, extra={"mcp_servers": ["there"]})})
BUNDLES = {one.digest: one for one in (INCUMBENT, CANDIDATE, SILENT, ASKS, CLAUDE, NEXT_CLAUDE, OLDER, NEXT_OLDER, LOOKS, ACTS)}
PROVIDERS = {
    "one": parse_provider("one", {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "timeout_s": 30}),
    "two": parse_provider(
        "two", {"type": "openai", "base_url": "http://127.0.0.1:2/v1", "timeout_s": 30, "stream_usage": False}
    ),
    "three": parse_provider("three", {"type": "anthropic", "base_url": "http://127.0.0.1:3", "timeout_s": 30}),
    "five": parse_provider("five", {"type": "anthropic", "base_url": "http://127.0.0.1:5", "timeout_s": 30}),
    "six": parse_provider("six", {"type": "openai", "base_url": "http://127.0.0.1:6/v1", "timeout_s": 30, "api": "responses"}),
    "four": parse_provider(
        "four", {"type": "openai", "base_url": "http://127.0.0.1:2/v1", "timeout_s": 30, "api": "responses"}
    ),
}


class _Counted:
    """The fast path, and how often it was taken."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._path = twin.gateway.shortcut

    def expects(self, head: KnownHead) -> bool:
        return self._path.expects(head)

    def __call__(self, head: KnownHead, body: bytes, connection: ClientConnection) -> FastCall | None:
        found = self._path(head, body, connection)
        self._twin.taken += found is not None
        return found


class Twin:
    """One of the two."""

    def __init__(self, *, is_fast: bool, serving: Serving | None = None) -> None:
        self.clock = ManualClock()
        self.deadlines = Deadlines(self.clock.time, lambda _delay, _wake: Nothing())
        self.deadlines._watched = InOrder()  # type: ignore[assignment]
        self.step = 0
        self.clients: list[Wire] = []
        self.wires: list[Wire] = []
        self.dialled: list[tuple[ByHand, Call]] = []
        self.log: list[tuple[Any, bytes, bytes]] = []
        self.moved: list[tuple[str, str]] = []
        self.faults: list[BaseException] = []
        self.taken = 0
        self.serving = serving or Serving()
        self.planes = Planes(self._open, {})
        effects = Effects(
            lambda: int(self.clock.now * 1e9),
            self._keep,
            lambda target: self.moved.append((target.digest, target.breaker.state)),
        )
        self.put_off: list[Callable[[], None]] = []
        self.shadows = Shadows(
            effects, lambda: f"s{self.step:021x}", lambda ask: self.put_off.append(ask), report=self.faults.append
        )
        self.revision = 0
        self.gateway = Gateway(
            plane=self.planes.build(self._sources({"incumbent": INCUMBENT.digest})),
            keys=KeyRing(ALL_KEYS),
            effects=effects,
            wall_ns=lambda: 1_800_000_000_000_000_000 + int(self.clock.now * 1e9),
            new_id=self._new_id,
            shadows=self.shadows,
            readiness=lambda: {"ready": True},
        )
        self.server = Server(
            self.gateway,
            deadlines=self.deadlines,
            clock=self.clock.time,
            refusal_text=self.gateway.word_refusal,
            early_answer=self.gateway.answer_head,
            shortcut=_Counted(self) if is_fast else None,
            report=self.faults.append,
        )

    # what happens to it

    def open_client(self) -> None:
        """One more client connects."""
        self.clients.append(Wire(self.server.connect()))

    def flip(self, route: dict[str, Any]) -> None:
        """Another route."""
        self.gateway.plane = self.planes.build(self._sources(route), last=self.gateway.plane)

    def set_keys(self, *keys: GatewayKey) -> None:
        """Other keys."""
        self.gateway.keys = KeyRing(keys)

    def turn(self) -> None:
        """The event loop comes round to what was put off."""
        put_off, self.put_off = self.put_off, []
        for ask in put_off:
            ask()

    def pass_time(self, seconds: float) -> None:
        """Later."""
        self.clock.now += seconds
        self.deadlines.sweep()

    def dial(self, number: int, *, works: bool) -> None:
        """A connection that was to be opened is, or is refused."""
        if self.dialled:
            upstream, call = self.dialled.pop(number % len(self.dialled))
            (upstream.connected if works else upstream.refused)(call)

    def stop(self) -> None:
        """What the server does first when it is to end."""
        self.server.is_stopping = True
        for client in self.clients:
            if not client.is_closed:
                connection = client.protocol
                assert isinstance(connection, ClientConnection)
                connection.stop()

    # what is seen of it

    def looks(self) -> dict[str, Any]:
        """All that the outside can see, and what is counted."""
        targets = {
            digest: target for served in self.gateway.plane.workflows.values() for digest, target in served.targets.items()
        }
        return {
            "clients": [_seen(wire) for wire in self.clients],
            "wires": [_seen(wire) for wire in self.wires],
            "dialled": [(upstream.origin, call.is_cancelled) for upstream, call in self.dialled],
            "log": self.log,
            "moved": self.moved,
            "breakers": {
                digest: (one.breaker.state, one.breaker.spell, one.breaker._n, one.breaker._failed, one.breaker._left)
                for digest, one in targets.items()
            },
            "pools": [(one.origin, one.in_use, one.unused, one.waiting, one.opened_in_all) for one in self.planes.upstreams],
            "shadows": (self.shadows.mirrored, self.shadows.shed, self.shadows.in_flight),
            "refused": self.gateway.refused,
            "faults": [repr(one) for one in self.faults],
            "served": len(self.server),
        }

    # within

    def _open(self, origin: Origin) -> Upstream:
        made = ByHand(origin, deadlines=self.deadlines, clock=self.clock.time)
        made.wires, made.dialled = self.wires, self.dialled
        return made

    def _keep(self, record: ServedExchange | Outcome, request: bytes, response: bytes) -> int | None:
        self.log.append((record, request, response))
        return len(self.log)

    def _new_id(self) -> str:
        return f"{self.step:022x}"

    def _sources(self, route: dict[str, Any]) -> Sources:
        self.revision += 1
        found = RouteRevision(self.revision, Route.model_validate({"workflow": "mail", **route}), "ada", "test", "t")
        return Sources((found,), BUNDLES, PROVIDERS, {"mail": self.serving})


def _seen(wire: Wire) -> tuple[Any, ...]:
    protocol: Any = wire.protocol
    return wire.written, wire.is_closed, wire.has_ended, wire.is_reading_paused, wire.unsent, protocol.deadline
