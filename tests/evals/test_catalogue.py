"""The workspace's files and the store's records as one place to look."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from segue.evals.catalogue import Catalogue
from segue.store import open_store
from segue.workspace import load_workspace
from tests.store.builders import WHO

EXAMPLE = Path(__file__).parents[2] / "examples" / "support-reply"


def test_a_bundle_is_stored_with_what_it_falls_back_on(tmp_path: Path) -> None:
    """A suite that grew makes new bundles of all files; without the fallback's, the new one could not be served."""
    shutil.copytree(EXAMPLE, tmp_path / "w", ignore=shutil.ignore_patterns(".segue"))
    store = open_store("memory:")
    first = Catalogue(load_workspace(tmp_path / "w", os.environ), store, **WHO)
    old = first.bundle("support-reply", "current").bundle
    assert first.bundle("support-reply", "candidate-retuned").bundle.fallback == old.digest
    suite = tmp_path / "w/workflows/support-reply/suites/main.jsonl"
    line = suite.read_text(encoding="utf-8").splitlines()[0]
    with suite.open("a", encoding="utf-8") as file:
        file.write(line.replace('"case_id": "', '"case_id": "again-', 1) + "\n")
    again = Catalogue(load_workspace(tmp_path / "w", os.environ), store, **WHO)
    bundle = again.bundle("support-reply", "candidate-fixed").bundle
    assert bundle.fallback not in (None, old.digest)
    assert store.get_bundle(bundle.fallback or "").bundle.prompt == old.prompt
    assert store.labels("support-reply")["current"] == old.digest, "its label moves when somebody names it"
