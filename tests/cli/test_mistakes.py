"""Mistakes at the keyboard: each answer names what is wrong and what to do, as text and as JSON."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Segue

EVAL = ("eval", "support-reply", "--candidate", "candidate")
COMPARE = ("compare", "support-reply", "--candidate", "candidate")
LONG = "x" * 100_000

UNKNOWN = {
    "workflow": (("bundle", "list", "suport-reply"), "There is no workflow 'suport-reply'. Did you mean 'support-reply'?"),
    "workflow to eval": (
        ("eval", "nope", "--candidate", "candidate"),
        "There is no workflow 'nope'. There are: support-reply.",
    ),
    "bundle": (("bundle", "show", "support-reply", "canddate"), "Did you mean 'candidate'?"),
    "bundle file": (("bundle", "add", "support-reply", "canddate"), "Did you mean 'candidate'?"),
    "candidate": (("eval", "support-reply", "--candidate", "canddate"), "There is no bundle 'canddate'."),
    "incumbent": ((*EVAL, "--incumbent", "curent"), "Did you mean 'current'?"),
    "digest too short": (("bundle", "show", "support-reply", "4bf"), "A digest is named by at least 4 of its characters."),
    "suite": ((*EVAL, "--suite", "mian"), "Did you mean 'main'?"),
    "suite of stats": (("suite", "stats", "support-reply", "mian"), "Did you mean 'main'?"),
    "slice": ((*EVAL, "--only", "topic=refnd"), "Did you mean 'topic=refund'"),
    "dimension": ((*EVAL, "--only", "tpic=refund"), "Did you mean 'topic'"),
    "judge": (("judge", "calibrate", "support-reply", "polite", "--candidate", "candidate"), "A judge is a scorer of type"),
    "verdict before there is one": (("show", "verdict", "support-reply"), "Make one: segue eval support-reply"),
    "flips before there is a verdict": (("show", "flips", "support-reply"), "Make one: segue eval support-reply"),
    "report before there is a verdict": (("report", "support-reply"), "Make one: segue eval support-reply"),
    "results": (COMPARE, "Ask the models: segue eval support-reply --candidate candidate."),
    "very long workflow": (("bundle", "list", LONG), "…"),
    "very long bundle": (("bundle", "show", "support-reply", LONG), "…"),
    "very long suite": ((*EVAL, "--suite", LONG), "…"),
}

AFTER_A_VERDICT = {
    "verdict": (("show", "verdict", "support-reply", "ffff"), "There is no verdict 'ffff'."),
    "verdict of a report": (("report", "support-reply", "ffff"), "There is no verdict 'ffff'."),
    "metric": (("show", "flips", "support-reply", "--metric", "right_topik"), "Did you mean 'right_topic'?"),
    "metric that is no pass or fail": (
        ("show", "flips", "support-reply", "--metric", "length"),
        "There is no metric 'length'.",
    ),
    "slice": (("show", "flips", "support-reply", "--slice", "topic=refnd"), "Did you mean 'topic=refund'"),
    "slice without a value": (("show", "flips", "support-reply", "--slice", "topic"), "'topic=refund'"),
    "case": (("show", "case", "support-reply", "refund-en-2"), "Did you mean 'refund-en-1'"),
    "very long case": (("show", "case", "support-reply", LONG), "…"),
}

USAGE = {
    "command": (("evl",), "There is no command 'evl'. Did you mean eval?"),
    "command like no other": (("frob",), "See them with: segue --help."),
    "command of a group": (("bundle", "lst"), "Did you mean list?"),
    "option": (("log", "--lst", "3"), "Did you mean '--last'?"),
    "argument left out": (("eval",), "Missing argument 'WORKFLOW'."),
    "option left out": (("eval", "support-reply"), "Missing option '--candidate'."),
    "empty workflow": (("eval", "", "--candidate", "candidate"), "Is a shell variable unset?"),
    "empty bundle": (("bundle", "show", "support-reply", " "), "Is a shell variable unset?"),
    "no repeats": ((*EVAL, "--repeats", "0"), "0 is not in the range"),
    "too many repeats": ((*EVAL, "--repeats", "101"), "101 is not in the range"),
    "repeats in words": ((*EVAL, "--repeats", "two"), "'two'"),
    "budget of nothing": ((*EVAL, "--budget", "0"), "Write it as 5usd"),
    "negative budget": ((*EVAL, "--budget", "-1"), "Write it as 5usd"),
    "budget in another currency": ((*EVAL, "--budget", "5eur"), "Write it as 5usd"),
    "budget that is no number": ((*EVAL, "--budget", "nan"), "Write it as 5usd"),
    "signature without a reason": ((*EVAL, "--sign-off", "Ada"), "a name and a reason"),
    "repeats backwards": ((*COMPARE, "--candidate-repeats", "3-1"), "Write it as 0, 0,2 or 0-3."),
    "huge repeat": ((*COMPARE, "--candidate-repeats", "9999999"), "Write it as 0, 0,2 or 0-3."),
    "label of several lines": (("bundle", "label", "support-reply", "a\nb", "current"), "Use letters, digits"),
    "label that is a path": (("bundle", "label", "support-reply", "../a", "current"), "Use letters, digits"),
    "workflow outside the workspace": (("import", "layout", "../../etc", "."), "Use letters, digits"),
    "suite that is no name": (("import", "layout", "new", ".", "--suite", "a: b"), "Use letters, digits"),
    "folder that is not there": (("check", "nowhere"), "'nowhere' does not exist"),
    "no mapping": (("import", "table", "new", "segue.yaml"), "--mapping FILE, or --preset"),
    "where without a value": (("import", "promptfoo", "new", "segue.yaml", "--where", "task"), "--where task=refund"),
    "flips of no number": (("show", "flips", "support-reply", "--limit", "0"), "0 is not in the range"),
}


def check_answer(segue: Segue, words: tuple[str, ...], code: int, said: str) -> None:
    """The same as text and as JSON: the exit code, what is wrong, a remedy, and no more than fits a screen."""
    typed = segue(*words)
    assert (typed.code, typed.out) == (code, "")
    assert said in typed.err
    assert len(typed.err) < 1000
    answer = segue(*words, "--json")
    assert answer.code == code
    error = answer.json["error"]
    assert said in answer.out.replace('\\"', '"')
    assert error["fix"] or all(fault["fix"] for fault in error["faults"])


@pytest.mark.parametrize(("words", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_name_that_does_not_exist_is_answered_with_the_ones_that_do(
    workspace: Path, segue: Segue, words: tuple[str, ...], said: str
) -> None:
    """Or with the command that makes what is missing."""
    check_answer(segue, words, 1, said)


@pytest.mark.parametrize(("words", "said"), AFTER_A_VERDICT.values(), ids=AFTER_A_VERDICT)
def test_a_name_that_a_verdict_does_not_have_is_answered_with_the_ones_it_has(
    judged: Path, segue: Segue, words: tuple[str, ...], said: str
) -> None:
    """Metrics, slices, cases, and verdicts themselves."""
    check_answer(segue, words, 1, said)


@pytest.mark.parametrize(("words", "said"), USAGE.values(), ids=USAGE)
def test_wrong_usage_leaves_with_two_and_says_what_is_right(
    workspace: Path, segue: Segue, words: tuple[str, ...], said: str
) -> None:
    """Before anything is read, asked or stored."""
    check_answer(segue, words, 2, said)
    assert not Path(".segue").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("bundle", "list", "w"),
        ("suite", "stats", "w"),
        EVAL,
        COMPARE,
        ("show", "verdicts", "w"),
        ("report", "w"),
        ("log",),
    ],
    ids=" ".join,
)
def test_outside_a_workspace_every_command_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue, words: tuple[str, ...]
) -> None:
    """And names the folder it looked in."""
    monkeypatch.chdir(tmp_path)
    check_answer(segue, words, 1, f"There is no segue.yaml in {tmp_path} or above it.")
    assert "segue init" in segue(*words).err


def test_all_words_that_are_no_slices_are_named_at_once(workspace: Path, segue: Segue) -> None:
    """`--only` takes dimension=value."""
    typed = segue(*EVAL, "--only", "refund", "--only", "=x")
    assert (typed.code, typed.err.count("--only takes dimension=value")) == (1, 2)


def test_a_candidate_that_is_the_incumbent_is_refused(workspace: Path, segue: Segue) -> None:
    """There is nothing to compare; how to see a bundle's noise is said."""
    typed = segue(*EVAL, "--incumbent", "candidate")
    assert typed.code == 1
    assert "so there is nothing to compare" in typed.err
    assert "--incumbent-repeats 0 --candidate-repeats 1" in typed.err


def test_no_incumbent_says_both_ways_to_name_one(workspace: Path, segue: Segue) -> None:
    """On the command line and in the workflow's file."""
    path = Path("workflows/support-reply/workflow.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("incumbent: current\n", ""), encoding="utf-8")
    typed = segue(*EVAL)
    assert typed.code == 1
    assert "--incumbent LABEL" in typed.err
    assert "workflow.yaml" in typed.err


def test_nothing_in_a_name_steers_the_terminal(workspace: Path, segue: Segue) -> None:
    """Escape sequences and markup are shown, not obeyed."""
    typed = segue("bundle", "show", "support-reply", "\x1b[31m[bold]red[/]\r")
    assert "␛[31m[bold]red[/]␍" in typed.err
    assert "\x1b" not in typed.err


def test_a_folder_with_an_impossible_name_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segue: Segue
) -> None:
    """What the operating system refuses is no traceback."""
    monkeypatch.chdir(tmp_path)
    typed = segue("init", "x" * 300)
    assert typed.code == 1
    assert "File name too long" in typed.err


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("segue.yaml/report.html", "is a file, not a folder"),
        ("workflows", "is a folder"),
        pytest.param(
            "locked/report.html",
            "you may not write to",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere"),
        ),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_paid_for(
    workspace: Path, segue: Segue, place: str, said: str
) -> None:
    """Not after an hour of calls."""
    Path("locked").mkdir(mode=0o500)
    typed = segue(*EVAL, "--html", place)
    assert typed.code in (1, 2)
    assert said in typed.err or "is a directory" in typed.err
    assert not Path(".segue").exists()


def test_a_message_is_one_line_when_piped(workspace: Path, segue: Segue) -> None:
    """So that it can be searched for, and a command in it pasted."""
    typed = segue(*COMPARE)
    assert len(typed.err.splitlines()) == 2
    assert len(typed.err.splitlines()[1]) > 100
