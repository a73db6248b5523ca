"""A drift report on a terminal: dimensions first, then what moved with answers side by side. Plain when piped."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from segue.drift.drift_report import DriftReport, Shown
from segue.drift.words import word_diff
from segue.papers.drift_view import DriftView, MovedGroup, view_drift
from segue.papers.printable import printable, printable_name, shorten
from segue.papers.screen import labelled, lines_of, write_lines

_COLOURS = {"moved beyond": "red", "moved within": "yellow", "unknown": "magenta", "not moved": "", "nothing": "dim"}
MOST_CHARACTERS = 600
LEAST_WIDTH = 90
"""Narrower than this, the two answers stand below each other."""


def print_drift(console: Console, report: DriftReport) -> None:
    """The whole report."""
    view = view_drift(report)
    console.print(Text(view.headline, "bold"), soft_wrap=not console.is_terminal)
    console.print(Text(view.about, "dim"), soft_wrap=not console.is_terminal)
    console.print()
    _dimensions(console, view)
    if view.groups:
        console.print()
    for group in view.groups:
        _group(console, group)
    if view.n_more:
        console.print(Text(f"{view.n_more:,} more traits of the same dimensions moved; see them with --json.", "dim"))
    if view.tails:
        told = "; ".join(f"{name} {old} → {new}" for name, old, new in view.tails)
        console.print(Text(f"Tails: {told}.", "dim"), soft_wrap=not console.is_terminal)
    for remark in (*view.remarks, view.footnote):
        console.print(Text(remark, "dim"), soft_wrap=not console.is_terminal)


def _dimensions(console: Console, view: DriftView) -> None:
    if not console.is_terminal:
        for row in view.rows:
            console.print(f"{row.sign} {row.title}: {row.standing}. {row.sentence}", markup=False, soft_wrap=True)
        return
    grid = labelled(18)
    for row in view.rows:
        text = Text(f"{row.standing}. ", _COLOURS[row.tone])
        text.append(row.sentence)
        grid.add_row(Text(f"{row.sign} {row.title}", _COLOURS[row.tone]), text)
    write_lines(console, lines_of(console, grid))


def _group(console: Console, group: MovedGroup) -> None:
    wrapped = not console.is_terminal
    console.print(Text(f"{'✗' if group.is_beyond else '~'} {group.sentence}", "bold"), soft_wrap=wrapped)
    if group.slices:
        console.print(Text(f"  By slice: {group.slices}."), soft_wrap=wrapped)
    for shown in group.examples:
        _example(console, shown)


def _example(console: Console, shown: Shown) -> None:
    console.print(Text(f"  pair {printable_name(shown.pair)}", "dim"))
    if shown.old is None or shown.new is None:
        console.print(Text(f"  {shown.why}", "dim"), soft_wrap=not console.is_terminal)
        return
    old, new = (printable(_clip(text)) for text in (shown.old, shown.new))
    spans = word_diff(old, new)
    before, after = Text(), Text()
    for span in spans:
        if span.kind != "added":
            before.append(span.text, "red" if span.kind == "removed" else "")
        if span.kind != "removed":
            after.append(span.text, "green" if span.kind == "added" else "")
    if console.is_terminal and console.width >= LEAST_WIDTH:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim")
        half = (console.width - 6) // 2
        table.add_column("incumbent", width=half, overflow="fold")
        table.add_column("candidate", width=half, overflow="fold")
        table.add_row(before, after)
        write_lines(console, lines_of(console, table))
        return
    for name, text in (("incumbent", before), ("candidate", after)):
        console.print(Text(f"  {name}:", "dim"))
        for line in text.plain.splitlines():
            console.print(f"    {escape(line)}", soft_wrap=True)


def _clip(text: str) -> str:
    kept, left = shorten(text, MOST_CHARACTERS)
    return f"{kept}… ({left:,} more characters)" if left else kept
