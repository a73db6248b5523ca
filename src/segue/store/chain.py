"""The hash chain of the log, and the digests by which it vouches for records.

Each entry carries the hash of the one before it; an entry that records a write carries the digest of the record written.
So an entry or a record that was altered, and a record that was removed or slipped in, is found by `segue.store.audit`.

What a chain cannot prove: whoever can write to the database can remove the last entries together with their records, or
compute a new chain from any point on. Neither shows in the chain itself. It shows to those who noted `LogCheck.head` and
`n_entries` earlier, somewhere the database's owner cannot reach: an earlier head must still be an entry's hash.
Exchanges, scores and recorded labels are append-only but not vouched for one by one.

Must not know any database.
"""

from __future__ import annotations

from collections.abc import Mapping

from segue.model import Json, digest_of
from segue.store.base import LogEntry
from segue.store.encoding import check_texts

GENESIS = "0" * 64
"""`prev_hash` of the first entry, and the head of an empty log."""

BUNDLE_ADDED = "bundle-added"
LABEL_MOVED = "label-moved"
SUITE_ADDED = "suite-added"
RUN_BEGAN = "run-began"
RUN_FINISHED = "run-finished"
VERDICT_RECORDED = "verdict-recorded"
ROUTE_FLIPPED = "route-flipped"
UPGRADE_OPENED = "upgrade-opened"
UPGRADE_ENTRY = "upgrade-entry"
FACT_NOTED = "fact-noted"

NOUNS: Mapping[str, str] = {
    BUNDLE_ADDED: "bundle",
    LABEL_MOVED: "label",
    SUITE_ADDED: "suite",
    RUN_BEGAN: "run",
    RUN_FINISHED: "end of run",
    VERDICT_RECORDED: "verdict",
    ROUTE_FLIPPED: "route",
    UPGRADE_OPENED: "upgrade",
    UPGRADE_ENTRY: "entry of upgrade",
    FACT_NOTED: "fact",
}
"""The kinds of entries that vouch for a record, and what the record is called. No other entry may use them."""


def entry_hash(seq: int, at: str, author: str, kind: str, subject: str, body: Json, prev_hash: str) -> str:
    """SHA-256 of the canonical JSON of all fields of an entry but `hash`."""
    return digest_of(
        {"seq": seq, "at": at, "author": author, "kind": kind, "subject": subject, "body": body, "prev_hash": prev_hash}
    )


def link_entry(last: tuple[int, str] | None, *, at: str, author: str, kind: str, subject: str, body: Json) -> LogEntry:
    """The entry that follows `last`, an entry's `(seq, hash)`; or the first one."""
    check_texts(subject=subject, kind=kind, author=author, at=at)
    seq, prev_hash = (last[0] + 1, last[1]) if last else (1, GENESIS)
    return LogEntry(
        seq=seq,
        at=at,
        author=author,
        kind=kind,
        subject=subject,
        body=body,
        prev_hash=prev_hash,
        hash=entry_hash(seq, at, author, kind, subject, body, prev_hash),
    )


def bundle_record(digest: str, workflow: str, body: Json, author: str, at: str) -> Json:
    """What the log vouches for of a bundle."""
    return {"digest": digest, "workflow": workflow, "body": body, "author": author, "at": at}


def label_record(workflow: str, label: str, digest: str) -> Json:
    """What the log vouches for of a label: where it points."""
    return {"workflow": workflow, "label": label, "digest": digest}


def suite_record(workflow: str, name: str, digest: str, n_cases: int) -> Json:
    """What the log vouches for of a suite; `digest` stands for every case."""
    return {"workflow": workflow, "name": name, "digest": digest, "n_cases": n_cases}


def suite_subject(workflow: str, name: str, digest: str) -> str:
    """How an entry names a suite: one set of cases can be added under several names."""
    return f"{workflow}/{name}@{digest}"


def run_record(run: str, workflow: str, body: Json, author: str, at: str) -> Json:
    """What the log vouches for of a run's beginning, or of its end."""
    return {"run": run, "workflow": workflow, "body": body, "author": author, "at": at}


def verdict_record(verdict: str, workflow: str, body: Json, author: str, at: str) -> Json:
    """What the log vouches for of a verdict."""
    return {"verdict": verdict, "workflow": workflow, "body": body, "author": author, "at": at}


def route_record(revision: int, body: Json, author: str, reason: str, at: str) -> Json:
    """What the log vouches for of a route; `body` names its workflow and environment."""
    return {"revision": revision, "body": body, "author": author, "reason": reason, "at": at}


def route_subject(workflow: str, environment: str, revision: int) -> str:
    """How an entry names a revision of a route."""
    return f"{workflow}/{environment}@{revision}"


def upgrade_record(upgrade: str, workflow: str, environment: str, opening: str, author: str, at: str) -> Json:
    """What the log vouches for of an upgrade; `opening` is the digest of how it was opened."""
    named: dict[str, Json] = {"upgrade": upgrade, "workflow": workflow, "environment": environment}
    return {**named, "opening": opening, "author": author, "at": at}


def entry_record(upgrade: str, number: int, body: str, ends: bool, author: str, at: str) -> Json:
    """What the log vouches for of an entry of an upgrade; `body` is the digest of what it says."""
    return {"upgrade": upgrade, "number": number, "body": body, "ends": ends, "author": author, "at": at}


def entry_subject(upgrade: str, number: int) -> str:
    """How the log names an entry of an upgrade."""
    return f"{upgrade}@{number}"


def entry_summary(entry: Json, ends: bool) -> dict[str, Json]:
    """What the log says of an upgrade's entry to people who read it: the event, and whether it is the last one."""
    event = entry.get("event") if isinstance(entry, dict) else None
    return {**({"event": event} if isinstance(event, str) else {}), "ends": ends}


def fact_record(number: int, kind: str, workflow: str, subject: str, body: str, author: str, at: str) -> Json:
    """What the log vouches for of a fact; `body` is the digest of what it says."""
    named: dict[str, Json] = {"number": number, "kind": kind, "workflow": workflow, "subject": subject}
    return {**named, "body": body, "author": author, "at": at}


def fact_subject(number: int, kind: str, subject: str) -> str:
    """How the log names a fact: what it is about, its kind and its number."""
    return f"{subject}/{kind}@{number}"
