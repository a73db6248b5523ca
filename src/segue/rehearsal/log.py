"""The exchange log of a rehearsal: the gateway's own spool, shipped to Parquet by its own shipper, on virtual time.

Controller and judgement read it as they read a gateway's. Only the names of its parts come from the seed, so that the same seed
writes the same log.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segue.errors import StoreError
from segue.exchanges import Outcome, ServedExchange, Spool, SpoolSettings
from segue.exchanges.batch import Enrich
from segue.exchanges.query import ExchangeLog
from segue.exchanges.shipper import Shipper, ShipSettings

MIB = 1 << 20
TIDY_EVERY = 1_000
"""Shipments; then small files are merged: each look lists them all, and a merge reads and writes all that is in them."""


class RehearsalLog:
    """Append, then ship. Close it when done."""

    def __init__(
        self, spool: Path, archive: Path, *, clock_ns: Callable[[], int], run: str, enrich: Enrich | None = None
    ) -> None:
        settings = SpoolSettings(folder=spool, worker="rehearsal", run=run, segment_bytes=8 * MIB, ahead_bytes=0)
        # The disk is never waited for: what a crash would lose is a rehearsal.
        self._spool = Spool(settings, monotonic=lambda: 0)
        shipping = ShipSettings(grace_ns=0, enrich=enrich, syncs=False)
        self._shipper = Shipper(spool, archive, clock=clock_ns, settings=shipping)
        self.reader = ExchangeLog(spool, archive)
        self._shipments = 0
        self.n_kept = self._n_shipped = 0

    def append(self, record: ServedExchange | Outcome, request: bytes = b"", response: bytes = b"") -> None:
        """Keep one record. `StoreError` where the disk takes no more: a rehearsal without its log shows nothing."""
        if self._spool.append(record, request, response) is None:
            fault = self._spool.state.fault or "it takes no more"
            raise StoreError(f"The rehearsal's log could not be written: {fault}.", fix="Make room, or name another --keep.")
        self.n_kept += 1

    def ship(self) -> None:
        """What was appended, to the archive: evidence is made of what was shipped."""
        if self.n_kept == self._n_shipped:
            return
        self._n_shipped = self.n_kept
        self._spool.tend()
        while self._shipper.step().has_more:
            pass
        self._shipments += 1
        if self._shipments % TIDY_EVERY == 0:
            self._shipper.tidy()

    def close(self, *, keeps: bool = True) -> None:
        """Finish the segments and let go; where the folder stays, ship the rest and merge small files before."""
        self._spool.close()
        try:
            if keeps:
                while self._shipper.step().has_more:
                    pass
                self._shipper.tidy()
        finally:
            self._shipper.close()
