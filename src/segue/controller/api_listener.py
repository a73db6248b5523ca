"""Where the HTTP API listens: an address of its own in the controller's process, on the gateway's HTTP layer."""

from __future__ import annotations

import asyncio
import errno

from segue.controller.api_answers import refusal_text
from segue.controller.api_bodies import LARGEST
from segue.errors import InputError
from segue.gateway.http import Deadlines, Handler, Server, ServerLimits

_LIMITS = ServerLimits(connections=256, body_bytes=LARGEST, head_bytes=16 * 1024)


class ApiListener:
    """`handler` answers; make it, `listen`, `stop`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: Server | None = None
        self._deadlines: Deadlines | None = None

    async def listen(self, host: str, port: int) -> int:
        """Gives the port. `InputError` where nothing can listen there."""
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop.time, loop.call_later)
        server = Server(self._handler, deadlines=deadlines, clock=loop.time, limits=_LIMITS, refusal_text=refusal_text)
        try:
            found = await server.listen(host, port)
        except (OSError, UnicodeError) as error:
            deadlines.close()
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else getattr(error, "strerror", None) or type(error).__name__
            raise InputError(
                f"The API cannot listen on {host}, port {port}: {why}.",
                fix="Choose another with --port (of segue serve: --api-port), 0 is a free one; or leave it out: --no-api.",
            ) from None
        self._server, self._deadlines = server, deadlines
        return found

    async def stop(self) -> None:
        """Answers under way are finished first."""
        if self._server is not None and self._deadlines is not None:
            await self._server.stop(2.0)
            self._deadlines.close()
