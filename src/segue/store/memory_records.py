"""The memory store's runs and verdicts: records that are written once."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from segue.model import Json, canonical_json, digest_of
from segue.store import chain
from segue.store.encoding import check_texts, decode_json, encode_json
from segue.store.refs import as_prefix, pick_digest
from segue.store.rules import no_run, record_conflict


@dataclass(frozen=True)
class Record:
    """A run's beginning or end, or a verdict, with its body as JSON text so that nobody changes it from outside."""

    name: str
    workflow: str
    body: str
    author: str
    at: str


class MemoryRecords:
    """Kept as JSON text, so that nobody changes one from outside. The store that this is a part of has the lock and the log."""

    def __init__(self) -> None:
        self._runs: dict[str, Record] = {}
        self._ends: dict[str, Record] = {}
        self._verdicts: dict[str, Record] = {}

    @abstractmethod
    def _open(self) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _vouch(self, kind: str, subject: str, body: dict[str, Json], record: Json, author: str, at: str) -> None: ...

    def add_run(self, run: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        with self._open():
            self._record(self._runs, chain.RUN_BEGAN, Record(run, workflow, frozen(body), author, at))

    def finish_run(self, run: str, body: Json, *, author: str, at: str) -> None:
        with self._open():
            if run not in self._runs:
                raise no_run(run, list(self._runs))
            workflow = self._runs[run].workflow
            self._record(self._ends, chain.RUN_FINISHED, Record(run, workflow, frozen(body), author, at))

    def get_run(self, run: str) -> tuple[Json, Json | None]:
        with self._open():
            if run not in self._runs:
                raise no_run(run, list(self._runs))
            end = self._ends.get(run)
            return decode_json(self._runs[run].body), decode_json(end.body) if end else None

    def list_runs(self, workflow: str) -> list[tuple[str, str, Json, Json | None]]:
        with self._open():
            runs = [run for run in self._runs.values() if run.workflow == workflow]
            return [(run.name, run.at, *self.get_run(run.name)) for run in reversed(runs)]

    # verdicts
    def add_verdict(self, verdict: str, workflow: str, body: Json, *, author: str, at: str) -> None:
        with self._open():
            record = Record(verdict, workflow, frozen(body), author, at)
            self._record(self._verdicts, chain.VERDICT_RECORDED, record)

    def get_verdict(self, ref: str) -> tuple[str, Json]:
        with self._open():
            prefix = as_prefix(ref)
            matches = [one for one in self._verdicts if one == ref or (prefix and one.startswith(prefix))]
            digest = pick_digest("verdict", ref, matches, (one[:10] for one in self._verdicts))
            return digest, decode_json(self._verdicts[digest].body)

    def list_verdicts(self, workflow: str) -> list[tuple[str, str, Json]]:
        with self._open():
            held = [one for one in self._verdicts.values() if one.workflow == workflow]
            return [(one.name, one.at, decode_json(one.body)) for one in reversed(held)]

    def _record(self, held: dict[str, Record], kind: str, record: Record) -> None:
        check_texts(name=record.name, workflow=record.workflow)
        before = held.get(record.name)
        if before is not None:
            if before.workflow != record.workflow or digest_of(decode_json(before.body)) != digest_of(decode_json(record.body)):
                raise record_conflict(kind, record.name)
            return
        self._vouch(kind, record.name, {"workflow": record.workflow}, as_vouched(kind, record), record.author, record.at)
        held[record.name] = record


def as_vouched(kind: str, one: Record) -> Json:
    make = chain.verdict_record if kind == chain.VERDICT_RECORDED else chain.run_record
    return make(one.name, one.workflow, decode_json(one.body), one.author, one.at)


def frozen(body: Json) -> str:
    """A body as JSON text. `InputError` for what canonical JSON cannot carry, as nothing could vouch for it."""
    canonical_json(body)
    return encode_json(body)
