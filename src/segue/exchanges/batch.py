"""What one step of shipping takes out of the spool: rows by table, workflow and day, and how far it came in each segment.

Reads, decides, and writes nothing. A frame that holds but cannot be understood is set aside, never dropped; one of a newer
version stops its segment until this Segue is newer too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from segue.exchanges.frame import EXCHANGE, OUTCOME, VERSION, Frame
from segue.exchanges.keeping import DAY_NS, KeepingRules, sample
from segue.exchanges.ledger import Position, Table
from segue.exchanges.outcome import Told, decode_outcome
from segue.exchanges.reading import SegmentReader
from segue.exchanges.record import Logged, decode_exchange

Partition = tuple[Table, str, str]
"""Table, workflow, day."""


@dataclass
class Batch:
    """`ranges`: what was read, segment by segment. `finished`: segments that were read to their very end."""

    rows: dict[Partition, list[Any]] = field(default_factory=dict)
    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    unreadable: list[tuple[str, int, bytes]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    tally: Counter[tuple[Table, str]] = field(default_factory=Counter)
    n_bytes: int = 0
    has_more: bool = False

    @property
    def finished(self) -> list[str]:
        return [one.segment for one in self.positions if one.done_ns is not None]


Enrich = Callable[[Logged], Logged]
"""What a record says beyond its bytes. One that raises is shipped as it is, and counted: no record waits for it."""
PIECE_FRAMES, PIECE_BYTES = 8, 64 << 10
"""Read without a pause: some tenths of a millisecond. A single frame may be larger."""


def take_batch(
    readers: Iterable[SegmentReader],
    positions: Mapping[str, Position],
    rules: KeepingRules,
    *,
    limit: int,
    now_ns: int,
    enrich: Enrich | None = None,
    between: Callable[[], None] = lambda: None,
) -> Batch:
    """Up to about `limit` bytes, oldest segments of each worker first. Segments that are done already are passed over.

    `between` is called between pieces of the work.
    """
    batch = Batch()
    for reader in readers:
        known = positions.get(str(reader.name))
        if known is not None and known.done_ns is not None:
            continue
        if batch.n_bytes >= limit:
            batch.has_more = True
            break
        _take_segment(batch, reader, known.position if known else 0, rules, limit, now_ns, enrich, between)
    return batch


def _take_segment(
    batch: Batch,
    reader: SegmentReader,
    begin: int,
    rules: KeepingRules,
    limit: int,
    now_ns: int,
    enrich: Enrich | None,
    between: Callable[[], None],
) -> None:
    name, at = str(reader.name), begin
    stuck = False
    n_frames, piece = 0, begin
    for frame in reader.frames(begin, limit=limit - batch.n_bytes):
        if n_frames == PIECE_FRAMES or frame.end - piece > PIECE_BYTES:
            between()
            n_frames, piece = 0, frame.start
        n_frames += 1
        if frame.version > VERSION or frame.kind not in (EXCHANGE, OUTCOME):
            stuck = True
            batch.stuck.append(name)
            break
        _take_frame(batch, name, frame, rules, enrich)
        at = frame.end
    ending = None if stuck else reader.ending
    if at > begin:
        batch.ranges.append((name, begin, at))
        batch.n_bytes += at - begin
    if ending is not None and ending.is_finished:
        batch.positions.append(Position(name, at, now_ns, ending.torn_at))
    elif at > begin:
        batch.positions.append(Position(name, at))
        batch.has_more |= batch.n_bytes >= limit


def _take_frame(batch: Batch, name: str, frame: Frame, rules: KeepingRules, enrich: Enrich | None) -> None:
    try:
        row = read_row(frame)
    except (msgspec.ValidationError, msgspec.DecodeError):
        whole = b"".join((bytes(frame.head), bytes(frame.request), bytes(frame.response)))
        batch.unreadable.append((name, frame.start, whole))
        batch.tally["exchanges" if frame.kind == EXCHANGE else "outcomes", "unreadable"] += 1
        return
    if isinstance(row, Told):
        outcome = row.outcome
        batch.rows.setdefault(("outcomes", outcome.workflow or "", day_of(outcome.at_ns)), []).append(row)
        batch.tally["outcomes", "shipped"] += 1
        return
    if enrich is not None:
        try:
            row = enrich(row)
        except Exception:
            batch.tally["exchanges", "not_enriched"] += 1
    kept = sample(row, rules.of(row.exchange.workflow))
    if kept is None:
        batch.tally["exchanges", "sampled_out"] += 1
        return
    batch.rows.setdefault(("exchanges", kept.exchange.workflow, day_of(kept.exchange.at_ns)), []).append(kept)
    batch.tally["exchanges", "shipped"] += 1


def read_row(frame: Frame) -> Logged | Told:
    """A frame as a record. `msgspec.ValidationError`, `msgspec.DecodeError`: it holds, and says nothing that we know."""
    if frame.kind == EXCHANGE:
        return Logged(decode_exchange(frame.head), bytes(frame.request), bytes(frame.response))
    return Told(decode_outcome(frame.head), bytes(frame.request))


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


def day_of(at_ns: int) -> str:
    """The UTC day of a time."""
    return _day(at_ns // DAY_NS)
