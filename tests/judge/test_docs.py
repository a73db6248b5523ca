"""`docs/judges.md` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from segue.evidence.agreement import YesNoCounts
from segue.evidence.judge_calibration import CalibrationRule
from segue.evidence.judge_rates import MIN_LABELS_PER_CLASS, correct_rate
from segue.model import ScorerSpec
from segue.scoring.confidence import ConfidenceSettings
from segue.scoring.context import ScoringContext
from segue.scoring.judge import PointwiseSettings
from segue.scoring.registry import SCORER_TYPES
from tests.judge.builders import AnsweringProvider

PAGE = (Path(__file__).parents[2] / "docs" / "judges.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["name"] for example in EXAMPLES])
def test_every_example_is_a_scorer(example: dict[str, Any], tmp_path: Path) -> None:
    """Each block of YAML builds."""
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "helpful.md").write_text("Be helpful.")
    context = ScoringContext(workflow_dir=tmp_path, providers={"judges": AnsweringProvider([])})
    spec = ScorerSpec(**example)
    assert SCORER_TYPES[spec.type].build(spec, context).identity.name == spec.name


def test_every_setting_is_documented() -> None:
    """A setting of either type has a row, and no row names a setting that is not there."""
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", PAGE, re.MULTILINE))))
    assert named == {*PointwiseSettings.model_fields, *ConfidenceSettings.model_fields} - {"labels"}


def test_thresholds_are_those_of_the_rule() -> None:
    """The table and the sentences state the defaults."""
    rule = CalibrationRule()
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", PAGE, re.MULTILINE))
    assert rows["usable pairs per arm"] == str(rule.min_labels)
    assert rows["of these, on either side of the question"] == str(rule.min_per_class)
    assert rows["verdicts it did not give"] == f"{100 * rule.max_invalid_share:g} % at most"
    assert rows["kappa, lower end"] == str(rule.min_kappa)
    assert rows["sensitivity + specificity − 1, lower end"] == str(rule.min_youden)
    assert rows["gap in sensitivity or specificity between the arms"] == f"within ±{100 * rule.max_error_gap:g} points"
    assert rows["what the gaps do to the difference between the arms"] == f"within ±{100 * rule.max_tilt:g} points"
    assert f"two one-sided tests at {100 * rule.equality_alpha:g} %" in PAGE
    assert f"fewer than {MIN_LABELS_PER_CLASS} labels" in PAGE
    assert f"| {PointwiseSettings.model_fields['max_chars'].default} |" in PAGE


def test_the_worked_correction_is_right() -> None:
    """240 of 300, corrected by 116 of 120 and 27 of 30."""
    found = correct_rate(240, 300, YesNoCounts(116, 4, 3, 27))
    value, low, high = (100 * number for number in found.corrected.numbers)
    assert f"The corrected rate is {value:.1f} %, between {low:.1f} and {high:.1f} %" in PAGE
    value, low, high = (100 * number for number in found.apparent.numbers)
    assert f"the raw one is {value:.1f} %, between {low:.1f} and {high:.1f} %" in PAGE
