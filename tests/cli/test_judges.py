"""Judges from the command line: asked by eval, remembered by compare, in every report, and on the bill."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.store import Claim, open_store
from tests.cli.conftest import Segue, edit

EVAL = ("eval", "support-reply", "--candidate", "candidate")
COMPARE = ("compare", "support-reply", "--candidate", "candidate")
JUDGE = '      careful-1: {likes: \'"topic": "\', price: {input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}}\n'
SCORERS = """\
  - {name: helpful, type: judge, provider: simulated, snapshot: careful-1, rubric: Says what the mail is about.}
  - {name: liked, type: pairwise, provider: simulated, snapshot: careful-1, rubric: The better reply names the topic.}
"""


@pytest.fixture
def with_judges(workspace: Path) -> Path:
    """The starter's workspace with a judge of outputs and one of pairs, both simulated; nothing has been asked yet."""
    edit(Path("segue.yaml"), "      eager-2:\n", f"{JUDGE}      eager-2:\n")
    edit(Path("workflows/support-reply/workflow.yaml"), "  # What downstream", f"{SCORERS}  # What downstream")
    return workspace


def test_the_estimate_and_the_bill_name_the_judges(with_judges: Path, segue: Segue) -> None:
    """A line per judge, the most it can come to, and what was paid in the end, calls and judges apart."""
    typed = segue(*EVAL)
    told = typed.err.splitlines()
    assert told[2].startswith("judge helpful: 12 calls, $0.0")
    assert told[3].startswith("judge liked: 12 calls, $0.0")
    assert told[4].startswith("1 run: 36 calls, $0.0")
    assert "; with re-runs and repeats at most 300 calls, at most $" in told[4]
    assert told[-1].startswith("Spent: $0.0")
    assert " on 12 calls and $0.0" in told[-1]
    assert " judge calls; $0.0" in told[-1]
    again = segue(*EVAL).err
    assert "judge liked: nothing to ask; 6 verdicts stored already\n" in again
    assert again.splitlines()[-1] == "Spent: nothing."


def test_preferences_are_in_every_report_and_compare_asks_nobody(with_judges: Path, segue: Segue) -> None:
    """In the JSON with their figures, elsewhere in a sentence; stored verdicts are enough."""
    told = segue(*EVAL, "--json").json
    assert told["spent"]["judge_calls"] == sum(one["calls"] for one in told["judging"])
    assert told["spent"]["total_microusd"] == pytest.approx(told["spent"]["calls_microusd"] + told["spent"]["judging_microusd"])
    preferences = next(one["preferences"] for one in told["judging"] if one["metric"] == "liked")
    assert (preferences["n"], preferences["wins"] + preferences["ties"] + preferences["losses"]) == (6, 6)
    edit(Path("segue.yaml"), "careful-1:", "careless-1:")
    compared = segue(*COMPARE, "--html", "page.html", "--markdown", "summary.md")
    sentence = "liked compares the two answers of a case. The new answers win"
    for text in (compared.out, Path("page.html").read_text(encoding="utf-8"), Path("summary.md").read_text(encoding="utf-8")):
        assert sentence in " ".join(text.split())
    again = segue(*COMPARE, "--json").json
    assert (again["judging"], again["findings"]) == (told["judging"], told["findings"])
    assert "spent" not in again


def test_a_gate_on_an_uncalibrated_preference_holds(with_judges: Path, segue: Segue) -> None:
    """Advisory like any other judge, and said so."""
    edit(Path("workflows/support-reply/workflow.yaml"), "primary: [right_topic]", "primary: [liked]")
    told = segue(*EVAL, "--json")
    assert (told.code, "judge-refused" in [one["code"] for one in told.json["reasons"]]) == (11, True)


def test_preferring_the_lower_is_a_fault(with_judges: Path, segue: Segue) -> None:
    """It would mean nothing."""
    edit(Path("workflows/support-reply/workflow.yaml"), "type: pairwise,", "type: pairwise, better: lower,")
    typed = segue("check")
    assert (typed.code, "Leave better out" in typed.out + typed.err) == (1, True)


def test_a_second_eval_of_the_same_workflow_is_refused_with_who_runs_the_first(with_judges: Path, segue: Segue) -> None:
    """And what to do; once the first is over, it goes on."""
    assert segue("bundle", "list", "support-reply").code == 0
    other = open_store(Path(".segue/state.db"))
    assert other.claim("eval support-reply", Claim("run-77", "2026-03-01T12:00:00Z", "bob")) is None
    typed = segue(*EVAL)
    assert (typed.code, typed.out) == (1, "")
    assert "An eval of support-reply is running already (run-77; bob began it at 2026-03-01T12:00:00Z)" in typed.err
    assert "stop it there with Ctrl-C" in typed.err
    assert segue(*EVAL, "--json").json["error"]["code"] == "conflict"
    other.close()
    assert segue(*EVAL).code == 11


def test_a_budget_counts_what_an_unfinished_run_has_spent(with_judges: Path, segue: Segue) -> None:
    """It is said before anything is asked, and again on the bill."""
    first = segue(*EVAL, "--budget", "5usd", "--json").json
    assert first["spent_before"]["total_microusd"] == 0
    store = open_store(Path(".segue/state.db"))
    ((run, _, beginning, _),) = store.list_runs("support-reply")
    # As if this run had died before it could write its end.
    store.add_run("run-dead", "support-reply", beginning, author="ada", at="2026-03-01T12:00:00Z")
    store.begin_attempts("run-dead", sorted(store.attempts(run)))
    store.close()
    spent = f"${first['spent']['total_microusd'] / 1e6:.4f}"
    typed = segue(*EVAL, "--budget", "5usd")
    assert f"not finished spent {spent}; it counts towards the budget of $5.00.\n" in typed.err
    assert typed.err.endswith(f"Spent: nothing; {spent} before, in runs that were not finished.\n")
