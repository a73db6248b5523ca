"""Lines of a terminal: rendered, measured and written without the blanks that rich fills columns with."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table

from segue.papers.ties import HELD, let_go

Lines = list[list[Segment]]


def lines_of(console: Console, renderable: RenderableType, *, width: int | None = None) -> Lines:
    """The lines `renderable` takes at `width` (the console's, if none is given), without trailing blanks."""
    options = console.options if width is None else console.options.update(width=width)
    return [_trimmed([_let_go(one) for one in line]) for line in console.render_lines(renderable, options, pad=False)]


def write_lines(console: Console, lines: Iterable[list[Segment]]) -> None:
    """Write rendered lines."""
    console.print(Segments([segment for line in lines for segment in (*line, Segment.line())]), end="", soft_wrap=True)


def labelled(label_width: int) -> Table:
    """A grid with labels on the left, and text on the right that wraps under itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=label_width, no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    return grid


def clip_middle(name: str, limit: int) -> str:
    """A name in at most `limit` columns of a terminal: what tells names apart is often at the end, so the middle goes."""
    if cell_len(name) <= limit:
        return name
    kept = max(2, limit - 1)
    head, tail = set_cell_size(name, kept - kept // 2).rstrip(), name
    while cell_len(tail) > kept // 2:
        tail = tail[1:]
    return f"{head}…{tail.lstrip()}"


def _let_go(segment: Segment) -> Segment:
    return segment if HELD not in segment.text else Segment(let_go(segment.text), segment.style, segment.control)


def _trimmed(line: list[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return kept
