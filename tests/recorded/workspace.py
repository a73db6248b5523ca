"""The recorded upgrades, imported once per test run through the product's own import."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from segue.errors import Fault
from segue.evals.catalogue import Catalogue
from segue.evals.connections import Connections
from segue.evals.session import Listener, Request, Session
from segue.gates.report import Report
from segue.imports import ingest, read_layout
from segue.providers.clock import SystemClock
from segue.store import Store, open_store
from segue.workspace import Workspace, load_workspace

ROOT = Path(__file__).parent.parent.parent
AT = "2026-01-01T00:00:00Z"

SOURCES = {
    "prime": ("llmdrift", {"task": "prime"}),
    "opinion": ("llmdrift", {"task": "opinionqa"}),
    "leetcode": ("llmdrift", {"task": "leetcode"}),
    "sensitive": ("llmdrift", {"task": "sensitiveq"}),
    "tool-calling": ("bfcl", None),
    "refusal": ("xstest", None),
    "airline": ("taubench_airline", None),
}


@dataclass
class Recorded:
    """A workspace with everything imported, and comparisons on it, each made once."""

    workspace: Workspace
    store: Store
    faults: list[Fault]

    def __post_init__(self) -> None:
        catalogue = Catalogue(self.workspace, self.store, author="tests", at=AT)

        class NoRandomness:
            def random(self) -> float:
                return 0.0

        connections = Connections(self.workspace, self.store, clock=SystemClock(), rng=NoRandomness())
        self.session = Session(catalogue, connections, now=lambda: AT, author="tests", new_run=lambda: "run")
        self._made: dict[Request, Report] = {}

    def compare(self, workflow: str, incumbent: str, candidate: str, **more: Any) -> Report:
        """The report of one comparison."""
        request = Request(workflow=workflow, incumbent=incumbent, candidate=candidate, **more)
        if request not in self._made:
            self._made[request] = self.session.compare(request, Listener()).report
        return self._made[request]


@pytest.fixture(scope="session")
def recorded(segue_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """All four data sets in one workspace, as `examples/recorded` declares them."""
    root = tmp_path_factory.mktemp("recorded") / "workspace"
    shutil.copytree(ROOT / "examples" / "recorded", root)
    workspace = load_workspace(root, {})
    (root / ".segue").mkdir()
    store = open_store(workspace.state)
    faults: list[Fault] = []
    for workflow, (folder, where) in SOURCES.items():
        source = read_layout(segue_data / folder, report=faults.append, where=where)
        ingest(source, store=store, workflow=workflow, suite_name="main", author="tests", at=AT)
    yield Recorded(workspace, store, faults)
    store.close()


@pytest.fixture(scope="session")
def expected(segue_data: Path) -> Callable[[str], dict[str, Any]]:
    """The published numbers of a data set."""
    return lambda name: json.loads((segue_data / name / "expected.json").read_text())
