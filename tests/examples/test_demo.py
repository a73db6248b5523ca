"""`make demo` from end to end, as somebody sees it who has just cloned the repository."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SEGUE = Path(sys.executable).with_name("segue")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


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


@pytest.fixture
def after(first: Shown, tmp_path: Path) -> Path:
    """A folder in which the demo has run before, for a test to change."""
    shutil.copytree(first.workspace, tmp_path / "support-reply")
    return tmp_path


def segue(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Type a command in the workspace."""
    return subprocess.run([SEGUE, *words], cwd=workspace, capture_output=True, encoding="utf-8", check=False)


def test_ends_well_although_the_verdict_is_fail(first: Shown) -> None:
    """The candidate fails because of the one critical slice, the demo says what the exit code means, and it ends with 0."""
    assert first.code == 0, first.text
    assert "✕ FAIL" in first.text
    assert "worse on task=refund" in first.text or "task=refund got worse" in first.text
    assert "This slice is critical" in first.text
    assert "Exit code 12 means fail" in first.text


def test_the_candidate_looks_better_until_one_looks_at_the_slices(first: Shown) -> None:
    """Right more often, cheaper and faster in total: what an average would have waved through."""
    done = segue(first.workspace, "show", "verdict", "support-reply", "--json")
    total, refund = (_finding(done.stdout, where) for where in ("", "task=refund"))
    assert total["new"]["mean"] > total["old"]["mean"] + 0.02
    assert refund["new"]["mean"] < refund["old"]["mean"] - 0.1
    assert refund["verdict"] == "worse"
    assert "The format broke, the ability did not" in first.text


def _finding(report: str, where: str) -> dict[str, Any]:
    findings = json.loads(report)["findings"]
    found: dict[str, Any] = next(one for one in findings if one["metric"] == "right_action" and one["where"] == where)
    return found


def test_says_that_the_models_are_simulated(first: Shown) -> None:
    """Nobody may take the numbers for those of a real model."""
    assert "Both models are SIMULATED" in first.text
    assert "THE MODELS ARE SIMULATED" in (first.workspace / "segue.yaml").read_text(encoding="utf-8")


def test_shows_commands_flips_and_what_to_try_next(first: Shown) -> None:
    """Every command is shown as it is typed; a flip shows both answers; the end names the next steps."""
    for command in ("segue check", "segue suite stats support-reply", "segue bundle diff support-reply current candidate"):
        assert f"$ {command}\n" in first.text
    assert "$ segue eval support-reply --candidate candidate --html report.html\n" in first.text
    assert "right before, wrong now" in first.text
    end = first.text[first.text.index("Go on from here") :]
    for hint in ("report.html", "--candidate candidate-retuned", "critical_margin", "make demo-recorded", "segue init"):
        assert hint in end
    page = (first.workspace / "report.html").read_text(encoding="utf-8")
    assert "task=refund" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_second_run_asks_nothing_and_keeps_what_a_user_changed(after: Path) -> None:
    """Whoever tried another margin finds it in place; no answer is asked for again, and the verdict follows the margin."""
    settings = after / "support-reply" / "workflows" / "support-reply" / "workflow.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("critical_margin: 0.06", "critical_margin: 0.25"), "utf-8")
    again = run_demo(after)
    assert again.code == 0, again.text
    assert "differs from the example in" in again.text
    assert "workflow.yaml" in again.text
    assert again.text.count("nothing to ask") == 2
    assert "Exit code 10 means caution" in again.text
    assert "critical_margin: 0.25" in settings.read_text(encoding="utf-8")


def test_an_unchanged_workspace_is_used_again_and_said_to_be(after: Path) -> None:
    """The demo tells whether what it found is its own example or something that was changed."""
    walkthrough = _module("walkthrough")
    target = after / "support-reply"
    left_out = ("suite_source", "make_suite.py")
    assert walkthrough.place_workspace(EXAMPLES / "support-reply", target, left_out=left_out) == []
    assert "its stored answers are used again" in walkthrough.earlier_state([], target)
    (target / ".gitignore").unlink()
    assert walkthrough.place_workspace(EXAMPLES / "support-reply", target, left_out=left_out) == [".gitignore"]


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_retuned_candidate_that_it_recommends_passes(after: Path) -> None:
    """The last step of the story: a prompt of its own, and the gate lets the candidate go on."""
    done = segue(after / "support-reply", "eval", "support-reply", "--candidate", "candidate-retuned")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ PASS" in done.stdout
    assert "incumbent: nothing to ask" in done.stderr


def test_a_broken_workspace_ends_with_a_plain_message(after: Path) -> None:
    """No traceback, the fault by its line, and how to begin afresh."""
    (after / "support-reply" / "segue.yaml").write_text("version: 1\nprovider: {}\n", encoding="utf-8")
    again = run_demo(after)
    assert again.code == 1
    assert "Traceback" not in again.text
    assert "segue.yaml:2" in again.text
    assert "To begin afresh, delete" in again.text
