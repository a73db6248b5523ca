"""A judge that may gate, over one run of each case and over several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.gates.report import Report
from segue.model import RecordedLabel
from tests.evals.team import WORKFLOW, Team, suite_line

N = 400
JUDGED: dict[str, Any] = {
    "name": "good",
    "type": "recorded_label",
    "labeler": "judge:j",
    "map": {"yes": 1, "no": 0},
    "calibrate": {"against": "human:ada", "map": {"yes": 1, "no": 0}},
}


def judged(root: Path, *, repeats: int, lost: int = 0, label_every: int = 1, **scorer: Any) -> Report:
    """A judge that errs on every fiftieth output, held against people on some; the candidate loses `lost` cases in all runs.

    Where there are several runs, the last one of every 25th case goes the other way on both arms.
    """
    cases = [suite_line(f"c{number:04}") for number in range(N)]
    gate = {"primary": ["good"], "min_cases": 1, "margin": 0.08}
    team = Team(root, cases=cases, workflow={**WORKFLOW, "scorers": [{**JUDGED, **scorer}], "gate": gate})
    for arm in ("now", "next"):
        good = {
            f"c{number:04}": number % 4 != 0 and not (arm == "next" and number % 4 == 1 and number < 4 * lost)
            for number in range(N)
        }
        labels = []
        for repeat in range(repeats):
            team.answer(arm, {case_id: "yes" if is_good else "no" for case_id, is_good in good.items()}, repeat=repeat)
            for number, (case_id, is_good) in enumerate(good.items()):
                flipped = repeats > 1 and repeat == repeats - 1 and number % 25 == 0
                said = (is_good != (number % 50 == 7)) != flipped
                labels.append(RecordedLabel(case_id, "judge:j", "yes" if said else "no", repeat))
                if number % label_every == 0 and repeat == 0:
                    labels.append(RecordedLabel(case_id, "human:ada", "yes" if is_good else "no", 0))
        team.store.add_labels(team.behaviour(arm), labels)
    return team.compare().report


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_the_judges_errors_are_taken_out_of_any_number_of_runs(tmp_path: Path, repeats: int) -> None:
    """Averaged runs are corrected too, with an interval no narrower than one run's."""
    report = judged(tmp_path, repeats=repeats)
    (standing,) = report.judges
    assert standing.may_gate
    assert standing.corrected_difference == pytest.approx(0.0, abs=1e-9)
    assert standing.corrected_low is not None
    assert -0.08 < standing.corrected_low < -0.005
    assert report.outcome == "pass"


def test_a_loss_that_the_judges_errors_leave_open_holds_over_several_runs_too(tmp_path: Path) -> None:
    """The verdicts alone exclude it; a hundred labels an arm do not."""
    report = judged(tmp_path, repeats=3, lost=18, label_every=3)
    (total,) = report.totals()
    assert (total.verdict, total.is_binary) == ("not worse", False)
    assert report.reasons[0].code == "judge-uncertain"
    assert report.outcome == "hold"


def test_less_is_better_is_corrected_in_the_judges_own_direction(tmp_path: Path) -> None:
    """A yes stays a yes: the corrected difference has the sign of the rate of yes."""
    report = judged(tmp_path, repeats=2, lost=40, better="lower")
    (standing,) = report.judges
    assert standing.corrected_difference == pytest.approx(-0.10, abs=0.02)


def test_grades_are_corrected_as_a_yes_above_the_middle(tmp_path: Path) -> None:
    """That is what the judge was calibrated on."""
    report = judged(tmp_path, repeats=1, lost=40, map={"yes": 0.9, "no": 0.1}, unit="score")
    (standing,) = report.judges
    assert standing.corrected_difference == pytest.approx(-0.10, abs=0.02)
