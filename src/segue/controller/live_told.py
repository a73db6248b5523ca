"""What was told about exchanges, as far as an upgrade watches it: outcomes by exchange, each once, as badness.

An outcome that says a lower-is-better thing happened (`negative_feedback`) needs no number: that it was told is the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.exchanges.outcome import Outcome
from segue.simulation.setting import Stream

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("identity", "exchange", "kind", "at_ns", "value", "workflow", "lowest", "highest", "scope", "content")
INCIDENT = "critical_incident"
"""The kind of outcome that says: a person confirmed a critical safety incident."""


_MANY = 1_000


class _Said(NamedTuple):
    """One outcome. Of two with one identity the smaller one counts: the earlier, whoever reads them."""

    at: float
    content: str
    bad: float | None


class Heard(NamedTuple):
    """An outcome that says something new: of which exchange, to which stream, and when it was told."""

    exchange: str
    stream: int
    at: float


def tells_by_silence(stream: Stream) -> bool:
    """Whether nothing told means that nothing happened: bad things that are counted per unit served, with nobody asked."""
    return stream.better == "lower" and stream.answered >= 1 and stream.sampled >= 1


@dataclass
class Told:
    """`streams` are those whose source is outcomes, by kind. `unreadable`: told, and no number that a rate is made of."""

    workflow: str
    streams: Mapping[str, int]
    settings: tuple[Stream, ...]
    _found: dict[str, dict[tuple[int, str], _Said]] = field(default_factory=dict)
    incidents: set[str] = field(default_factory=set)
    unreadable: int = 0
    _many: int = _MANY

    def add(self, tables: Iterable[pa.Table]) -> Iterator[Heard]:
        """Read what came; gives those that are watched and change what is known."""
        for table in tables:
            for row in _watched(table, {*self.streams, INCIDENT}):
                if not _may_tell(row, self.workflow):
                    continue
                if row["kind"] == INCIDENT:
                    self._note(row["exchange"], row["value"])
                if row["kind"] in self.streams:
                    heard = self._keep(row, self.streams[row["kind"]])
                    if heard is not None:
                        yield heard

    def add_waiting(self, outcomes: Iterable[Outcome]) -> None:
        """Those in the spool: an incident waits for nobody; all else counts once it is shipped."""
        for one in outcomes:
            if one.kind == INCIDENT:
                self._note(one.exchange, one.value)

    def _note(self, exchange: str, value: float | None) -> None:
        if value is None or value == 1:
            self.incidents.add(exchange)

    def _keep(self, row: Mapping[str, Any], place: int) -> Heard | None:
        at = int(row["at_ns"]) / 1e9
        said = _Said(at, str(row.get("content") or ""), self._badness(row, self.settings[place]))
        of_exchange = self._found.setdefault(str(row["exchange"]), {})
        key = (place, str(row["identity"]))
        known = of_exchange.get(key)
        self.unreadable += known is None and said.bad is None
        if known is not None and said[:2] >= known[:2]:
            return None
        of_exchange[key] = said
        return Heard(str(row["exchange"]), place, at)

    def _badness(self, row: Mapping[str, Any], stream: Stream) -> float | None:
        value, low, high = (row.get(name) for name in ("value", "lowest", "highest"))
        if not isinstance(value, float):
            return 1.0 if value is None and stream.better == "lower" else None
        if isinstance(low, float) and isinstance(high, float) and high > low:
            value = (value - low) / (high - low)
        if not (isfinite(value) and 0 <= value <= 1):
            return None
        return 1 - value if stream.better == "higher" else value

    def of(self, exchange: str, stream: int) -> list[tuple[float, float]]:
        """When, and how bad, of one exchange; in the order in which they were told."""
        found = self._found.get(exchange)
        if found is None:
            return []
        said = sorted((one for (place, _), one in found.items() if place == stream), key=lambda one: one[:2])
        return [(one.at, one.bad) for one in said if one.bad is not None]

    def forget(self, before: float) -> None:
        """Drop those told before a time that no exchange waits for any more; now and then, for that goes through all."""
        if len(self._found) < self._many:
            return
        self._found = {name: said for name, said in self._found.items() if any(one.at >= before for one in said.values())}
        self._many = max(_MANY, 2 * len(self._found))


def _watched(table: pa.Table, kinds: set[str]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    chosen = table.filter(pc.is_in(table["kind"], pa.array(sorted(kinds), pa.string())))
    yield from chosen.to_pylist()


def _may_tell(row: Mapping[str, Any], workflow: str) -> bool:
    """As `Outcome.holds_of` has it."""
    scope = row.get("scope")
    return (not isinstance(scope, list) or not scope or workflow in scope) and row.get("workflow") in (None, workflow)
