"""Where a gateway's metrics come together, in the keeper: batches of shipped exchanges, and what each worker says of itself.

Workers count from their own beginning; here that becomes counts of the gateway, which a worker's end does not set back.
Knows no Prometheus: `exposition.py` writes out what `snapshot` gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from segue.gateway.telemetry.lines import Happened
from segue.gateway.telemetry.sums import Series, Sums, grown


@dataclass
class _Said:
    counts: dict[Series, float] = field(default_factory=dict)
    gauges: dict[Series, float] = field(default_factory=dict)
    is_keeping: bool = True


class Board:
    """All that is counted. One thread."""

    def __init__(self, version: str) -> None:
        self._totals = Sums(gauges={("segue_build_info", (version,)): 1.0})
        self._workers: dict[int, _Said] = {}
        self._is_shipping = False

    def add(self, sums: Sums) -> None:
        """A batch of exchanges that were shipped."""
        self._totals.add(sums)

    def worker_said(self, number: int, sums: Sums, *, is_keeping: bool, fault: str | None) -> Happened | None:
        """What a worker has counted since it began, and how it stands now. Gives what there is to tell of it."""
        said = self._workers.setdefault(number, _Said())
        for series, by in grown(said.counts, sums.counts).items():
            self._totals.counts[series] = self._totals.counts.get(series, 0.0) + by
        said.counts, said.gauges = dict(sums.counts), dict(sums.gauges)
        was_keeping, said.is_keeping = said.is_keeping, is_keeping
        if was_keeping == is_keeping:
            return None
        if is_keeping:
            return Happened("log_kept", f"Worker {number} keeps exchanges again.", "info", {"worker": number})
        text = f"Worker {number} cannot keep exchanges: {fault or 'it does not say why'}. It serves on, and is not ready."
        return Happened("log_not_kept", text, "error", {"worker": number, "fault": fault})

    def worker_gone(self, number: int, *, was_asked: bool) -> None:
        """A worker ended. What it counted stays; how it stood does not."""
        self._workers.pop(number, None)
        if not was_asked:
            self._totals.count("segue_worker_restarts_total", ())

    def shipping_is(self, *, up: bool) -> None:
        """Whether the process that ships exchanges runs."""
        self._is_shipping = up

    def snapshot(self) -> Sums:
        """Everything as of now; its own, to be written out elsewhere."""
        found = self._totals.copy()
        for said in self._workers.values():
            for series, value in said.gauges.items():
                found.gauges[series] = found.gauges.get(series, 0.0) + value
        found.gauges["segue_workers", ()] = float(len(self._workers))
        found.gauges["segue_shipping_up", ()] = float(self._is_shipping)
        return found
