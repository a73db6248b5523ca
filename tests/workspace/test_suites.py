"""Reading suites: every line that cannot be used is named, and nothing is held in memory."""

from __future__ import annotations

import gzip
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.errors import InputError, NotFoundError
from segue.workspace.suite_file import read_suite
from segue.workspace.text_file import Root
from tests.workspace.builders import WORKFLOW, Team, a_case, lines

SLICED = WORKFLOW + "slices: {lang: {values: [de, en]}, tier: {}}\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            '{"case_id": "x",}',
            "A key in double quotes is missing at column 17. Write keys as \"key\", and no comma before '}'.",
        ),
        ("{'case_id': 'x'}", "A key in double quotes is missing at column 2. Write keys as \"key\", and no comma before '}'."),
        ('{"case_id": NaN}', "NaN or Infinity is in the line; JSON has neither. Write a finite number, or null."),
        ('{"case_id": "x"} {}', "Something follows the JSON value at column 18. Keep one value; in JSON Lines, one per line."),
        ("[1]", 'The line is JSON, and no object. Write a case as {"case_id": …}.'),
        ("{}", "'case_id' is missing. Add `case_id: …`."),
        ('{"case_id": "", "messages": []}', "case_id: 'case_id' is empty. Write a text."),
        ('{"case_id": "x", "case_id": "y"}', "The key 'case_id' is written twice in the line. Keep one of the two."),
        ('{"case_id": "x", "refrence": 1}', "refrence: 'refrence' is not a key. Did you mean 'reference'?"),
        ('{"case_id": "x", "critical": "yes"}', "critical: 'critical' is text; it has to be true or false."),
        ('{"case_id": "x", "reference": 1e999}', "a number that cannot be kept exactly"),
        ("[" * 5000, "The line is nested too deeply"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(team: Team, line: str, sentence: str) -> None:
    """The line, the cause and the remedy; the rest of the file is read."""
    team.write("suites/main.jsonl", lines(*(a_case(f"c-{n}") for n in range(100)), line, a_case("last")))
    (said,) = team.said("error")
    assert said.startswith("suites/main.jsonl:101")
    assert sentence in said


def test_a_last_line_that_was_cut_off_is_called_that(team: Team) -> None:
    """A download that broke off is the usual reason."""
    team.write("suites/main.jsonl", lines(a_case()) + '{"case_id": "b", "messa')
    assert "suites/main.jsonl:2: The last line is cut off. Write the rest of the case, or delete the line." in team.said()


def test_a_case_id_that_is_there_twice_names_both_lines(team: Team) -> None:
    """Results are kept by case_id, so two cases cannot share one."""
    team.write("suites/main.jsonl", lines(a_case("a"), a_case("b"), a_case("a")))
    assert (
        "suites/main.jsonl:3 case_id: The case_id 'a' is on line 1 and on line 3. Give each case an id of its own."
        in team.said()
    )


def test_an_undeclared_slice_value_shows_the_declared_ones(team: Team) -> None:
    """A typo in a slice would be a slice of its own, which nobody watches."""
    team.write("workflow.yaml", SLICED)
    team.write("suites/main.jsonl", lines(a_case(slice={"lang": "dee"}), a_case("b", slice={"lnag": "de", "tier": "any"})))
    said = team.said("error")
    assert said == [
        "suites/main.jsonl:1 slice.lang: The slice 'lang=dee' is not declared. Did you mean 'lang=de'? "
        "Declared are lang=de, lang=en; add it to slices.lang.values in workflow.yaml if it is meant.",
        "suites/main.jsonl:2 slice.lnag: The slice 'lnag' is not declared by the workflow. Did you mean 'lang'? "
        "Add it under `slices:` in workflow.yaml; declared are lang, tier.",
    ]


def test_tasks_are_checked_where_the_workflow_declares_them(team: Team) -> None:
    """`task` is a slice that every case has."""
    team.write("workflow.yaml", WORKFLOW + "slices: {task: {values: [refund, other]}}\n")
    team.write("suites/main.jsonl", lines(a_case(task="refnd"), a_case("b", task="other", slice={"task": "refund"})))
    said = team.said("error")
    assert said[0].startswith("suites/main.jsonl:1 task: The task 'refnd' is not declared. Did you mean 'refund'?")
    assert said[1].startswith("suites/main.jsonl:2 slice.task: The slice 'task=refund' contradicts the task 'other'.")


def test_many_faults_are_counted_and_the_first_are_shown(team: Team) -> None:
    """A thousand lines with one mistake are one thing to correct; another mistake among them is not lost."""
    team.write("workflow.yaml", SLICED)
    bad = [a_case(f"c-{n}", slice={"lang": "dee"}) for n in range(1200)]
    team.write("suites/main.jsonl", lines(*bad, "{"))
    said = team.said("error")
    assert len(said) == 12
    assert (
        "suites/main.jsonl:1201: The JSON ends before it is complete. Write the rest of it; the end may have been lost." in said
    )
    assert any("1,190 more cases with an undeclared slice, the last on line 1200." in one for one in said)
    with pytest.raises(InputError) as caught:
        list(team.load().iter_suite("mail", "main"))
    assert "1,201 faults" in str(caught.value)


def test_an_empty_suite_is_a_fault(team: Team) -> None:
    """Nothing to ask is not a pass."""
    team.write("suites/main.jsonl", "\n\n")
    assert (
        "suites/main.jsonl:1: The suite has no cases. Write one JSON object per line; see docs/suite-format.md." in team.said()
    )


def test_gzipped_suites_are_read_as_they_are(team: Team) -> None:
    """Large suites are kept small in git."""
    text = lines(a_case("a"), a_case("b"))
    plain = team.load()
    team.write("suites/main.jsonl", text)
    expected = plain.suite_digest_of("mail", "main")
    team.path("suites/main.jsonl").unlink()
    team.write("suites/main.jsonl.gz", gzip.compress(text.encode()))
    assert team.load().suite_digest_of("mail", "main") == expected


@pytest.mark.parametrize(
    "damage",
    [b"not gzip at all", gzip.compress(b"x" * 5000, mtime=0)[:-12], gzip.compress(b'{"case_id": "a"}\n', mtime=0) + b"junk"],
    ids=["not-gzip", "cut-short", "junk-after"],
)
def test_damaged_gzip_is_a_fault(team: Team, damage: bytes) -> None:
    """A broken download is told from a broken case."""
    team.path("suites/main.jsonl").unlink()
    team.write("suites/main.jsonl.gz", damage)
    assert any("gzip" in one for one in team.said("error"))


def test_a_suite_that_is_there_twice_is_refused(team: Team) -> None:
    """Which of the two is meant cannot be known."""
    team.write("suites/main.jsonl.gz", gzip.compress(lines(a_case()).encode()))
    assert any("The suite is there twice: main.jsonl and main.jsonl.gz." in one for one in team.said("error"))


def test_an_endless_line_does_not_fill_the_memory(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case has a size; the lines after one that exceeds it are read."""
    monkeypatch.setattr("segue.workspace.suite_file.LONGEST_LINE", 1000)
    team.write("suites/main.jsonl", lines("x" * 5000, a_case("b")))
    found = list(read_suite(Root(team.root), team.path("suites/main.jsonl")))
    assert [line.case is not None for line in found] == [False, True]
    assert "more than 1,000 bytes" in found[0].faults[0][1].what


def test_a_missing_suite_names_the_near_one(team: Team) -> None:
    """Names are matched."""
    with pytest.raises(NotFoundError, match="Did you mean 'main'"):
        team.load().suite_digest_of("mail", "mian")


def test_a_suite_can_be_streamed_before_it_ends(team: Team) -> None:
    """A case is given as soon as its line is read; a fault further down is raised where it stands."""
    team.write("suites/main.jsonl", lines(a_case("a"), "nonsense", a_case("b"), "nonsense"))
    cases = team.load().iter_suite("mail", "main")
    assert next(cases).case_id == "a"
    with pytest.raises(InputError) as caught:
        next(cases)
    assert [fault.line for fault in caught.value.faults] == [2, 4]


def test_a_changed_suite_has_another_digest_in_the_same_process(team: Team) -> None:
    """What is remembered is forgotten when the file changes."""
    workspace = team.load()
    before = workspace.suite_digest_of("mail", "main")
    team.write("suites/main.jsonl", lines(a_case("other")))
    assert workspace.suite_digest_of("mail", "main") != before


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8, unique=True))
def test_the_digest_of_a_suite_ignores_the_order_of_lines_and_keys(
    tmp_path_factory: pytest.TempPathFactory, order: random.Random, ids: list[str]
) -> None:
    """Sorting a file, or writing it with another tool, is no change."""
    team = Team(tmp_path_factory.mktemp("suite"))
    cases = [a_case(one, metadata={"x": 1, "y": [1, 2]}) for one in ids]
    team.write("suites/main.jsonl", lines(*cases))
    digest = team.load().suite_digest_of("mail", "main")
    shuffled = []
    for case in order.sample(cases, len(cases)):
        keys = order.sample(list(case), len(case))
        shuffled.append(json.dumps({key: case[key] for key in keys}, ensure_ascii=order.random() < 0.5))
    team.write("suites/main.jsonl", "\r\n".join(shuffled))
    assert team.load().suite_digest_of("mail", "main") == digest
