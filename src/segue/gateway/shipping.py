"""The process that carries exchanges from the spool to the archive, and reads tokens, cost and cheap scores out of them.

Off the way of any request: when it is behind, or gone, the spool grows and nothing else happens. It reads the last known routes
for bundles and prices, and keeps those of earlier routes while their exchanges may still come.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from segue.errors import ConflictError, SegueError
from segue.exchanges.keeping import Keeping, KeepingRules
from segue.exchanges.record import Logged
from segue.gateway.enriching import Enricher
from segue.gateway.last_known import LastKnown, load_last_known
from segue.model import Bundle
from segue.model.serving import Serving
from segue.providers.config import parse_provider, vendor_of_provider
from segue.providers.pricing import PriceBook

EVERY_S = 1.0
PATIENCE_S = 5.0
"""How long to wait where another shipper works on the archive, before looking again."""


@dataclass(frozen=True)
class ShippingSettings:
    """Where exchanges come from and go to."""

    last_known: Path
    spool: Path
    archive: Path


def run_shipping(settings: ShippingSettings, pipe: Connection) -> None:
    """Ship until told to stop or until the keeper is gone; then once more, so that what was kept is archived."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    _ship(settings, lambda seconds: _wait(pipe, ending, seconds))


def _wait(pipe: Connection, ending: threading.Event, seconds: float) -> bool:
    """Whether to go on."""
    try:
        if pipe.poll(0 if ending.is_set() else seconds):
            pipe.recv()
            return False
    except (EOFError, OSError):
        return False
    return not ending.is_set()


def _ship(settings: ShippingSettings, wait: Callable[[float], bool]) -> None:
    from segue.exchanges.shipper import Shipper, ShipSettings, ship_forever

    known = Known(settings.last_known, time.time_ns)
    while True:
        try:
            shipper = Shipper(
                settings.spool, settings.archive, clock=time.time_ns, settings=ShipSettings(known.rules(), enrich=known.enrich)
            )
            break
        except (ConflictError, OSError):
            # The gateway before this one is still finishing, or there is no room: the spool keeps what comes.
            if not wait(PATIENCE_S):
                return
    try:
        ship_forever(shipper, wait=lambda: wait(EVERY_S), told=lambda _: None)
        while shipper.step().has_more:
            pass
    finally:
        shipper.close()


class Known:
    """Bundles and prices of the routes that are known, and were while this process lived."""

    def __init__(self, path: Path, wall_ns: Callable[[], int]) -> None:
        self._path, self._wall_ns = path, wall_ns
        self._seen: int | None = None
        self._bundles: dict[str, Bundle] = {}
        self._enricher: Enricher | None = None
        self._day = ""
        self._last: LastKnown | None = None

    def rules(self) -> KeepingRules:
        """What is kept of each workflow, and how long."""
        self._look()
        servings = {} if self._last is None else self._last.servings
        return KeepingRules(workflows={name: keeping_of(one) for name, one in servings.items()})

    def enrich(self, logged: Logged) -> Logged:
        """With what its answer says."""
        digest = logged.exchange.answered_by or logged.exchange.bundle
        today = self._today()
        if digest not in self._bundles or today != self._day:
            self._look(today)
        return logged if self._enricher is None else self._enricher(logged)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._wall_ns() / 1e9, UTC).date().isoformat()

    def _look(self, today: str | None = None) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp == self._seen and (today is None or today == self._day):
                return
            found = load_last_known(self._path)
        except (OSError, SegueError):
            return
        self._seen, self._last = stamp, found
        self._day = today or self._today()
        self._bundles.update(found.bundles)
        vendors = {}
        for name, entry in found.providers.items():
            try:
                vendors[name] = vendor_of_provider(parse_provider(name, entry))
            except SegueError:
                vendors[name] = None
        prices = PriceBook(found.prices, as_of=datetime.fromisoformat(self._day).date())
        self._enricher = Enricher(self._bundles.get, vendors, prices)


def keeping_of(serving: Serving) -> Keeping:
    """What a workflow asks of the log."""
    return Keeping(serving.keep_days, serving.keep_share, serving.keep_bodies_share)
