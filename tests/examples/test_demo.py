"""`make demo` from end to end, as somebody sees it who has just cloned the repository."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SEGUE = Path(sys.executable).with_name("segue")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Shown:
    """What a run of the demo left: its exit code, all it printed, and the workspace."""

    code: int
    text: str
    workspace: Path


def run_demo(out: Path) -> Shown:
    """Run the script as `make demo` does, elsewhere."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py"), "--out", str(out)],
        cwd=out,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return Shown(done.returncode, done.stdout, out / "support-reply")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The first run."""
    return run_demo(tmp_path_factory.mktemp("demo"))


def segue(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command in the workspace."""
    return subprocess.run([SEGUE, *words], cwd=workspace, capture_output=True, encoding="utf-8", check=False)


def test_the_whole_story_ends_well(first: Shown) -> None:
    """The gate stops the first candidate, a rollback the second, and the third is the incumbent at the end."""
    assert first.code == 0, first.text
    upgrades = json.loads(segue(first.workspace, "upgrade", "list", "--json").stdout)
    assert [one["stage"] for one in upgrades] == ["completed", "rolled_back"]
    (route,) = json.loads(segue(first.workspace, "route", "show", "support-reply", "--json").stdout)
    assert route["route"]["incumbent"] == upgrades[0]["candidate"]
    assert segue(first.workspace, "log", "verify").returncode == 0


def test_it_went_through_every_stage_and_back_by_itself(first: Shown) -> None:
    """What the log says is what was told: the slice at eval, what staging asked, shadow, the steps, the rollback, the soak."""
    for told in (
        "suite failed → retune (holding)",
        "task=refund",
        "staging failed → staging (holding)",
        "passed       → shadow",
        "confirmed    → canary, step 2",
        "harm         → rolled back",
        "passed       → soak",
        "passed       → completed",
    ):
        assert told in first.text, told
    entries = json.loads(segue(first.workspace, "history", "support-reply", "--json").stdout)["entries"]
    people = {one["event"] for one in entries if one["by"] not in ("", "segue")}
    assert people <= {"open", "opened", "resume"}, "canary and soak went by themselves"


def test_nobody_tries_again_before_the_incident_is_dealt_with(first: Shown) -> None:
    """The second attempt is refused by name, and goes through once root cause, action and case are recorded."""
    refused = first.text.index("no new attempt is made before that is dealt with")
    assert first.text.index("$ segue incident note") > refused
    cases = (first.workspace / "workflows/support-reply/suites/main.jsonl").read_text(encoding="utf-8")
    assert "refund-after-incident-1" in cases


def test_says_that_models_and_customers_are_simulated(first: Shown) -> None:
    """Nobody may take the numbers for those of a real model."""
    assert "The models and the customers are SIMULATED" in first.text
    assert "THE MODELS ARE SIMULATED" in (first.workspace / "segue.yaml").read_text(encoding="utf-8")


def test_ends_with_commands_to_try_and_no_process_left(first: Shown) -> None:
    """Each hint is a command that exists."""
    end = first.text[first.text.index("Go on from here") :]
    for hint in ("segue history", "segue incident show", "segue rehearse demo", "make demo-recorded", "segue init"):
        assert hint in end
    assert segue(first.workspace, "incident", "show", "support-reply", "--md").returncode == 0
    assert not list((first.workspace / ".segue" / "gateways").glob("*.sock"))


def test_what_an_earlier_run_left_is_put_aside(tmp_path: Path) -> None:
    """Nothing of it is lost."""
    walkthrough = _module("walkthrough")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine.txt").write_text("x", encoding="utf-8")
    assert walkthrough.put_aside(tmp_path / "w") == tmp_path / "w.1"
    assert walkthrough.put_aside(tmp_path / "w") is None
    assert (tmp_path / "w.1" / "mine.txt").read_text(encoding="utf-8") == "x"


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
