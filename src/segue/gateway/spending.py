"""What was spent on shadows today, over all workers of the gateways on this machine, and over their restarts.

One small file per workflow, mapped by every worker: each adds to a slot of its own and reads all of them, so nobody waits for
anybody. A slot is held by a lock that goes with its process; who takes it over goes on from what stands there. The kernel owns
the pages, so `kill -9` makes nothing unspent. Days are UTC.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections import defaultdict
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from segue.exchanges.segment import allocate_on_disk

SLOTS = 256
_SLOT = struct.Struct("<qd")
_ALL = struct.Struct("<" + "qd" * SLOTS)


class Spending(Protocol):
    """Millionths of a dollar by workflow and day (days since 1970). `OSError` where that cannot be known."""

    def total(self, workflow: str, day: int) -> float:
        """Spent by all."""
        ...

    def add(self, workflow: str, day: int, microusd: float) -> None:
        """Spent by this process; less than nothing where less was spent than had been put by."""
        ...


class MemorySpending:
    """Of one process, and forgotten with it."""

    def __init__(self) -> None:
        self._spent: defaultdict[tuple[str, int], float] = defaultdict(float)

    def total(self, workflow: str, day: int) -> float:
        return self._spent[workflow, day]

    def add(self, workflow: str, day: int, microusd: float) -> None:
        self._spent[workflow, day] += microusd


class MappedSpending:
    """Files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _Sheet] = {}

    def total(self, workflow: str, day: int) -> float:
        return self._sheet(workflow).total(day)

    def add(self, workflow: str, day: int, microusd: float) -> None:
        self._sheet(workflow).add(day, microusd)

    def close(self) -> None:
        for sheet in self._open.values():
            sheet.close()
        self._open.clear()

    def _sheet(self, workflow: str) -> _Sheet:
        found = self._open.get(workflow)
        if found is None:
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
            found = self._open[workflow] = _Sheet(self._folder / f"{quote(workflow, safe='')}.spent")
        return found


class _Sheet:
    """The slots of one workflow, of which one is ours."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Taken now: a page without room behind it would end the process when it is written.
            allocate_on_disk_once(self._descriptor, _ALL.size)
            self._at = self._take_slot() * _SLOT.size
            self._map = mmap.mmap(self._descriptor, _ALL.size)
        except BaseException:
            os.close(self._descriptor)
            raise

    def total(self, day: int) -> float:
        values: tuple[float, ...] = _ALL.unpack_from(self._map)
        return sum(amount for its_day, amount in zip(values[::2], values[1::2], strict=True) if its_day == day)

    def add(self, day: int, microusd: float) -> None:
        its_day, amount = _SLOT.unpack_from(self._map, self._at)
        if day >= its_day:  # what is settled after midnight belongs to a day that nobody asks for any more
            _SLOT.pack_into(self._map, self._at, day, (amount if its_day == day else 0.0) + microusd)

    def close(self) -> None:
        self._map.close()
        os.close(self._descriptor)

    def _take_slot(self) -> int:
        for slot in range(SLOTS):
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SLOT.size, slot * _SLOT.size)
            except (BlockingIOError, PermissionError):
                continue
            return slot
        raise OSError(f"{SLOTS} processes spend already")


def allocate_on_disk_once(descriptor: int, size: int) -> None:
    """The space, where the file has not got it yet: what stands there stays."""
    if os.fstat(descriptor).st_size < size:
        allocate_on_disk(descriptor, size)
