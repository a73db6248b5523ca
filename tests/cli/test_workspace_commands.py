"""From nothing to a first verdict, by the commands that each step names as the next."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Segue, edit


def next_commands(out: str) -> list[list[str]]:
    """The indented `segue …` lines of an output, as words."""
    return [shlex.split(line) for line in out.splitlines() if line.startswith("  segue ")]


def test_init_writes_a_workspace_and_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue
) -> None:
    """And all of what it says works, up to the first verdict."""
    monkeypatch.chdir(tmp_path)
    made = segue("init", "a team", "--workflow", "invoices")
    assert made.code == 0
    assert "  cd 'a team'\n" in made.out
    monkeypatch.chdir(tmp_path / "a team")
    offered = next_commands(made.out)
    assert [words[1] for words in offered] == ["check", "suite", "eval"]
    assert [segue(*words[1:]).code for words in offered] == [0, 0, 11]


def test_init_lists_its_files_for_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue) -> None:
    """All of them are there."""
    monkeypatch.chdir(tmp_path)
    written = segue("init", "--json").json["written"]
    assert "segue.yaml" in written
    assert all(Path(one).is_file() for one in written)


def test_init_overwrites_nothing(workspace: Path, segue: Segue) -> None:
    """What is in the way is named, and nothing is written; another workflow is welcome."""
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    typed = segue("init", "--json")
    assert (typed.code, typed.json["error"]["code"]) == (1, "conflict")
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before
    assert segue("init", "--workflow", "invoices").code == 0


@pytest.mark.parametrize("name", ["Bad Name", "../up", "", "x\ny", "x" * 1000])
def test_init_refuses_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue, name: str) -> None:
    """A workflow is a folder of its name; nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert segue("init", "--workflow", name).code in (1, 2)
    assert list(tmp_path.iterdir()) == []


def test_check_passes_with_warnings_and_fails_with_errors(workspace: Path, segue: Segue) -> None:
    """All faults at once, errors first, each with its place and the remedy."""
    fine = segue("check")
    assert fine.code == 0
    assert fine.out.endswith("0 errors, 1 warning.\n")
    edit(Path("workflows/support-reply/workflow.yaml"), "primary: [right_topic]", "primary: [right_topik]")
    edit(Path("workflows/support-reply/bundles/candidate.yaml"), "provider: simulated", "provider: simulatd")
    typed = segue("check")
    assert typed.code == 1
    assert "Did you mean 'right_topic'?" in typed.out
    assert "Did you mean 'simulated'?" in typed.out
    assert typed.out.endswith("2 errors, 1 warning.\n")
    assert typed.out.index("warning ") > typed.out.index("bundles/candidate.yaml:3 model.provider")


def test_check_tells_a_script_the_same(workspace: Path, segue: Segue) -> None:
    """Counts, and every fault."""
    Path("segue.yaml").write_text("version: [\n", encoding="utf-8")
    typed = segue("check", "--json")
    assert typed.code == 1
    assert typed.json["errors"] == sum(fault["severity"] == "error" for fault in typed.json["faults"])
    assert typed.json["faults"][0]["file"] == "segue.yaml"


def test_commands_work_from_any_folder_of_the_workspace(workspace: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue) -> None:
    """As git does."""
    monkeypatch.chdir(workspace / "workflows" / "support-reply" / "prompts")
    assert segue("bundle", "add", "support-reply").code == 0
    assert (workspace / ".segue" / "state.db").exists()


def test_stats_say_what_is_thin(workspace: Path, segue: Segue) -> None:
    """What to add, slice by slice; a paragraph is a line when piped."""
    typed = segue("suite", "stats", "support-reply")
    assert "6 cases, 2 of them critical" in typed.out
    assert "to see a drop of 2 points in total takes about" in typed.out
    thin = [line for line in typed.out.splitlines() if line.startswith("  • ")]
    answer = segue("suite", "stats", "support-reply", "--json").json
    assert [line.removeprefix("  • ") for line in thin] == answer["sentences"]


def test_suites_are_listed_once_with_where_they_are(workspace: Path, segue: Segue) -> None:
    """As a file, in the store, or both."""
    assert "file, not stored yet" in segue("suite", "list", "support-reply").out
    assert segue("bundle", "add", "support-reply").code == 0
    lines = segue("suite", "list", "support-reply").out.splitlines()
    assert (len(lines), "file and store" in lines[1]) == (2, True)
    suite = Path("workflows/support-reply/suites/main.jsonl")
    suite.write_text("".join(suite.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    kept = segue("suite", "list", "support-reply").out
    assert ("file, not stored yet" in kept, kept.count("main")) == (True, 2)
