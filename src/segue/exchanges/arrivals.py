"""What came to the log since the last look: each Parquet file is read once, as columns, however files are merged meanwhile.

For readers that come back often and must not read a workflow's traffic anew each time. A merged file says which stretches of
the spool its rows are from; where all of those are known it is passed over, where some are, rows that are known by their
identity are left out. Records that wait in the spool are not given: they have no scores yet. How old the oldest of them is
says up to where the log is complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segue.errors import StoreError
from segue.exchanges.frame import EXCHANGE, OUTCOME
from segue.exchanges.ledger import ArchiveFile, Table
from segue.exchanges.outcome import Outcome
from segue.exchanges.provenance import Range, join_ranges, read_provenance
from segue.exchanges.query import ExchangeLog, Moment

if TYPE_CHECKING:
    import pyarrow as pa

_IDENTITY: Mapping[Table, str] = {"exchanges": "id", "outcomes": "identity"}
_DAYS_KNOWN = 3
"""So many of the newest days are known row by row, for merges of what was read with what was not. Older days hardly grow."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """New rows. `is_anew`: reading had to begin again, so these are all rows there are, and earlier ones are to be forgotten.

    `waiting_ns` is how old the oldest record is that waits in the spool: `None` where none does. Outcomes have all workflows'.
    """

    exchanges: tuple[pa.Table, ...]
    outcomes: tuple[pa.Table, ...]
    is_anew: bool
    waiting_ns: int | None
    outcomes_waiting_ns: int | None
    n_waiting: int
    outcomes_in_spool: tuple[Outcome, ...]


@dataclass
class _Partition:
    """What is known of one table, workflow and day."""

    ranges: tuple[Range, ...] = ()
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    is_known_by_row: bool = True


class _UnknownError(Exception):
    """A merged file has known rows among others, and they cannot be told apart any more."""


class Arrivals:
    """Of one workflow, from `since_ns` on. Asks for these columns; what a file does not have is left out of its table."""

    def __init__(
        self, log: ExchangeLog, workflow: str, *, since_ns: int, columns: Sequence[str], outcome_columns: Sequence[str]
    ) -> None:
        self._log, self._workflow, self._since_ns = log, workflow, since_ns
        self._columns: Mapping[Table, tuple[str, ...]] = {
            "exchanges": tuple(columns),
            "outcomes": tuple(outcome_columns),
        }
        self._seen: set[str] = set()
        self._partitions: dict[tuple[Table, str, str], _Partition] = {}

    def read(self) -> Arrived:
        """What is new. `StoreError` where a file was merged away meanwhile, or cannot be read; then nothing was read."""
        with self._log.moment() as moment:
            is_anew = not self._seen
            try:
                tables = self._read(moment)
            except _UnknownError:
                self._forget()
                is_anew, tables = True, self._read(moment)
            except BaseException:
                # Half of it may be noted as read: the next look begins again.
                self._forget()
                raise
            oldest, oldest_outcome, count, outcomes = self._waiting(moment)
        return Arrived(
            tuple(tables["exchanges"]), tuple(tables["outcomes"]), is_anew, oldest, oldest_outcome, count, tuple(outcomes)
        )

    def _forget(self) -> None:
        self._seen, self._partitions = set(), {}

    def _read(self, moment: Moment) -> dict[Table, list[pa.Table]]:
        tables: dict[Table, list[pa.Table]] = {"exchanges": [], "outcomes": []}
        current = set()
        for file in moment.snapshot.files:
            if not self._is_wanted(file):
                continue
            current.add(file.path)
            if file.path not in self._seen:
                found = self._read_file(moment.archive / file.path, file)
                if found is not None and found.num_rows:
                    tables[file.table].append(found)
                self._seen.add(file.path)
        self._seen &= current
        self._thin_out()
        return tables

    def _is_wanted(self, file: ArchiveFile) -> bool:
        mine = (self._workflow,) if file.table == "exchanges" else (self._workflow, "")
        return file.workflow in mine and file.last_ns >= self._since_ns

    def _read_file(self, path: Path, file: ArchiveFile) -> pa.Table | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        partition = self._partitions.setdefault((file.table, file.workflow, file.day), _Partition())
        try:
            with pq.ParquetFile(path) as parquet:
                source = read_provenance(parquet.schema_arrow.metadata)
                ranges = () if source is None else source.ranges
                known = _overlap(partition.ranges, ranges)
                if ranges and known == _length(ranges):
                    return None
                names = set(parquet.schema_arrow.names)
                # Most files are small: threads cost more than they bring.
                columns = [one for one in self._columns[file.table] if one in names]
                table = parquet.read(columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"{path.name} of the exchange log could not be read: {error}", fix="If files were merged meanwhile, ask again."
            ) from error
        marks = np.fromiter(map(hash, table.column(_IDENTITY[file.table]).to_pylist()), np.int64, table.num_rows)
        if known or not ranges:
            if not partition.is_known_by_row:
                raise _UnknownError
            is_new = ~np.isin(marks, np.concatenate(partition.rows)) if partition.rows else np.ones(len(marks), bool)
            table, marks = table.filter(pa.array(is_new)), marks[is_new]
        partition.ranges = join_ranges((*partition.ranges, *ranges))
        if partition.is_known_by_row:
            partition.rows.append(marks)
        return table

    def _thin_out(self) -> None:
        days = sorted({day for _, _, day in self._partitions})
        for (_, _, day), partition in self._partitions.items():
            if day not in days[-_DAYS_KNOWN:] and partition.is_known_by_row:
                partition.is_known_by_row, partition.rows = False, []

    def _waiting(self, moment: Moment) -> tuple[int | None, int | None, int, list[Outcome]]:
        """The oldest exchange and the oldest outcome that wait, how many exchanges do, and the outcomes themselves."""
        times = [
            one.at_ns
            for one in moment.heads(EXCHANGE)
            if not isinstance(one, Outcome) and one.workflow == self._workflow and one.at_ns >= self._since_ns
        ]
        outcomes = [one for one in moment.heads(OUTCOME) if isinstance(one, Outcome) and one.holds_of(self._workflow)]
        return min(times, default=None), min((one.at_ns for one in outcomes), default=None), len(times), outcomes


def _length(ranges: Sequence[Range]) -> int:
    return sum(end - begin for _, begin, end in ranges)


def _overlap(known: Sequence[Range], ranges: Sequence[Range]) -> int:
    """How many bytes of these stretches are known; both are joined, so that none lies over another."""
    shared = 0
    for segment, begin, end in ranges:
        for other, low, high in known:
            if other == segment:
                shared += max(0, min(end, high) - max(begin, low))
    return shared
