"""Exchanges on their way to the archive, as telemetry: noted one by one, told of batch by batch once they are committed.

A batch that fails is read again, so what was noted of it is forgotten first. Whatever goes wrong here, shipping goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from segue.exchanges.record import Logged
from segue.exchanges.shipper import Shipped
from segue.gateway.telemetry.lines import Happened, LineWriter, exchange_line
from segue.gateway.telemetry.models import ModelPlaces
from segue.gateway.telemetry.settings import TelemetrySettings
from segue.gateway.telemetry.sums import Sums
from segue.gateway.telemetry.tally import tally
from segue.model import Bundle, Json

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from segue.gateway.telemetry.exporting import SpanSender

Enrich = Callable[[Logged], Logged]


class Observer:
    """`say` brings counts and events to the keeper; `wall_ns` is the time."""

    def __init__(
        self,
        settings: TelemetrySettings,
        *,
        version: str,
        say: Callable[[Sums | Happened], None],
        lines: LineWriter,
        wall_ns: Callable[[], int],
    ) -> None:
        self._settings, self._say, self._lines, self._wall_ns = settings, say, lines, wall_ns
        self._places = ModelPlaces()
        self._noted: list[Logged] = []
        self._is_failing = False
        self._make: Callable[[Logged], ReadableSpan | None] | None = None
        self._sender: SpanSender | None = None
        if settings.spans:
            from segue.gateway.telemetry.exporting import open_spans

            self._make, self._sender = open_spans(version, self._places)

    def learn(self, bundles: Mapping[str, Bundle], providers: Mapping[str, Mapping[str, Json]]) -> None:
        """The routes that are known now."""
        self._places.learn(bundles, providers)

    def noting(self, enrich: Enrich) -> Enrich:
        """The same, and what comes of it is noted. An exchange that cannot be read is noted as it is."""
        note = self._noted.append
        if not self._settings.looks_at_exchanges:
            return enrich

        def enrich_and_note(logged: Logged) -> Logged:
            try:
                found = enrich(logged)
            except Exception:
                note(logged)
                raise
            note(found)
            return found

        return enrich_and_note

    def told(self, step: object) -> None:
        """What a step of shipping did: done, or failed and to be tried again."""
        try:
            if isinstance(step, Shipped):
                self._moved(None)
                self._tell()
            else:
                self._moved(type(step).__name__)
        except Exception as error:
            # Told by its type alone: a message may hold what the exchange held.
            self._say(Happened("telemetry_fails", f"A batch has no telemetry: {type(error).__name__}.", "error"))
        finally:
            self._noted.clear()

    def close(self) -> None:
        """Send what still waits."""
        if self._sender is not None:
            self._sender.close()
            self._count_spans(self._sender)

    def _moved(self, fault: str | None) -> None:
        """Shipping has begun to fail, or ended to."""
        if self._is_failing == (fault is not None):
            return
        self._is_failing = fault is not None
        if fault is not None:
            text = f"Exchanges cannot be shipped ({fault}). They wait in the spool, and it is tried again."
            self._say(Happened("shipping_fails", text, "error", {"fault": fault}))
        else:
            self._say(Happened("shipping_works", "Exchanges are shipped again.", "info"))

    def _tell(self) -> None:
        noted = self._noted
        if noted and self._settings.log == "access":
            self._lines.write(exchange_line(one.exchange) for one in noted)
        if noted and self._make is not None and self._sender is not None:
            spans = [span for one in noted if (span := self._make(one)) is not None]
            if spans:
                self._sender.take(spans)
        if self._settings.metrics is not None:
            if noted:
                self._say(tally((one.exchange for one in noted), self._places, self._wall_ns()))
            if self._sender is not None:
                self._count_spans(self._sender)

    def _count_spans(self, sender: SpanSender) -> None:
        counted = sender.counted()
        if self._settings.metrics is None or not counted:
            return
        found = Sums()
        found.count("segue_spans_exported_total", (), counted.pop("sent", 0))
        for reason, n in counted.items():
            found.count("segue_spans_dropped_total", (reason,), n)
        self._say(found)
