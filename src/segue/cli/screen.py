"""Consoles, errors as text or JSON, and tables that stay plain when piped."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from segue.cli.streams import stop_writing, write_out
from segue.errors import Fault, SegueError
from segue.papers.printable import printable, printable_name
from segue.papers.screen import lines_of, write_lines

MOST_FAULTS = 100
PIPED_WIDTH = 100
UNBOUNDED = 10_000
"""Width of a piped table: a record is a line."""
LEAST_FOLDED = 12
"""Where less than this is left for the column that gives way, all columns give way."""


class Screen(Console):
    """A console that falls silent when its reader has gone away, so that the exit code stays the command's own."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        stop_writing(self.file)


def console() -> Screen:
    """Standard output. Piped, it has no colour and a width of 100 unless COLUMNS says otherwise."""
    return _console(stderr=False)


def error_console() -> Screen:
    """Standard error: progress, remarks and errors, so that standard output stays clean. Piped, nothing is wrapped."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Screen:
    made = Screen(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal:
        made.soft_wrap = stderr
        if "COLUMNS" not in os.environ:
            made.width = PIPED_WIDTH
    return made


def print_json(value: Any) -> None:
    """One JSON document on standard output; in ASCII where the stream could not spell it otherwise."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    write_out(text)


def print_indented(screen: Console, text: str, indent: int, mark: str = "") -> None:
    """A paragraph of markup whose later lines stand under its text, with a mark such as `•` before the first.

    Piped, a paragraph is one line: it is read by programs, and commands in it are to be pasted.
    """
    before = f"{mark:>{indent - 1}} "
    if not screen.is_terminal:
        screen.print(before, text, sep="", soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(before, style="dim"), Text.from_markup(text))
    write_lines(screen, lines_of(screen, grid))


def print_error(error: SegueError, *, as_json: bool) -> None:
    """A user's mistake: what, where, and what to do; no traceback."""
    if as_json:
        print_json(error.as_json())
        return
    screen = error_console()
    faults = error.faults
    if len(faults) == 1 and not error.fix and error.what.startswith("1 fault in "):
        # A head that only counts to one says nothing.
        _print_fault(screen, faults[0], "[bold red]Error:[/]")
        return
    own = len(faults) == 1 and faults[0].what == error.what
    screen.print(f"[bold red]Error:[/] {_shown(error.what)}")
    if error.fix:
        print_indented(screen, _shown(error.fix), 4, "→")
    if not own:
        print_faults(screen, faults)


def print_faults(screen: Console, faults: Sequence[Fault]) -> None:
    """Faults as a list: place first, then what is wrong, what was likely meant, and the remedy."""
    for fault in faults[:MOST_FAULTS]:
        colour = "red" if fault.severity == "error" else "yellow"
        _print_fault(screen, fault, f"[{colour}]{fault.severity}[/]")
    if len(faults) > MOST_FAULTS:
        screen.print(f"… and {len(faults) - MOST_FAULTS} more.")


def _print_fault(screen: Console, fault: Fault, head: str) -> None:
    likely = f" Did you mean {_shown(fault.likely)}?" if fault.likely else ""
    if fault.where:
        screen.print(f"{head} [bold]{_shown(fault.where)}[/]", soft_wrap=True)
        print_indented(screen, f"{_shown(fault.what)}{likely}", 2)
    else:
        screen.print(f"{head} {_shown(fault.what)}{likely}")
    if fault.fix:
        print_indented(screen, _shown(fault.fix), 4, "→")


def _shown(text: str) -> str:
    """Text of a message: nothing in it steers the terminal or is read as markup."""
    return escape(printable(text))


def print_table(
    screen: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[int] = (),
    fold: int | None = None,
) -> None:
    """A light table. `right` are the columns that hold numbers, `fold` is the one that gives way on a narrow terminal.

    Columns without a name and without content are left out. Piped, every row is one line.
    """
    shown = [[printable_name(cell, UNBOUNDED) for cell in row] for row in rows]
    kept = [index for index, name in enumerate(columns) if name or any(row[index] for row in shown)]
    widths = {index: max(cell_len(text) for text in (columns[index], *(row[index] for row in shown))) for index in kept}
    rigid = {index for index in kept if fold not in (None, index)}
    if sum(widths[index] + 2 for index in rigid) + LEAST_FOLDED > screen.width:
        rigid = set()
    made = Table(box=None, pad_edge=False, header_style="bold")
    for index in kept:
        justify: Literal["left", "right"] = "right" if index in right else "left"
        made.add_column(columns[index], justify=justify, overflow="fold", no_wrap=index in rigid)
    for row in shown:
        made.add_row(*(escape(row[index]) for index in kept))
    write_lines(screen, lines_of(screen, made, width=screen.width if screen.is_terminal else UNBOUNDED))
