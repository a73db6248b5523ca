"""The whole path, from asked models to the verdict, is quiet when nothing changed and awake when a slice fell.

`tests/gates/test_quiet_and_awake.py` has the numbers over 500 seeds; here a few seeds go through the session, the scripted
provider, the runner, the store and the gate, so that nothing between them is out of the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.gates.report import Report
from tests.evals.team import WORKFLOW, Team, suite_line

SEEDS = range(5)
LANGS = ("de", "en")
NOISE = [0.05, 0.30]


def judged(root: Path, seed: int, accuracy: Any) -> Report:
    """Two slices of 150 cases, models that flip in 5 to 30 % of their runs; the candidate is right as `accuracy` says."""
    models = {
        "old-1": {"accuracy": 0.9, "flip_probability": NOISE},
        "new-2": {"accuracy": accuracy, "flip_probability": NOISE},
    }
    cases = [suite_line(f"c{number:04}", slice={"lang": LANGS[number % 2]}) for number in range(300)]
    provider = {"type": "scripted", "seed": seed, "models": models}
    workflow = {**WORKFLOW, "gate": {"primary": ["right"], "max_repeats": 4}, "slices": {"lang": {"critical": ["de"]}}}
    return Team(root, cases=cases, provider=provider, workflow=workflow).evaluate().report


def worse(report: Report) -> set[str]:
    """Where harm is said to be shown; the total is ''."""
    return {one.where for one in report.findings if one.verdict == "worse"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_quiet_where_both_models_are_as_good(tmp_path: Path) -> None:
    """The same accuracy, and noise in every case: no harm is claimed, and the noise was answered with repeats."""
    reports = [judged(tmp_path / str(seed), seed, 0.9) for seed in SEEDS]
    assert [worse(report) for report in reports] == [set()] * len(SEEDS)
    assert all(report.coverage.repeats > 1 for report in reports)
    assert not any(report.outcome == "fail" for report in reports)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_awake_to_a_slice_that_fell(tmp_path: Path) -> None:
    """The candidate settles 30 % fewer of the German cases: that slice is named in every run, and the other never."""
    reports = [judged(tmp_path / str(seed), seed, {"default": 0.9, "lang=de": 0.6}) for seed in SEEDS]
    assert all("lang=de" in worse(report) and "lang=en" not in worse(report) for report in reports)
    assert {report.outcome for report in reports} == {"fail"}
    assert all(any(one.code == "critical-worse" and one.where == "lang=de" for one in report.reasons) for report in reports)
