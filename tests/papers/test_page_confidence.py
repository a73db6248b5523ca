"""Confidences and judges on the page: their own sections, with what the report carries."""

from __future__ import annotations

from segue.gates.report import ConfidenceFinding
from segue.papers.html import render_html
from segue.papers.page_confidence import confidence_card
from tests.papers import builders
from tests.papers.text import read_page

BINS = [
    {"low": 0.0, "high": 0.5, "n": 40, "mean_confidence": 0.31, "accuracy": {"value": 0.25, "low": 0.14, "high": 0.4}},
    {"low": 0.5, "high": 1.0, "n": 0, "mean_confidence": None, "accuracy": {"value": None, "low": None, "high": None}},
]


def a_finding(**changes: object) -> ConfidenceFinding:
    settings = {"metric": "sure", "old_ece": 0.04, "new_ece": 0.12, "brier_worse": True, "old_threshold": 0.8}
    settings |= {"threshold": None, "sentences": ("Calibration error 0.120 over 40 answers.",)}
    return ConfidenceFinding(**{**settings, **changes})  # type: ignore[arg-type]  a builder


def test_a_confidence_is_told_with_its_curve() -> None:
    """Empty bins are left out; a threshold that could not be kept is unknown, not zero."""
    card = confidence_card(a_finding(figures={"calibration": {"old": {"bins": BINS}, "new": {"bins": []}}}))
    assert (card.verdict, card.tone) == ("tells less than it did", "worse")
    assert card.facts == (("calibration error", "0.040 → 0.120"), ("threshold that keeps the operating point", "0.8 → –"))
    (curve,) = card.curves
    assert curve.role == "Incumbent"
    ((line),) = curve.lines
    assert (line.confidence, line.right, line.n) == ("31.0\xa0%", "25.0\xa0% (14.0\xa0% to 40.0\xa0%)", "40")


def test_figures_of_another_shape_are_left_out() -> None:
    """An older report has none, or others."""
    for figures in (None, [], {"calibration": 3}, {"calibration": {"old": {"bins": "none"}}}):
        assert confidence_card(a_finding(figures=figures)).curves == ()


def test_the_page_shows_confidences_once_and_judges_with_their_correction() -> None:
    """What has a section of its own is no note any more."""
    text = read_page(render_html(builders.a_support_report())).text
    assert text.count("Calibration error 0.050 over 880 answers.") == 1
    assert "with the judge's errors taken out +2.0 [+0.5, +4.0]" in text
    assert "verdicts 1,716, 12 not given" in text
    assert "new preferred, tie, old preferred 410, 260, 190" in text
