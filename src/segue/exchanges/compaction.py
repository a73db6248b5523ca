"""Which small files become one, and which files are too old. Pure; the shipper carries it out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from segue.exchanges.batch import Partition, day_of
from segue.exchanges.keeping import DAY_NS, KeepingRules
from segue.exchanges.ledger import ArchiveFile


@dataclass(frozen=True)
class Merge:
    """Files of one partition that become one."""

    partition: Partition
    files: tuple[ArchiveFile, ...]


def plan_merges(files: Iterable[ArchiveFile], now_ns: int, *, file_bytes: int, fan_in: int) -> list[Merge]:
    """Of each partition: `fan_in` files of like size as soon as there are so many; all small ones once its day is over.

    Like size: so each byte is written anew a number of times that grows with the logarithm only.
    """
    groups: dict[tuple[Partition, int], list[ArchiveFile]] = defaultdict(list)
    over = day_of(max(0, now_ns - DAY_NS))
    for file in files:
        if file.n_bytes < file_bytes:
            tier = -1 if file.day < over else _tier(file.n_bytes, fan_in)
            groups[(file.table, file.workflow, file.day), tier].append(file)
    merges = []
    for (partition, tier), group in sorted(groups.items()):
        for part in _parts(sorted(group, key=lambda one: (one.first_ns, one.path)), file_bytes):
            if len(part) >= (2 if tier < 0 else fan_in):
                merges.append(Merge(partition, tuple(part)))
    return merges


def expired_files(files: Iterable[ArchiveFile], rules: KeepingRules, now_ns: int) -> list[ArchiveFile]:
    """Files of days that are further back than their workflow keeps them. The day of today does not count."""
    expired = []
    for file in files:
        days = rules.of(file.workflow).days
        if days is not None and file.day < day_of(max(0, now_ns - days * DAY_NS)):
            expired.append(file)
    return expired


def _tier(n_bytes: int, fan_in: int) -> int:
    tier = 0
    while n_bytes >= fan_in:
        n_bytes //= fan_in
        tier += 1
    return tier


def _parts(files: list[ArchiveFile], file_bytes: int) -> list[list[ArchiveFile]]:
    """Cut so that no merged file grows beyond `file_bytes`, but for what merging adds."""
    parts: list[list[ArchiveFile]] = [[]]
    size = 0
    for file in files:
        if size and size + file.n_bytes > file_bytes:
            parts.append([])
            size = 0
        parts[-1].append(file)
        size += file.n_bytes
    return parts
