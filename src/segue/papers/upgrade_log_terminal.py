"""`segue history` and `segue why` on a terminal: what happened to an upgrade; one decision with the evidence it rests on."""

from __future__ import annotations

import shlex

from rich.console import Console
from rich.table import Table
from rich.text import Text

from segue.papers.outline import counted
from segue.papers.printable import printable_line, printable_name
from segue.papers.screen import labelled, lines_of, write_lines
from segue.papers.ties import held
from segue.papers.upgrade_terminal import LABEL, gates_table, sort_gates
from segue.papers.upgrade_view import EntryView, GateView, HistoryView, WhyView
from segue.papers.upgrade_words import event_words, moment, span

MOST_REASONS = 3
"""So many sentences of an entry; `segue why` has them all."""
MOST_GATES = 20
AT_ONCE = 100
"""Entries rendered together: each grid costs as much as some entries, and the first are to be seen at once."""


def print_history(view: HistoryView, console: Console) -> None:
    """All entries, oldest first: when, what, by whom, and why under it."""
    title = f"{printable_name(view.workflow)} in {printable_name(view.environment)}: {printable_name(view.upgrade)}"
    write_lines(console, [*lines_of(console, Text(title, "bold")), []])
    digits = len(str(view.entries[-1].number))
    for first in range(0, len(view.entries), AT_ONCE):
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=digits, justify="right", no_wrap=True)
        grid.add_column(width=20, no_wrap=True)
        grid.add_column(ratio=1, overflow="fold")
        for one in view.entries[first : first + AT_ONCE]:
            grid.add_row(Text(str(one.number), "bold"), Text(moment(one.at), "dim"), _happened(one))
        write_lines(console, lines_of(console, grid))
    _print_learnings(view, console)
    write_lines(console, [[], *lines_of(console, Text(f"The evidence of one: segue why {_word(view.workflow)} N", "dim"))])


def _print_learnings(view: HistoryView, console: Console) -> None:
    """What it taught, under its log."""
    if not view.learnings:
        return
    write_lines(console, [[], *lines_of(console, Text("What it taught", "bold"))])
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=20, no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for one in view.learnings:
        said = f"{printable_line(one.about)}: {printable_line(one.text)} ({printable_name(one.by, 60)})"
        grid.add_row(Text(moment(one.at), "dim"), Text(said))
    write_lines(console, lines_of(console, grid))


def print_why(view: WhyView, console: Console, *, whole: bool = False) -> None:
    """One decision; with `whole` every gate, however many."""
    head = Text()
    head.append(f"{printable_name(view.workflow)}, entry {view.entry.number}: ", "bold")
    head.append(event_words(view.entry.event), "bold")
    who = f"by {printable_name(view.entry.by, 60)}" if view.entry.by else "decided by the evidence"
    head.append(f", {who}, {moment(view.entry.at)}\n")
    head.append(_move(view.entry))
    head.rstrip()
    write_lines(console, [*lines_of(console, head), []])
    grid = labelled(LABEL)
    if view.entry.because:
        grid.add_row(Text("because", "bold"), Text(held("\n".join(map(printable_line, view.entry.because)))))
    elif view.missing == ():
        grid.add_row(Text("because", "bold"), "Nothing that was asked for is missing.")
    if view.suite is not None:
        more = () if view.suite.reasons == view.entry.because else view.suite.reasons
        words = "\n".join((f"{view.suite.outcome}: segue report {_word(view.workflow)} {view.suite.verdict[:10]}", *more))
        grid.add_row(Text("suite", "bold"), Text(held(printable_lines(words))))
    for label, sentences in (("missing", view.missing or ()), ("beside it", view.others)):
        news = [printable_line(one) for one in sentences if one not in view.entry.because]
        if news:
            grid.add_row(Text(label, "bold"), Text(held("\n".join(news))))
    grid.add_row(Text("seen", "bold"), Text(_seen(view), "dim"))
    if view.entry.effects:
        grid.add_row(Text("effects", "bold"), Text(_effects(view.entry)))
    write_lines(console, lines_of(console, grid))
    if view.gates:
        _print_gates(view, console, whole=whole)


def _print_gates(view: WhyView, console: Console, *, whole: bool) -> None:
    gates = sort_gates(view.gates)
    shown = gates if whole else gates[:MOST_GATES]
    write_lines(console, [[], *lines_of(console, gates_table(shown, console)), []])
    for one in shown:
        if _says_more(one):
            write_lines(console, lines_of(console, Text(held(printable_line(one.sentence)))))
    if len(gates) > len(shown):
        more = counted(len(gates) - len(shown), "more gate")
        rest = f"and {more}: segue why {_word(view.workflow)} {view.entry.number} --all"
        write_lines(console, lines_of(console, Text(rest, "dim")))


def _says_more(gate: GateView) -> bool:
    """Whether its sentence says what its row does not."""
    return gate.verdict in ("harm", "invalid") or (gate.verdict != "safe" and gate.labelled > 0)


def _happened(one: EntryView) -> Text:
    text = Text(event_words(one.event), "bold")
    if one.by:
        text.append(f", by {printable_name(one.by, 60)}")
    move = _move(one)
    if move:
        text.append(f"  {move}", "dim")
    for sentence in one.because[:MOST_REASONS]:
        text.append(f"\n{held(printable_line(sentence))}", "")
    if len(one.because) > MOST_REASONS:
        text.append(f"\nand {len(one.because) - MOST_REASONS} more", "dim")
    if one.undone:
        text.append(f"\nnot carried out yet: {', '.join(_effect(name) for name in one.undone)}", "yellow")
    return text


def _move(one: EntryView) -> str:
    if not one.came_from:
        return ""
    return f"{one.came_from} → {one.place}" if one.place != one.came_from else f"stays in {one.place}"


def _seen(view: WhyView) -> str:
    parts = [f"at {moment(view.seen_at)}" if view.seen_at is not None else "nothing was measured for it"]
    if view.revision is not None:
        parts.append(f"route revision {view.revision}")
    if view.served_s is not None:
        parts.append(f"after {span(view.served_s)} that counted")
    if view.key:
        parts.append(f"through the API, key {printable_name(view.key)}")
    return ", ".join(parts)


def _effects(one: EntryView) -> str:
    done = ", ".join(_effect(name) for name in one.effects)
    return f"{done} (not carried out yet: no controller has been here since)" if one.undone else done


def _effect(name: str) -> str:
    return name.replace("_", " ")


def _word(text: str) -> str:
    return shlex.quote(printable_name(text))


def printable_lines(text: str) -> str:
    """Each line made safe to show."""
    return "\n".join(map(printable_line, text.splitlines()))
