"""Where Prometheus asks: `GET /metrics` on an address of its own, in the keeper, with the gateway's own HTTP layer.

Open to whoever is on this machine; elsewhere it wants a gateway key with the permission `metrics`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address

from segue.errors import InputError
from segue.gateway.http import Deadlines, HttpExchange, Server, ServerLimits
from segue.gateway.keys import KeyRing
from segue.gateway.telemetry.exposition import write_out
from segue.gateway.telemetry.sums import Sums

_PLAIN = (b"content-type", b"text/plain; charset=utf-8")
_LIMITS = ServerLimits(connections=64)


class MetricsListener:
    """`snapshot` gives what is to be told, `keys` the gateway's keys as they are now."""

    def __init__(self, snapshot: Callable[[], Sums], keys: Callable[[], KeyRing]) -> None:
        self._snapshot, self._keys = snapshot, keys
        self._is_open = True
        self._server: Server | None = None
        self._deadlines: Deadlines | None = None
        self._writing: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Gives the port. Raises `InputError` where nothing can listen there."""
        loop = asyncio.get_running_loop()
        self._is_open = is_loopback(host)
        self._deadlines = Deadlines(loop.time, loop.call_later)
        self._server = Server(self._asked, deadlines=self._deadlines, clock=loop.time, limits=_LIMITS)
        try:
            return await self._server.listen(host, port)
        except OSError as error:
            self._deadlines.close()
            self._server = None
            raise InputError(
                f"Metrics cannot be served on {host}, port {port}: {error.strerror or type(error).__name__}.",
                fix="Choose another address: --metrics 127.0.0.1:9464; port 0 takes a free one.",
            ) from None

    async def stop(self) -> None:
        """Nothing more is answered."""
        if self._server is not None and self._deadlines is not None:
            await self._server.stop(1.0)
            self._deadlines.close()

    def _asked(self, exchange: HttpExchange) -> None:
        request = exchange.request
        path = request.target.partition(b"?")[0]
        if path != b"/metrics":
            exchange.respond(404, [_PLAIN], b"There is /metrics here.\n")
        elif request.method not in (b"GET", b"HEAD"):
            exchange.respond(405, [_PLAIN, (b"allow", b"GET, HEAD")], b"This takes GET alone.\n")
        elif not self._may(exchange):
            told = b"Metrics want a gateway key with the permission 'metrics', as 'Authorization: Bearer'.\n"
            exchange.respond(401, [_PLAIN, (b"www-authenticate", b"Bearer")], told)
        else:
            task = asyncio.get_running_loop().create_task(self._answer(exchange))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def _may(self, exchange: HttpExchange) -> bool:
        if self._is_open:
            return True
        key = self._keys().find(dict(exchange.request.headers))
        return key is not None and "metrics" in key.permissions

    async def _answer(self, exchange: HttpExchange) -> None:
        accept = dict(exchange.request.headers).get(b"accept", b"").decode("latin-1")
        # In a thread: flips go through this loop, and thousands of series take a while to write.
        text, content_type = await asyncio.to_thread(write_out, self._snapshot(), accept)
        if exchange.is_open:
            exchange.respond(200, [(b"content-type", content_type.encode())], text)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
