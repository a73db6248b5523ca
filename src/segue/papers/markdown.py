"""The report as Markdown, for a pull request: the verdict and its reasons in view, the rest folded. At most 65,000 characters.

Names are untrusted. They are escaped so that they can neither break a table nor become markup, a mention, a link or an
issue's number; `segue.papers.markdown_text` does that.
"""

from __future__ import annotations

from segue.gates.findings import Finding
from segue.gates.report import Report
from segue.model import short_id
from segue.papers import outline
from segue.papers.figures import amount, count, difference_text, p_adjusted, p_short, percent, ratio_text
from segue.papers.markdown_text import code, plain, table
from segue.papers.next_commands import next_commands
from segue.papers.readable import readable

LIMIT = 65_000
"""Characters a comment may hold (GitHub allows 65,536)."""
MOST_SLICES_IN_VIEW = 12
MOST_REASONS_IN_VIEW = 12
MOST_CAUSES = 5
MOST_ROWS = 250
LEFT_OUT = "The rest is left out, since this text would be too long. The HTML and JSON reports hold all of it."
OUTCOME_WORDS = {"pass": "Pass", "caution": "Caution", "hold": "Hold", "fail": "Fail"}
HEADS = ("where", "n", "old", "new", "difference", "b/c", "p adj", "verdict")
RIGHT = frozenset({"n", "old", "new", "b/c", "p adj"})


def render_markdown(report: Report) -> str:
    """The summary. Folded tables shrink, then whole parts go from the end, until it fits; what is left out is said."""
    report = readable(report)
    parts: list[str] = []
    for most_rows in (MOST_ROWS, 80, 25, 10):
        parts = [part for part in _parts(report, most_rows) if part]
        if _length(parts) <= LIMIT:
            return "\n\n".join(parts) + "\n"
    while _length([*parts, LEFT_OUT]) > LIMIT:
        parts.pop()
    return "\n\n".join([*parts, LEFT_OUT]) + "\n"


def _length(parts: list[str]) -> int:
    return sum(len(part) + 2 for part in parts)


def _parts(report: Report, most_rows: int) -> tuple[str, ...]:
    return (
        _head(report),
        _reasons(report, MOST_REASONS_IN_VIEW),
        _causes(report),
        f"**Watch** {plain(report.watch.sentence)}" if report.watch else "",
        _slices(report),
        _operations(report),
        "**Coverage** " + " ".join(map(plain, outline.coverage_sentences(report))),
        _next(report),
        _digests(report),
        _folded("All reasons", _reasons(report, most_rows)) if len(report.reasons) > MOST_REASONS_IN_VIEW else "",
        _standing(report, most_rows),
        _all_findings(report, most_rows),
    )


def _head(report: Report) -> str:
    sign = outline.OUTCOME_SIGNS[report.outcome]
    arms = f"{plain(outline.arm_words(report.incumbent))} → {plain(outline.arm_words(report.candidate))}"
    lines = [
        f"## {sign} {OUTCOME_WORDS[report.outcome]}: {plain(report.headline)}",
        "",
        f"{code(report.workflow)}: {arms}, {outline.counted(report.n_cases, 'case')} of suite {code(report.suite_name)}.",
    ]
    lines += [plain(remark) for remark in outline.arm_remarks(report)]
    lines += ["", f"**Recommendation: {report.recommendation}.** {plain(report.recommendation_why)}"]
    return "\n".join(lines)


def _reasons(report: Report, most: int) -> str:
    lines = []
    for reason in report.reasons[:most]:
        step = f" → {plain(reason.next_step)}" if reason.next_step else ""
        lines.append(f"- {outline.OUTCOME_SIGNS[reason.outcome]} **{reason.outcome}** {plain(reason.sentence)}{step}")
    if len(report.reasons) > most:
        lines.append(f"- and {outline.counted(len(report.reasons) - most, 'more reason')}")
    return "\n".join(lines)


def _causes(report: Report) -> str:
    lines = []
    for cause in report.causes[:MOST_CAUSES]:
        repair = outline.cause_repair(cause, outline.finding_at(report, cause.metric, cause.where))
        title = f"**{outline.cause_title(cause)}** ({plain(outline.cause_place(cause))})"
        lines.append(f"{title}. {plain(cause.sentence)} {plain(repair)}".strip())
    lines += [f"**{plain(outline.one_answer_words(one))}**. {plain(one.sentence)}" for one in report.one_answers[:MOST_CAUSES]]
    if len(report.causes) > MOST_CAUSES:
        lines.append(f"And {outline.counted(len(report.causes) - MOST_CAUSES, 'more cause')}.")
    return "\n\n".join(lines)


def _slices(report: Report) -> str:
    """Totals of the gated metrics, and the worst slices."""
    totals = {one.metric: one for one in report.totals()}
    metrics = [name for name in outline.metrics_of(report) if name in totals]
    gated = [name for name in metrics if totals[name].is_gated] or metrics
    slices = outline.sort_worst_first(
        one for one in report.findings if not one.is_total and (one.is_primary or (one.is_gated and one.verdict == "worse"))
    )
    rows = [_row(totals[name], f"**{plain(name)}**") for name in gated[:8]]
    usual = gated[0] if gated else ""
    for one in slices[:MOST_SLICES_IN_VIEW]:
        metric = "" if one.metric == usual else f" · {plain(one.metric)}"
        rows.append(_row(one, f"{'◆ ' if one.is_critical else ''}{code(one.where)}{metric}"))
    if not rows:
        return "No metric was judged, so there is nothing to tabulate."
    left_out = outline.left_out_words(slices[MOST_SLICES_IN_VIEW:]).removeprefix("and ")
    legend = "Differences in points. b/c: cases only the old, only the new bundle got right. p adj: Holm, one-sided."
    if any(one.is_critical for one in slices[:MOST_SLICES_IN_VIEW]):
        legend = f"◆ critical. {legend}"
    shown = [*(totals[name] for name in gated[:8]), *slices[:MOST_SLICES_IN_VIEW]]
    legend = f"{legend} {plain(outline.correction_words(report, shown))}".rstrip()
    note = f"<sub>{legend}{f' Not shown: {left_out}.' if left_out else ''}</sub>"
    notes = "".join(f"\n- {plain(words)}" for one in shown if (words := outline.note_words(one)))
    return f"{table(HEADS, rows, right=RIGHT)}\n\n{note}" + (f"\n{notes}" if notes else "")


def _row(one: Finding, label: str) -> tuple[str, ...]:
    verdict = f"{outline.VERDICT_SIGNS[one.verdict]} {outline.verdict_words(one)}"
    return (
        label,
        count(one.n),
        percent(one.old.mean),
        percent(one.new.mean),
        difference_text(one),
        f"{one.flips.only_old}/{one.flips.only_new}",
        p_short(p_adjusted(one)),
        f"**{verdict}**" if one.verdict == "worse" else verdict,
    )


def _all_findings(report: Report, most: int) -> str:
    ordered = sorted(outline.sort_worst_first(report.findings), key=lambda one: not one.is_gated)
    if not ordered:
        return ""
    shown, left_out = ordered[:most], ordered[most:]
    rows = [(plain(one.metric), *_row(one, code(one.where) if one.where else "all cases")) for one in shown]
    more = f"\n\n{plain(outline.left_out_words(left_out).capitalize())}." if left_out else ""
    title = f"All findings ({count(len(ordered))})"
    return _folded(title, table(("metric", *HEADS), rows, right=RIGHT) + more)


def _operations(report: Report) -> str:
    operations = outline.recorded_operations(report)
    if not operations:
        return ""
    rows = []
    for one in operations[:12]:
        for name, old, new, ratio in (
            ("p50", one.old.p50, one.new.p50, one.ratio if one.unit == "ms" else None),
            ("p95", one.old.p95, one.new.p95, one.ratio_p95),
        ):
            was, now = (None if quantile is None else quantile.value for quantile in (old, new))
            rows.append((f"{plain(outline.operation_title(one.name))} {name}", *_amounts(was, now, one.unit), _ratio(ratio)))
        means = _amounts(one.old.mean, one.new.mean, one.unit)
        mean_ratio = one.ratio if one.unit != "ms" else None
        rows.append((f"{plain(outline.operation_title(one.name))} mean", *means, _ratio(mean_ratio)))
    extremes = [f"{outline.operation_title(one.name)}: {words}" for one in operations if (words := outline.extremes_words(one))]
    usual = [
        f"**{plain(outline.operation_title(one.name))}** {plain(outline.operation_words(one))}"
        for one in operations
        if one.name in ("latency", "cost", "output_tokens")
    ]
    heads = ("", "old", "new", "new / old")
    detail = [table(heads, rows, right=frozenset(heads[1:])), *map(plain, extremes)]
    return "\n\n".join([*usual, _folded("Latency, cost and tokens", "\n\n".join(detail))])


def _amounts(old: float | None, new: float | None, unit: str) -> tuple[str, str]:
    return plain(amount(old, unit)), plain(amount(new, unit))


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else ratio_text(ratio)


def _standing(report: Report, most: int) -> str:
    """Hollow rises, judges, the form of outputs, and notes."""
    lines = [f"- Hollow rise: {plain(one.sentence)}" for one in report.hollow]
    lines += [f"- {plain(outline.judge_sentence(one))}" for one in report.judges]
    lines += [
        f"- Form: {plain(one.trait)} {percent(one.old_share)} → {percent(one.new_share)} of {outline.counted(one.n, 'output')}"
        for one in report.format_shifts
    ]
    for held in report.classes:
        for old, new in zip(held.old, held.new, strict=True):
            figures = ", ".join(
                f"{name} {percent(before)} → {percent(after)}"
                for name, before, after in (("precision", old.precision, new.precision), ("recall", old.recall, new.recall))
            )
            lines.append(f"- Class {code(old.label)} of {plain(held.metric)}: {figures}")
    lines += [f"- Note: {plain(note)}" for note in report.notes]
    if len(lines) > most:
        lines = [*lines[:most], f"- and {len(lines) - most} more"]
    return _folded("Judges, form of the outputs, classes, notes", "\n".join(lines)) if lines else ""


def _next(report: Report) -> str:
    lines = [f"{one.line}  # {one.purpose}" for one in next_commands(report)]
    longest = max((len(run) for line in lines for run in _runs_of_ticks(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(["**What next**", "", f"{fence}sh", *lines, fence])


def _runs_of_ticks(line: str) -> list[str]:
    return [run for run in "".join(sign if sign == "`" else " " for sign in line).split() if run]


def _digests(report: Report) -> str:
    names = [
        f"incumbent {code(short_id(report.incumbent.digest))}",
        f"candidate {code(short_id(report.candidate.digest))}",
        f"suite {code(short_id(report.suite))}",
    ]
    if report.run:
        names.append(f"run {code(report.run)}")
    return f"<sub>{' · '.join(names)} · {plain(report.at)}</sub>"


def _folded(title: str, body: str) -> str:
    """A part that opens on a click. Blank lines make the body Markdown again."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
