"""Listens for clients, counts their connections, and ends them in an orderly way.

Speaks HTTP/1.1 (and 1.0). HTTP/2 is left to a proxy in front, and so is TLS to clients, for which a context may be given
instead. Several processes may listen on one port (`reuse_port`); nothing is shared between them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from segue.gateway.http.connection import EarlyAnswer, Handler, RefusalText, ServerConnection, Shortcut, plain_refusal
from segue.gateway.http.deadlines import Clock, Deadlines
from segue.gateway.http.known_heads import KnownHeads
from segue.gateway.http.limits import ServerLimits

_REFUSED_AT_ONCE = 64
"""So many that are told that there are too many; further ones are reset."""

_TURNS_TO_TELL = 5
"""Of the event loop, at most, between accepting a connection and telling its protocol: asyncio takes two, uvloop one."""

Report = Callable[[BaseException], None]


class Server:
    """All connections of clients in this process."""

    def __init__(
        self,
        handler: Handler,
        *,
        deadlines: Deadlines,
        clock: Clock,
        limits: ServerLimits | None = None,
        refusal_text: RefusalText = plain_refusal,
        early_answer: EarlyAnswer | None = None,
        shortcut: Shortcut | None = None,
        report: Report | None = None,
    ) -> None:
        self.handler = handler
        self.limits = limits or ServerLimits()
        self.clock = clock
        self.refusal_text = refusal_text
        self.early_answer = early_answer
        self.shortcut = shortcut
        self.held_bytes = 0
        """Of bodies that have begun to arrive and are not whole yet."""
        self.known_heads = KnownHeads()
        self.is_stopping = False
        self._deadlines = deadlines
        self._report = report
        self._connections: set[ServerConnection] = set()
        self._refused: set[ServerConnection] = set()
        self._listeners: list[asyncio.Server] = []
        self._all_closed: asyncio.Event | None = None

    def __len__(self) -> int:
        return len(self._connections)

    async def listen(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        sock: socket.socket | None = None,
        reuse_port: bool = False,
        backlog: int = 1024,
        tls: ssl.SSLContext | None = None,
    ) -> int:
        """Accept clients on an address, or on a socket that is bound already. Gives the port."""
        loop = asyncio.get_running_loop()
        if sock is not None:
            listener = await loop.create_server(self.connect, sock=sock, backlog=backlog, ssl=tls)
        else:
            listener = await loop.create_server(
                self.connect, host, port, backlog=backlog, ssl=tls, reuse_port=reuse_port or None
            )
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    def connect(self) -> ServerConnection:
        """A connection for a transport that is about to open."""
        return ServerConnection(self)

    async def stop(self, within_s: float) -> int:
        """Accept nobody else, let answers finish, then cut off what is left. Gives how many were cut off."""
        self.is_stopping = True
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.stop()
        left = 0
        try:
            async with asyncio.timeout(within_s):
                await self._until_all_closed()
        except TimeoutError:
            left = len(self._connections)
            for connection in [*self._connections, *self._refused]:
                connection.abort()
            await self._until_all_closed()
        self._listeners.clear()
        return left

    async def _until_all_closed(self) -> None:
        """Also those who were accepted just before the listeners closed, of whom the loop tells only then."""
        self._all_closed = asyncio.Event()
        await _let_the_loop_tell()
        while self._connections or self._refused:
            self._all_closed.clear()
            await self._all_closed.wait()
            await _let_the_loop_tell()

    # Called by connections.

    def opened(self, connection: ServerConnection) -> bool:
        """A client connected. False: there are too many."""
        self._deadlines.watch(connection)
        if len(self._connections) >= self.limits.connections:
            if len(self._refused) < _REFUSED_AT_ONCE:
                self._refused.add(connection)
            else:
                connection.abort()
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: ServerConnection) -> None:
        """It is gone."""
        self._deadlines.forget(connection)
        self._connections.discard(connection)
        self._refused.discard(connection)
        if self._all_closed is not None and not self._connections and not self._refused:
            self._all_closed.set()

    def report(self, error: BaseException) -> None:
        """A handler failed: tell whoever runs this, never the client."""
        if self._report is not None:
            self._report(error)
        else:
            asyncio.get_running_loop().call_exception_handler({"message": "A handler failed.", "exception": error})


async def _let_the_loop_tell() -> None:
    for _ in range(_TURNS_TO_TELL):
        await asyncio.sleep(0)
