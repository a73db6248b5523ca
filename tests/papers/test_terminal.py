"""The report on a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from segue.gates.report import Report
from segue.papers.next_commands import next_commands
from segue.papers.terminal import SCREEN, print_report
from tests.papers import builders
from tests.papers.text import on_terminal, words_of

REPORTS = builders.all_reports()
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
PROMPT_LINES = 3
"""Lines a screen has beyond the 45 that a report aims at."""


def test_says_the_verdict_first() -> None:
    """Outcome in words, headline, recommendation, then the reasons with their next step."""
    lines = on_terminal(REPORTS["support"]).splitlines()
    assert lines[0].split() == ["✕", "FAIL", "Better", "in", "total,", "worse", "on", "task=refund."]
    text = words_of("\n".join(lines))
    assert "Recommendation: not on these grounds." in text
    assert text.index("✕ fail") < text.index("! caution")
    assert "→ This slice is critical: it has to hold." in text


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "hostile"])
def test_fits_one_screen_at_100_columns(name: str) -> None:
    """However many slices, reasons and causes there are."""
    assert len(on_terminal(REPORTS[name]).splitlines()) <= SCREEN + PROMPT_LINES


@every_report
@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal_but_a_command(report: Report, width: int) -> None:
    """Commands are never wrapped: what is pasted has to be whole."""
    commands = {f"  {one.line}" for one in next_commands(report)}
    for line in on_terminal(report, width=width).splitlines():
        assert cell_len(line) <= width or line in commands


@every_report
def test_a_pipe_gets_plain_text(report: Report) -> None:
    """No escape sequences, no boxes, no trailing blanks."""
    text = on_terminal(report, width=80)
    assert "\x1b" not in text
    assert not re.search(r"[\u2500-\u257f]", text)
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_terminal_gets_colour() -> None:
    """And the same words."""
    out = io.StringIO()
    print_report(REPORTS["support"], Console(file=out, width=100, force_terminal=True, color_system="truecolor"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert plain != out.getvalue()
    assert words_of(plain) == words_of(on_terminal(REPORTS["support"]))


def test_shows_the_worst_slices_and_counts_the_others() -> None:
    """Sixty slices are cut to the ones that matter."""
    text = on_terminal(REPORTS["wide"])
    rows = re.findall(r"customer=number-\d\d +30 .*", text)
    shown = [row for row in rows if "worse" in row or "inconclusive" in row]
    assert all("▼ worse" in row for row in shown[:3])
    assert re.search(r"and \d+ more: \d+ inconclusive, \d+ not worse \(--details\)", text)


def test_marks_the_critical_slice() -> None:
    """And says what the mark means."""
    text = on_terminal(REPORTS["support"])
    assert "◆ task=refund" in text
    assert "◆ critical" in text


def test_details_leave_nothing_out() -> None:
    """Every reason, every slice of every metric, causes, judges, form, notes."""
    report = REPORTS["support"]
    text = words_of(on_terminal(report, details=True))
    for reason in report.reasons:
        assert words_of(reason.sentence) in text
    assert "more reason" not in text
    assert text.count("task=refund") >= len({one.metric for one in report.findings})
    for sentence in (*report.judges[0].sentences, report.hollow[0].sentence, *report.notes):
        assert sentence in text


def test_says_format_broke_ability_did_not() -> None:
    """Cause before blame, with the rates once repaired."""
    text = words_of(on_terminal(REPORTS["support"]))
    assert "The format broke, the ability did not (contract_ok on all cases)" in text
    assert "Repaired 96.2 % → 95.8 % (900 cases)." in text


def test_an_extreme_outlier_is_named_in_hours() -> None:
    """One call took 7,923 seconds."""
    assert "1 on the candidate (up to 2 h 12 min)" in words_of(on_terminal(REPORTS["support"]))


def test_says_which_cases_were_not_compared_and_why() -> None:
    """Missing and errored are counted as such."""
    text = words_of(on_terminal(REPORTS["support"]))
    assert "887 of 900 cases have a reply on both bundles." in text
    assert "every call errored: 10 on the candidate" in text


def test_unknown_is_a_dash_never_zero() -> None:
    """Where nothing could be compared there are no rates."""
    text = on_terminal(REPORTS["unmeasured"])
    row = next(line for line in text.splitlines() if line.startswith("resolved "))
    assert row.split()[:5] == ["resolved", "0", "–", "–", "–"]
    assert "0 %" not in row


def test_nothing_judged_is_said_so() -> None:
    """A suite without a case holds, and the table says why it is not there."""
    text = on_terminal(REPORTS["empty"])
    assert "HOLD" in text
    assert "nothing to tabulate" in text


def test_commands_can_be_pasted() -> None:
    """With the slice quoted where a shell needs it, and the metric where it is not the first one."""
    lines = [one.line for one in next_commands(REPORTS["support"])]
    assert lines[0] == "segue show flips support-reply --slice task=refund"
    assert "segue show flips support-reply --metric contract_ok" in lines
    hostile = [one.line for one in next_commands(REPORTS["hostile"])]
    assert any(line.startswith("segue show flips support-reply --slice 'task=\"><script>") for line in hostile)
    assert "segue eval support-reply --candidate next" in [one.line for one in next_commands(REPORTS["unmeasured"])]


@pytest.mark.recorded
def test_tells_the_story_of_the_prime_numbers(segue_data: Path) -> None:
    """GPT-4, March to June 2023: the total falls by a third, and one slice hides a collapse behind a rise."""
    report = builders.recorded_report(segue_data, "prime", "rule:yes_no_bracket", old="gpt-4-0314", new="gpt-4-0613")
    text = on_terminal(report)
    assert "accuracy fell from 84.0 % to 51.1 % on all cases" in words_of(text)
    assert re.search(r"kind=prime +500 +97\.6 +2\.4 .*476/0 .*▼ worse", text)
    assert re.search(r"kind=composite +500 +70\.4 +99\.8 .*0/147 .*▲ better", text)


def test_a_long_name_keeps_its_row_on_one_line() -> None:
    """Its beginning and its end; the command for its flips has all of it."""
    where = "customer=" + "north-western-" * 6 + "branch-7"
    pairs = [builders.Pair((where,), {"resolved": 1.0}, {"resolved": float(n % 2)}) for n in range(60)]
    pairs += [builders.Pair(("customer=x",), {"resolved": 1.0}, {"resolved": 1.0}) for _ in range(60)]
    text = on_terminal(builders.a_report(pairs), width=100)
    (row,) = [line for line in text.splitlines() if line.strip().startswith("customer=north") and "worse" in line]
    assert "…" in row
    assert "branch-7" in row
    assert f"--slice {where}" in text


def test_why_a_rise_is_not_called_better_is_said() -> None:
    """One line on the correction, where a row needs it; and the notes of rows."""
    pairs = [
        builders.Pair((f"task=t{n % 30}",), {"resolved": float(n % 10 != 0)}, {"resolved": float(n % 30 == 0 or n % 10 != 0)})
        for n in range(3000)
    ]
    told = "A rise is called better once p adj, corrected for looking at all these slices (Holm), is below 0.05."
    report = builders.a_report(pairs)
    has_one = any(one.verdict == "not worse" and one.interval is not None and one.interval[0] > 0 for one in report.findings)
    assert (told in words_of(on_terminal(report, details=True))) is has_one
    note = next((one.note for one in report.findings if one.note and one.n), "")
    assert note in on_terminal(report, details=True)
