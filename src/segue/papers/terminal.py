"""The report on a terminal: one screen, readable in a pipe too. Colour adds nothing that is not also said in words.

Blocks are measured first; what is left of the screen goes to the table of slices, worst first, and the rest is counted.
`segue.papers.terminal_slices` makes that table, `segue.papers.terminal_flips` prints single cases.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from segue.gates.report import Report
from segue.gates.verdict import Outcome
from segue.papers import outline
from segue.papers.figures import percent
from segue.papers.next_commands import next_commands
from segue.papers.printable import printable_line, printable_name
from segue.papers.readable import readable
from segue.papers.screen import labelled, lines_of, write_lines
from segue.papers.terminal_slices import slices_lines
from segue.papers.ties import held

SCREEN = 45
"""Lines of one screen."""
MOST_REASONS = 4
"""Up to this many reasons are all shown; of more, one fewer, and the rest is counted."""
MOST_CAUSES = 2
MOST_OPERATIONS = 3
UNWRAPPED = 2_000
"""The width at which commands are laid out: a command that was wrapped could not be pasted."""
DIM = "dim"

BADGES: dict[Outcome, str] = {
    "pass": "bold white on blue",
    "caution": "bold black on yellow",
    "hold": "bold white on magenta",
    "fail": "bold white on red",
}
COLOURS: dict[Outcome, str] = {"pass": "blue", "caution": "yellow", "hold": "magenta", "fail": "red"}


def print_report(report: Report, console: Console, *, details: bool = False) -> None:
    """Print `report`, on one screen of about 45 lines; with `details`, everything there is, however long."""
    report = readable(report)
    before = [lines_of(console, one) for one in (_verdict(report), _reasons(report, details)) if one is not None]
    parts = (_causes(report, details), _operations(report, details), _remarks(report, details))
    after = [lines_of(console, one) for one in parts if one is not None]
    after.append(lines_of(console, _next(report, console.width), width=UNWRAPPED))
    taken = sum(len(lines) + 1 for lines in (*before, *after))
    slices = slices_lines(report, console, None if details else SCREEN - taken)
    blocks = [*before, slices, *after]
    for index, lines in enumerate(blocks):
        write_lines(console, lines if index == len(blocks) - 1 else [*lines, []])


def _verdict(report: Report) -> RenderableType:
    text = Text()
    text.append(f" {outline.OUTCOME_SIGNS[report.outcome]} {report.outcome.upper()} ", BADGES[report.outcome])
    text.append(f"  {_line(report.headline)}\n", "bold")
    text.append(
        f"{printable_name(report.workflow)}: {outline.arm_words(report.incumbent)} → {outline.arm_words(report.candidate)}, "
        f"{outline.counted(report.n_cases, 'case')} of suite {printable_name(report.suite_name)}\n",
        DIM,
    )
    for remark in outline.arm_remarks(report):
        text.append(f"{held(remark)}\n", DIM)
    text.append(f"Recommendation: {report.recommendation}. ", "bold")
    text.append(_line(report.recommendation_why))
    return text


def _reasons(report: Report, details: bool) -> RenderableType | None:
    """Reasons with their next steps; a step that several reasons in a row share is said once, after the last of them."""
    if not report.reasons:
        return None
    whole = details or len(report.reasons) <= MOST_REASONS
    shown = report.reasons if whole else report.reasons[: MOST_REASONS - 1]
    grid = labelled(9)
    for index, reason in enumerate(shown):
        text = Text(_line(reason.sentence))
        following = shown[index + 1].next_step if index + 1 < len(shown) else None
        if reason.next_step and reason.next_step != following:
            text.append(f"\n→ {_line(reason.next_step)}", DIM)
        grid.add_row(Text(f"{outline.OUTCOME_SIGNS[reason.outcome]} {reason.outcome}", COLOURS[reason.outcome]), text)
    left_out = len(report.reasons) - len(shown)
    if left_out:
        grid.add_row("", Text(f"and {outline.counted(left_out, 'more reason')} (--details)", DIM))
    return grid


def _causes(report: Report, details: bool) -> RenderableType | None:
    """Causes, rises that are hollow, and the one task to watch."""
    shown = report.causes if details else report.causes[:MOST_CAUSES]
    grid = labelled(5)
    for cause in shown:
        text = Text()
        text.append(outline.cause_title(cause), "bold")
        text.append(f" ({outline.cause_place(cause)}). {_line(cause.sentence)}")
        repair = outline.cause_repair(cause, outline.finding_at(report, cause.metric, cause.where))
        if repair:
            text.append(f" {held(repair)}")
        grid.add_row(Text("cause", "bold"), text)
    left_out = len(report.causes) - len(shown)
    if left_out:
        grid.add_row("", Text(f"and {outline.counted(left_out, 'more cause')} (--details)", DIM))
    for one in report.one_answers if details else report.one_answers[:1]:
        text = Text()
        text.append(outline.one_answer_words(one), "bold")
        text.append(f". {_line(one.sentence)}")
        grid.add_row(Text("cause", "bold"), text)
    if report.watch is not None:
        grid.add_row(Text("watch", "bold"), Text(_line(report.watch.sentence)))
    return grid if grid.row_count else None


def _operations(report: Report, details: bool) -> RenderableType:
    """What a request takes on either bundle, and which cases were compared."""
    operations = outline.recorded_operations(report)
    usual = [one for one in operations if one.name in ("latency", "cost", "output_tokens")] or operations
    shown = operations if details else usual[:MOST_OPERATIONS]
    titles = [outline.operation_title(one.name) for one in shown]
    grid = labelled(min(24, max(map(cell_len, (*titles, "Coverage")))))
    for title, one in zip(titles, shown, strict=True):
        text = Text(held(outline.operation_words(one)))
        extremes = outline.extremes_words(one)
        if extremes and (details or one.name == "latency"):
            text.append(f". {held(extremes)}", DIM)
        grid.add_row(Text(title, "bold"), text)
    grid.add_row(Text("Coverage", "bold"), Text(held(" ".join(outline.coverage_sentences(report)))))
    return grid


def _remarks(report: Report, details: bool) -> RenderableType | None:
    """Notes, for they limit what the verdict says; judges and the form of outputs where details are asked for."""
    lines = []
    for standing in report.judges if details else ():
        lines.append(held(outline.judge_sentence(standing)))
    for shift in report.format_shifts if details else ():
        lines.append(
            f"Form: {printable_name(shift.trait)} {percent(shift.old_share)} → {percent(shift.new_share)} "
            f"of {outline.counted(shift.n, 'output')}."
        )
    lines += [f"Note: {_line(note)}" for note in report.notes]
    return Text("\n".join(lines)) if lines else None


def _next(report: Report, width: int) -> RenderableType:
    """Commands to paste. They are never wrapped, so that a pasted one is whole; the comments give way first."""
    commands = next_commands(report)
    text = Text()
    text.append("What next", "bold")
    longest = max(cell_len(one.line) for one in commands)
    with_purpose = longest + max(cell_len(one.purpose) for one in commands) + 6 <= width
    for one in commands:
        text.append(f"\n  {one.line}")
        if with_purpose:
            text.append(f"{' ' * (longest - cell_len(one.line))}  # {one.purpose}", DIM)
    return text


def _line(sentence: str) -> str:
    """A sentence in which numbers stay with their units when lines are broken."""
    return held(printable_line(sentence))
