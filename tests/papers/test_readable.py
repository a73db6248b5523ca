"""What papers say better than the gate could: remedies with names, and what helps against cases that could not be compared."""

from __future__ import annotations

import dataclasses

import pytest

from segue.gates.report import Report
from segue.gates.tally import Unusable
from segue.gates.verdict import Reason
from segue.papers.next_commands import next_commands
from segue.papers.readable import THIN_AND_FAILED, readable
from tests.papers import builders

REPORTS = builders.all_reports()


def with_reason(code: str, *, unusable: Unusable, provider: str = "acme", outcome: str = "hold") -> Report:
    """A report whose total has such cases, and says so."""
    report = builders.a_support_report(outcome="hold")
    total = dataclasses.replace(report.totals()[0], old_unusable=Unusable(), new_unusable=unusable)
    others = [one for one in report.findings if one is not report.totals()[0]]
    reason = Reason("hold", code, "Some could not be compared.", "Run the eval again.", total.metric, "")
    return dataclasses.replace(
        report,
        findings=(total, *others),
        reasons=(reason,),
        outcome=outcome,
        candidate=dataclasses.replace(report.candidate, provider=provider),
    )


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_reading_twice_changes_nothing_more(report: Report) -> None:
    """Papers may be handed a report that was made readable already; and no verdict changes."""
    once = readable(report)
    assert readable(once) == once
    assert (once.outcome, once.findings) == (report.outcome, report.findings)


@pytest.mark.parametrize("code", ["unusable", "slice-unusable", "candidate-loses-cases"])
@pytest.mark.parametrize(
    ("unusable", "provider", "said", "asks"),
    [
        (Unusable(missing=3), "acme", "Run the eval again", True),
        (Unusable(errored=3), "acme", "what is refused every time needs another request", True),
        (Unusable(unscored=3), "acme", "asking again would not change that", False),
        (Unusable(missing=3), "recorded", "import the ones that are missing", False),
    ],
    ids=["missing", "errored", "unscored", "recorded"],
)
def test_the_remedy_fits_the_reason(code: str, unusable: Unusable, provider: str, said: str, asks: bool) -> None:
    """Another eval is advised only where it could help."""
    report = readable(with_reason(code, unusable=unusable, provider=provider))
    assert said in report.reasons[0].next_step
    assert any("segue eval" in command.line for command in next_commands(report)) is asks


def test_commands_in_remedies_name_the_workflow() -> None:
    """So that they can be pasted."""
    report = with_reason("thin-suite", unusable=Unusable())
    reason = dataclasses.replace(report.reasons[0], next_step="See what is missing with: segue suite stats.")
    (told,) = readable(dataclasses.replace(report, reasons=(reason,), workflow="two words")).reasons
    assert told.next_step == "See what is missing with: segue suite stats 'two words'."


@pytest.mark.parametrize(("outcome", "explained"), [("fail", True), ("hold", False)])
def test_a_thin_suite_does_not_confuse_a_decided_fail(outcome: str, explained: bool) -> None:
    """What failed is shown on the cases there are."""
    (told,) = readable(with_reason("thin-suite", unusable=Unusable(), outcome=outcome)).reasons
    assert (THIN_AND_FAILED in told.sentence) is explained


def test_the_watch_says_what_the_total_shows_of_it() -> None:
    """The rates, the share of the cases, and the points of the total."""
    report = readable(builders.a_support_report())
    assert report.watch is not None
    assert " of the cases" in report.watch.sentence
    assert "of the total" in report.watch.sentence or "in the total" in report.watch.sentence
