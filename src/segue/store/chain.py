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

NOUNS: Mapping[str, str] = {
    BUNDLE_ADDED: "bundle",
    LABEL_MOVED: "label",
    SUITE_ADDED: "suite",
    RUN_BEGAN: "run",
    RUN_FINISHED: "end of run",
    VERDICT_RECORDED: "verdict",
    ROUTE_FLIPPED: "route",
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
