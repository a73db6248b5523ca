"""Comparing two stored arms, over the memory store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import InputError, NotFoundError
from segue.gates.findings import Finding
from segue.gates.report import Report
from segue.gates.tally import CONFIRMATION, TOTAL
from tests.evals.team import WORKFLOW, Team, suite_line


def ids(n: int, start: int = 0) -> list[str]:
    """Case ids."""
    return [f"c{number:04}" for number in range(start, start + n)]


def answered(n: int, wrong: int = 0) -> dict[str, str | None]:
    """Answers to the first `n` cases, the first `wrong` of them wrong."""
    return {case_id: "no" if number < wrong else "yes" for number, case_id in enumerate(ids(n))}


def total(report: Report, metric: str = "right") -> Finding:
    """The finding over all cases."""
    return next(one for one in report.findings if one.where == TOTAL and one.metric == metric)


def sliced(report: Report, where: str) -> Finding:
    """The finding of one slice."""
    return next(one for one in report.findings if one.where == where)


def test_cases_both_arms_answered_are_compared_and_the_others_are_counted(tmp_path: Path) -> None:
    """Missing, failed, and made from an earlier text are three things, and none of them is a wrong answer."""
    team = Team(tmp_path, cases=20)
    team.answer("now", answered(16))
    team.answer("next", dict.fromkeys(ids(12, start=4), "yes") | {"c0003": None})
    stale = team.behaviour("next")
    changed = suite_line("c0019") | {"messages": [{"role": "user", "content": "Another question?"}]}
    team.answer("next", {"c0019": "yes"})
    team.write("workflows/mail/suites/main.jsonl", "")
    team = Team(tmp_path, store=team.store, cases=[*(suite_line(one) for one in ids(19)), changed])
    assert team.behaviour("next") == stale
    coverage = team.compare().report.coverage
    assert (coverage.suite, coverage.common, coverage.only_old, coverage.only_new, coverage.neither) == (20, 12, 4, 0, 4)
    assert (coverage.old_errored, coverage.new_errored, coverage.stale) == (0, 1, 1)


def test_results_of_an_earlier_text_are_named_in_a_note(tmp_path: Path) -> None:
    """They are not used, and that is said."""
    team = Team(tmp_path, cases=10)
    for label in ("now", "next"):
        team.answer(label, answered(10))
    changed = [suite_line(one) | {"messages": [{"role": "user", "content": f"Is {one} there?"}]} for one in ids(10)]
    later = Team(tmp_path, store=team.store, cases=[*changed[:4], *(suite_line(one) for one in ids(6, start=4))])
    report = later.compare().report
    assert (total(report).n, report.coverage.stale) == (6, 8)
    assert any(note.startswith("8 stored results belong to an earlier text") for note in report.notes)


def test_rates_flips_and_the_verdict_of_a_fall(tmp_path: Path) -> None:
    """Two hundred cases: thirty newly wrong, five newly right."""
    team = Team(tmp_path, cases=200)
    team.answer("now", answered(200) | dict.fromkeys(ids(5, start=100), "no"))
    team.answer("next", answered(200, wrong=30))
    outcome = team.compare()
    found = total(outcome.report)
    assert (found.n, found.old.mean, found.new.mean) == (200, 0.975, 0.85)
    assert (found.flips.only_old, found.flips.only_new) == (30, 5)
    assert (found.verdict, outcome.report.outcome) == ("worse", "fail")


def test_a_slice_that_falls_under_a_total_that_rises_is_named(tmp_path: Path) -> None:
    """An aggregate hides it; the report does not."""
    cases = [suite_line(one, slice={"lang": "de" if number < 100 else "en"}) for number, one in enumerate(ids(500))]
    team = Team(tmp_path, cases=cases)
    team.answer("now", answered(500) | dict.fromkeys(ids(60, start=300), "no"))
    team.answer("next", answered(500, wrong=25))
    report = team.compare().report
    assert total(report).verdict == "better"
    assert sliced(report, "lang=de").verdict == "worse"
    assert report.headline == "Better in total, worse on lang=de."
    assert report.watch is not None
    assert report.watch.where == "lang=de"


def test_one_model_is_compared_with_itself_by_repeats(tmp_path: Path) -> None:
    """An A/A comparison: what the noise alone does."""
    team = Team(tmp_path, cases=50)
    team.answer("now", answered(50, wrong=3))
    team.answer("now", answered(50, wrong=5), repeat=1)
    team.write("workflows/mail/bundles/next.yaml", {"model": {"provider": "sim", "snapshot": "old-1"}})
    found = total(team.compare(old_repeats=frozenset({0}), new_repeats=frozenset({1})).report)
    assert (found.n, found.flips.only_old, found.flips.only_new) == (50, 2, 0)


def test_reruns_of_flips_stay_out_of_the_rates(tmp_path: Path) -> None:
    """Ten flips, re-run: six hold."""
    team = Team(tmp_path, cases=60)
    team.answer("now", answered(60))
    team.answer("next", answered(60, wrong=10))
    for repeat in (CONFIRMATION, CONFIRMATION + 1):
        team.answer("now", answered(10), repeat=repeat)
        team.answer("next", answered(10, wrong=6), repeat=repeat)
    report = team.compare().report
    assert (total(report).new.mean, total(report).rerun, total(report).confirmed) == (50 / 60, 10, 6)
    assert report.coverage.repeats == 1
    assert "6 of 10 negative flips of right held when they were run again." in report.notes


def test_repeats_are_averaged_within_a_case(tmp_path: Path) -> None:
    """Right in one run of two is half a case."""
    team = Team(tmp_path, cases=30)
    for repeat in range(2):
        team.answer("now", answered(30), repeat=repeat)
        team.answer("next", answered(30, wrong=30 if repeat else 0), repeat=repeat)
    report = team.compare().report
    assert (total(report).new.mean, report.coverage.repeats) == (0.5, 2)


def test_latency_and_cost_stand_side_by_side(tmp_path: Path) -> None:
    """Quantiles of what both arms took; what was not recorded is not zero."""
    team = Team(tmp_path, cases=30)
    team.answer("now", answered(30), latency_ms=100.0, cost_microusd=5.0)
    team.answer("next", answered(30), latency_ms=300.0, cost_microusd=20.0)
    operations = {one.name: one for one in team.compare().report.operations}
    latency, cost, ttft = operations["latency"], operations["cost"], operations["ttft"]
    assert latency.ratio == pytest.approx(3.0)
    assert cost.ratio == pytest.approx(4.0)
    assert ttft.ratio is None
    assert ttft.old is None or ttft.old.n == 0


def a_scorer(name: str, **fields: Any) -> dict[str, Any]:
    """An exact scorer."""
    return {"name": name, "type": "exact", **fields}


@pytest.mark.parametrize(
    ("when", "asked"),
    [
        ({"critical": True}, 7),
        ({"critical": False}, 23),
        ({"case_kind": "red-team"}, 4),
        ({"lang": "de"}, 8),
        ({"lang": ["de", "fr"]}, 16),
    ],
)
def test_a_scorer_that_is_limited_is_asked_only_there(tmp_path: Path, when: dict[str, Any], asked: int) -> None:
    """By critical cases, by kind, by slice: elsewhere nothing is missing."""
    cases = [
        suite_line(
            one,
            critical=number < 7,
            kind="red-team" if number < 4 else "edge",
            slice={"lang": ("de", "fr", "en", "es")[number % 4]},
        )
        for number, one in enumerate(ids(30))
    ]
    workflow = {**WORKFLOW, "scorers": [a_scorer("right"), a_scorer("safe", when=when)]}
    team = Team(tmp_path, cases=cases, workflow=workflow)
    for label in ("now", "next"):
        team.answer(label, answered(30))
    report = team.compare().report
    found = total(report, "safe")
    assert (found.n_applicable, found.n, found.n_unusable) == (asked, asked, 0)
    assert total(report).n == 30


def test_only_one_slice_is_compared_when_only_that_is_wanted(tmp_path: Path) -> None:
    """And what is wanted is in the report's settings."""
    cases = [suite_line(one, slice={"lang": "de" if number % 2 else "en"}) for number, one in enumerate(ids(40))]
    team = Team(tmp_path, cases=cases)
    for label in ("now", "next"):
        team.answer(label, answered(40))
    report = team.compare(only=("lang=de",)).report
    assert (report.n_cases, report.settings["only"]) == (20, {"lang": ["de"]})


def test_a_slice_that_nobody_has_is_not_silently_empty(tmp_path: Path) -> None:
    """The near ones are named."""
    cases = [suite_line(one, slice={"lang": "de"}) for one in ids(4)]
    with pytest.raises(NotFoundError, match="lang=de"):
        Team(tmp_path, cases=cases).compare(only=("lang=dee",))


def test_what_is_no_slice_is_told_as_that(tmp_path: Path) -> None:
    """`--only` takes `dimension=value`."""
    with pytest.raises(InputError, match="--only"):
        Team(tmp_path).compare(only=("german", "=de"))


def test_nothing_stored_is_a_hold_and_no_pass(tmp_path: Path) -> None:
    """Silence never passes."""
    report = Team(tmp_path).compare().report
    assert (report.outcome, report.coverage.neither) == ("hold", 40)
    assert total(report).verdict == "inconclusive"


def test_the_same_comparison_is_the_same_verdict(tmp_path: Path) -> None:
    """Content-addressed: nothing new is recorded."""
    team = Team(tmp_path, cases=20)
    for label in ("now", "next"):
        team.answer(label, answered(20))
    assert team.compare().verdict == team.compare().verdict
    assert len(team.store.list_verdicts("mail")) == 1


def test_cases_of_one_conversation_are_one_piece_of_evidence(tmp_path: Path) -> None:
    """Ten clusters of ten cases are ten blocks, not a hundred."""
    cases = [suite_line(one, cluster=f"talk-{number // 10}") for number, one in enumerate(ids(100))]
    team = Team(tmp_path, cases=cases)
    team.answer("now", answered(100))
    team.answer("next", answered(100, wrong=10))
    found = total(team.compare().report)
    assert (found.n, found.n_blocks, found.verdict) == (100, 10, "inconclusive")


COUNTING = """
def steps(case, reply):
    return -1 if case.case_id == "c0007" else len(reply.text)
"""


def test_a_negative_count_is_the_scorers_mistake_and_is_named(tmp_path: Path) -> None:
    """Neither a crash nor a number: the comparison goes on, and says which scorer broke on which case."""
    scorers = [a_scorer("right"), {"name": "steps", "type": "callable", "function": "checks.py:steps", "unit": "count"}]
    team = Team(tmp_path, cases=20, workflow={**WORKFLOW, "scorers": scorers})
    team.write("workflows/mail/checks.py", COUNTING)
    for label in ("now", "next"):
        team.answer(label, answered(20))
    report = team.compare().report
    (steps,) = [one for one in report.operations if one.name == "steps"]
    assert (steps.old.n, steps.new.n) == (19, 19)
    (note,) = [one for one in report.notes if one.startswith("A scorer itself broke")]
    assert note.startswith("A scorer itself broke on 2 outputs; they count as unscored. For example: steps on case c0007: ")
    assert "the function returned a negative number; its unit is count" in note


def test_recorded_single_runs_say_that_their_flips_were_not_run_again(tmp_path: Path) -> None:
    """A flip seen once is no regression yet."""
    team = Team(tmp_path, cases=60)
    team.answer("now", answered(60))
    team.answer("next", answered(60, wrong=10))
    assert any(
        note.startswith("10 negative flips of right were seen in a single run of each case and not run again")
        for note in team.compare().report.notes
    )
