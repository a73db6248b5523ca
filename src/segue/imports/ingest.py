"""Puts what an importer reads into a store: a suite, one bundle per release, their exchanges and labels.

Importing the same thing twice changes nothing. Nothing but an index of the cases and one batch is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain

from segue.errors import Fault, InputError
from segue.imports.base import Count, ImportedExchange, ImportSource, Place, Release
from segue.imports.case_index import CaseIndex
from segue.imports.label_batches import LabelBatches
from segue.imports.parameters import map_parameters
from segue.imports.release_labels import labels_for
from segue.imports.summary import ImportProgress, ImportSummary, LabelerSummary, ReleaseSummary
from segue.model import Bundle, Case, Exchange, ModelRef, RecordedLabel
from segue.scoring.label_roles import LabelRole, role_of
from segue.store.base import Store, SuiteRecord

BATCH = 5_000
"""Rows per transaction."""

RECORDED = "recorded"
"""The provider that replays recordings."""

Progress = Callable[[ImportProgress], None]


def ingest(
    source: ImportSource,
    *,
    store: Store,
    workflow: str,
    suite_name: str,
    author: str,
    at: str,
    progress: Progress | None = None,
    roles: Mapping[str, LabelRole] | None = None,
) -> ImportSummary:
    """Store everything `source` gives, and say what became of it. `roles` says who labelers are, where their names do not.

    Each release becomes a bundle of `workflow` that replays its recordings, under a label made of its name. A recording, or a
    label, that fits no case or recording is a fault with its line (`source.report`), and is left out.
    `InputError` where there is no case or no recording at all; the store's errors as they come.
    """
    return _Import(source, store, workflow, suite_name, author, at, progress or (lambda _: None), roles or {}).run()


@dataclass
class _Arm:
    """One release on its way into the store."""

    bundle: Bundle
    snapshot: str
    summary: ReleaseSummary


class _Import:
    def __init__(
        self,
        source: ImportSource,
        store: Store,
        workflow: str,
        suite_name: str,
        author: str,
        at: str,
        progress: Progress,
        roles: Mapping[str, LabelRole],
    ) -> None:
        self._source = source
        self._store = store
        self._workflow = workflow
        self._suite_name = suite_name
        self._author = author
        self._at = at
        self._progress = progress
        self._roles = roles
        self._labelers: dict[str, LabelerSummary] = {}
        self._index = CaseIndex()
        self._rejected = {"cases": 0, "exchanges": 0, "labels": 0}

    def run(self) -> ImportSummary:
        suite = self._add_suite()
        arms = self._add_bundles(suite)
        self._add_exchanges(arms)
        self._add_labels(arms)
        counts = self._source.counts
        return ImportSummary(
            suite=suite,
            releases=tuple(arm.summary for arm in arms.values()),
            cases=self._counted("cases", counts.cases),
            exchanges=self._counted("exchanges", counts.exchanges),
            labels=self._counted("labels", counts.labels),
            labelers=self._named_labelers(),
        )

    def _add_suite(self) -> SuiteRecord:
        cases = self._new_cases()
        first = next(cases, None)
        if first is None:
            raise InputError("There is no case to import.", fix="See the faults reported, and the selection if there is one.")
        suite = self._store.add_suite(self._workflow, self._suite_name, chain([first], cases), author=self._author, at=self._at)
        self._progress(ImportProgress("cases", len(self._index)))
        return suite

    def _new_cases(self) -> Iterator[Case]:
        for case in self._source.cases():
            if self._index.add(case.case_id, case.input_digest):
                if len(self._index) % BATCH == 0:
                    self._progress(ImportProgress("cases", len(self._index)))
                yield case
            else:
                self._reject("cases", "A case with this case_id came before.", "Give every case its own case_id.", "case_id")

    def _add_bundles(self, suite: SuiteRecord) -> dict[str, _Arm]:
        releases = self._source.releases()
        if not releases:
            raise InputError("There is no recording to import.", fix="See the faults reported.")
        bundles = {name: self._bundle_of(release, suite) for name, release in releases.items()}
        held = self._store.labels(self._workflow)
        labels = labels_for(releases, taken={label for label, digest in held.items() if not self._replays(digest, bundles)})
        arms = {}
        for name, bundle in bundles.items():
            is_new = self._store.add_bundle(bundle, author=self._author, at=self._at)
            label = labels[name]
            if held.get(label) != bundle.digest:
                self._store.set_label(self._workflow, label, bundle.digest, author=self._author, at=self._at)
            summary = ReleaseSummary(name, label, bundle.digest, bundle.behaviour, releases[name].snapshot, is_new)
            arms[name] = _Arm(bundle, releases[name].snapshot, summary)
        return arms

    def _replays(self, digest: str, bundles: Mapping[str, Bundle]) -> bool:
        """Whether a bundle that holds a label is an earlier import of one of these releases: only such a label may move."""
        model = self._store.get_bundle(digest).bundle.model
        return model.provider == RECORDED and model.recording in bundles

    def _bundle_of(self, release: Release, suite: SuiteRecord) -> Bundle:
        parameters, left_out = map_parameters(release.params)
        if left_out:
            names = ", ".join(left_out)
            self._warn(
                f"Parameters of release '{release.name}' are left out of its bundle: {names}.",
                "They look like secrets, or are no plain values.",
            )
        if release.varying:
            names = ", ".join(release.varying)
            self._warn(
                f"Release '{release.name}' was recorded with differing {names}; the bundle states none.",
                "Import each task as a workflow of its own, or give each configuration its own release name.",
            )
        return Bundle(
            workflow=self._workflow,
            model=ModelRef(provider=RECORDED, snapshot=release.snapshot, recording=release.name),
            prompt=release.prompt,
            parameters=parameters,
            suite=suite.digest,
        )

    def _add_exchanges(self, arms: Mapping[str, _Arm]) -> None:
        batch: list[Exchange] = []
        owners: list[ReleaseSummary] = []
        done = 0
        for imported in self._source.exchanges():
            if (exchange := self._exchange_of(imported, arms)) is None:
                continue
            batch.append(exchange)
            owners.append(arms[imported.release].summary)
            if len(batch) == BATCH:
                done += self._store_exchanges(batch, owners)
                self._progress(ImportProgress("exchanges", done))
        done += self._store_exchanges(batch, owners)
        self._progress(ImportProgress("exchanges", done))
        for arm in arms.values():
            if not arm.summary.exchanges:
                self._warn(f"No recording of release '{arm.summary.release}' could be kept.", "See the faults of its lines.")

    def _store_exchanges(self, batch: list[Exchange], owners: list[ReleaseSummary]) -> int:
        """One transaction per release, so that what was new can be told for each."""
        by_release: dict[str, list[Exchange]] = {}
        summaries: dict[str, ReleaseSummary] = {}
        for exchange, owner in zip(batch, owners, strict=True):
            by_release.setdefault(owner.release, []).append(exchange)
            summaries[owner.release] = owner
        for name, exchanges in by_release.items():
            summaries[name].new_exchanges += self._store.add_exchanges(exchanges)
            summaries[name].exchanges += len(exchanges)
            summaries[name].failures += sum(one.failure is not None for one in exchanges)
        stored = len(batch)
        batch.clear()
        owners.clear()
        return stored

    def _exchange_of(self, imported: ImportedExchange, arms: Mapping[str, _Arm]) -> Exchange | None:
        input_digest = self._index.input_digest(imported.case_id)
        if input_digest is None:
            self._reject("exchanges", "There is no case of this id among those read.", "Add the case.", "case_id")
            return None
        arm = arms[imported.release]
        if imported.snapshot != arm.snapshot:
            self._reject(
                "exchanges",
                f"Release '{imported.release}' was recorded on another snapshot before.",
                "Give each snapshot its own release name.",
                "snapshot",
            )
            return None
        if not self._index.see(imported.release, imported.case_id, imported.repeat):
            self._reject(
                "exchanges",
                "A recording of this release, case and repeat came before; the first one stays.",
                "Number the repeats, or remove one of the two.",
                None,
            )
            return None
        return Exchange(
            behaviour=arm.bundle.behaviour,
            case_id=imported.case_id,
            input_digest=input_digest,
            repeat=imported.repeat,
            reply=imported.reply,
            failure=imported.failure,
            usage=imported.usage,
            latency_ms=imported.latency_ms,
            ttft_ms=imported.ttft_ms,
            cost_microusd=imported.cost_microusd,
            cost_source=None if imported.cost_microusd is None else "recording",
            at=imported.at,
        )

    def _add_labels(self, arms: Mapping[str, _Arm]) -> None:
        batches = LabelBatches(self._store, self._reject_label)
        done = 0
        for imported in self._source.labels():
            if self._index.input_digest(imported.case_id) is None:
                self._reject("labels", "There is no case of this id among those read.", "Add the case.", "case_id")
                continue
            if not self._index.is_seen(imported.release, imported.case_id, imported.repeat):
                self._reject("labels", "It labels an output that was not recorded.", "Add the recording.", None)
                continue
            self._labelers.setdefault(imported.labeler, LabelerSummary(imported.labeler)).note(imported.label)
            label = RecordedLabel(imported.case_id, imported.labeler, imported.label, imported.repeat, imported.detail)
            arm = arms[imported.release]
            batches.add(arm.summary, label, self._source.place)
            if batches.waiting >= BATCH:
                done += batches.flush()
                self._progress(ImportProgress("labels", done))
        done += batches.flush()
        self._progress(ImportProgress("labels", done))

    def _named_labelers(self) -> tuple[LabelerSummary, ...]:
        """All labelers by name, each with its role: as it was declared, as the records tell it, or by its name."""
        for labeler in sorted(set(self._roles) - set(self._labelers)):
            known = ", ".join(sorted(self._labelers)) or "nobody"
            near = get_close_matches(labeler, self._labelers, n=1)
            self._source.report(
                Fault(
                    what=f"No label of '{labeler}' came along, so its role says nothing.",
                    fix=f"Labelers here: {known}.",
                    likely=f"'{near[0]}'" if near else None,
                    severity="warning",
                )
            )
        for name, one in self._labelers.items():
            one.values.sort()
            one.role = role_of(name, self._roles.get(name, self._source.roles.get(name)))
        return tuple(self._labelers[name] for name in sorted(self._labelers))

    def _reject_label(self, place: Place, what: str | None, fix: str) -> None:
        self._rejected["labels"] += 1
        if what is not None:
            self._source.report(Fault(what=what, fix=fix, file=place.file, line=place.line, path=place.part))

    def _reject(self, kind: str, what: str, fix: str, path: str | None) -> None:
        self._rejected[kind] += 1
        place = self._source.place
        parts = " ".join(part for part in (place.part, path) if part) or None
        self._source.report(Fault(what=what, fix=fix, file=place.file, line=place.line, path=parts))

    def _warn(self, what: str, fix: str) -> None:
        self._source.report(Fault(what=what, fix=fix, severity="warning"))

    def _counted(self, kind: str, count: Count) -> Count:
        rejected = self._rejected[kind]
        return Count(count.read, count.kept - rejected, count.rejected + rejected, count.left_out)
