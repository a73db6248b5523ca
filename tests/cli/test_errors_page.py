"""`docs/errors.md` says what the code does: its codes are all there are, its examples are what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from segue.errors import Fault, SegueError
from tests.cli.conftest import Segue, edit

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
SUITE = Path("workflows/support-reply/suites/main.jsonl")


def below(kind: type[SegueError]) -> set[type[SegueError]]:
    """All classes below one, as far as they are defined in `segue.errors`."""
    here = {one for one in kind.__subclasses__() if one.__module__ == "segue.errors"}
    return here.union(*(below(one) for one in here)) if here else here


def rows() -> list[list[str]]:
    """The table of codes: code, class, meaning, what to do."""
    table = PAGE.partition("## Codes")[2].partition("## ")[0]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines() if line.startswith("| `")
    ]


def example(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def test_every_code_has_its_row() -> None:
    """Code and class, as they are in the class tree; each code belongs to one class."""
    written = {(code.strip("`"), name.strip("`")) for code, name, *_ in rows()}
    assert written == {(one.code, one.__name__) for one in below(SegueError)}
    assert len({code for code, _ in written}) == len(written)


def test_every_row_says_what_it_means_and_what_to_do() -> None:
    """No empty cell."""
    assert all(len(row) == 4 and all(row) for row in rows())


def test_the_json_example_is_what_is_printed(workspace: Path, segue: Segue) -> None:
    """In full, for the same mistake."""
    typed = segue("bundle", "show", "support-reply", "canddate", "--json")
    assert (typed.code, typed.json) == (1, json.loads(example("json")))


def test_the_first_screen_is_what_is_printed(workspace: Path, segue: Segue) -> None:
    """To the letter."""
    typed = segue("bundle", "show", "support-reply", "canddate")
    assert (typed.out, typed.err) == ("", example("text"))


def test_the_second_screen_is_what_is_printed(workspace: Path, segue: Segue) -> None:
    """All faults of the suite at once."""
    lines = SUITE.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"variables"', '"varables"')
    lines[2] = "{" + lines[2]
    SUITE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert segue("suite", "stats", "support-reply").err == example("text", 1)


def test_every_key_of_the_shape_is_explained() -> None:
    """The keys of an error and of a fault."""
    error = SegueError("what").as_json()["error"]
    explained = set(re.findall(r"`(?:faults\[\]\.)?(\w+)`", PAGE.partition("## As JSON")[2]))
    assert {*error, *Fault("what", "fix").as_json()} <= explained


@pytest.mark.parametrize("words", [("check",), ("eval", "support-reply", "--candidate", "candidate")])
def test_faults_have_the_same_shape_everywhere(workspace: Path, segue: Segue, words: tuple[str, ...]) -> None:
    """Of a check, which is no error, as of an error."""
    edit(SUITE, '"variables"', '"varables"')
    answer = segue(*words, "--json").json
    faults = answer["faults"] if "faults" in answer else answer["error"]["faults"]
    assert faults
    assert all(set(one) == set(Fault("what", "fix").as_json()) for one in faults)
