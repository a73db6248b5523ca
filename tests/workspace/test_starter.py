"""`segue init`: a first workspace that works as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.errors import ConflictError, InputError
from segue.workspace import check_workspace, init_workspace, load_workspace, suite_stats


def test_the_starter_has_no_errors_and_says_that_its_suite_is_thin(tmp_path: Path) -> None:
    """What is written passes the check; the one warning is the next step."""
    written = init_workspace(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in written} >= {
        "segue.yaml",
        ".gitignore",
        "workflows/support-reply/workflow.yaml",
        "workflows/support-reply/bundles/current.yaml",
        "workflows/support-reply/suites/main.jsonl",
    }
    (fault,) = check_workspace(tmp_path, {})
    assert fault.severity == "warning"
    assert "100 are wanted" in fault.what


def test_the_starters_bundles_can_be_made_and_differ(tmp_path: Path) -> None:
    """There is something to compare at once, and it needs no key."""
    init_workspace(tmp_path, workflow="mail-2")
    workspace = load_workspace(tmp_path, {})
    current = workspace.load_bundle_source("mail-2", "current")
    candidate = workspace.load_bundle_source("mail-2", "candidate")
    assert candidate.fallback == current.digest
    assert current.behaviour != candidate.behaviour
    assert workspace.config.providers[current.model.provider]["type"] == "scripted"
    stats = suite_stats(workspace.load_workflow("mail-2"), workspace.iter_suite("mail-2", "main"))
    assert stats.by_kind["red-team"] == 1
    assert stats.by_kind["regression"] == 1


def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    """Every file in the way is listed before anything is written."""
    folder = tmp_path / "workflows/support-reply"
    folder.mkdir(parents=True)
    (folder / "workflow.yaml").write_text("mine")
    (folder / "bundles").write_text("a file where a folder is needed")
    with pytest.raises(ConflictError) as caught:
        init_workspace(tmp_path)
    assert "workflow.yaml" in caught.value.what
    assert "bundles" in caught.value.what
    assert (folder / "workflow.yaml").read_text() == "mine"
    assert not (tmp_path / "segue.yaml").exists()


def test_a_second_run_is_a_conflict(tmp_path: Path) -> None:
    """It would change nothing, and must not seem to."""
    init_workspace(tmp_path)
    with pytest.raises(ConflictError):
        init_workspace(tmp_path)


def test_another_workflow_is_added_to_a_workspace_that_is_there(tmp_path: Path) -> None:
    """segue.yaml is the team's by then, and stays as it is."""
    init_workspace(tmp_path)
    (tmp_path / "segue.yaml").write_text((tmp_path / "segue.yaml").read_text() + "# ours\n")
    written = init_workspace(tmp_path, workflow="other")
    assert tmp_path / "segue.yaml" not in written
    assert load_workspace(tmp_path, {}).workflows == ["other", "support-reply"]
    assert (tmp_path / "segue.yaml").read_text().endswith("# ours\n")
    assert {fault.severity for fault in check_workspace(tmp_path, {})} == {"warning"}


def test_a_gitignore_that_is_there_gets_one_more_entry(tmp_path: Path) -> None:
    """What a team ignores already is kept; the state never gets into git."""
    (tmp_path / ".gitignore").write_bytes(b"*.log")
    init_workspace(tmp_path)
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[0] == "*.log"
    assert ".segue/" in lines
    before = (tmp_path / ".gitignore").read_bytes()
    init_workspace(tmp_path, workflow="other")
    assert (tmp_path / ".gitignore").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../x", "My Mail", "a/b", "é"])
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Names of workflows are names of folders."""
    with pytest.raises(InputError):
        init_workspace(tmp_path, workflow=name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "here").write_text("x")
    with pytest.raises((InputError, ConflictError)):
        init_workspace(tmp_path / "here")
