"""A drift report as Markdown, for a pull request or a page of a wiki. Answers are code blocks no text of theirs can end."""

from __future__ import annotations

import re

from segue.drift.drift_report import DriftReport, Shown
from segue.papers.drift_view import MovedGroup, view_drift
from segue.papers.markdown_text import plain
from segue.papers.printable import printable

_TICKS = re.compile(r"`+")


def render_drift_markdown(report: DriftReport) -> str:
    """The whole report."""
    view = view_drift(report)
    lines = [f"## {plain(view.headline)}", "", plain(view.about), "", "| dimension | | |", "|---|---|---|"]
    lines += [f"| {row.sign} {row.title} | {row.standing} | {plain(row.sentence)} |" for row in view.rows]
    for group in view.groups:
        lines += _group(group)
    if view.tails:
        lines += ["", "| quantile | incumbent | candidate |", "|---|---|---|"]
        lines += [f"| {name} | {old} | {new} |" for name, old, new in view.tails]
    for remark in (*view.remarks, view.footnote):
        lines += ["", plain(remark)]
    return "\n".join(lines) + "\n"


def _group(group: MovedGroup) -> list[str]:
    lines = ["", f"**{group.title}.** {plain(group.sentence)}"]
    if group.slices:
        lines += ["", f"By slice: {plain(group.slices)}."]
    for shown in group.examples:
        lines += _example(shown)
    return lines


def _example(shown: Shown) -> list[str]:
    if shown.old is None or shown.new is None:
        return ["", f"Pair {plain(shown.pair)}: {shown.why}"]
    lines = ["", f"Pair {plain(shown.pair)}:"]
    for name, text in (("incumbent", shown.old), ("candidate", shown.new)):
        mark = "`" * max(3, 1 + max((len(one) for one in _TICKS.findall(text)), default=0))
        lines += ["", f"{name}:", "", mark, printable(text), mark]
    return lines
