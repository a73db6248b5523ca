"""`segue import`: what goes in, what is said of it, and that nothing lands outside the workspace."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Segue

MAPPING = "case_id: id\ninput: question\nrelease: model\noutput: answer\nlabels: {right: ok}\n"
TABLE = ("import", "table", "quiz", "answers.csv", "--mapping", "columns.yaml")
ROWS = "id,question,model,answer,ok\n" + "".join(
    f"{n},What is {n}?,{model},{n},{int(model == 'old' or n % 2)}\n" for n in range(20) for model in ("old", "new")
)


@pytest.fixture
def table(workspace: Path) -> Path:
    """A table of two releases, and a mapping of its columns."""
    Path("answers.csv").write_text(ROWS, encoding="utf-8")
    Path("columns.yaml").write_text(MAPPING, encoding="utf-8")
    return workspace


def test_imported_results_are_gated_by_the_command_that_is_offered(table: Path, segue: Segue) -> None:
    """A workflow is begun for them, which scores by the labels that came along."""
    typed = segue(*TABLE)
    assert typed.code == 0
    assert f"Written: {table / 'workflows' / 'quiz' / 'workflow.yaml'}\n" in typed.out
    assert segue("check").code == 0
    offered = typed.out.splitlines()[-1]
    compared = segue(*shlex.split(offered)[1:], "--json")
    assert compared.json["n_cases"] == 20
    assert {one["metric"] for one in compared.json["findings"]} == {"right"}


def test_importing_again_changes_nothing(table: Path, segue: Segue) -> None:
    """And leaves the workflow alone."""
    assert segue(*TABLE).code == 0
    own = Path("workflows/quiz/workflow.yaml")
    own.write_text(own.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    again = segue(*TABLE)
    assert (again.code, "All of it was stored already." in again.out) == (0, True)
    assert own.read_text(encoding="utf-8").endswith("# mine\n")


def test_rows_that_cannot_be_read_are_named_and_the_rest_is_kept(table: Path, segue: Segue) -> None:
    """With `--strict` the exit code says so; the rest is kept all the same."""
    Path("answers.csv").write_text(ROWS + "0,What is 0?,old,again,1\n", encoding="utf-8")
    typed = segue(*TABLE)
    assert typed.code == 0
    assert "answers.csv:42" in typed.err
    assert "the rest is kept" in typed.err
    strict = segue(*TABLE, "--strict", "--json")
    assert strict.code == 1
    assert strict.json["counts"]["exchanges"]["kept"] == 40
    assert strict.json["faults"][0]["line"] == 42


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("case_id: id\nprompt: question\n", "'prompt' is not a key"),
        ("input: question\noutput: answer\nlabels: [ok]\n", "'labels' is a list; it has to be keys and values"),
        ("output: answer\n", "ame the column of the input"),
        ("input: question\n", "ame either output (one row per answer) or wide"),
        ("input: qestion\noutput: answer\n", "There is no column 'qestion'"),
        ("", "The file is empty"),
        ("just text", "The file holds text, not keys and values"),
        ("x: [", "ends in the middle of something"),
    ],
)
def test_a_mapping_that_does_not_fit_is_named_by_line(table: Path, segue: Segue, mapping: str, said: str) -> None:
    """In the words of its author, with the keys or columns there are."""
    Path("columns.yaml").write_text(mapping, encoding="utf-8")
    error = segue(*TABLE, "--json").json["error"]
    assert said in " ".join(fault["what"] for fault in error["faults"])
    assert all(fault["fix"] and fault["file"] for fault in error["faults"])
    assert not Path("workflows/quiz").exists()


def test_a_mapping_that_is_no_text_is_named(table: Path, segue: Segue) -> None:
    """Bytes of anything."""
    Path("columns.yaml").write_bytes(bytes(range(256)))
    typed = segue(*TABLE)
    assert (typed.code, "columns.yaml:" in typed.err) == (1, True)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "a b", ".hidden", "a:\n b"])
def test_a_workflow_is_a_name_and_no_path(table: Path, segue: Segue, name: str) -> None:
    """Nothing is written outside the workspace's own folders."""
    assert segue("import", "table", name, "answers.csv", "--mapping", "columns.yaml").code == 2
    assert not (table.parent / "evil").exists()
    assert [one.name for one in Path("workflows").iterdir()] == ["support-reply"]


def test_labelers_become_names_of_metrics(table: Path, segue: Segue) -> None:
    """Whatever they are called, no two alike, and the check accepts them."""
    mapping = MAPPING.replace("{right: ok}", '{"human:Ada B.": ok, "human ada b": ok, "日本": ok, "4": ok}')
    Path("columns.yaml").write_text(mapping, encoding="utf-8")
    assert segue(*TABLE).code == 0
    checked = segue("check", "--json")
    assert (checked.code, checked.json["errors"]) == (0, 0)
    assert segue("compare", "quiz", "--incumbent", "old", "--candidate", "new").code in (10, 11, 12)


JUDGED = """\
scorers:
  - {name: good, type: recorded_label, labeler: "judge:j", calibrate: {against: "human:ada", map: {"1": 1, "0": 0}}}
gate: {primary: [good]}
"""


@pytest.mark.parametrize(("mistakes", "code"), [(0, 0), (40, 11)])
def test_a_judge_is_held_against_people_and_the_exit_code_says_whether_it_may_gate(
    table: Path, segue: Segue, mistakes: int, code: int
) -> None:
    """On both bundles' outputs; with `--json` the same."""
    rows = ["id,question,model,answer,human,judge"]
    for model in ("old", "new"):
        for n in range(300):
            human = int(n % 3 != 0)
            judge = 1 - human if model == "new" and n < mistakes else human
            rows.append(f"{n},What is {n}?,{model},{n},{human},{judge}")
    Path("answers.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    labels = '{"human:ada": human, "judge:j": judge}'
    Path("columns.yaml").write_text(MAPPING.replace("{right: ok}", labels), encoding="utf-8")
    assert segue(*TABLE).code == 0
    Path("workflows/quiz/workflow.yaml").write_text(JUDGED, encoding="utf-8")
    words = ("judge", "calibrate", "quiz", "good", "--incumbent", "old", "--candidate", "new")
    typed = segue(*words)
    assert (typed.code, "the judge agrees with people on" in typed.out) == (code, True)
    answer = segue(*words, "--json")
    assert (answer.code, answer.json["may_gate"]) == (code, code == 0)


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("layout", b"", "is not a folder"),
        ("promptfoo", b"{}", "is not a promptfoo results file"),
        ("promptfoo", b"\x00\xff", "is not a promptfoo results file"),
        ("inspect", b"{}", "no zip archive"),
        ("inspect", b"PK\x03\x04 cut off", "cut off"),
    ],
)
def test_a_file_of_another_kind_is_named(workspace: Path, segue: Segue, kind: str, content: bytes, said: str) -> None:
    """With what it should have been."""
    Path("given").write_bytes(content)
    typed = segue("import", kind, "quiz", "given")
    assert (typed.code, said in typed.err, "given" in typed.err) == (1, True, True)


def test_a_role_that_is_declared_keeps_a_judge_out_of_the_gate(table: Path, segue: Segue) -> None:
    """By whatever name it goes; the file says so, and the next step is offered all the same."""
    Path("columns.yaml").write_text(MAPPING.replace("{right: ok}", "{grader: ok, people: ok}"), encoding="utf-8")
    typed = segue(*TABLE, "--role", "grader=judge", "--role", "people=human")
    assert "It gates on people. Of 2 labelers people (people) decides: grader may gate only once calibrated" in typed.out
    assert "role: judge" in Path("workflows/quiz/workflow.yaml").read_text(encoding="utf-8")
    assert segue("check").code == 0
    again = segue(*TABLE, "--role", "grader=rule", "--json")
    assert {one["labeler"]: one["role"] for one in again.json["labelers"]} == {"grader": "rule", "people": None}
    assert "write role: there" in segue(*TABLE, "--role", "grader=rule").err


@pytest.mark.parametrize("word", ["grader", "grader=", "=judge", "grader=jury"])
def test_a_role_is_one_of_three(table: Path, segue: Segue, word: str) -> None:
    """Anything else is wrong usage, and says what can be written."""
    typed = segue(*TABLE, "--role", word)
    assert (typed.code, "human, judge, rule" in typed.err) == (2, True)


def test_a_role_of_nobody_is_a_warning_with_the_near_name(table: Path, segue: Segue) -> None:
    """A warning is no record that could not be read, and no failure under --strict."""
    typed = segue(*TABLE, "--role", "rigth=rule", "--strict")
    assert typed.code == 0
    assert "Did you mean 'right'?" in typed.err
    assert "could not be read" not in typed.err


def test_the_next_step_asks_against_the_workflows_incumbent(table: Path, segue: Segue) -> None:
    """Where it has one that is known; the first releases by name otherwise."""
    assert segue(*TABLE).out.splitlines()[-1] == "  segue compare quiz --incumbent new --candidate old"
    own = Path("workflows/quiz/workflow.yaml")
    own.write_text(own.read_text(encoding="utf-8") + "incumbent: old\n", encoding="utf-8")
    assert segue(*TABLE).out.splitlines()[-1] == "  segue compare quiz --candidate new"
    own.write_text(own.read_text(encoding="utf-8").replace("incumbent: old", "incumbent: gone"), encoding="utf-8")
    assert segue(*TABLE).out.splitlines()[-1] == "  segue compare quiz --incumbent new --candidate old"
