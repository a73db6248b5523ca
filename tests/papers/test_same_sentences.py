"""One report, one set of sentences, whatever the paper."""

from __future__ import annotations

import json

import pytest

from segue.gates.report import Report
from segue.gates.report_reading import report_from_json
from segue.papers import outline
from segue.papers.html import render_html
from segue.papers.markdown import render_markdown
from segue.papers.next_commands import next_commands
from segue.papers.printable import printable_line
from segue.papers.readable import readable
from tests.papers import builders
from tests.papers.text import on_terminal, read_markdown, read_page, without_joiners, words_of

REPORTS = {name: report for name, report in builders.all_reports().items() if name != "hostile"}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_all_papers_say_the_same(report: Report) -> None:
    """Headline, reasons, steps, recommendation, watch, causes, coverage and commands are in each of the three."""
    report = readable(report)
    sentences = [
        report.headline,
        report.recommendation_why,
        *(reason.sentence for reason in report.reasons),
        *(reason.next_step for reason in report.reasons),
        *([report.watch.sentence] if report.watch else []),
        *(cause.sentence for cause in report.causes),
        *(outline.cause_title(cause) for cause in report.causes),
        *(one.sentence for one in report.one_answers),
        *outline.coverage_sentences(report),
        *outline.arm_remarks(report),
    ]
    papers = {
        "terminal": words_of(on_terminal(report, width=120, details=True)),
        "html": read_page(render_html(report)).text,
        "markdown": without_joiners(read_markdown(render_markdown(report)).text),
    }
    for name, text in papers.items():
        for sentence in sentences:
            assert words_of(printable_line(sentence)) in text, f"{name} lacks: {sentence}"
        for command in next_commands(report):
            assert words_of(command.line) in text, f"{name} lacks: {command.line}"


@pytest.mark.parametrize("outcome", ["pass", "caution", "hold", "fail"])
def test_every_outcome_is_said_in_words(outcome: str) -> None:
    """Never by colour alone."""
    report = builders.a_support_report(outcome=outcome)
    assert outcome.upper() in on_terminal(report).splitlines()[0]
    assert f"{outcome.capitalize()}:" in render_markdown(report).splitlines()[0]
    assert f"<title>{outcome.capitalize()}: " in render_html(report)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_stored_verdict_reads_like_the_fresh_one(report: Report) -> None:
    """Papers are regenerated from the JSON that was kept, and say the same."""
    again = report_from_json(json.loads(json.dumps(report.as_json())))
    assert render_html(again) == render_html(report)
    assert render_markdown(again) == render_markdown(report)
    assert on_terminal(again, details=True) == on_terminal(report, details=True)
