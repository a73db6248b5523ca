"""The workspace a team keeps in git: finds it, loads it, and gives workflows, bundles and suites as typed values.

    segue.yaml
    workflows/<name>/workflow.yaml
    workflows/<name>/bundles/<label>.yaml
    workflows/<name>/prompts/*.md, contract.json, tools.json
    workflows/<name>/suites/<suite>.jsonl (or .jsonl.gz)

Loading raises an error that carries every fault of what was asked for. `check_workspace` (`check`) looks at everything at once.
State lives elsewhere (`segue.store`): nothing here writes, and nothing here knows what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from segue.errors import Fault, InputError, NotFoundError
from segue.model import Bundle, Case, Workflow, suite_digest
from segue.workspace.bundle_source import BundleReading, read_bundle_source
from segue.workspace.case_check import check_case
from segue.workspace.config import FILE, WorkspaceConfig, check_state, expand, read_config
from segue.workspace.document import Document, Reading, clipped
from segue.workspace.fault_tally import FaultTally
from segue.workspace.shape import parse
from segue.workspace.suite_file import find_suite, read_suite, suite_names
from segue.workspace.text_file import YAML_LIMIT, Root, entries, read_text
from segue.workspace.yaml_file import read_yaml

Resolve = Callable[[str, str], str | None]
"""`(workflow, label or digest prefix)` → full digest, as the store knows it; `None` where it knows none."""

_FULL_DIGEST = re.compile(r"[0-9a-f]{64}")


def find_workspace(start: Path) -> Path:
    """The nearest folder, `start` or above it, that has a `segue.yaml`. Raises `NotFoundError`."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    what = f"There is no {FILE} in {here} or above it."
    raise NotFoundError(what, fix="Run `segue init` to make a workspace here, or go to the folder that has one.")


def load_workspace(root: Path, environ: Mapping[str, str]) -> Workspace:
    """Read `segue.yaml` of `root`. Raises `InputError` with all its faults, `NotFoundError` if it is not there."""
    if not (root / FILE).is_file():
        raise NotFoundError(f"There is no {FILE} in {root}.", fix="Run `segue init` to make a workspace here.")
    reading, document = read_config(Root(root))
    config = reading.unwrap(FILE)
    assert document is not None, "a config was read from a document"
    state = tuple(check_state(config, document, environ))
    Reading(config, state).unwrap(FILE)
    return Workspace(root, config, environ)


def read_workflow(root: Root, name: str) -> tuple[Reading[Workflow], Document | None]:
    """`workflow.yaml` of the workflow in folder `name`. Its `name` may be left out; if it is written it is the folder's."""
    path = root.path / "workflows" / name / "workflow.yaml"
    text = read_text(root, path, limit=YAML_LIMIT)
    if text.value is None:
        return Reading(None, text.faults), None
    parsed = read_yaml(text.value, root.shown(path))
    document = parsed.value
    if document is None:
        return Reading(None, parsed.faults), None
    faults = list(parsed.faults)
    if isinstance(document.value, dict):
        written = document.value.get("name", name)
        if isinstance(written, str) and written != name:
            what = f"The workflow is called '{clipped(written)}' here and '{clipped(name)}' by its folder."
            faults.append(document.fault(("name",), what, f"Delete the line, or rename the folder to {clipped(written)}."))
        document = document.grafted(("name",), written, {})
    shaped = parse(Workflow, document, given=("name",))
    return Reading(shaped.value, (*faults, *shaped.faults)), document


@dataclass
class Workspace:
    """A loaded workspace. Files are read when they are asked for; suite digests are kept as long as the file stays the same."""

    root: Path
    config: WorkspaceConfig
    environ: Mapping[str, str] = field(repr=False)
    _digests: dict[Path, tuple[tuple[int, int, int], str]] = field(default_factory=dict, repr=False)

    @property
    def state(self) -> str:
        """Where the state is kept, as `segue.store.open_store` takes it: paths are from the root, `${NAME}` is filled in.

        The text may hold a password.
        """
        state = expand(self.config.state, self.environ)
        assert state is not None, "unset references are refused when the workspace is loaded"
        if state.startswith("sqlite:///"):
            return "sqlite:///" + str(self.root.absolute() / state.removeprefix("sqlite:///"))
        if "://" in state or state == "memory:":
            return state
        return str(self.root.absolute() / Path(state).expanduser())

    @property
    def workflows(self) -> list[str]:
        """The names of the workflows: the folders that have a `workflow.yaml`."""
        return workflow_names(self.root)

    def folder(self, workflow: str) -> Path:
        """The folder of `workflow`. Raises `NotFoundError`."""
        if workflow not in self.workflows:
            fix = "Write workflows/NAME/workflow.yaml, or run `segue init --workflow NAME`.".replace("NAME", clipped(workflow))
            raise NotFoundError.naming("workflow", clipped(workflow), self.workflows, fix=fix)
        return self.root / "workflows" / workflow

    def load_workflow(self, name: str) -> Workflow:
        """Raises `NotFoundError`, and `InputError` with all faults of its `workflow.yaml`."""
        self.folder(name)
        reading, _ = read_workflow(Root(self.root), name)
        return reading.unwrap(f"workflows/{name}/workflow.yaml")

    def bundle_labels(self, workflow: str) -> list[str]:
        """The labels of the bundle sources of `workflow`."""
        return bundle_labels(self.folder(workflow))

    def load_bundle_source(self, workflow: str, label: str, *, resolve: Resolve | None = None) -> Bundle:
        """Make the bundle of `bundles/<label>.yaml`, prompts, tools and contract read, suite and fallback as digests.

        A fallback is the label of another source, or what `resolve` knows: a label or digest prefix of the store.
        Raises `NotFoundError`, and `InputError` with all faults.
        """
        reading = self.read_bundle(workflow, label, resolve=resolve)
        return Reading(reading.bundle, tuple(reading.faults)).unwrap(f"bundle {label} of {workflow}")

    def read_bundle(self, workflow: str, label: str, *, resolve: Resolve | None = None) -> BundleReading:
        """The same with faults as values. Raises `NotFoundError` if there is no such source."""
        return self._read_bundle(workflow, label, resolve, ())

    def suites(self, workflow: str) -> list[str]:
        """The names of the suites of `workflow`."""
        return suite_names(self.folder(workflow) / "suites")

    def suite_path(self, workflow: str, suite: str) -> Path:
        """The file of a suite. Raises `NotFoundError`."""
        return find_suite(Root(self.root), self.folder(workflow) / "suites", suite)

    def iter_suite(self, workflow: str, suite: str) -> Iterator[Case]:
        """Stream the cases of a suite in the order of the file.

        At the first fault no more cases come; the rest is read for its faults, and `InputError` carries them all.
        """
        declared = self.load_workflow(workflow)
        root = Root(self.root)
        path = self.suite_path(workflow, suite)
        file = root.shown(path)
        tally = FaultTally(file)
        for line in read_suite(root, path):
            for kind, fault in line.faults:
                tally.add(kind, fault)
            if line.case is not None:
                for kind, fault in check_case(line.case, declared, file=file, line=line.line):
                    tally.add(kind, fault)
                if not tally.total:
                    yield line.case
        if tally.total:
            raise tally.error()

    def suite_digest_of(self, workflow: str, suite: str) -> str:
        """The digest of a suite, its cases streamed. Raises what `iter_suite` raises."""
        path = self.suite_path(workflow, suite)
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
        kept = self._digests.get(path)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        digest = suite_digest((case.case_id, case.digest) for case in self.iter_suite(workflow, suite))
        self._digests[path] = (stamp, digest)
        return digest

    def _read_bundle(self, workflow: str, label: str, resolve: Resolve | None, above: tuple[str, ...]) -> BundleReading:
        folder = self.folder(workflow)
        known = bundle_labels(folder)
        if label not in known:
            fix = f"Write workflows/{workflow}/bundles/{clipped(label)}.yaml."
            raise NotFoundError.naming("bundle source", clipped(label), known, fix=fix)
        return read_bundle_source(
            Root(self.root),
            folder,
            folder / "bundles" / f"{label}.yaml",
            workflow=workflow,
            default_suite=self._default_suite(workflow),
            suite=lambda name: name if _FULL_DIGEST.fullmatch(name) else self.suite_digest_of(workflow, name),
            fallback=lambda ref: self._fallback(workflow, ref, resolve, (*above, label)),
        )

    def _default_suite(self, workflow: str) -> str | None:
        """The workflow's suite, as far as there is a file of it."""
        reading, _ = read_workflow(Root(self.root), workflow)
        name = reading.value.suite if reading.value is not None else "main"
        return name if name in self.suites(workflow) else None

    def _fallback(self, workflow: str, ref: str, resolve: Resolve | None, above: tuple[str, ...]) -> str:
        if ref in above:
            circle = " → ".join((*above[above.index(ref) :], ref))
            raise InputError(f"The fallbacks go round in a circle: {circle}.", fix="Let one of them have no fallback.")
        if ref in bundle_labels(self.folder(workflow)):
            reading = self._read_bundle(workflow, ref, resolve, above)
            if reading.bundle is not None:
                return reading.bundle.digest
            circle_faults = [fault for fault in reading.faults if "in a circle" in fault.what]
            what = f"The fallback '{ref}' has faults of its own."
            fix = f"Correct workflows/{workflow}/bundles/{ref}.yaml."
            raise InputError(what, fix=fix, faults=[Fault(fault.what, fault.fix) for fault in circle_faults[:1]])
        found = resolve(workflow, ref) if resolve is not None else None
        if found is None and _FULL_DIGEST.fullmatch(ref):
            found = ref
        if found is None:
            fix = "Name the label of a bundle source, or a bundle that `segue bundle list` shows."
            raise NotFoundError.naming("bundle", clipped(ref), bundle_labels(self.folder(workflow)), fix=fix)
        return found


def workflow_names(root: Path) -> list[str]:
    """The folders under `workflows` that have a `workflow.yaml`."""
    return [path.name for path in entries(root / "workflows") if (path / "workflow.yaml").exists()]


def bundle_labels(folder: Path) -> list[str]:
    """The labels of the bundle sources in a workflow's folder."""
    names = (path.name for path in entries(folder / "bundles"))
    return [name.removesuffix(".yaml") for name in names if name.endswith(".yaml") and name != ".yaml"]
