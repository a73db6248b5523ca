"""`segue rehearse` as a person types it: the story on the screen, exit codes, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from segue.cli import app, rehearse_commands
from segue.rehearsal.preparing import Pair, Prepared
from tests.rehearsal.conftest import write_workspace

pytestmark = pytest.mark.xdist_group("rehearsal")
_KNOWN: dict[Pair, Prepared] = {}
Run = Callable[..., Result]


@pytest.fixture
def run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in the workspace. Each pair is prepared once: that takes longer than the rest."""
    monkeypatch.chdir(workspace)
    prepare = rehearse_commands._prepare

    def once(desk: Any, work: Any, pair: Pair, told: Any) -> Prepared:
        if pair not in _KNOWN:
            _KNOWN[pair] = prepare(desk, work, pair, told)
        return _KNOWN[pair]

    monkeypatch.setattr(rehearse_commands, "_prepare", once)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app.root, ["rehearse", *words])

    return invoke


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripted models and a plan of two steps."""
    return write_workspace(tmp_path_factory.mktemp("rehearse") / "workspace")


QUICK = ("quick", "--candidate", "next", "--traffic", "1500/day", "--every", "12h")


def test_the_story_is_told_with_its_days_and_what_users_met(run: Run) -> None:
    """And leaves with 0, as it completed."""
    found = run(*QUICK, "--days", "1")
    assert found.exit_code == 11
    for words in ("triage/quick", "What happened", "shadow: passed", "Day by day", "Unfinished", "0 units met the candidate"):
        assert words in found.stdout


def test_a_candidate_that_falls_on_refunds_holds(run: Run) -> None:
    """With the suite's reasons, and exit code 11."""
    found = run("quick", "--candidate", "worse", "--traffic", "200/day", "--every", "12h", "--json")
    body = json.loads(found.stdout)
    assert (found.exit_code, body["ending"]) == (11, "holding")
    assert any("task=refund" in reason for one in body["story"] for reason in one["because"])


def test_the_same_seed_prints_the_same(run: Run) -> None:
    """To the last figure."""
    words = (*QUICK, "--days", "0.6", "--trouble", "fence +10%", "--seed", "4", "--json")
    assert run(*words).stdout == run(*words).stdout


def test_what_is_kept_is_a_workspace_with_the_upgrade_in_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store and exchange log can be asked like any others."""
    kept = tmp_path / "kept"
    found = run(*QUICK, "--days", "1", "--keep", str(kept))
    assert "segue status triage" in found.stdout
    monkeypatch.chdir(kept)
    log = CliRunner().invoke(app.root, ["exchanges", "list", "--workflow", "triage", "--json"])
    assert log.exit_code == 0, log.output
    told = CliRunner().invoke(app.root, ["route", "show", "triage", "--json"])
    assert told.exit_code == 0, told.output
    again = run(*QUICK, "--keep", str(kept))
    assert "is there already" in str(again.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("quick", "--candidate", "nxt"), "nxt"),
        (("quik", "--candidate", "next"), "quik"),
        (("quick", "--candidate", "current"), "same bundle"),
        (("quick", "--candidate", "next", "--trouble", "rigth -5pts"), "rigth"),
        (("quick", "--candidate", "next", "--trace", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
    ids=["candidate", "plan", "itself", "trouble", "trace"],
)
def test_what_cannot_be_rehearsed_is_named(run: Run, words: tuple[str, ...], said: str) -> None:
    """Before anything runs."""
    found = run(*words)
    faults = getattr(found.exception, "faults", ())
    assert said in f"{found.output} {found.exception} {' '.join(one.what for one in faults)}"
    assert found.exit_code != 0


@pytest.mark.parametrize(
    "words",
    [
        ("quick", "--candidate", "next", "--requests", "10", "--traffic", "5/day"),
        ("quick", "--candidate", "next", "--runs", "2", "--keep", "there"),
        ("quick", "--candidate", "next", "--every", "soon"),
        ("quick", "--candidate", "next", "--approve", "maybe"),
    ],
    ids=["two rates", "keep of many", "every", "approve"],
)
def test_wrong_usage_leaves_with_2(run: Run, words: tuple[str, ...]) -> None:
    """And says what is wrong."""
    assert run(*words).exit_code == 2


def test_several_seeds_are_summed_up_by_outcome(run: Run) -> None:
    """In one process here; shares add up to one."""
    found = run(*QUICK, "--days", "0.6", "--runs", "2", "--processes", "1", "--json")
    body = json.loads(found.stdout)
    assert found.exit_code == 0
    assert (body["runs"], body["done"], sum(body["endings"].values())) == (2, 2, 1.0)
    assert [one["seed"] for one in body["each"]] == [1, 2]
