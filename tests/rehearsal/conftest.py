"""A small workspace of scripted models, prepared once: three bundles, two tasks, one scorer that decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.model.plan import Plan
from segue.rehearsal.preparing import Pair, Prepared, prepare
from segue.store import open_store
from segue.workspace import load_workspace

CASES = 130
CONFIG = """
version: 1
state: .segue/state.db
providers:
  simulated:
    type: scripted
    seed: 7
    models:
      steady-1:
        accuracy: 0.9
        shared_difficulty: 1.0
        latency: {median_ms: 900, sigma: 0.3}
        price: {input_usd_per_mtok: 2.0, output_usd_per_mtok: 8.0}
      swift-2:
        accuracy: 0.97
        shared_difficulty: 1.0
        latency: {median_ms: 500, sigma: 0.3}
        price: {input_usd_per_mtok: 0.5, output_usd_per_mtok: 2.0}
      weak-3:
        accuracy: {default: 0.96, task=refund: 0.3}
        latency: {median_ms: 500, sigma: 0.3}
        price: {input_usd_per_mtok: 0.5, output_usd_per_mtok: 2.0}
"""
WORKFLOW = """
kind: classification
incumbent: current
suite: main
slices:
  task: {values: [refund, delivery], critical: [refund]}
scorers:
  - {name: right, type: exact}
  - {name: usable, type: contract}
gate: {primary: [right], min_cases: 50, margin: 0.05, slice_margin: 0.1, critical_margin: 0.1, max_repeats: 2}
"""
BUNDLE = """
model: {provider: simulated, snapshot: %s}
prompt: {system: Answer with one word., template: "{{input}}"}
contract: {banned: ["```"]}
suite: main
"""
PLAN = """
steps:
  - {share: 10%, hold: 1d}
  - {share: 50%, hold: 2d}
gates:
  - {metric: right, baseline: 90%, hold: 4 points, rollback: 10 points}
shadow: {length: 1d}
soak: 2d
slices: {task=refund: 40%, task=delivery: 60%}
"""


def write_workspace(root: Path) -> Path:
    """The workspace's files, at `root`."""
    folder = root / "workflows" / "triage"
    for name in ("bundles", "suites", "plans"):
        (folder / name).mkdir(parents=True)
    (root / "segue.yaml").write_text(CONFIG)
    (folder / "workflow.yaml").write_text(WORKFLOW)
    for label, snapshot in (("current", "steady-1"), ("next", "swift-2"), ("worse", "weak-3")):
        (folder / "bundles" / f"{label}.yaml").write_text(BUNDLE % snapshot)
    (folder / "plans" / "quick.yaml").write_text(PLAN)
    cases = [
        {
            "case_id": f"c{number:03d}",
            "task": "refund" if number % 2 else "delivery",
            "kind": "red-team" if number >= 120 else "representative",
            "messages": [{"role": "user", "content": f"Mail {number}: what next?"}],
            "reference": f"step-{number % 7}",
        }
        for number in range(CASES)
    ]
    (folder / "suites" / "main.jsonl").write_text("".join(json.dumps(one) + "\n" for one in cases))
    return root


def prepare_pair(root: Path, candidate: str) -> Prepared:
    """The pair as a rehearsal of the command would prepare it."""
    workspace = load_workspace(root, {})
    return prepare(workspace, open_store("memory:"), open_store("memory:"), Pair("triage", candidate))


@pytest.fixture(scope="session")
def workspace_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace on disk; nothing is written into it."""
    return write_workspace(tmp_path_factory.mktemp("rehearsal") / "workspace")


@pytest.fixture(scope="session")
def prepared(workspace_root: Path) -> Prepared:
    """A candidate that is better everywhere."""
    return prepare_pair(workspace_root, "next")


@pytest.fixture(scope="session")
def prepared_worse(workspace_root: Path) -> Prepared:
    """A candidate that falls on refunds."""
    return prepare_pair(workspace_root, "worse")


@pytest.fixture
def plan() -> Plan:
    """The plan of `plans/quick.yaml`, its directions filled in."""
    return a_plan()


def a_plan(**changes: object) -> Plan:
    """A quick plan; `changes` replace its parts."""
    gate = {"metric": "right", "baseline": 0.9, "better": "higher", "hold": "4 points", "rollback": "10 points"}
    body: dict[str, object] = {
        "steps": [{"share": 0.1, "hold": 1.0}, {"share": 0.5, "hold": 2.0}],
        "gates": [gate],
        "shadow": {"length": 1.0},
        "soak": 2.0,
        "slices": {"task=refund": 0.4, "task=delivery": 0.6},
        **changes,
    }
    return Plan.model_validate(body, strict=False)
