"""Imported cases as a suite of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.errors import ConflictError, InputError
from segue.imports import read_layout, write_suite
from segue.model import Case
from tests.imports.builders import Faults, a_case, a_folder


def test_a_written_suite_reads_back_as_the_same_cases(tmp_path: Path) -> None:
    """One case per line, in Segue's own form, each with the digest it had."""
    case = a_case(slice={"lang": "de"}, reference={"x": 1}, tools=[{"name": "f", "parameters": {"type": "dict"}}], kind="edge")
    source = read_layout(a_folder(tmp_path / "d", cases=[case, a_case("b")]), report=Faults().append)
    assert write_suite(source, tmp_path / "suite.jsonl") == 2
    lines = (tmp_path / "suite.jsonl").read_text(encoding="utf-8").splitlines()
    read = [Case.model_validate_json(line) for line in lines]
    assert read == list(source.cases())
    assert [one.digest for one in read] == [one.digest for one in source.cases()]


def test_an_existing_suite_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    """A team's suite is not to be lost to an import."""
    source = read_layout(a_folder(tmp_path / "d"), report=Faults().append)
    file = tmp_path / "suite.jsonl"
    file.write_text("ours", encoding="utf-8")
    with pytest.raises(ConflictError, match="exists"):
        write_suite(source, file)
    assert file.read_text(encoding="utf-8") == "ours"
    assert write_suite(source, file, replace=True) == 1


def test_a_suite_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing to write, or no place to write to: no file is left behind."""
    source = read_layout(a_folder(tmp_path / "d", cases=["{"]), report=Faults().append)
    with pytest.raises(InputError, match="no case"):
        write_suite(source, tmp_path / "suite.jsonl")
    with pytest.raises(InputError, match="cannot be written"):
        write_suite(source, tmp_path / "none" / "suite.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["d"]


def test_a_second_case_of_one_id_is_told_and_left_out(tmp_path: Path) -> None:
    """By line."""
    faults = Faults()
    source = read_layout(a_folder(tmp_path / "d", cases=[a_case(), a_case()]), report=faults.append)
    assert write_suite(source, tmp_path / "suite.jsonl") == 1
    assert faults.where() == [("cases.jsonl", 2, "case_id")]
