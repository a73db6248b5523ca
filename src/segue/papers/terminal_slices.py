"""The table of a terminal report: totals of the metrics, and slices worst first as far as the screen goes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from segue.gates.findings import Finding
from segue.gates.report import Report
from segue.gates.verdict import SliceVerdict
from segue.papers import outline
from segue.papers.figures import count, difference_text, p_adjusted, p_short, percent_bare
from segue.papers.printable import printable_name
from segue.papers.screen import Lines, clip_middle, lines_of
from segue.papers.ties import held

FEWEST_SLICES = 4
MOST_TOTALS = 4
NARROWEST_NAME = 16
NARROW = 96
"""Below this many columns the table leaves out the interval's decimals, the adjusted p and the cases that are needed."""

STYLES: dict[SliceVerdict, str] = {"worse": "bold red", "inconclusive": "magenta", "not worse": "", "better": "blue"}
DIM = "dim"


def slices_lines(report: Report, console: Console, room: int | None) -> Lines:
    """The table in at most about `room` lines (`None`: all of it), with a legend and a count of what is left out."""
    if not report.findings:
        return lines_of(console, Text("No metric was judged, so there is nothing to tabulate."))
    totals = {one.metric: one for one in report.totals()}
    metrics = [name for name in outline.metrics_of(report) if name in totals]
    if room is None:
        return _lines(
            report, console, [row for name in metrics for row in (totals[name], *_all_slices(report, name))], [], None
        )
    metrics = ([name for name in metrics if totals[name].is_gated] or metrics)[:MOST_TOTALS]
    slices = outline.sort_worst_first(
        one for one in report.findings if not one.is_total and (one.is_primary or (one.is_gated and one.verdict == "worse"))
    )
    frame = len(metrics) + 2
    fitting = min(len(slices), max(FEWEST_SLICES, room - frame))
    while True:
        shown, left_out = _worst(slices, fitting)
        lines = _lines(report, console, [*(totals[name] for name in metrics), *shown], left_out, metrics[0] if metrics else "")
        if len(lines) <= room or fitting <= FEWEST_SLICES:
            return lines
        fitting -= 1


def _all_slices(report: Report, metric: str) -> list[Finding]:
    return outline.sort_worst_first(report.slices_of(metric))


def _worst(slices: Sequence[Finding], most: int) -> tuple[list[Finding], list[Finding]]:
    """The `most` that matter most: critical and worse ones before the others, each in the order given."""
    urgent = [one for one in slices if one.verdict == "worse" or one.is_critical]
    others = [one for one in slices if not (one.verdict == "worse" or one.is_critical)]
    kept = {id(one) for one in [*urgent, *others][:most]}
    return [one for one in slices if id(one) in kept], [one for one in slices if id(one) not in kept]


def _lines(report: Report, console: Console, rows: Sequence[Finding], left_out: Sequence[Finding], usual: str | None) -> Lines:
    """Totals go by the name of their metric. Slices of another metric than `usual` name it; `None` where totals head them."""
    narrow = console.width < NARROW
    needs = not narrow and any(one.needed is not None for one in rows)
    table = _columns(narrow, needs)
    cells = [_cells(one, narrow, needs) for one in rows]
    taken = _taken(cells, [str(column.header) for column in table.columns][1:], 1 if narrow else 2)
    room = max(NARROWEST_NAME, console.width - taken)
    for one, figures in zip(rows, cells, strict=True):
        table.add_row(_label(one, usual, room), *figures)
    lines = lines_of(console, table)
    if left_out:
        lines += lines_of(console, Text(f"  {outline.left_out_words(left_out)} (--details)", DIM))
    lines += lines_of(console, Text(_legend(rows, narrow), DIM))
    for words in (outline.correction_words(report, rows), *map(outline.note_words, rows)):
        if words:
            lines += lines_of(console, Text(held(words), DIM))
    return lines


def _taken(cells: Sequence[Sequence[RenderableType]], heads: Sequence[str], gap: int) -> int:
    """The columns that the figures take beside the names."""
    widths = [cell_len(head) for head in heads]
    for row in cells:
        widths = [max(width, cell_len(str(cell))) for width, cell in zip(widths, row, strict=True)]
    return sum(width + gap for width in widths) + gap


def _label(one: Finding, usual: str | None, room: int) -> Text:
    """The name of a row on one line: too long a name keeps its beginning and its end."""
    if one.is_total:
        return Text(clip_middle(printable_name(one.metric), room), "bold")
    name = printable_name(one.where)
    metric = f" · {printable_name(one.metric, 40)}" if usual is not None and one.metric != usual else ""
    if cell_len(name) + cell_len(metric) + 2 > room:
        metric = clip_middle(metric, max(NARROWEST_NAME // 2, room // 2 - 2))
    label = Text(f"{'◆' if one.is_critical else ' '} {clip_middle(name, room - 2 - cell_len(metric))}")
    if metric:
        label.append(metric, DIM)
    return label


def _legend(slices: Sequence[Finding], narrow: bool) -> str:
    parts = ["◆ critical"] if any(one.is_critical for one in slices) else []
    parts += ["difference in points", "b/c: only the old, only the new right"]
    if not narrow:
        parts.append("p adj: Holm, one-sided")
    return " · ".join(parts)


def _columns(narrow: bool, needs: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1 if narrow else 2, 0, 0), header_style=DIM, show_edge=False)
    table.add_column("where", overflow="fold", min_width=NARROWEST_NAME)
    for head in ("n", "old %", "new %"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("difference", no_wrap=True)
    table.add_column("b/c", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("p adj", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    if needs:
        table.add_column("needs", justify="right", no_wrap=True)
    return table


def _cells(one: Finding, narrow: bool, needs: bool) -> list[RenderableType]:
    difference = difference_text(one)
    if narrow and one.interval is not None:
        low, high = (f"{end * 100:+.0f}".replace("-", "−") for end in one.interval)
        difference = f"{difference_text(one, with_interval=False)} [{low}, {high}]"
    cells: list[RenderableType] = [
        count(one.n),
        percent_bare(one.old.mean),
        percent_bare(one.new.mean),
        difference,
        f"{one.flips.only_old}/{one.flips.only_new}",
    ]
    if not narrow:
        cells.append(p_short(p_adjusted(one)))
    cells.append(Text(f"{outline.VERDICT_SIGNS[one.verdict]} {one.verdict}", STYLES[one.verdict]))
    if needs:
        cells.append("" if one.needed is None else count(one.needed))
    return cells
