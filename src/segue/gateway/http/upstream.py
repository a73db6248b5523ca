"""Kept-alive connections to one origin, and the calls that wait for one.

`Upstream.send` takes a free connection, or opens one, or queues the call, or fails it; the sink is never called from within it.
Hosts come from configuration, never from a request. Certificates are verified against the system's authorities, unless another
context is given.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass

from segue.gateway.http.call import Call, Sink, UpstreamRequest
from segue.gateway.http.deadlines import NEVER, Clock, Deadlines
from segue.gateway.http.failures import Failure, FailureKind
from segue.gateway.http.heads import Header
from segue.gateway.http.limits import Timeouts, UpstreamLimits
from segue.gateway.http.upstream_connection import UpstreamConnection

_WRITTEN = 256
"""Tuples of headers that are remembered as written."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an upstream is."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def host_field(self) -> bytes:
        """The value of the Host field: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}").encode(
            "idna" if not host.isascii() else "ascii"
        )


class Upstream:
    """All connections of this process to one origin."""

    def __init__(
        self,
        origin: Origin,
        *,
        deadlines: Deadlines,
        clock: Clock,
        limits: UpstreamLimits | None = None,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = origin
        self.host_field = origin.host_field
        self.limits = limits or UpstreamLimits()
        self.timeouts = timeouts or Timeouts()
        self.clock = clock
        self.opened_in_all = 0
        """Connections opened since the start: should stand still under a steady load."""
        self._deadlines = deadlines
        self._tls = _verifying(tls) if origin.is_tls else None
        self._free: list[UpstreamConnection] = []
        self._open: set[UpstreamConnection] = set()
        self._waiting: deque[Call] = deque()
        self._dials: dict[asyncio.Task[None], Call] = {}
        self._written: dict[int, tuple[bytes, bytes, tuple[Header, ...], bytes]] = {}
        self._is_stopped = False

    @property
    def in_use(self) -> int:
        """Connections with a call on them, or being opened for one."""
        return len(self._open) - len(self._free) + len(self._dials)

    @property
    def unused(self) -> int:
        """Connections kept for the next call."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """Calls without a connection, and none being opened for them."""
        return len(self._waiting)

    def send(self, request: UpstreamRequest, sink: Sink, timeouts: Timeouts | None = None) -> Call:
        """Ask. `HeadError` if the request cannot be written as one message."""
        times = timeouts or self.timeouts
        now = self.clock()
        call = Call(request, self._head_of(request), sink, times, now + times.whole_s, self.give_up)
        connection = self.lend()
        if connection is not None:
            connection.start(call)
            return call
        self._find_connection(call, now)
        return call

    def lend(self) -> UpstreamConnection | None:
        """A free connection, for one who starts a call on it at once."""
        free = self._free
        while free:
            connection = free.pop()
            if connection.is_open:
                return connection
        return None

    def beginning(self, method: bytes, target: bytes, headers: tuple[Header, ...]) -> bytes:
        """The head of a request up to what depends on its body. It is written once for the same tuple of headers.

        `HeadError` if it cannot be written as one message.
        """
        # Known by identity: kept here, a tuple keeps its own.
        known = self._written.get(id(headers))
        if known is None or known[0] != method or known[1] != target:
            if len(self._written) >= _WRITTEN:
                self._written.clear()
            written = UpstreamRequest(method, target, headers).beginning(self.host_field)
            known = self._written[id(headers)] = (method, target, headers, written)
        return known[3]

    async def stop(self) -> None:
        """Close all. Calls that are under way fail."""
        self._is_stopped = True
        for call in [*self._waiting, *self._dials.values()]:
            self._fail(call, FailureKind.STOPPED, "")
        self._waiting.clear()
        for task in list(self._dials):
            task.cancel()
        if self._dials:
            await asyncio.wait(list(self._dials))
        for connection in list(self._open):
            connection.abort()

    # Called by connections.

    def opened(self, connection: UpstreamConnection) -> None:
        """It is open."""
        self.opened_in_all += 1
        self._open.add(connection)
        self._deadlines.watch(connection)

    def released(self, connection: UpstreamConnection) -> None:
        """It is free for the next call."""
        call = self._next_waiting() if self._waiting else None
        if call is not None:
            connection.start(call)
        else:
            self._free.append(connection)

    def closed(self, connection: UpstreamConnection) -> None:
        """It is gone: there may be room to open another for a call that waits."""
        self._deadlines.forget(connection)
        self._open.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        self._dial_for_waiting()

    def send_again(self, call: Call) -> None:
        """On a fresh connection: any other kept one may be as stale."""
        call.is_retry = True
        if self._is_stopped:
            self._fail(call, FailureKind.STOPPED, "")
        else:
            self._watch(call, self.clock())
            self._dial(call)

    # Within.

    def _head_of(self, request: UpstreamRequest) -> bytes:
        headers = request.headers
        if type(headers) is not tuple:
            return request.head(self.host_field)
        return self.beginning(request.method, request.target, headers) + request.ending()

    def _find_connection(self, call: Call, now: float) -> None:
        if self._is_stopped:
            self._fail_soon(call, FailureKind.STOPPED, "")
        elif self._has_room():
            self._watch(call, now)
            self._dial(call)
        elif len(self._waiting) < self.limits.waiting:
            self._watch(call, now)
            self._waiting.append(call)
        else:
            self._fail_soon(call, FailureKind.BUSY, f"{len(self._waiting)} calls wait for a connection already.")

    def _watch(self, call: Call, now: float) -> None:
        call.deadline = min(now + call.timeouts.connect_s, call.ends_at)
        self._deadlines.watch(call)

    def _has_room(self) -> bool:
        return len(self._open) + len(self._dials) < self.limits.connections

    def _next_waiting(self) -> Call | None:
        while self._waiting:
            call = self._waiting.popleft()
            self._deadlines.forget(call)
            if not call.is_cancelled:
                return call
        return None

    def _dial_for_waiting(self) -> None:
        while self._waiting and not self._is_stopped and self._has_room():
            call = self._waiting.popleft()
            if call.is_cancelled:
                self._deadlines.forget(call)
            else:
                self._dial(call)

    def _dial(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(call))
        self._dials[task] = call
        task.add_done_callback(self._dialled)

    async def _connect(self, call: Call) -> None:
        loop = asyncio.get_running_loop()
        origin = self.origin
        try:
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(self),
                origin.host,
                origin.port,
                ssl=self._tls,
                server_hostname=origin.host if self._tls is not None else None,
            )
        except (OSError, ssl.CertificateError) as error:
            if not call.is_cancelled:
                self._fail(call, *_reading_of(error))
            return
        self._deadlines.forget(call)
        if not connection.is_open:
            self._fail(call, FailureKind.CLOSED_EARLY, "The connection was closed as soon as it was open.")
        elif call.is_cancelled:
            connection.deadline = self.clock() + self.limits.idle_s
            self.released(connection)
        else:
            connection.start(call)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        call = self._dials.pop(task)
        self._deadlines.forget(call)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(call, FailureKind.UNREACHABLE, type(error).__name__)
        self._dial_for_waiting()

    def give_up(self, call: Call) -> None:
        """No connection in time."""
        if call in self._waiting:
            self._waiting.remove(call)
            what = "No connection became free"
        else:
            what = "No connection could be opened"
            for task in [task for task, dialled in self._dials.items() if dialled is call]:
                task.cancel()
        self._fail(call, FailureKind.CONNECT_TIMEOUT, f"{what} in {call.timeouts.connect_s:g} s.")

    def _fail(self, call: Call, kind: FailureKind, detail: str) -> None:
        self._deadlines.forget(call)
        call.deadline = NEVER
        if not call.is_cancelled:
            call.is_cancelled = True
            call.release().on_failure(Failure(kind, detail))

    def _fail_soon(self, call: Call, kind: FailureKind, detail: str) -> None:
        asyncio.get_running_loop().call_soon(self._fail, call, kind, detail)


def _verifying(given: ssl.SSLContext | None) -> ssl.SSLContext:
    if given is not None:
        return given
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reading_of(error: Exception) -> tuple[FailureKind, str]:
    """Which failure an exception of `create_connection` is."""
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return FailureKind.TLS, getattr(error, "verify_message", "") or getattr(error, "reason", None) or type(error).__name__
    if isinstance(error, ConnectionRefusedError):
        return FailureKind.REFUSED, "The connection was refused."
    if isinstance(error, ConnectionResetError):
        return FailureKind.RESET, "The connection was reset while it was opened."
    if type(error).__name__ == "gaierror":
        return FailureKind.NAME, "The host has no address."
    return FailureKind.UNREACHABLE, type(error).__name__
