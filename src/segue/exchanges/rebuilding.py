"""The ledger worked out anew from the Parquet files, where it is gone or damaged: it holds nothing that they do not say.

Each file says which stretches of which segments its rows come from, and what the tally was when it was written. A file whose
stretches another of the same partition has too was merged into that one. Reads only; `shipper.py` writes what is found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from segue.exchanges.batch import Partition
from segue.exchanges.ledger import ArchiveFile, Position, Snapshot, Table
from segue.exchanges.provenance import Provenance, Range

TABLES: tuple[Table, ...] = ("exchanges", "outcomes")
UNREADABLE = "unreadable"
"""The folder of an archive for what could not be read."""


@dataclass(frozen=True)
class Rebuilt:
    """What the files say. `covered`: files that count no more, for a larger one has their rows. `unreadable`: no Parquet, or
    none of ours. What was sampled out or expired after the newest file was written is not in `tally`."""

    files: tuple[ArchiveFile, ...] = ()
    positions: Mapping[str, Position] = field(default_factory=dict)
    tally: Mapping[tuple[Table, str], int] = field(default_factory=dict)
    covered: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    why: str = ""

    @property
    def n_rows(self) -> int:
        return sum(file.n_rows for file in self.files)

    @property
    def text(self) -> str:
        """What was done, for whoever runs the gateway."""
        damaged = f" Files that could not be read are under {UNREADABLE}/: {len(self.unreadable):,}." if self.unreadable else ""
        return (
            f"The exchange log's ledger {self.why}; it was worked out anew from the files: {self.n_rows:,} records in"
            f" {len(self.files):,}.{damaged}"
        )


def has_files(archive: Path) -> bool:
    """Whether there is anything that a ledger would have to say."""
    return any(True for table in TABLES for _ in (archive / table).rglob("*.parquet"))


def read_archive(archive: Path, why: str) -> Rebuilt:
    """All Parquet files of an archive as its ledger would list them."""
    from segue.exchanges.parquet import describe_file

    known: dict[Partition, list[tuple[ArchiveFile, Provenance]]] = defaultdict(list)
    unreadable = []
    for table in TABLES:
        unfinished = {path.stem for path in (archive / table).rglob("*.tmp")}
        for path in sorted((archive / table).rglob("*.parquet")):
            relative = path.relative_to(archive)
            partition = partition_of(relative)
            if path.stem in unfinished:
                continue  # its batch was not committed, and is still in the spool
            found = None if partition is None else describe_file(path, relative, partition)
            if found is None:
                unreadable.append(relative.as_posix())
            else:
                assert partition is not None, "else there is nothing to describe"
                known[partition].append(found)
    counting, covered = [], []
    for group in known.values():
        whole = _without_covered(group)
        counting += whole
        covered += [file.path for file, _ in group if file.path not in {one.path for one, _ in whole}]
    everything = [one for group in known.values() for one in group]
    return Rebuilt(
        files=tuple(sorted((file for file, _ in counting), key=lambda one: (one.day, one.path))),
        positions=_positions(source for _, source in everything),
        tally=_tally(source for _, source in everything),
        covered=tuple(covered),
        unreadable=tuple(unreadable),
        why=why,
    )


def is_behind(archive: Path, snapshot: Snapshot, uncounted: Iterable[str], in_spool: Set[str]) -> bool:
    """Whether one of the files that do not count should: its rows are neither in the spool nor in a file that counts."""
    from segue.exchanges.parquet import describe_file

    for name in uncounted:
        relative = Path(name)
        partition = partition_of(relative)
        found = None if partition is None else describe_file(archive / name, relative, partition)
        if found is None or partition is None:
            continue
        ranges = found[1].ranges
        if all(one in in_spool and snapshot.end_of(one) < end for one, _, end in ranges):
            continue
        beside = [file for file in snapshot.files if (file.table, file.workflow, file.day) == partition]
        counting = [describe_file(archive / file.path, Path(file.path), partition) for file in beside]
        if not any(other is not None and covers(other[1].ranges, ranges) for other in counting):
            return True
    return False


def partition_of(path: Path) -> Partition | None:
    """Table, workflow and day of a file by its place, the other way about from `folder_of`."""
    parts = path.parts
    if len(parts) != 4 or not parts[1].startswith("workflow=") or not parts[2].startswith("day="):
        return None
    table: Table = "exchanges" if parts[0] == "exchanges" else "outcomes"
    return table, unquote(parts[1].removeprefix("workflow=")), parts[2].removeprefix("day=")


def covers(larger: Sequence[Range], smaller: Sequence[Range]) -> bool:
    """Whether each stretch of the one lies within a stretch of the other."""
    return all(any(a == c and b >= d and e <= f for c, d, f in larger) for a, b, e in smaller)


def _without_covered(group: list[tuple[ArchiveFile, Provenance]]) -> list[tuple[ArchiveFile, Provenance]]:
    """Largest first, so that what was merged twice is covered by the last of these files."""
    whole: list[tuple[ArchiveFile, Provenance]] = []
    for file, source in sorted(group, key=lambda one: (-sum(end - begin for _, begin, end in one[1].ranges), one[0].path)):
        if not any(covers(other.ranges, source.ranges) for _, other in whole):
            whole.append((file, source))
    return whole


def _positions(sources: Iterable[Provenance]) -> dict[str, Position]:
    ends: dict[str, int] = {}
    for source in sources:
        for segment, _, end in source.ranges:
            ends[segment] = max(end, ends.get(segment, 0))
    return {segment: Position(segment, end) for segment, end in ends.items()}


def _tally(sources: Iterable[Provenance]) -> dict[tuple[Table, str], int]:
    """Counts only grow: the largest ever written is the latest."""
    tally: Counter[tuple[Table, str]] = Counter()
    for source in sources:
        tally |= Counter({key: n for key, n in source.tally.items() if key[0] in TABLES})
    return dict(tally)
