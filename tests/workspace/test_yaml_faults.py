"""What is said about YAML that is not what it has to be."""

from __future__ import annotations

import pytest

from segue.workspace.yaml_file import read_yaml
from tests.workspace.builders import Team


def said(text: str) -> list[str]:
    return [fault.sentence() for fault in read_yaml(text, "f.yaml").faults]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2: A tab indents this line; YAML takes spaces only. Replace the tab by two spaces."),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3 a: The key 'a' is written twice: on line 1 and on line 3. Keep one of the two."),
        (
            "a: *b\n",
            "f.yaml:1: The alias has no anchor. "
            "Define the anchor (&name) above, or put the text in quotes if no alias is meant.",
        ),
        (
            "a: 'x\nb: 2\n",
            "f.yaml:3: The file ends before what began on line 1 is closed. Close the quote or bracket.",
        ),
        (
            "---\na: 1\n---\nb: 1\n",
            "f.yaml:3: A second YAML document begins here. Delete the '---' line, or move the second part to its own file.",
        ),
        ("a: !secret x\n", "f.yaml:1 a: The tag '!secret' is not used here. Delete the tag; write plain YAML."),
        ("a: .nan\n", "f.yaml:1 a: The number is not finite. Write a finite number, or leave the key out."),
        ("3: x\n", 'f.yaml:1: A key is a number; keys are text. Put it in quotes: "3".'),
        (
            "a: 12345678901234567890\n",
            "f.yaml:1 a: The number is too large to be kept exactly (beyond ±2^53). "
            "Put it in quotes if it is an identifier, or write a smaller number.",
        ),
        ("a: &x [*x]\n", "f.yaml:1 a[0]: The alias contains itself. Write the value out where it is needed."),
    ],
)
def test_names_line_cause_and_remedy(text: str, sentence: str) -> None:
    """Each way YAML goes wrong has its own sentence, with the line."""
    assert said(text) == [sentence]


def test_finds_all_faults_of_the_content_at_once() -> None:
    """One fault does not hide the next."""
    assert len(said("a: .inf\nb: !x 1\nc: 1\nc: 2\n4: 4\n")) == 4


def test_no_yes_dates_and_times_stay_text() -> None:
    """Norway is a country, a release date is a name, and neither becomes a boolean or a date."""
    document = read_yaml("a: no\nb: yes\nc: 2024-08-06\nd: 12:30\ne: on\n", "f.yaml").value
    assert document is not None
    assert document.value == {"a": "no", "b": "yes", "c": "2024-08-06", "d": "12:30", "e": "on"}


def test_version_numbers_are_asked_for_in_quotes_as_they_were_typed(team: Team) -> None:
    """1.10 is the number 1.1 to YAML; the remedy shows what was typed, not what YAML made of it."""
    team.write("bundles/now.yaml", "model: {provider: sim, snapshot: 1.10}\n")
    assert team.said() == [
        "bundles/now.yaml:1 model.snapshot: 'snapshot' is the number 1.1; it has to be text. Put it in quotes: \"1.10\"."
    ]


def test_yes_is_no_boolean_and_says_what_to_write(team: Team) -> None:
    """A guess at `yes` would change the digest in silence."""
    team.write("bundles/now.yaml", "model: {provider: sim, snapshot: m-1}\nparameters: {logprobs: yes}\n")
    (sentence,) = team.said()
    assert sentence.endswith("it has to be true or false. Write true: in YAML 1.2 only true and false are booleans.")


def test_an_alias_bomb_does_not_go_off() -> None:
    """Nine levels of nine aliases stand for 400 million pieces; they are counted, not made."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for level in range(9):
        here, below = chr(98 + level), chr(97 + level)
        bomb += f"{here}: &{here} [{','.join(['*' + below] * 9)}]\n"
    assert said(bomb) == [
        "f.yaml: The aliases of this file stand for more than 50,000 pieces. "
        "Write the values out, or put them in files of their own."
    ]


def test_a_bomb_of_merges_does_not_go_off_either() -> None:
    """Merged mappings leave no pieces of their own, and are counted all the same."""
    bomb = "a: &a {k: 1}\n"
    for level in range(9):
        here, below = chr(98 + level), chr(97 + level)
        bomb += f"{here}: &{here} {{<<: [{','.join(['*' + below] * 9)}]}}\n"
    assert "more than 50,000 pieces" in said(bomb)[0]


def test_deep_nesting_is_a_fault() -> None:
    """A million brackets neither overflow a stack nor take a second."""
    assert said("[" * 100_000) == ["f.yaml:1: The YAML is nested more than 40 levels deep. Flatten it."]


def test_anchors_and_merges_give_plain_values() -> None:
    """What repeats may be written once."""
    document = read_yaml("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\n", "f.yaml").value
    assert document is not None
    assert document.value["more"] == {"x": 1, "y": 3}


def test_an_empty_file_says_what_it_needs(team: Team) -> None:
    """An empty file and a comment are the same: nothing is set."""
    team.write("segue.yaml", "# nothing yet\n")
    assert team.said()[0] == (
        "segue.yaml:1: The file is empty. Write keys and values (`key: value`). It needs at least version."
    )


def test_bytes_that_are_no_utf8_are_named_by_line(team: Team) -> None:
    """The line and the byte help to find the place in an editor."""
    team.write("workflow.yaml", b"kind: generation\ndescription: caf\xe9\n")
    assert "workflow.yaml:2: Byte 17 of the line (0xe9) is not UTF-8. Save the file as UTF-8." in team.said()


def test_a_huge_file_is_refused_before_it_is_read(team: Team) -> None:
    """Half a megabyte of settings was not written by people."""
    team.write("workflow.yaml", "# x\n" * 200_000)
    assert team.said()[0].startswith("workflow.yaml: The file has 800,000 bytes; 524,288 are allowed here.")
