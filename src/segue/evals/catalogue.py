"""Finds what a user names: bundles by file, label or digest, and suites by name or digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from segue.errors import NotFoundError, SegueError
from segue.model import Bundle, Workflow
from segue.store.base import Store, SuiteRecord
from segue.workspace import Workspace

_LOOKS_SHORT = re.compile(r"[0-9a-fA-F]{1,3}")


@dataclass(frozen=True, slots=True)
class NamedBundle:
    """A bundle as it was named, its label (or short id), and whether its label moved on the way."""

    bundle: Bundle
    label: str
    moved_from: str | None = None


class Catalogue:
    """The workspace's files and the store's records as one place to look. Bundles found in files are stored on the way."""

    def __init__(
        self,
        workspace: Workspace,
        store: Store,
        *,
        author: str,
        at: str,
        moved: Callable[[NamedBundle], None] = lambda _: None,
    ) -> None:
        """`moved` is told of every bundle whose label pointed to another one before."""
        self.workspace, self.store, self._author, self._at, self._moved = workspace, store, author, at, moved

    def workflow(self, name: str) -> Workflow:
        """The workflow of this name, from its file. `NotFoundError`, `InputError`."""
        return self.workspace.load_workflow(name)

    def bundle(self, workflow: str, ref: str) -> NamedBundle:
        """`ref` is the label of a bundle file, a stored label, or a digest prefix. `NotFoundError` names the near ones."""
        if ref in self.workspace.bundle_labels(workflow):
            return self.add_from_file(workflow, ref)
        try:
            record = self.store.find_bundle(workflow, ref)
        except NotFoundError:
            known = {*self.workspace.bundle_labels(workflow), *self.store.labels(workflow)}
            fix = f"See them with: segue bundle list {workflow}."
            if _LOOKS_SHORT.fullmatch(ref):
                fix += " A digest is named by at least 4 of its characters."
            raise NotFoundError.naming("bundle", ref, known, fix=fix) from None
        labels = [label for label, digest in self.store.labels(workflow).items() if digest == record.bundle.digest]
        return NamedBundle(record.bundle, ref if ref in labels else next(iter(sorted(labels)), record.bundle.short))

    def add_from_file(self, workflow: str, label: str) -> NamedBundle:
        """Store the bundle of `bundles/<label>.yaml` and point its label at it."""
        bundle = self.workspace.load_bundle_source(workflow, label, resolve=self.resolve)
        if bundle.suite is not None:
            self._add_suite_of(workflow, bundle.suite)
        if bundle.fallback is not None:
            self._add_fallback(workflow, bundle.fallback)
        self.store.add_bundle(bundle, author=self._author, at=self._at)
        before = self.store.labels(workflow).get(label)
        if before == bundle.digest:
            return NamedBundle(bundle, label)
        self.store.set_label(workflow, label, bundle.digest, author=self._author, at=self._at)
        named = NamedBundle(bundle, label, before)
        if before is not None:
            self._moved(named)
        return named

    def suite(self, workflow: Workflow, name: str | None = None) -> SuiteRecord:
        """The suite called `name` (default: the workflow's): its file if there is one, else the latest stored of that name."""
        wanted = name or workflow.suite
        if wanted in self.workspace.suites(workflow.name):
            digest = self.workspace.suite_digest_of(workflow.name, wanted)
            try:
                return self.store.get_suite(digest)
            except NotFoundError:
                cases = self.workspace.iter_suite(workflow.name, wanted)
                return self.store.add_suite(workflow.name, wanted, cases, author=self._author, at=self._at)
        stored = self.store.list_suites(workflow.name)
        for record in reversed(stored):
            if wanted in (record.name, record.digest) or (len(wanted) >= 4 and record.digest.startswith(wanted)):
                return record
        known = {*self.workspace.suites(workflow.name), *(record.name for record in stored)}
        raise NotFoundError.naming(
            "suite",
            wanted,
            known,
            fix=f"Write workflows/{workflow.name}/suites/{wanted[:80]}.jsonl, or import one: segue import --help.",
        )

    def _add_suite_of(self, workflow: str, digest: str) -> None:
        """Store the suite that a bundle pins, if it is one of the workspace's files."""
        for name in self.workspace.suites(workflow):
            if self.workspace.suite_digest_of(workflow, name) == digest:
                self.suite(self.workspace.load_workflow(workflow), name)

    def _add_fallback(self, workflow: str, digest: str) -> None:
        """Store the bundle that another one falls back on, if a file of the workspace makes it: without it, neither is served.

        Labels stay where they point. Fallbacks cannot go round in a circle: a digest is in no bundle that it is made of.
        """
        try:
            self.store.get_bundle(digest)
        except NotFoundError:
            pass
        else:
            return
        for label in self.workspace.bundle_labels(workflow):
            try:
                bundle = self.workspace.load_bundle_source(workflow, label, resolve=self.resolve)
            except SegueError:
                continue
            if bundle.digest == digest:
                if bundle.suite is not None:
                    self._add_suite_of(workflow, bundle.suite)
                if bundle.fallback is not None:
                    self._add_fallback(workflow, bundle.fallback)
                self.store.add_bundle(bundle, author=self._author, at=self._at)
                return

    def resolve(self, workflow: str, ref: str) -> str | None:
        """The full digest of a stored bundle, or `None`: how a bundle file's fallback is looked up."""
        try:
            return self.store.find_bundle(workflow, ref).bundle.digest
        except SegueError:
            return None
