"""The process that carries exchanges from the spool to the archive, and reads tokens, cost and cheap scores out of them.

Off the way of any request: when it is behind, or gone, the spool grows and nothing else happens. It reads the last known routes
for bundles and prices, and keeps those of earlier routes while their exchanges may still come.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from segue.errors import ConflictError, SegueError, StoreError
from segue.exchanges.keeping import DAY_NS, Keeping, KeepingRules
from segue.exchanges.record import Logged
from segue.exchanges.segment import let_others_run
from segue.gateway.enriching import Enricher
from segue.gateway.last_known import LastKnown, load_last_known
from segue.gateway.memory import keep_memory
from segue.gateway.scheduling import Courtesy
from segue.gateway.telemetry.lines import Happened, LineWriter
from segue.gateway.telemetry.observer import Observer
from segue.gateway.telemetry.settings import TelemetrySettings
from segue.gateway.telemetry.sums import Sums
from segue.model import Bundle, Json, ScorerSpec, SliceSpec
from segue.model.serving import SHIP_WITHIN_S, Serving
from segue.providers.config import parse_provider, vendor_of_provider
from segue.providers.pricing import ModelPrice, PriceBook

if TYPE_CHECKING:
    from segue.exchanges.shipper import Shipper

EVERY_S = 1.0
WORTH_BYTES = 4 << 20
"""What a step should find to do: each writes a file and commits, which costs as much as to carry a few hundred records."""
GC_AFTER = 200_000
"""Objects made until the collector looks at the young ones: more than a batch has, which it would go through for nothing."""
PATIENCE_S = 5.0
"""How long to wait where another shipper works on the archive, before looking again."""


Learn = Callable[[Mapping[str, Bundle], Mapping[str, Mapping[str, Json]]], None]
"""Hears of the bundles and providers of each new route."""


@dataclass(frozen=True)
class ShippingSettings:
    """Where exchanges come from and go to; `within_s` is the longest that a round waits for more to come."""

    last_known: Path
    spool: Path
    archive: Path
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    within_s: float = SHIP_WITHIN_S


QUIET_STEPS = 2
"""Steps that find nothing, before the last of them ends the shipping."""


def run_shipping(settings: ShippingSettings, pipe: Connection) -> None:
    """Ship until told to stop or until the keeper is gone; then once more, so that what was kept is archived."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    # Arrow's own gives pages back to the kernel after each batch: with this, shipping takes half the time in the kernel.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())

    def say(what: Sums | Happened) -> None:
        with suppress(OSError):
            pipe.send(what)

    observer = Observer(
        settings.telemetry, version=version("segue-ai"), say=say, lines=LineWriter(2, time.time_ns), wall_ns=time.time_ns
    )
    try:
        _ship(settings, observer, say, lambda seconds: _wait(pipe, ending, seconds))
    finally:
        observer.close()


def _wait(pipe: Connection, ending: threading.Event, seconds: float) -> bool:
    """Whether to go on."""
    try:
        if pipe.poll(0 if ending.is_set() else seconds):
            pipe.recv()
            return False
    except (EOFError, OSError):
        return False
    return not ending.is_set()


def _ship(
    settings: ShippingSettings, observer: Observer, say: Callable[[Happened], None], wait: Callable[[float], bool]
) -> None:
    from segue.exchanges.shipper import Shipper, ShipSettings, ship_forever

    known, pace = Known(settings.last_known, time.time_ns, observer.learn), Pace(settings.within_s)
    courtesy = Courtesy(let_others_run, time.perf_counter)
    enrich = observer.noting(known.enrich)

    is_ending = False
    while True:
        try:
            wanted = ShipSettings(known.rules, enrich=enrich, between=courtesy)
            shipper = Shipper(settings.spool, settings.archive, clock=time.time_ns, settings=wanted)
            break
        except (ConflictError, StoreError, OSError) as error:
            # The gateway before this one is still finishing, or there is no room: the spool keeps what comes.
            if not isinstance(error, ConflictError):
                observer.told(error)
            if is_ending:
                return
            # Told to end meanwhile: one more try, since there may be room by now.
            is_ending = not wait(PATIENCE_S)

    def told(what: object) -> None:
        pace.told(what)
        courtesy.told(what)
        observer.told(what)
        _tell_rebuilt(shipper, say)

    keep_memory(GC_AFTER)
    _tell_rebuilt(shipper, say)
    try:
        if not is_ending:
            ship_forever(shipper, wait=lambda: wait(pace.next_s()), told=told)
        n_quiet = 0
        with suppress(OSError, StoreError):  # what cannot be shipped now stays in the spool
            # The step after the last one finds that its segments are done, and the one after that deletes them.
            while n_quiet < QUIET_STEPS:
                step = shipper.step()
                observer.told(step)
                n_quiet = 0 if step.has_more or step.n_bytes else n_quiet + 1
    finally:
        shipper.close()


def _tell_rebuilt(shipper: Shipper, say: Callable[[Happened], None]) -> None:
    found, shipper.rebuilt = shipper.rebuilt, None
    if found is not None:
        say(Happened("ledger_rebuilt", found.text, "warning", {"files": len(found.files), "rows": found.n_rows}))


class Pace:
    """How long to wait before the next round: the less there is, the longer."""

    def __init__(self, within_s: float) -> None:
        self._shortest_s, self._longest_s = min(EVERY_S, within_s), within_s
        self._waited_s = self._shortest_s
        self._n_bytes = 0

    def told(self, what: object) -> None:
        """Of each step."""
        self._n_bytes += getattr(what, "n_bytes", 0)

    def next_s(self) -> float:
        """So long that as much would come as a step is worth, if it goes on as in the last round."""
        per_second = self._n_bytes / self._waited_s
        worth_s = WORTH_BYTES / per_second if per_second else self._longest_s
        self._waited_s = min(self._longest_s, max(self._shortest_s, worth_s))
        self._n_bytes = 0
        return self._waited_s


class Known:
    """Bundles and prices of the routes that are known, and were while this process lived.

    Gateways of several environments share one spool, and one of them ships for all: the last known routes of the others lie
    beside its own (`last-known-staging.json`), and what they name is known too. How exchanges are kept is said by its own.
    """

    def __init__(self, path: Path, wall_ns: Callable[[], int], learn: Learn = lambda _bundles, _providers: None) -> None:
        self._path, self._wall_ns, self._learn = path, wall_ns, learn
        self._seen: tuple[tuple[Path, int], ...] = ()
        self._bundles: dict[str, Bundle] = {}
        self._enricher: Enricher | None = None
        self._day = -1
        self._last: LastKnown | None = None

    def rules(self) -> KeepingRules:
        """What is kept of each workflow, and how long."""
        self._look()
        servings = {} if self._last is None else self._last.servings
        rules = {name: keeping_of(one) for name, one in servings.items()}
        days = [one.days for one in rules.values() if one.days is not None]
        if days:
            # Feedback that names no workflow may be about any, and hold a text: it stays no longer than the strictest allows.
            rules[""] = Keeping(min(days))
        return KeepingRules(workflows=rules)

    def enrich(self, logged: Logged) -> Logged:
        """With what its answer says."""
        digest = logged.exchange.answered_by or logged.exchange.bundle
        today = self._wall_ns() // DAY_NS
        if digest not in self._bundles or today != self._day:
            self._look(today)
        return logged if self._enricher is None else self._enricher(logged)

    def _look(self, today: int | None = None) -> None:
        try:
            paths = sorted({self._path, *self._path.parent.glob("last-known-*.json")}, key=lambda one: one == self._path)
            stamps = tuple((path, path.stat().st_mtime_ns) for path in paths)
            if stamps == self._seen and (today is None or today == self._day):
                return
            found = [one for path in paths if (one := self._read(path)) is not None]
        except (OSError, SegueError):
            return
        self._seen, self._last = stamps, found[-1]
        self._day = self._wall_ns() // DAY_NS if today is None else today
        vendors: dict[str, str | None] = {}
        declared: dict[str, ModelPrice] = {}
        scorers: dict[str, tuple[ScorerSpec, ...]] = {}
        slices: dict[str, dict[str, SliceSpec]] = {}
        for one in found:
            self._bundles.update(one.bundles)
            self._learn(one.bundles, one.providers)
            vendors |= {name: _vendor(name, entry) for name, entry in one.providers.items()}
            declared, scorers, slices = declared | one.prices, scorers | one.scorers, slices | one.slices
        prices = PriceBook(declared, as_of=datetime.fromtimestamp(self._day * 86_400, UTC).date())
        self._enricher = Enricher(self._bundles.get, vendors, prices, scorers, slices)

    def _read(self, path: Path) -> LastKnown | None:
        """Another environment's that cannot be read says nothing; its own has to be readable."""
        try:
            return load_last_known(path)
        except SegueError:
            if path == self._path:
                raise
            return None


def _vendor(name: str, entry: Mapping[str, Json]) -> str | None:
    try:
        return vendor_of_provider(parse_provider(name, entry))
    except SegueError:
        return None


def keeping_of(serving: Serving) -> Keeping:
    """What a workflow asks of the log."""
    return Keeping(serving.keep_days, serving.keep_share, serving.keep_bodies_share)
