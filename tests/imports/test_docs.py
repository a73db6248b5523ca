"""`docs/imports.md` says what the code does: its commands parse, its examples run, its settings are all there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from segue.cli.import_commands import import_command
from segue.imports import ReleaseColumns, TableMapping, label_for
from segue.model import Case
from tests.imports.builders import (
    a_case,
    a_folder,
    a_label,
    a_promptfoo_file,
    a_promptfoo_row,
    a_recording,
    a_sample,
    an_eval_log,
)

PAGE = (Path(__file__).parents[2] / "docs" / "imports.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every file the page names."""
    a_folder(tmp_path / "results", [a_case(task="refund")], [a_recording(), a_recording(model="new")], [a_label()])
    (tmp_path / "answers.csv").write_text("question,old\n", encoding="utf-8")
    (tmp_path / "PRIME_FULL_EVAL.csv").write_text("x\n", encoding="utf-8")
    (tmp_path / "columns.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    a_promptfoo_file(tmp_path / "results.json", [a_promptfoo_row()])
    for name in ("old", "new"):
        an_eval_log(tmp_path / f"{name}.eval", [a_sample()])
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMANDS = [line for block in blocks("console") for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_parses(there: Path, line: str) -> None:
    """With the options it shows."""
    program, group, name, *words = line.split()
    assert (program, group) == ("segue", "import")
    assert import_command.commands[name].make_context(name, words).params["workflow"]


def test_the_options_that_are_named_exist() -> None:
    """Every `--option` in the text is one of a command."""
    known = {option for command in import_command.commands.values() for one in command.params for option in one.opts}
    of_promptfoo = {"--repeat"}
    assert set(re.findall(r"`(--[a-z]+)", PAGE)) <= known | of_promptfoo


def test_the_python_example_runs(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And prints the outcome."""
    (example,) = blocks("python")
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["faults"] == []
    printed = capsys.readouterr().out
    assert "suite main" in printed
    assert "old → old" in printed


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_mapping_is_one(block: str) -> None:
    """The YAML blocks are mappings as they stand."""
    TableMapping(**YAML(typ="safe").load(block))


def test_every_setting_of_a_mapping_is_in_a_table() -> None:
    """And none that does not exist."""
    section = PAGE[PAGE.index("## A table of your own") : PAGE.index("## promptfoo")]
    first_cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == set(TableMapping.model_fields)
    assert set(ReleaseColumns.model_fields) <= set(TableMapping.model_fields)


def test_every_field_of_a_case_is_named() -> None:
    """In the row of the cases."""
    (row,) = re.findall(r"^\| `cases` \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) == set(Case.model_fields)


def test_the_example_of_a_label_is_right() -> None:
    """The page shows what a release's name becomes."""
    ((release, label),) = re.findall(r"^`(.*)` is labelled `(.*)`\.$", PAGE, re.MULTILINE)
    assert label_for(release) == label
