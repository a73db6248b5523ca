"""The page's remaining parts: classes, judges, the form of outputs, coverage, and what is needed to reproduce the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from segue.gates.report import ClassRow, ClassTable, FormatShift, JudgeStanding, Report
from segue.papers import outline
from segue.papers.figures import NONE, amount, count, difference_text, number, percent, percent_bare, signed_points
from segue.papers.page import (
    Bar,
    ClassCard,
    ClassLine,
    Confusion,
    ConfusionCell,
    Fact,
    JudgeCard,
    ShiftRow,
    UnusableRow,
)
from segue.papers.printable import printable, printable_line, printable_name, shorten
from segue.papers.scale import place_text
from segue.papers.ties import tie

MOST_CLASSES = 25
MOST_SETTINGS = 20_000
MOST_COUNTS = 40


def class_card(table: ClassTable) -> ClassCard:
    """Figures of every class and both confusion matrices; of many classes, the first ones."""
    shown = table.labels[:MOST_CLASSES]
    n = len(shown)
    left_out = len(table.labels) - n
    return ClassCard(
        metric=printable_name(table.metric),
        labels=tuple(printable_name(label, 40) for label in shown),
        lines=tuple(_class_line(old, new) for old, new in list(zip(table.old, table.new, strict=True))[:MOST_CLASSES]),
        matrices=(_confusion("Incumbent", table.old_confusion, n), _confusion("Candidate", table.new_confusion, n)),
        left_out=f"{outline.counted(left_out, 'more class')} left out; the JSON report holds all." if left_out else "",
    )


def _class_line(old: ClassRow, new: ClassRow) -> ClassLine:
    figures = tuple(
        (percent_bare(before), percent_bare(after))
        for before, after in ((old.precision, new.precision), (old.recall, new.recall), (old.f1, new.f1))
    )
    return ClassLine(printable_name(old.label, 40), count(new.support), figures)


def _confusion(role: str, matrix: Sequence[Sequence[int]], n: int) -> Confusion:
    rows = []
    for index, row in enumerate(matrix[:n]):
        total = sum(row)
        cells = tuple(
            ConfusionCell(count(cell), f"h{_shade(cell, total)}", index == column) for column, cell in enumerate(row[:n])
        )
        rows.append(cells)
    return Confusion(role, tuple(rows))


def _shade(cell: int, total: int) -> int:
    """The shade of a cell by its share of the row: none, up to 5 %, 20 %, 60 %, more."""
    return sum(cell > edge * total for edge in (0, 0.05, 0.20, 0.60)) if total else 0


def judge_card(report: Report, standing: JudgeStanding) -> JudgeCard:
    """A judge's standing: the difference it saw and the one without its known errors, what it was asked, and its figures.

    Figures that have parts of their own are left to the JSON report; the sentences say what follows from them.
    """
    figures = standing.figures if isinstance(standing.figures, Mapping) else {}
    facts = [*_corrected(report, standing), *_asked(report, standing.metric)]
    facts += [
        Fact(printable_name(str(key).replace("_", " ")), _plain(value))
        for key, value in figures.items()
        if not isinstance(value, Mapping | list | tuple)
    ]
    return JudgeCard(
        metric=printable_name(standing.metric),
        may_gate=standing.may_gate,
        sentence=" ".join(tie(printable_line(one)) for one in standing.sentences),
        figures=tuple(facts),
    )


def _corrected(report: Report, standing: JudgeStanding) -> list[Fact]:
    total = outline.finding_at(report, standing.metric, "")
    if standing.corrected_difference is None or total is None:
        return []
    interval = ""
    if standing.corrected_low is not None and standing.corrected_high is not None:
        interval = f" [{signed_points(standing.corrected_low)}, {signed_points(standing.corrected_high)}]"
    return [
        Fact("difference as judged, points", difference_text(total)),
        Fact("with the judge's errors taken out", f"{signed_points(standing.corrected_difference)}{interval}"),
    ]


def _asked(report: Report, metric: str) -> list[Fact]:
    one = next((one for one in report.judging if one.metric == metric), None)
    if one is None:
        return []
    silent = f", {count(one.silent)} not given" if one.silent else ""
    facts = [Fact("verdicts", f"{count(one.verdicts)}{silent}"), Fact("calls", count(one.calls))]
    if one.cost_microusd is not None:
        facts.append(Fact("cost of judging", amount(one.cost_microusd, "microusd")))
    if one.preferences is not None and one.preferences.n:
        held = one.preferences
        facts.append(Fact("new preferred, tie, old preferred", f"{count(held.wins)}, {count(held.ties)}, {count(held.losses)}"))
        facts.append(Fact("verdicts that changed with the order", percent(held.inconsistent)))
    return facts


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    if value is None:
        return NONE
    if isinstance(value, str):
        return printable_name(value, 300)
    return printable_name(json.dumps(value, ensure_ascii=False), 300)


def shift_row(shift: FormatShift) -> ShiftRow:
    """One trait on both arms."""
    old, new = (
        Bar(role, place_text(100 * share), percent(share), tone)
        for role, share, tone in (("Incumbent", shift.old_share, "old"), ("Candidate", shift.new_share, "new"))
    )
    return ShiftRow(printable_name(shift.trait), old, new, count(shift.n))


def unusable_rows(report: Report) -> tuple[UnusableRow, ...]:
    """Per metric: asked, compared, and why not."""
    return tuple(
        UnusableRow(
            metric=printable_name(one.metric),
            applicable=count(one.n_applicable),
            compared=count(one.n),
            counts=tuple(
                count(n) for arm in (one.old_unusable, one.new_unusable) for n in (arm.missing, arm.errored, arm.unscored)
            ),
        )
        for one in report.totals()
    )


def counts_of(held: Mapping[str, int]) -> tuple[Fact, ...]:
    """Cases by task or by kind, largest first, bounded."""
    ordered = sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))
    facts = [Fact(printable_name(name), count(n)) for name, n in ordered[:MOST_COUNTS]]
    if len(ordered) > MOST_COUNTS:
        facts.append(Fact(f"and {count(len(ordered) - MOST_COUNTS)} more", count(sum(n for _, n in ordered[MOST_COUNTS:]))))
    return tuple(facts)


def digests_of(report: Report) -> tuple[Fact, ...]:
    """Everything that identifies what was compared and how."""
    return (
        Fact("incumbent bundle", printable_name(report.incumbent.digest), mono=True),
        Fact("candidate bundle", printable_name(report.candidate.digest), mono=True),
        Fact(f"suite {printable_name(report.suite_name)}", printable_name(report.suite), mono=True),
        *(Fact(f"scorer {printable_name(name)}", printable_name(digest), mono=True) for name, digest in report.scorers.items()),
        Fact("run", printable_name(report.run) if report.run else "compared from stored results", mono=bool(report.run)),
        Fact("judged at", printable_name(report.at)),
    )


def settings_text(report: Report) -> str:
    """The settings as JSON; a very long one is cut, and says so."""
    if report.settings is None:
        return ""
    text, left_out = shorten(printable(json.dumps(report.settings, indent=2, ensure_ascii=False, default=str)), MOST_SETTINGS)
    return f"{text}\n… ({outline.counted(left_out, 'more character')} left out)" if left_out else text
