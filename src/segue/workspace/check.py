"""Checks a whole workspace and returns all faults of all files, errors and warnings, in the order of file and line.

A walk over the folders that calls the checks of the parts: `config`, `workflow_check`, `bundle_check`, `suite_survey`,
`schema_check`. It never raises for what files hold: whatever is wrong with them is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from segue.errors import Fault, NotFoundError, SegueError, Severity
from segue.model import ScorerSpec, Workflow
from segue.store.base import CaseRow
from segue.workspace.bundle_check import KnownProvider, check_model, check_prompts, check_schemas
from segue.workspace.bundle_source import BundleReading, read_bundle_source
from segue.workspace.config import FILE, check_state, read_config
from segue.workspace.document import Document, clipped, likely_name, listed
from segue.workspace.known_parts import check_scorers, metrics_of, read_providers
from segue.workspace.partial import NOTHING, Lost, partial_workflow
from segue.workspace.plan_file import plan_faults, plan_names
from segue.workspace.schema_check import check_schema
from segue.workspace.secrets import find_secrets
from segue.workspace.simulated_slices import SlicesInUse, check_simulated
from segue.workspace.suite_file import SUFFIXES, find_suite, suite_names
from segue.workspace.suite_survey import SuiteSurvey, survey_stored, survey_suite
from segue.workspace.text_file import Root, entries
from segue.workspace.workflow_check import CheckScorers, check_coverage, check_workflow
from segue.workspace.workspace import Resolve, bundle_labels, read_workflow, workflow_names

_DIGEST = re.compile(r"[0-9a-f]{4,64}")
StoredSuite = Callable[[str, str], Iterable[CaseRow] | None]
_STAND_IN = "0" * 64
"""In place of a digest that a check has no need to work out: the bundle it stands in is never kept."""


def check_workspace(
    root: Path,
    environ: Mapping[str, str],
    *,
    checks_scorer: Callable[[ScorerSpec], list[Fault]] | None = None,
    resolve: Resolve | None = None,
    stored_suite: StoredSuite | None = None,
    today: date | None = None,
) -> list[Fault]:
    """All faults of the workspace at `root`.

    `checks_scorer` gives the faults of one scorer, and defaults to Segue's own check. `resolve` is what the store knows of
    labels and digests; without it a digest prefix is taken on trust. `stored_suite` gives the cases of a suite the store has
    under a name, `None` where it has none. `today` tells what has retired already.
    """
    base = Root(root)
    providers, config, faults = _check_config(base, environ)
    slices = SlicesInUse()
    names = workflow_names(root)
    faults += _check_folders(base, names)
    for name in names:
        checker = _WorkflowChecker(
            base,
            root / "workflows" / name,
            providers,
            check_scorers=check_scorers if checks_scorer is None else _each_scorer(checks_scorer),
            resolve=resolve,
            stored_suite=stored_suite,
            today=today,
        )
        checker.check()
        faults += checker.faults
        slices.note(checker.workflow, checker.lost, [*checker.surveys.values(), *checker.surveys_stored])
    if names and config is not None:
        faults += check_simulated(config, slices)
    return sorted(dict.fromkeys(faults), key=_order)


def _each_scorer(check: Callable[[ScorerSpec], list[Fault]]) -> CheckScorers:
    def check_all(workflow: Workflow) -> list[Fault]:
        return [
            replace(fault, path=f"scorers[{index}].{fault.path}" if fault.path else f"scorers[{index}]")
            for index, spec in enumerate(workflow.scorers)
            for fault in check(spec)
        ]

    return check_all


def _order(fault: Fault) -> tuple[bool, str, int, str]:
    return fault.file != FILE, fault.file or "", fault.line or 0, fault.path or ""


Providers = Mapping[str, KnownProvider | None]


def _check_config(root: Root, environ: Mapping[str, str]) -> tuple[Providers | None, Document | None, list[Fault]]:
    """The providers of `segue.yaml`, `None` where it has faults that hide them; and its document."""
    reading, document = read_config(root)
    faults = list(reading.faults)
    if reading.value is None or document is None:
        return None, document, faults
    faults += check_state(reading.value, document, environ)
    providers, own = read_providers(reading.value, document, environ)
    return providers, document, faults + own


def _check_folders(root: Root, names: list[str]) -> Iterator[Fault]:
    if not names:
        what, fix = "There is no workflow yet.", "Run `segue init --workflow NAME`, or write workflows/NAME/workflow.yaml."
        yield Fault(what, fix, file="workflows", severity="warning")
    for entry in entries(root.path / "workflows"):
        if entry.is_dir() and entry.name not in names:
            what = "The folder has no workflow.yaml, so it is not read."
            likely = likely_name("workflow.yaml", (path.name for path in entries(entry)))
            fix = "Write workflow.yaml, or move the folder elsewhere."
            yield Fault(what, fix, file=root.shown(entry), likely=likely, severity="warning")


@dataclass
class _WorkflowChecker:
    """The check of one workflow's folder: what it is given, and the faults found so far."""

    root: Root
    folder: Path
    providers: Providers | None
    check_scorers: CheckScorers
    resolve: Resolve | None
    stored_suite: StoredSuite | None
    today: date | None
    faults: list[Fault] = field(default_factory=list)
    surveys: dict[str, SuiteSurvey] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    default_suite: str = "main"
    surveys_stored: list[SuiteSurvey] = field(default_factory=list)
    workflow: Workflow | None = None
    lost: Lost = NOTHING

    def check(self) -> None:
        reading, document = read_workflow(self.root, self.folder.name)
        self.faults += reading.faults
        if document is not None:
            self.faults += find_secrets(document, by_name=False)
        workflow = reading.value
        if workflow is None and document is not None:
            workflow, self.lost = partial_workflow(document)
        if workflow is not None:
            workflow = workflow.model_copy(update={"name": self.folder.name})
        self.workflow = workflow
        self.labels = bundle_labels(self.folder)
        self._read_suites(workflow)
        if workflow is not None and document is not None:
            before = len(self.faults)
            self._check_workflow(workflow, document)
            own = self.faults[before:]
            self.faults[before:] = [fault for fault in own if fault.file != document.file or not self.lost.follows(fault)]
            self.lost = self.lost.with_scorers((one for one in own if (one.path or "").startswith("scorers")), workflow)
        used: set[Path] = set()
        fallbacks: dict[str, tuple[str, Document]] = {}
        for label in self.labels:
            bundle = self._check_bundle(label)
            used |= bundle.used
            if bundle.document is not None and "fallback" in bundle.names:
                fallbacks[label] = (bundle.names["fallback"], bundle.document)
        self.faults += _circles(fallbacks)
        for name in plan_names(self.folder):
            self.faults += plan_faults(self.root, self.folder, name, workflow, self.lost)
        self.faults += self._strays(used)

    def _read_suites(self, workflow: Workflow | None) -> None:
        for name in suite_names(self.folder / "suites"):
            try:
                path = find_suite(self.root, self.folder / "suites", name)
            except SegueError as error:
                self.faults += error.faults
                path = self.folder / "suites" / f"{name}{SUFFIXES[0]}"
            self.surveys[name] = survey_suite(self.root, path, workflow)
            self.faults += self.surveys[name].faults

    def _check_workflow(self, workflow: Workflow, document: Document) -> None:
        self.faults += check_workflow(
            workflow, document, check_scorers=self.check_scorers, metrics_of=metrics_of, lost=self.lost
        )
        if self.lost.touches("suite"):
            self.default_suite = ""
        else:
            self.default_suite = workflow.suite
            self._check_suite(workflow, document)
        label = workflow.incumbent
        if label is not None and not self._is_known(label):
            what = f"The incumbent '{clipped(label)}' has no file bundles/{clipped(label)}.yaml."
            fix = f"Write it, or name one of these: {listed(self.labels) or 'none yet'}."
            # A workflow that has no bundle files at all is fed by imports, and its bundles are in the store.
            severity: Severity = "error" if self.labels else "warning"
            if not self.labels:
                fix = "Import its results (segue import --help), or write the file."
            likely = likely_name(label, self.labels)
            self.faults.append(document.fault(("incumbent",), what, fix, likely=likely, severity=severity))

    def _check_suite(self, workflow: Workflow, document: Document) -> None:
        if workflow.suite in self.surveys:
            self.faults += check_coverage(workflow, document, self.surveys[workflow.suite])
        elif (rows := self._stored_rows(workflow)) is not None:
            survey = survey_stored(workflow.suite, rows)
            self.surveys_stored.append(survey)
            self.faults += check_coverage(workflow, document, survey)
            self._tell_stored_suite(workflow, document, survey)
        else:
            self._tell_no_suite(workflow, document)

    def _stored_rows(self, workflow: Workflow) -> Iterable[CaseRow] | None:
        return None if self.stored_suite is None else self.stored_suite(self.folder.name, workflow.suite)

    def _tell_stored_suite(self, workflow: Workflow, document: Document, survey: SuiteSurvey) -> None:
        """A suite without a file was imported. That is enough to compare; what is not in git, only this store has."""
        shown = clipped(workflow.suite)
        if self.lost.touches("incumbent") or (not self.labels and workflow.incumbent is not None):
            return  # fed by imports and set up: there is nothing to do
        what = f"The suite '{shown}' is in the store only ({survey.n_cases:,} cases): there is no file suites/{shown}.jsonl."
        fix = f"Stored results can be compared as they are. To ask models, write its cases to suites/{shown}.jsonl."
        if workflow.incumbent is None:
            fix = "Stored results can be compared as they are. Name the release that serves now: incumbent: LABEL."
        self.faults.append(document.fault(("suite",), what, fix, severity="warning"))

    def _tell_no_suite(self, workflow: Workflow, document: Document) -> None:
        if not self.labels and self.lost.touches("incumbent"):
            return
        if not self.labels and workflow.incumbent is not None and self._is_known(workflow.incumbent):
            return  # fed by imports: the suite is in the store, like the incumbent
        shown = clipped(workflow.suite)
        what = f"The workflow's suite '{shown}' has no file suites/{shown}.jsonl: no upgrade could be judged."
        fix = "Write its cases there, one JSON object per line (docs/suite-format.md), or name another suite."
        is_named = document.at(("suite",)) is not None
        likely = likely_name(workflow.suite, self.surveys)
        severity: Severity = "error" if is_named else "warning"
        self.faults.append(document.fault(("suite",), what, fix, likely=likely, severity=severity))

    def _is_known(self, ref: str) -> bool:
        """Whether `ref` is a bundle source or what the store knows; without a store a digest prefix is taken on trust."""
        if ref in self.labels:
            return True
        if self.resolve is None:
            return _DIGEST.fullmatch(ref) is not None
        try:
            return self.resolve(self.folder.name, ref) is not None
        except SegueError:
            return False

    def _check_bundle(self, label: str) -> BundleReading:
        path = self.folder / "bundles" / f"{label}.yaml"
        reading = read_bundle_source(
            self.root,
            self.folder,
            path,
            workflow=self.folder.name,
            default_suite=self.default_suite if self.default_suite in self.surveys else None,
            suite=self._find_suite,
            fallback=self._find_fallback,
        )
        self.faults += reading.faults
        if _DIGEST.fullmatch(label):
            what = f"The label '{clipped(label)}' could be taken for a digest."
            fix = "Rename the file so that its name has a letter after f, or a '-'."
            self.faults.append(Fault(what, fix, file=self.root.shown(path)))
        bundle, document = reading.bundle, reading.document
        if document is None:
            return reading
        self.faults += find_secrets(document, by_name=False)
        if bundle is None:
            if isinstance(document.at(("contract", "json_schema")), dict):
                self.faults += check_schema(document, ("contract", "json_schema"))
            return reading
        if self.providers is not None:
            self.faults += check_model(bundle, document, self.providers, self.today)
        survey = self.surveys.get(reading.names.get("suite", self.default_suite))
        self.faults += check_prompts(bundle, document, reading.prompt_files, survey)
        self.faults += check_schemas(bundle, document)
        return reading

    def _find_suite(self, name: str) -> str:
        if name not in self.surveys and not (_DIGEST.fullmatch(name) and len(name) == len(_STAND_IN)):
            find_suite(self.root, self.folder / "suites", name)
        return _STAND_IN

    def _find_fallback(self, ref: str) -> str:
        if not self._is_known(ref):
            fix = "Name the label of a bundle source, or a bundle that `segue bundle list` shows."
            raise NotFoundError.naming("bundle", clipped(ref), self.labels, fix=fix)
        return _STAND_IN

    def _strays(self, used: set[Path]) -> Iterator[Fault]:
        """Files that nothing reads, because of their name or because no bundle names them."""
        wanted = {
            "bundles": ((".yaml",), "bundle sources end in .yaml"),
            "plans": ((".yaml",), "plans end in .yaml"),
            "suites": (SUFFIXES, "suites end in .jsonl or .jsonl.gz"),
        }
        for name, (suffixes, rule) in wanted.items():
            for path in entries(self.folder / name):
                if not path.name.endswith(suffixes):
                    what, fix = f"The file is not read: {rule}.", "Rename it, or move it elsewhere."
                    yield Fault(what, fix, file=self.root.shown(path), severity="warning")
        for path in entries(self.folder / "prompts") if self.labels else ():
            if path.is_file() and path.resolve() not in used:
                what, fix = "No bundle uses this prompt.", "Name it in a bundle's `prompt`, or delete it."
                yield Fault(what, fix, file=self.root.shown(path), severity="warning")


def _circles(fallbacks: Mapping[str, tuple[str, Document]]) -> Iterator[Fault]:
    """A fault for every bundle whose fallbacks lead back to itself."""
    for label, (_, document) in fallbacks.items():
        way = [label]
        while way[-1] in fallbacks and len(way) <= len(fallbacks):
            way.append(fallbacks[way[-1]][0])
            if way[-1] == label:
                what = f"The fallbacks go round in a circle: {' → '.join(way)}."
                yield document.fault(("fallback",), what, "Let one of them have no fallback.")
                break
