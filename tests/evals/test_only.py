"""`--only`: a part of the suite is judged by the same rules as within the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import NotFoundError
from segue.gates.report import Report
from segue.gates.tally import TOTAL
from tests.evals.team import WORKFLOW, Team, suite_line

LANGS = ("de", "en", "fr", "es")
GATE = {"primary": ["right"], "min_cases": 100, "slice_margin": 0.06, "critical_margin": 0.01, "margin": 0.03}


def a_team(root: Path, *, critical: tuple[str, ...] = (), fallen: int = 40, **fields: Any) -> Team:
    """Four languages of 150 cases; German loses `fallen`; the task `rare` has two cases, both French."""
    cases = [
        suite_line(
            f"c{number:04}",
            slice={"lang": LANGS[number % 4]},
            critical=number % 4 == 2,
            task="rare" if number in (2, 6) else "reply",
        )
        for number in range(600)
    ]
    slices = {"lang": {"values": list(LANGS), "critical": list(critical)}, "task": {}}
    team = Team(root, cases=cases, workflow={**WORKFLOW, "gate": GATE, "slices": slices, **fields})
    german = [one["case_id"] for one in cases if one["slice"]["lang"] == "de"][:fallen]
    everyone = dict.fromkeys((one["case_id"] for one in cases), "yes")
    team.answer("now", everyone)
    team.answer("next", {**everyone, **dict.fromkeys(german, "no")})
    return team


def found_on(report: Report, where: str) -> Any:
    """The finding of one slice."""
    return next(one for one in report.findings if one.where == where)


def codes(report: Report) -> list[str]:
    """The codes of the reasons, those of the part apart."""
    return [one.code for one in report.reasons if one.code != "part-of-the-suite"]


def test_a_critical_slice_stays_critical_with_its_own_margin(tmp_path: Path) -> None:
    """Chosen alone it is every case there is; it fails as it does within the whole suite."""
    team = a_team(tmp_path, critical=("de", "en"))
    whole, part = team.compare().report, team.compare(only=("lang=de",)).report
    for report in (whole, part):
        finding = found_on(report, "lang=de")
        assert (finding.is_critical, finding.margin, finding.verdict) == (True, 0.01, "worse")
    assert part.outcome == whole.outcome == "fail"
    assert codes(part) == ["critical-worse"]
    total = found_on(part, TOTAL)
    assert (total.margin, total.is_critical) == (0.01, True)
    assert part.headline == "Worse on lang=de."


def test_an_ordinary_slice_stays_ordinary(tmp_path: Path) -> None:
    """Its fall is a caution within the whole suite, and alone no failure; its margin is that of a slice."""
    team = a_team(tmp_path)
    part = team.compare(only=("lang=de",)).report
    assert (part.outcome, codes(part)) == ("caution", ["slice-worse"])
    assert found_on(part, "lang=de").margin == found_on(part, TOTAL).margin == 0.06
    assert part.recommendation_why == "Quality falls on what was judged."
    assert "slice-worse" in codes(team.compare().report)


def test_what_is_left_out_on_purpose_is_not_missed(tmp_path: Path) -> None:
    """Neither other critical slices nor the size of the tasks: the choice is thin, the suite is not."""
    team = a_team(tmp_path, critical=("de", "en"), fallen=0)
    part = team.compare(only=("lang=es", "critical=no")).report
    assert (part.outcome, [one.code for one in part.reasons]) == ("caution", ["part-of-the-suite"])
    whole = a_team(tmp_path / "whole", fallen=0).compare().report
    assert "thin-suite" in codes(whole)


def test_the_total_of_a_part_costs_the_slice_no_evidence(tmp_path: Path) -> None:
    """The same cases are not tested twice in one family."""
    part = a_team(tmp_path).compare(only=("lang=de",)).report
    finding = found_on(part, "lang=de")
    # Its task is the only other slice that tells its cases apart, if any does.
    others = sum(1 for one in part.findings if one.where not in (TOTAL, "lang=de"))
    assert finding.p_worse_adjusted <= finding.p_worse * (1 + others) * 1.0001


@pytest.mark.parametrize("only", ["case_kind=representative", "critical=no", "critical=yes", "task=reply"])
def test_whatever_is_chosen_is_judged_as_a_slice(tmp_path: Path, only: str) -> None:
    """Also where all chosen cases agree in it."""
    report = a_team(tmp_path).compare(only=(only,)).report
    assert only in {one.where for one in report.findings}
    assert "nothing-gated" not in codes(report)


def test_a_part_without_an_answer_holds(tmp_path: Path) -> None:
    """Silence never passes, in a part neither."""
    cases = [suite_line(f"c{number:04}", slice={"lang": LANGS[number % 4]}) for number in range(80)]
    team = Team(tmp_path, cases=cases)
    report = team.compare(only=("lang=de",)).report
    assert (report.outcome, codes(report)[0]) == ("hold", "incumbent-silent")


def test_everything_that_is_unknown_is_named_at_once(tmp_path: Path) -> None:
    """Two values and a dimension, each with what was likely meant."""
    with pytest.raises(NotFoundError) as caught:
        a_team(tmp_path).compare(only=("lang=dee", "lang=it", "tier=gold", "lang=de"))
    told = [fault.what for fault in caught.value.faults]
    assert caught.value.what == "3 slices that --only names are not in the suite."
    assert told[0].startswith("There is no slice 'lang=dee'. Did you mean 'lang=de'")
    assert "'lang=it'" in told[1]
    assert "There is no slice dimension 'tier'." in told[2]


def test_a_single_unknown_one_is_said_in_one_sentence(tmp_path: Path) -> None:
    """As it always was."""
    with pytest.raises(NotFoundError, match="There is no slice 'lang=dee'"):
        a_team(tmp_path).compare(only=("lang=dee",))
