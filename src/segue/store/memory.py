"""The store that ends with the process: a fake that ships, for tests, rehearsals and trying things out.

Passes the contract suite of the port like the databases do. It keeps everything in dictionaries; nothing survives it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from segue.errors import StoreError
from segue.model import Bundle, Case, Exchange, Json, Score, digest_of, suite_digest
from segue.store import chain
from segue.store.audit import StoredRecord, audit_log, record_now
from segue.store.base import (
    ArmRow,
    BundleRecord,
    CaseRow,
    Claim,
    LogCheck,
    LogEntry,
    RecordedLabel,
    SuiteRecord,
)
from segue.store.encoding import check_exchange, check_label, check_scores, check_texts, decode_json, encode_json
from segue.store.memory_gateways import MemoryGateways
from segue.store.memory_records import MemoryRecords
from segue.store.memory_records import as_vouched as as_vouched_record
from segue.store.memory_routes import MemoryRoutes
from segue.store.memory_upgrades import MemoryUpgrades
from segue.store.refs import as_prefix, pick_digest
from segue.store.rules import (
    arm_row,
    case_row,
    check_log_kind,
    duplicate_cases,
    label_conflict,
    no_bundle,
    no_suite,
)

Key = tuple[str, str, int]


@dataclass
class _Calls:
    """What is stored of one key: the reply, and the failures in order."""

    reply: Exchange | None = None
    failures: list[Exchange] = field(default_factory=list)

    @property
    def seen(self) -> Exchange:
        """What readers see."""
        return self.reply or self.failures[-1]


class MemoryStore(MemoryRecords, MemoryUpgrades, MemoryRoutes, MemoryGateways):
    """`Store` in memory. Thread-safe; an iterator gives what was stored when it began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        MemoryRecords.__init__(self)
        MemoryRoutes.__init__(self)
        MemoryUpgrades.__init__(self)
        MemoryGateways.__init__(self, clock)
        self._lock = threading.RLock()
        self._closed = False
        self._bundles: dict[str, BundleRecord] = {}
        self._labels: dict[str, dict[str, str]] = {}
        self._suites: dict[str, tuple[Case, ...]] = {}
        self._suite_names: dict[tuple[str, str, str], SuiteRecord] = {}
        self._calls: dict[str, dict[Key, _Calls]] = {}
        self._attempts: dict[str, dict[tuple[str, Key], int]] = {}
        self._recorded: dict[str, dict[tuple[str, int, str], RecordedLabel]] = {}
        self._scores: dict[tuple[str, str], dict[Key, tuple[Score, ...]]] = {}
        self._claims: dict[str, Claim] = {}
        self._log: list[LogEntry] = []

    def _open(self) -> threading.RLock:
        if self._closed:
            raise StoreError("The state store in memory is closed.", fix="Open it again; what it held is gone.")
        return self._lock

    # bundles and labels
    def add_bundle(self, bundle: Bundle, *, author: str, at: str) -> bool:
        with self._open():
            if bundle.digest in self._bundles:
                return False
            check_texts(workflow=bundle.workflow)
            record = chain.bundle_record(bundle.digest, bundle.workflow, bundle.body(), author, at)
            self._vouch(chain.BUNDLE_ADDED, bundle.digest, {"workflow": bundle.workflow}, record, author, at)
            self._bundles[bundle.digest] = BundleRecord(bundle, author, at)
            return True

    def list_bundles(self, workflow: str) -> list[BundleRecord]:
        with self._open():
            return [record for record in self._bundles.values() if record.bundle.workflow == workflow]

    def find_bundle(self, workflow: str, ref: str) -> BundleRecord:
        with self._open():
            labels = self.labels(workflow)
            if ref in labels:
                return self._bundles[labels[ref]]
            digests = [record.bundle.digest for record in self.list_bundles(workflow)]
            prefix = as_prefix(ref)
            matches = [one for one in digests if prefix and one.startswith(prefix)]
            return self._bundles[pick_digest("bundle", ref, matches, [*labels, *(one[:10] for one in digests)])]

    def get_bundle(self, digest: str) -> BundleRecord:
        with self._open():
            if digest not in self._bundles:
                raise no_bundle(digest)
            return self._bundles[digest]

    def labels(self, workflow: str) -> dict[str, str]:
        with self._open():
            return dict(sorted(self._labels.get(workflow, {}).items()))

    def set_label(self, workflow: str, label: str, digest: str, *, author: str, at: str) -> str | None:
        check_texts(workflow=workflow, label=label)
        with self._open():
            held = self._bundles.get(digest)
            if held is None or held.bundle.workflow != workflow:
                raise no_bundle(digest, workflow)
            before = self._labels.get(workflow, {}).get(label)
            if before != digest:
                record = chain.label_record(workflow, label, digest)
                body = {"digest": digest, "before": before}
                self._vouch(chain.LABEL_MOVED, f"{workflow}/{label}", body, record, author, at)
                self._labels.setdefault(workflow, {})[label] = digest
            return before

    # suites
    def add_suite(self, workflow: str, name: str, cases: Iterable[Case], *, author: str, at: str) -> SuiteRecord:
        check_texts(workflow=workflow, name=name)
        by_id: dict[str, Case] = {}
        twice: list[str] = []
        for case in cases:
            check_texts(case_id=case.case_id, task=case.task, cluster=case.cluster or "")
            if case.case_id in by_id:
                twice.append(case.case_id)
            by_id[case.case_id] = case
        if twice:
            raise duplicate_cases(name, twice)
        digest = suite_digest((case.case_id, case.digest) for case in by_id.values())
        with self._open():
            key = (workflow, name, digest)
            if key in self._suite_names:
                return self._suite_names[key]
            suite = SuiteRecord(digest, workflow, name, len(by_id))
            body = {"n_cases": suite.n_cases}
            record = chain.suite_record(workflow, name, digest, suite.n_cases)
            self._vouch(chain.SUITE_ADDED, chain.suite_subject(*key), body, record, author, at)
            self._suites.setdefault(digest, tuple(by_id[case_id] for case_id in sorted(by_id)))
            self._suite_names[key] = suite
            return suite

    def get_suite(self, digest: str) -> SuiteRecord:
        with self._open():
            for suite in self._suite_names.values():
                if suite.digest == digest:
                    return suite
            raise no_suite(digest)

    def list_suites(self, workflow: str) -> list[SuiteRecord]:
        with self._open():
            return [suite for suite in self._suite_names.values() if suite.workflow == workflow]

    def iter_cases(self, suite: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Case]:
        with self._open():
            if suite not in self._suites:
                raise no_suite(suite)
            wanted = None if case_ids is None else set(case_ids)
            return iter([case for case in self._suites[suite] if wanted is None or case.case_id in wanted])

    def iter_case_rows(self, suite: str) -> Iterator[CaseRow]:
        return map(case_row, self.iter_cases(suite))

    # exchanges
    def add_exchanges(self, exchanges: Iterable[Exchange]) -> int:
        given = list(exchanges)
        for exchange in given:
            check_exchange(exchange)
        with self._open():
            return sum(self._add_exchange(exchange) for exchange in given)

    def _add_exchange(self, exchange: Exchange) -> bool:
        key = (exchange.case_id, exchange.input_digest, exchange.repeat)
        calls = self._calls.setdefault(exchange.behaviour, {}).setdefault(key, _Calls())
        if calls.reply is not None:
            return False
        if exchange.reply is not None:
            calls.reply = exchange
            return True
        tried = len(calls.failures)
        if tried and calls.failures[-1] == exchange and not self._was_tried_since(exchange.behaviour, key, tried):
            return False
        calls.failures.append(exchange)
        return True

    def _was_tried_since(self, behaviour: str, key: Key, failures: int) -> bool:
        return any(begun.get((behaviour, key), -1) >= failures for begun in self._attempts.values())

    def finished(self, behaviour: str, *, with_failures: bool = False) -> set[Key]:
        with self._open():
            calls = self._calls.get(behaviour, {})
            return {key for key, one in calls.items() if with_failures or one.reply is not None}

    def iter_exchanges(self, behaviour: str, *, case_ids: Sequence[str] | None = None) -> Iterator[Exchange]:
        with self._open():
            wanted = None if case_ids is None else set(case_ids)
            calls = sorted(self._calls.get(behaviour, {}).items())
            return iter([one.seen for key, one in calls if wanted is None or key[0] in wanted])

    def cost_sources(self, behaviour: str) -> list[str]:
        found = (one.cost_source for one in self.iter_exchanges(behaviour) if one.cost_microusd is not None)
        return sorted({source for source in found if source is not None})

    # recorded labels
    def add_labels(self, behaviour: str, labels: Iterable[RecordedLabel]) -> int:
        new: dict[tuple[str, int, str], RecordedLabel] = {}
        clashes: list[RecordedLabel] = []
        given = list(labels)
        with self._open():
            held = self._recorded.setdefault(behaviour, {})
            for label in given:
                check_label(label)
                key = (label.case_id, -1 if label.repeat is None else label.repeat, label.labeler)
                before = held.get(key) or new.get(key)
                if before is None:
                    new[key] = replace(label, detail=_copied(label.detail))
                elif before.label != label.label:
                    clashes.append(label)
            if clashes:
                raise label_conflict(clashes)
            held.update(new)
            return len(new)

    def iter_labels(self, behaviour: str, labeler: str | None = None) -> Iterator[RecordedLabel]:
        with self._open():
            held = sorted(self._recorded.get(behaviour, {}).items())
            return iter([label for _, label in held if labeler is None or label.labeler == labeler])

    def labelers(self, behaviour: str) -> list[str]:
        with self._open():
            return sorted({labeler for _, _, labeler in self._recorded.get(behaviour, {})})

    # scores
    def add_scores(self, behaviour: str, scorer: str, rows: Iterable[tuple[str, str, int, Sequence[Score]]]) -> int:
        given = list(rows)
        for case_id, input_digest, _, scores in given:
            check_scores(case_id, input_digest, scores)
        with self._open():
            held = self._scores.setdefault((behaviour, scorer), {})
            before = len(held)
            for case_id, input_digest, repeat, scores in given:
                kept = tuple(replace(score, detail=_copied(score.detail)) for score in scores)
                held.setdefault((case_id, input_digest, repeat), kept)
            return len(held) - before

    def scored(self, behaviour: str, scorer: str) -> set[Key]:
        with self._open():
            return set(self._scores.get((behaviour, scorer), {}))

    def iter_arm(self, behaviour: str, scorers: Sequence[str]) -> Iterator[ArmRow]:
        with self._open():
            rows = []
            for exchange in self.iter_exchanges(behaviour):
                key = (exchange.case_id, exchange.input_digest, exchange.repeat)
                values: dict[str, float | None] = {}
                for scorer in scorers:
                    for score in self._scores.get((behaviour, scorer), {}).get(key, ()):
                        values[score.name] = score.value
                rows.append(arm_row(exchange, values))
            return iter(rows)

    def iter_scores(
        self, behaviour: str, scorer: str, *, case_ids: Sequence[str] | None = None
    ) -> Iterator[tuple[str, str, int, Sequence[Score]]]:
        with self._open():
            wanted = None if case_ids is None else set(case_ids)
            held = sorted(self._scores.get((behaviour, scorer), {}).items())
            return iter([(*key, scores) for key, scores in held if wanted is None or key[0] in wanted])

    # runs
    def begin_attempts(self, run: str, keys: Sequence[tuple[str, str, str, int]]) -> None:
        with self._open():
            begun = self._attempts.setdefault(run, {})
            for behaviour, case_id, input_digest, repeat in keys:
                check_texts(case_id=case_id, input_digest=input_digest)
                key = (case_id, input_digest, repeat)
                calls = self._calls.get(behaviour, {}).get(key)
                begun[behaviour, key] = len(calls.failures) if calls else 0

    def open_attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        with self._open():
            still = set()
            for (behaviour, key), failures in self._attempts.get(run, {}).items():
                calls = self._calls.get(behaviour, {}).get(key)
                if calls is None or (calls.reply is None and len(calls.failures) <= failures):
                    still.add((behaviour, *key))
            return still

    def attempts(self, run: str) -> set[tuple[str, str, str, int]]:
        with self._open():
            return {(behaviour, *key) for behaviour, key in self._attempts.get(run, {})}

    # claims
    def claim(self, name: str, holder: Claim) -> Claim | None:
        check_texts(name=name, run=holder.run, author=holder.author, at=holder.at)
        with self._open():
            if name in self._claims:
                return self._claims[name]
            self._claims[name] = holder
            return None

    def release(self, name: str) -> None:
        with self._lock:
            self._claims.pop(name, None)

    def _owner(self, digest: str) -> str | None:
        held = self._bundles.get(digest)
        return None if held is None else held.bundle.workflow

    # the log
    def append_log(self, kind: str, subject: str, body: Json, *, author: str, at: str) -> LogEntry:
        check_log_kind(kind)
        with self._open():
            return self._append(kind, subject, body, author, at)

    def _vouch(self, kind: str, subject: str, body: dict[str, Json], record: Json, author: str, at: str) -> None:
        self._append(kind, subject, {**body, "record": digest_of(record)}, author, at)

    def _append(self, kind: str, subject: str, body: Json, author: str, at: str) -> LogEntry:
        last = (self._log[-1].seq, self._log[-1].hash) if self._log else None
        entry = chain.link_entry(last, at=at, author=author, kind=kind, subject=subject, body=_copied(body))
        self._log.append(entry)
        return entry

    def iter_log(self, *, after: int = 0) -> Iterator[LogEntry]:
        with self._open():
            return iter([entry for entry in self._log if entry.seq > after])

    def verify_log(self) -> LogCheck:
        with self._open():
            return audit_log(self._log, self._stored_records())

    def _stored_records(self) -> Iterator[StoredRecord]:
        for digest, held in self._bundles.items():
            bundle = held.bundle
            record = chain.bundle_record(digest, bundle.workflow, bundle.body(), held.author, held.at)
            yield record_now(chain.BUNDLE_ADDED, digest, record)
        for workflow, labels in self._labels.items():
            for label, digest in labels.items():
                record = chain.label_record(workflow, label, digest)
                yield record_now(chain.LABEL_MOVED, f"{workflow}/{label}", record)
        for suite in self._suite_names.values():
            cases = self._suites[suite.digest]
            digest = suite_digest((case.case_id, digest_of(case.body())) for case in cases)
            record = chain.suite_record(suite.workflow, suite.name, digest, len(cases))
            subject = chain.suite_subject(suite.workflow, suite.name, suite.digest)
            yield record_now(chain.SUITE_ADDED, subject, record)
        kinds = ((chain.RUN_BEGAN, self._runs), (chain.RUN_FINISHED, self._ends), (chain.VERDICT_RECORDED, self._verdicts))
        for kind, held_records in kinds:
            for one in held_records.values():
                yield record_now(kind, one.name, as_vouched_record(kind, one))
        yield from self._route_records()
        yield from self._upgrade_records()

    def close(self) -> None:
        self._closed = True


def _copied(value: Json) -> Json:
    """As a database would give it back: nobody's changes to the original show."""
    return None if value is None else decode_json(encode_json(value))
