"""The page's slices: heat map, interval plots and the table of all findings."""

from __future__ import annotations

from segue.gates.findings import Finding
from segue.gates.report import Report
from segue.gates.verdict import SliceVerdict
from segue.papers import outline
from segue.papers.figures import (
    NONE,
    count,
    difference_text,
    p_adjusted,
    p_short,
    percent,
    percent_bare,
    points,
    signed_points,
)
from segue.papers.page import (
    FindingRow,
    FindingTable,
    HeatCell,
    HeatColumn,
    HeatMap,
    HeatRow,
    IntervalPlot,
    IntervalRow,
    Sortable,
)
from segue.papers.printable import printable_line, printable_name
from segue.papers.scale import GainScale, place_text
from segue.papers.ties import tie

MOST_HEAT_ROWS = 120
MOST_HEAT_COLUMNS = 16
MOST_PLOT_ROWS = 60
MOST_PLOTS = 8
MOST_TABLE_ROWS = 1_000

TONES: dict[SliceVerdict, str] = {"worse": "worse", "inconclusive": "unknown", "not worse": "even", "better": "better"}
HEAT_STEPS = (0.02, 0.05, 0.10)
"""Gains from which a cell of the heat map takes the next shade."""
BETTER_WORDS = {"higher": "more is better", "lower": "less is better"}

HEADS = (
    "cases",
    "old %",
    "new %",
    "difference",
    "interval",
    "b",
    "c",
    "flip rate %",
    "p",
    "p adj",
    "margin",
    "needs",
    "re-run",
)
"""Heads of the table's figures; `b` and `c` are cases only the old, only the new one got right."""


def heat_map(report: Report) -> HeatMap | None:
    """Slices × metrics; the total first, then slices by dimension. Beyond its bounds the worst slices stay."""
    if not report.findings:
        return None
    metrics = outline.metrics_of(report)
    shown_metrics = metrics[:MOST_HEAT_COLUMNS]
    by_place = {(one.metric, one.where): one for one in report.findings}
    wheres = list(dict.fromkeys(one.where for one in outline.sort_worst_first(report.findings) if not one.is_total))
    kept = sorted(wheres[:MOST_HEAT_ROWS], key=lambda where: (where.partition("=")[0], where))
    rows = []
    dimension = None
    for where in ("", *kept):
        cells = tuple(_heat_cell(by_place.get((metric, where))) for metric in shown_metrics)
        name = where.partition("=")[0]
        rows.append(
            HeatRow(
                where=outline.where_words(where),
                is_total=not where,
                is_critical=any(one.is_critical for metric in metrics if (one := by_place.get((metric, where)))),
                opens=printable_name(name) if where and name != dimension else "",
                cells=cells,
            )
        )
        dimension = name if where else None
    columns = tuple(HeatColumn(printable_name(metric), *_role_and_better(report, metric)) for metric in shown_metrics)
    left_out = [
        f"{outline.counted(n, noun)} left out; the table and the JSON report hold them"
        for n, noun in ((len(wheres) - len(kept), "more slice"), (len(metrics) - len(shown_metrics), "more metric"))
        if n > 0
    ]
    return HeatMap(columns, tuple(rows), ". ".join(left_out))


def _role_and_better(report: Report, metric: str) -> tuple[str, str]:
    one = next(one for one in report.findings if one.metric == metric)
    return outline.role_of(one), BETTER_WORDS[one.better_is]


def _heat_cell(one: Finding | None) -> HeatCell:
    if one is None:
        return HeatCell("", "none", "", "not asked here", "", "")
    detail = f"{percent(one.old.mean)} → {percent(one.new.mean)}, {outline.verdict_words(one)}"
    return HeatCell(
        text=signed_points(one.gain),
        tone=_heat_tone(one),
        sign=outline.VERDICT_SIGNS[one.verdict],
        verdict=one.verdict,
        n=count(one.n),
        detail=detail,
    )


def _heat_tone(one: Finding) -> str:
    if one.gain is None:
        return "none"
    step = sum(abs(one.gain) >= edge for edge in HEAT_STEPS)
    if not step:
        return "z"
    return f"{'b' if one.gain > 0 else 'w'}{step}"


def interval_plots(report: Report) -> tuple[IntervalPlot, ...]:
    """One plot per gated metric (of all metrics where none gates), the primary ones open."""
    gated = {one.metric for one in report.findings if one.is_gated}
    metrics = [metric for metric in outline.metrics_of(report) if metric in gated or not gated]
    return tuple(_plot(report, metric, is_open=not index) for index, metric in enumerate(metrics[:MOST_PLOTS]))


def _plot(report: Report, metric: str, *, is_open: bool) -> IntervalPlot:
    total = [one for one in report.totals() if one.metric == metric]
    slices = outline.sort_worst_first(report.slices_of(metric))
    shown, left_out = [*total, *slices[:MOST_PLOT_ROWS]], slices[MOST_PLOT_ROWS:]
    reach = [end for one in shown for end in (gain_interval(one) or ())] + [-one.margin for one in shown]
    scale = GainScale.over(reach)
    role, better = _role_and_better(report, metric)
    return IntervalPlot(
        metric=printable_name(metric),
        role=role,
        better=better,
        is_open=is_open or role == "primary",
        zero_x=place_text(scale.at(0.0)),
        ticks=scale.ticks(less_is_better=any(one.better_is == "lower" for one in shown)),
        rows=tuple(_interval_row(one, scale) for one in shown),
        left_out=outline.left_out_words(left_out),
    )


def gain_interval(one: Finding) -> tuple[float, float] | None:
    """The interval around the gain: that of the difference, turned round where less is better."""
    if one.interval is None:
        return None
    low, high = one.interval
    return (low, high) if one.better_is == "higher" else (-high, -low)


def _interval_row(one: Finding, scale: GainScale) -> IntervalRow:
    interval = gain_interval(one)
    x = "" if one.gain is None else place_text(scale.at(one.gain))
    x1, x2 = ("", "") if interval is None else (place_text(scale.at(interval[0])), place_text(scale.at(interval[1])))
    return IntervalRow(
        where=outline.where_words(one.where),
        is_total=one.is_total,
        is_critical=one.is_critical,
        margin_x=place_text(scale.at(-one.margin)),
        x=x,
        x1=x1,
        x2=x2,
        value=signed_points(one.difference),
        interval=_interval_text(one),
        n=tie(outline.counted(one.n, "case")),
        verdict=one.verdict,
        sign=outline.VERDICT_SIGNS[one.verdict],
        tone=TONES[one.verdict],
        needs="" if one.needed is None else f"needs {outline.counted(one.needed, 'case')}",
    )


def _interval_text(one: Finding) -> str:
    return difference_text(one).partition(" ")[2].strip("[]") if one.interval is not None else ""


def finding_table(report: Report) -> FindingTable | None:
    """All findings, worst first, gated metrics before those that are only shown."""
    if not report.findings:
        return None
    ordered = sorted(outline.sort_worst_first(report.findings), key=lambda one: not one.is_gated)
    shown, left_out = ordered[:MOST_TABLE_ROWS], ordered[MOST_TABLE_ROWS:]
    return FindingTable(
        heads=HEADS,
        rows=tuple(_finding_row(one) for one in shown),
        metrics=tuple(map(printable_name, outline.metrics_of(report))),
        verdicts=tuple(verdict for verdict in outline.VERDICTS_WORST_FIRST if any(one.verdict == verdict for one in shown)),
        left_out=outline.left_out_words(left_out),
    )


def _finding_row(one: Finding) -> FindingRow:
    flips = one.flips
    p = p_adjusted(one)
    rerun = f"{one.confirmed} of {one.rerun}" if one.rerun else ""
    return FindingRow(
        metric=printable_name(one.metric),
        where=outline.where_words(one.where),
        is_total=one.is_total,
        is_critical=one.is_critical,
        role=outline.role_of(one),
        verdict=one.verdict,
        rank=outline.VERDICTS_WORST_FIRST.index(one.verdict),
        sign=outline.VERDICT_SIGNS[one.verdict],
        tone=TONES[one.verdict],
        cells=(
            Sortable(count(one.n), str(one.n)),
            _sortable(percent_bare(one.old.mean), one.old.mean),
            _sortable(percent_bare(one.new.mean), one.new.mean),
            _sortable(signed_points(one.difference), one.difference),
            _sortable(_interval_text(one), None if one.interval is None else one.interval[0]),
            Sortable(count(flips.only_old), str(flips.only_old)),
            Sortable(count(flips.only_new), str(flips.only_new)),
            _sortable(percent_bare(flips.negative_flip_rate), flips.negative_flip_rate),
            _sortable(p_short(one.p if one.n else None), one.log10_p if one.n else None),
            _sortable(p_short(p), p),
            _sortable(points(one.margin).removesuffix(" points"), one.margin),
            _sortable("" if one.needed is None else count(one.needed), one.needed),
            _sortable(rerun, one.confirmed if one.rerun else None),
        ),
        note=printable_line(one.note),
    )


def _sortable(text: str, value: float | None) -> Sortable:
    return Sortable(text, "" if value is None else f"{value:.6g}") if text else Sortable(NONE, "")
