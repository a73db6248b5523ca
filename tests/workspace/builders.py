"""Builds the smallest workspace there is, so that a test shows only what matters to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from segue.errors import Fault
from segue.workspace import Workspace, check_workspace, load_workspace

CONFIG = "version: 1\nproviders:\n  sim: {type: scripted, models: {m-1: {}}}\n"
WORKFLOW = "scorers:\n  - {name: right, type: exact}\ngate: {primary: [right]}\n"
BUNDLE = "model: {provider: sim, snapshot: m-1}\n"


def a_case(case_id: str = "c-1", **fields: Any) -> dict[str, Any]:
    return {"case_id": case_id, "messages": [{"role": "user", "content": f"Hello {case_id}"}], "reference": "yes", **fields}


def lines(*cases: dict[str, Any] | str) -> str:
    """JSON Lines of cases, or of raw lines."""
    return "".join((case if isinstance(case, str) else json.dumps(case)) + "\n" for case in cases)


class Team:
    """A workspace on disk with one workflow, `mail`, one bundle, `now`, and one suite, `main`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("segue.yaml", CONFIG)
        self.write("workflow.yaml", WORKFLOW)
        self.write("bundles/now.yaml", BUNDLE)
        self.write("suites/main.jsonl", lines(*(a_case(f"c-{number}") for number in range(100))))

    def path(self, name: str) -> Path:
        return self.root / name if name == "segue.yaml" else self.root / "workflows/mail" / name

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the workflow, or segue.yaml."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def load(self, **environ: str) -> Workspace:
        return load_workspace(self.root, environ)

    def check(self, **environ: str) -> list[Fault]:
        return check_workspace(self.root, environ)

    def said(self, severity: str | None = None, **environ: str) -> list[str]:
        """The sentences of all faults, without the folder that all of them share."""
        return [
            fault.sentence().replace("workflows/mail/", "")
            for fault in self.check(**environ)
            if severity in (None, fault.severity)
        ]
