"""Flips on a terminal: both outputs of one case side by side, the words that differ marked.

Without colour the marks are `[-…-]` and `{+…+}`, so that a pipe or a log loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from segue.drift.words import word_diff
from segue.papers.figures import count
from segue.papers.flip_view import FlipView
from segue.papers.outline import counted
from segue.papers.printable import printable, printable_line, printable_name, shorten
from segue.papers.screen import labelled, lines_of, write_lines

SIDE_BY_SIDE = 90
"""From this many columns on, the outputs stand beside each other; below, one under the other."""
MOST_FLIPS = 20
MOST_CHARACTERS = 1_500
MOST_PROMPT = 400

OLD_MARK = "bold red"
NEW_MARK = "bold blue"


def print_flips(
    flips: Sequence[FlipView], console: Console, *, most: int | None = MOST_FLIPS, n_in_all: int | None = None
) -> None:
    """Print flips in the order given, at most `most` of them (`None`: all); what is left out is counted.

    `n_in_all` says how many there are where the caller has handed over only some.
    """
    if not flips:
        console.print(Text("No case flipped here."))
        return
    shown = list(flips if most is None else flips[:most])
    for flip in shown:
        blocks: list[RenderableType] = [_head(flip)]
        blocks += [
            _labelled(label, _cut(text, MOST_PROMPT))
            for label, text in (("asked", flip.prompt), ("reference", flip.reference))
            if text
        ]
        blocks.append(_outputs(flip, console))
        for block in blocks:
            write_lines(console, lines_of(console, block))
        console.print()
    negative = sum(flip.is_negative for flip in flips)
    positive = len(flips) - negative
    console.print(Text(_told(negative, positive, len(shown), max(len(flips), n_in_all or 0)), "bold"))


def _told(negative: int, positive: int, n_shown: int, n_in_all: int) -> str:
    """`2 of 29 flips, right before and wrong now.`"""
    if negative and positive:
        told = f"{counted(negative + positive, 'flip')}: {count(negative)} right before and wrong now, "
        told += f"{count(positive)} the reverse."
        left_out = n_in_all - n_shown
        return f"{told} {count(left_out)} {'is' if left_out == 1 else 'are'} not shown." if left_out else told
    kind = "right before and wrong now" if negative else "wrong before and right now"
    if n_shown < n_in_all:
        return f"{count(n_shown)} of {counted(n_in_all, 'flip')}, {kind}."
    return f"{counted(n_in_all, 'flip')}, {kind}."


def _head(flip: FlipView) -> Text:
    text = Text()
    text.append("▼ " if flip.is_negative else "▲ ", OLD_MARK if flip.is_negative else NEW_MARK)
    text.append(printable_name(flip.case_id), "bold")
    text.append("  right before, wrong now" if flip.is_negative else "  wrong before, right now")
    text.append(f" on {printable_name(flip.metric)}")
    if flip.standing:
        text.append(f"; {flip.standing}")
    tags = [*(["critical"] if flip.is_critical else []), *map(printable_name, flip.slices)]
    if tags:
        text.append(f"  {' '.join(tags)}", "dim")
    return text


def _cut(text: str, limit: int) -> str:
    kept, left_out = shorten(printable(text), limit)
    return f"{kept} … ({count(left_out)} more characters)" if left_out else kept


def _labelled(label: str, text: str) -> RenderableType:
    grid = labelled(9)
    grid.add_row(Text(label, "dim"), Text(text))
    return Padding(grid, (0, 0, 0, 2))


def _outputs(flip: FlipView, console: Console) -> RenderableType:
    old, new = _marked(flip, coloured=console.color_system is not None)
    heads = (_arm_head("incumbent", flip.old_reason), _arm_head("candidate", flip.new_reason))
    if console.width >= SIDE_BY_SIDE:
        table = Table.grid(padding=(0, 3, 0, 0), expand=False)
        table.add_column(width=(console.width - 7) // 2, overflow="fold")
        table.add_column(width=(console.width - 7) // 2, overflow="fold")
        table.add_row(*heads)
        table.add_row(old, new)
        return Padding(table, (0, 0, 0, 2))
    stacked = Text("\n").join((heads[0], old, heads[1], new))
    return Padding(stacked, (0, 0, 0, 2))


def _arm_head(role: str, reason: str | None) -> Text:
    text = Text(role, "underline")
    if reason:
        text.append(f": {printable_line(reason)}", "dim not underline")
    return text


def _marked(flip: FlipView, *, coloured: bool) -> tuple[Text, Text]:
    """Both outputs with the words that differ marked."""
    (old, old_left_out), (new, new_left_out) = (shorten(printable(one), MOST_CHARACTERS) for one in flip.shown_texts)
    sides = {"removed": Text(), "added": Text()}
    marks = {"removed": (OLD_MARK, "[-", "-]"), "added": (NEW_MARK, "{+", "+}")}
    for span in word_diff(old, new):
        if span.kind == "equal":
            for side in sides.values():
                side.append(span.text)
            continue
        style, opening, closing = marks[span.kind]
        side = sides[span.kind]
        side.append(span.text, style) if coloured else side.append(f"{opening}{span.text}{closing}")
    for side, whole, left_out in (
        (sides["removed"], flip.old_text, old_left_out),
        (sides["added"], flip.new_text, new_left_out),
    ):
        if not whole:
            side.append("(empty output)", "dim")
        elif left_out:
            side.append(f" … ({count(left_out)} more characters)", "dim")
    return sides["removed"], sides["added"]
