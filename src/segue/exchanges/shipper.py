"""Carries the spool over to Parquet files, exactly once, and tidies up behind itself. One at a time per archive.

A step reads a batch, writes its files under other names, syncs and renames them, commits to the ledger, and only then deletes
segments. Whatever it dies of, wherever: what was not committed is read again, and files that are not in the ledger do not
count. Next: `batch.py` (what is read), `ledger.py` (the commit), `compaction.py`, `query.py` (who reads the files).
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from segue.errors import ConflictError, StoreError
from segue.exchanges.batch import Batch, Enrich, Partition, take_batch
from segue.exchanges.compaction import Merge, expired_files, plan_merges
from segue.exchanges.keeping import KeepingRules
from segue.exchanges.ledger import NAME, ArchiveFile, Change, Ledger, Position, Table, is_damaged
from segue.exchanges.provenance import Provenance, join_ranges
from segue.exchanges.reading import open_segments
from segue.exchanges.rebuilding import TABLES, UNREADABLE, Rebuilt, has_files, is_behind, read_archive
from segue.exchanges.segment import list_segments

MIB = 1 << 20
Point = Literal["read", "written", "renamed", "committed", "deleted", "merged", "merge_committed", "swept"]
"""Moments at which tests kill it."""


@dataclass(frozen=True)
class ShipSettings:
    """`batch_bytes` bounds memory. Files of `file_bytes` and more are left as they are: under load a batch fills one, and to
    merge it would cost as much as to ship it. A file that no longer counts stays `grace_ns` for readers that have it in hand.
    Rules that may change are given as a function; it is asked in each step. Without `syncs` the disk is not waited for: a
    rehearsal, whose log nobody misses after a crash. `between` is called between pieces of the work, most of some tenths of a
    millisecond; merging has longer ones. Where others want the core, it is the moment to let them.
    """

    rules: KeepingRules | Callable[[], KeepingRules] = field(default_factory=KeepingRules)
    enrich: Enrich | None = None
    batch_bytes: int = 16 * MIB
    file_bytes: int = 4 * MIB
    fan_in: int = 8
    grace_ns: int = 600 * 1_000_000_000
    syncs: bool = True
    between: Callable[[], None] = lambda: None

    def rules_now(self) -> KeepingRules:
        return self.rules() if callable(self.rules) else self.rules


@dataclass(frozen=True)
class Shipped:
    """What a step did. `stuck`: segments with frames of a newer version. `torn`: with a frame that does not hold."""

    n_rows: int = 0
    n_bytes: int = 0
    n_files: int = 0
    n_deleted: int = 0
    has_more: bool = False
    stuck: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()


class Shipper:
    """`step` once in a while, again at once while it `has_more`; `tidy` now and then. `ConflictError`: another is at it."""

    def __init__(
        self,
        spool: Path,
        archive: Path,
        *,
        clock: Callable[[], int],
        settings: ShipSettings | None = None,
        reached: Callable[[Point], None] = lambda _: None,
    ) -> None:
        self._spool, self._archive = spool, archive
        self._settings = settings or ShipSettings()
        self._clock, self._reached = clock, reached
        archive.mkdir(0o700, parents=True, exist_ok=True)
        self._lock = os.open(archive / "shipper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ConflictError(f"Another shipper works on {archive}.", fix="One is enough; end the other one first.") from None
        try:
            self._ledger, self.rebuilt = self._open_ledger()
            self._remove_strays()
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        self._ledger.close()
        os.close(self._lock)

    def _open_ledger(self) -> tuple[Ledger, Rebuilt | None]:
        """The ledger; worked out anew from the files, if it is gone, damaged or older than they are."""
        if not has_files(self._archive):
            why = None if self._is_whole(makes=True) else "was damaged"
        elif not (self._archive / NAME).exists():
            why = "was gone"
        elif not self._is_whole(makes=False):
            why = "was damaged"
        else:
            why = "was older than its files" if self._is_behind() else None
        found = None if why is None else self._rebuild(why)
        return Ledger(self._archive, writes=True, syncs=self._settings.syncs), found

    def _is_whole(self, *, makes: bool) -> bool:
        try:
            with closing(Ledger(self._archive, writes=True, makes=makes)) as ledger:
                ledger.check()
        except StoreError as error:
            if not is_damaged(error):
                raise
            return False
        return True

    def _is_behind(self) -> bool:
        with closing(Ledger(self._archive)) as ledger:
            return is_behind(self._archive, ledger.snapshot(), self._uncounted(ledger), self._in_spool())

    def _rebuild(self, why: str) -> Rebuilt:
        found, now = read_archive(self._archive, why), self._clock()
        self._put_aside([NAME, *(f"{NAME}{end}" for end in ("-journal", "-wal", "-shm")), *found.unreadable])
        gone = found.positions.keys() - self._in_spool()
        positions = [replace(one, done_ns=now) if name in gone else one for name, one in found.positions.items()]
        with closing(Ledger(self._archive, writes=True)) as ledger:
            ledger.commit(Change(positions, found.files, found.covered, now, found.tally))
        return found

    def _in_spool(self) -> set[str]:
        return {str(name) for name in list_segments(self._spool)}

    def _put_aside(self, names: Iterable[str]) -> None:
        """Files that cannot be read: kept for whoever wants to look at them."""
        folder = self._archive / UNREADABLE
        for name in names:
            path = self._archive / name
            if path.exists():
                folder.mkdir(exist_ok=True)
                path.rename(folder / f"{self._clock()}-{path.name}")

    def step(self) -> Shipped:
        """Ship one batch. `OSError`, `StoreError`: nothing was lost, try again later."""
        try:
            return self._step()
        except StoreError as error:
            if is_damaged(error):
                self._ledger.close()
                self._ledger, self.rebuilt = self._open_ledger()
            raise

    def _step(self) -> Shipped:
        settings, now = self._settings, self._clock()
        known = self._ledger.positions()
        readers = open_segments(self._spool)
        try:
            rules, limit = settings.rules_now(), settings.batch_bytes
            batch = take_batch(readers, known, rules, limit=limit, now_ns=now, enrich=settings.enrich, between=settings.between)
        finally:
            for reader in readers:
                reader.close()
        self._reached("read")
        files = self._write(batch)
        for one in batch.positions:
            if one.torn_at is not None:
                self._set_aside(one.segment, one.torn_at)
        if batch.positions:
            self._ledger.commit(Change(batch.positions, files, at_ns=now, tally=dict(batch.tally)))
            self._reached("committed")
        settings.between()
        done = [name for name, position in known.items() if position.done_ns is not None] + batch.finished
        deleted = self._delete_segments({str(reader.name) for reader in readers}.intersection(done))
        return Shipped(
            n_rows=sum(batch.tally.values()),
            n_bytes=batch.n_bytes,
            n_files=len(files),
            n_deleted=deleted,
            has_more=batch.has_more,
            stuck=tuple(batch.stuck),
            torn=tuple(one.segment for one in batch.positions if one.torn_at is not None),
        )

    def tidy(self) -> None:
        """Delete what is too old, merge small files, sweep away what no longer counts."""
        settings, now = self._settings, self._clock()
        files = self._ledger.snapshot().files
        expired = expired_files(files, settings.rules_now(), now)
        if expired:
            counts: dict[Any, int] = {}
            for file in expired:
                counts[file.table, "expired"] = counts.get((file.table, "expired"), 0) + file.n_rows
            self._ledger.commit(Change(removed=[file.path for file in expired], at_ns=now, tally=counts))
        gone = {file.path for file in expired}
        left = [file for file in files if file.path not in gone]
        for merge in plan_merges(left, now, file_bytes=settings.file_bytes, fan_in=settings.fan_in):
            self._merge(merge, now)
        self._sweep(now)

    # writing

    def _write(self, batch: Batch) -> list[ArchiveFile]:
        for name, start, content in batch.unreadable:
            self._write_bytes(Path(UNREADABLE) / f"{name}-{start}", content)
        if not batch.rows:
            return []
        from segue.exchanges.parquet import write_rows

        stem = name_of(batch.ranges)
        source = Provenance(join_ranges(batch.ranges), Counter(self._ledger.tally()) + batch.tally)
        renames: list[tuple[Path, Path]] = []
        files: list[ArchiveFile] = []
        for partition, rows in sorted(batch.rows.items()):
            path = folder_of(partition) / f"{stem}.parquet"
            under = self._archive / path.with_suffix(".tmp")
            under.parent.mkdir(parents=True, exist_ok=True)
            files.append(write_rows(under, path, partition, rows, source, self._settings.between))
            self._sync(under)
            renames.append((under, self._archive / path))
        self._reached("written")
        self._rename(renames)
        self._reached("renamed")
        return files

    def _merge(self, merge: Merge, now: int) -> None:
        from segue.exchanges.parquet import merge_files

        path = folder_of(merge.partition) / f"{name_of([(one.path, 0, one.n_rows) for one in merge.files])}.parquet"
        under = self._archive / path.with_suffix(".tmp")
        between, tallied = self._settings.between, self._ledger.tally()
        file, repeated, conflicting = merge_files(self._archive, merge, under, path, tallied, between)
        self._sync(under)
        self._rename([(under, self._archive / path)])
        self._reached("merged")
        removed = [one.path for one in merge.files]
        tally: dict[tuple[Table, str], int] = {(file.table, "repeated"): repeated, (file.table, "conflicting"): conflicting}
        self._ledger.commit(Change((), [file], removed, now, tally))
        self._reached("merge_committed")

    def _write_bytes(self, path: Path, content: bytes) -> None:
        under = self._archive / path.with_suffix(path.suffix + ".tmp")
        under.parent.mkdir(parents=True, exist_ok=True)
        under.write_bytes(content)
        self._sync(under)
        self._rename([(under, self._archive / path)])

    def _set_aside(self, segment: str, at: int) -> None:
        """What stands from a frame on that does not hold: for whoever can make something of it."""
        rest = (self._spool / segment).read_bytes()[at:].rstrip(b"\0")
        self._write_bytes(Path(UNREADABLE) / f"{segment}-{at}", rest)

    def _rename(self, renames: list[tuple[Path, Path]]) -> None:
        for under, path in renames:
            under.rename(path)
        for folder in sorted({parent for _, path in renames for parent in (path.parent, path.parent.parent, self._archive)}):
            self._sync(folder)

    def _sync(self, path: Path) -> None:
        if self._settings.syncs:
            sync_path(path)

    # tidying

    def _delete_segments(self, names: set[str]) -> int:
        for name in sorted(names):
            (self._spool / name).unlink(missing_ok=True)
            self._reached("deleted")
        return len(names)

    def _sweep(self, now: int) -> None:
        before = now - self._settings.grace_ns
        paths = self._ledger.dropped(before_ns=before)
        for path in paths:
            (self._archive / path).unlink(missing_ok=True)
            self._reached("swept")
        known = self._ledger.snapshot().positions.values()
        old = [one.segment for one in known if is_forgettable(one, before) and not (self._spool / one.segment).exists()]
        if paths or old:
            self._ledger.forget(paths, old)

    def _remove_strays(self) -> None:
        """What an earlier shipper wrote and did not come to commit."""
        for path in self._uncounted(self._ledger):
            (self._archive / path).unlink()

    def _uncounted(self, ledger: Ledger) -> list[str]:
        """Files that the ledger does not know."""
        counting = {file.path for file in ledger.snapshot().files} | set(ledger.dropped())
        paths = [path for table in TABLES for path in (self._archive / table).rglob("*") if path.is_file()]
        return [name for path in paths if (name := path.relative_to(self._archive).as_posix()) not in counting]


def is_forgettable(position: Position, before_ns: int) -> bool:
    """A reader that listed the spool before a segment was deleted must still find here that all of it was shipped."""
    return position.done_ns is not None and position.done_ns <= before_ns


def folder_of(partition: Partition) -> Path:
    """Where the files of a partition are; a workflow that nobody named has an empty name."""
    table, workflow, day = partition
    return Path(table) / f"workflow={quote(workflow, safe='')}" / f"day={day}"


def name_of(ranges: list[tuple[str, int, int]]) -> str:
    """A file's name follows from what is in it: shipping the same again writes the same file."""
    text = "\n".join(f"{segment} {begin} {end}" for segment, begin, end in ranges)
    return blake2b(text.encode(), digest_size=12).hexdigest()


def sync_path(path: Path) -> None:
    """A file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ship_forever(shipper: Shipper, *, wait: Callable[[], bool], tidy_every: int = 60, told: Callable[[object], None]) -> None:
    """Step until `wait` (which waits, and says whether to go on) says no. `told` hears of every step and every failure."""
    going, rounds = True, 0
    while going:
        try:
            step = shipper.step()
            told(step)
            if step.has_more:
                continue
            rounds += 1
            if rounds % tidy_every == 0:
                shipper.tidy()
        except (OSError, StoreError) as error:
            told(error)
        going = wait()
