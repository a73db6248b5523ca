"""Hearing of flips from a PostgreSQL store, on whatever machine they are made.

A thread with a connection of its own that listens, and calls back for each flip. It is a bell, not a messenger: what to serve
is read from the store. Which revision it rings for is told to whoever wants to know, for one that was read already needs no
other look. Where the connection breaks it tries again, and rings once it stands, for a flip may have been missed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from types import TracebackType

from segue.store.address import parse_address

AGAIN_S = 1.0
LOOK_S = 0.5
"""How often it looks whether it is to end."""


class FlipBell:
    """A context: listens while it is entered. Nothing at all for a store that is no PostgreSQL."""

    def __init__(
        self, address: str, ring: Callable[[], object], *, tell: Callable[[str, str, int], object] | None = None
    ) -> None:
        """`tell`, if given, is called in the place of `ring` for a flip: with workflow, environment and revision."""
        self._address = parse_address(address)
        self._ring, self._tell = ring, tell
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segue-flips", daemon=True)
        self.listens = threading.Event()
        """Set while a connection stands."""

    def __enter__(self) -> FlipBell:
        if self._address.kind == "postgresql":
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        import psycopg

        while not self._ending.is_set():
            try:
                self._listen()
            except psycopg.Error:
                self.listens.clear()
                self._ending.wait(AGAIN_S)

    def _listen(self) -> None:
        import psycopg

        from segue.store.sql.routes import CHANNEL

        url = self._address.url.replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            connection.execute(f"LISTEN {CHANNEL}".encode())
            self.listens.set()
            self._ring()
            while not self._ending.is_set():
                for one in connection.notifies(timeout=LOOK_S, stop_after=1):
                    self._heard(one.payload)

    def _heard(self, payload: str) -> None:
        """Anybody with the database's password may notify: what is no flip as this program tells it rings all the same."""
        try:
            workflow, environment, revision = json.loads(payload)
        except (ValueError, TypeError):
            workflow = environment = revision = None
        if self._tell is None or not (isinstance(workflow, str) and isinstance(environment, str) and type(revision) is int):
            self._ring()
        else:
            self._tell(workflow, environment, revision)
