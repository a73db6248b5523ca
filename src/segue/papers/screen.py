"""Lines of a terminal: rendered, measured and written without the blanks that rich fills columns with."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table

Lines = list[list[Segment]]


def lines_of(console: Console, renderable: RenderableType, *, width: int | None = None) -> Lines:
    """The lines `renderable` takes at `width` (the console's, if none is given), without trailing blanks."""
    options = console.options if width is None else console.options.update(width=width)
    return [_trimmed(line) for line in console.render_lines(renderable, options, pad=False)]


def write_lines(console: Console, lines: Iterable[list[Segment]]) -> None:
    """Write rendered lines."""
    console.print(Segments([segment for line in lines for segment in (*line, Segment.line())]), end="", soft_wrap=True)


def labelled(label_width: int) -> Table:
    """A grid with labels on the left, and text on the right that wraps under itself."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=label_width, no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    return grid


def _trimmed(line: list[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return kept
