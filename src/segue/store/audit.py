"""Checking the log: the chain link by link, then every record the log vouches for.

Pure: given the entries and the records as they are stored now, says what is wrong where. Must not know any database.
What a chain cannot prove is told in `segue.store.chain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from segue.errors import InputError
from segue.model import Json, digest_of
from segue.store.base import LogCheck, LogEntry
from segue.store.chain import GENESIS, NOUNS, entry_hash

MAX_FAULTS = 200
"""How many faults are told one by one."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is stored now, with the digest worked out from it anew. `flaw` says what is wrong inside it."""

    kind: str
    subject: str
    digest: str | None
    flaw: str = ""


@dataclass(slots=True)
class _Vouched:
    seq: int
    digest: Json


def record_now(kind: str, subject: str, record: Json, flaw: str = "") -> StoredRecord:
    """A `StoredRecord` of `record`; one that can no longer be digested has no digest."""
    try:
        return StoredRecord(kind, subject, digest_of(record), flaw)
    except InputError:
        return StoredRecord(kind, subject, None, flaw or "it cannot be read")


def digest_now(body: Json) -> str:
    """The digest of a body as it is stored now; of one that has none any more an empty text, which no body ever had."""
    try:
        return digest_of(body)
    except InputError:
        return ""


def audit_log(entries: Iterable[LogEntry], records: Iterable[StoredRecord]) -> LogCheck:
    """Walk `entries` in order of `seq`, then compare `records` with what they vouch for."""
    faults = _Faults()
    vouched: dict[tuple[str, str], _Vouched] = {}
    expected_seq, head, n_entries = 1, GENESIS, 0
    for entry in entries:
        n_entries += 1
        for fault in _link_faults(entry, expected_seq, head):
            faults.add(fault)
        expected_seq, head = entry.seq + 1, entry.hash
        if entry.kind in NOUNS:
            digest = entry.body.get("record") if isinstance(entry.body, dict) else None
            vouched[entry.kind, entry.subject] = _Vouched(entry.seq, digest)
    for record in records:
        noun = f"{NOUNS[record.kind]} {record.subject}"
        held = vouched.pop((record.kind, record.subject), None)
        if held is None:
            faults.add(f"The {noun} is stored, but no entry of the log vouches for it.")
        elif record.flaw or held.digest != record.digest:
            detail = f": {record.flaw}" if record.flaw else ""
            faults.add(f"Entry {held.seq}: the {noun} is not what was recorded{detail}.")
    for (kind, subject), held in sorted(vouched.items(), key=lambda item: item[1].seq):
        faults.add(f"Entry {held.seq}: the {NOUNS[kind]} {subject} is gone from the store.")
    return LogCheck(n_entries=n_entries, head=head, faults=faults.told())


def _link_faults(entry: LogEntry, expected_seq: int, head: str) -> Iterator[str]:
    if entry.seq != expected_seq:
        missing = str(expected_seq) if entry.seq == expected_seq + 1 else f"{expected_seq} to {entry.seq - 1}"
        yield f"Entry {missing}: missing from the log."
    if entry.prev_hash != head:
        yield f"Entry {entry.seq}: it does not follow from the entry before it."
    try:
        true_hash = entry_hash(entry.seq, entry.at, entry.author, entry.kind, entry.subject, entry.body, entry.prev_hash)
    except InputError:
        true_hash = ""
    if true_hash != entry.hash:
        yield f"Entry {entry.seq}: its content is not what its hash was made from."


class _Faults:
    """The first `MAX_FAULTS` faults, and the count of the others."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._beyond = 0

    def add(self, fault: str) -> None:
        if len(self._kept) < MAX_FAULTS:
            self._kept.append(fault)
        else:
            self._beyond += 1

    def told(self) -> tuple[str, ...]:
        return (*self._kept, f"And {self._beyond} more.") if self._beyond else tuple(self._kept)
