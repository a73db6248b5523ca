"""The report as one self-contained HTML page: no network, no external file, readable without its script.

Everything in a report but its figures is untrusted. Templates escape by themselves (autoescape), an undefined name is an
error, and the page forbids itself everything but its own style and script by a content security policy with their digests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from segue.gates.findings import Finding
from segue.gates.report import Arm, CauseFinding, OneAnswer, Report
from segue.model import short_id
from segue.papers import outline
from segue.papers.figures import amount, count, percent, ratio_text, signed_points
from segue.papers.flip_view import FlipView
from segue.papers.next_commands import next_commands
from segue.papers.page import ArmCard, Bar, CauseCard, Fact, OneAnswerCard, Page, ReasonRow, Tile
from segue.papers.page_amounts import amount_cards, unrecorded_words
from segue.papers.page_confidence import confidence_card
from segue.papers.page_flips import flip_section
from segue.papers.page_slices import TONES, finding_table, heat_map, interval_plots
from segue.papers.page_standing import (
    class_card,
    counts_of,
    digests_of,
    judge_card,
    settings_text,
    shift_row,
    unusable_rows,
)
from segue.papers.printable import printable_line, printable_name
from segue.papers.readable import readable
from segue.papers.scale import place_text
from segue.papers.templating import asset, environment, policy_digest
from segue.papers.ties import tie

TEMPLATE = "report.html.j2"
MOST_TILES = 4


def render_html(report: Report, flips: Sequence[FlipView] = ()) -> str:
    """The page as text (write it as UTF-8). `flips` come in the order they are to be read, the most telling first."""
    page = build_page(report, flips)
    context = {field.name: getattr(page, field.name) for field in dataclasses.fields(page)}
    style, script = asset("report.css"), asset("report.js")
    return (
        environment()
        .get_template(TEMPLATE)
        .render(
            **context,
            style=Markup(style),  # noqa: S704  our own file, and its digest is what the page's policy allows
            script=Markup(script),  # noqa: S704  as above
            style_digest=policy_digest(style),
            script_digest=policy_digest(script),
        )
    )


def build_page(report: Report, flips: Sequence[FlipView] = ()) -> Page:
    """The typed context of the templates."""
    report = readable(report)
    told = {sentence for one in report.confidence for sentence in one.sentences}
    workflow = printable_name(report.workflow)
    return Page(
        title=f"{report.outcome.capitalize()}: {workflow}, {_names(report)}",
        workflow=workflow,
        outcome=report.outcome,
        sign=outline.OUTCOME_SIGNS[report.outcome],
        headline=tie(printable_line(report.headline)),
        recommendation=report.recommendation,
        recommendation_why=tie(printable_line(report.recommendation_why)),
        arms=(_arm("Incumbent", report.incumbent), _arm("Candidate", report.candidate)),
        facts=_facts(report),
        remarks=outline.arm_remarks(report),
        tiles=_tiles(report),
        reasons=tuple(
            ReasonRow(
                outcome=one.outcome,
                sign=outline.OUTCOME_SIGNS[one.outcome],
                code=one.code,
                sentence=tie(printable_line(one.sentence)),
                next_step=tie(printable_line(one.next_step)),
            )
            for one in report.reasons
        ),
        watch=tie(printable_line(report.watch.sentence)) if report.watch else "",
        causes=tuple(_cause(report, one) for one in report.causes),
        hollow=tuple(tie(printable_line(one.sentence)) for one in report.hollow),
        one_answers=tuple(map(_one_answer, report.one_answers)),
        commands=tuple((one.line, one.purpose) for one in next_commands(report)),
        correction=tie(outline.correction_words(report, report.findings)),
        heat=heat_map(report),
        plots=interval_plots(report),
        table=finding_table(report),
        flips=flip_section(report, flips),
        amounts=amount_cards(report),
        unrecorded=unrecorded_words(report),
        classes=tuple(map(class_card, report.classes)),
        confidences=tuple(map(confidence_card, report.confidence)),
        judges=tuple(judge_card(report, one) for one in report.judges),
        shifts=tuple(map(shift_row, report.format_shifts)),
        coverage=outline.coverage_sentences(report),
        unusable=unusable_rows(report),
        by_task=counts_of(report.coverage.by_task),
        by_kind=counts_of(report.coverage.by_kind),
        notes=tuple(tie(printable_line(note)) for note in report.notes if note not in told),
        digests=digests_of(report),
        settings=settings_text(report),
    )


def _names(report: Report) -> str:
    return f"{printable_name(report.incumbent.model, 60)} → {printable_name(report.candidate.model, 60)}"


def _arm(role: str, arm: Arm) -> ArmCard:
    return ArmCard(
        role, printable_name(arm.model), printable_name(arm.label), short_id(arm.digest), printable_name(arm.provider)
    )


def _facts(report: Report) -> tuple[Fact, ...]:
    coverage = report.coverage
    return (
        Fact("cases compared", f"{count(coverage.common)} of {count(coverage.suite)}"),
        Fact("runs per case", count(coverage.repeats) if coverage.repeats else "none"),
        Fact("suite", f"{printable_name(report.suite_name, 60)} ({short_id(report.suite)})"),
        Fact("judged at", printable_name(report.at)),
    )


def _tiles(report: Report) -> tuple[Tile, ...]:
    totals = {one.metric: one for one in report.totals() if one.is_gated}
    tiles = [_rate_tile(totals[name]) for name in outline.metrics_of(report) if name in totals][:MOST_TILES]
    for one in outline.recorded_operations(report):
        if one.name not in ("latency", "cost"):
            continue
        quantile = one.unit == "ms"
        old, new = (
            amount((arm.p50.value if arm.p50 else None) if quantile else arm.mean, one.unit) for arm in (one.old, one.new)
        )
        title = outline.operation_title(one.name)
        change = "" if one.ratio is None else tie(ratio_text(one.ratio))
        tiles.append(Tile(title, "median" if quantile else "mean", old, new, change, "", "", "even"))
    return tuple(tiles)


def _rate_tile(one: Finding) -> Tile:
    return Tile(
        title=printable_name(one.metric, 40),
        role=outline.role_of(one),
        old=percent(one.old.mean),
        new=percent(one.new.mean),
        change="" if one.difference is None else tie(f"{signed_points(one.difference)} points"),
        verdict=one.verdict,
        sign=outline.VERDICT_SIGNS[one.verdict],
        tone=TONES[one.verdict],
    )


def _cause(report: Report, cause: CauseFinding) -> CauseCard:
    finding = outline.finding_at(report, cause.metric, cause.where)
    rates = [] if finding is None else [("as it stands", finding.old.mean, finding.new.mean)]
    rates.append(("repaired", cause.repaired_old, cause.repaired_new))
    bars = tuple(
        Bar(f"{role}, {name}", place_text(100 * share), percent(share), tone)
        for name, old, new in rates
        for role, share, tone in (("Incumbent", old, "old"), ("Candidate", new, "new"))
        if share is not None
    )
    says_present = f"{count(cause.n_present)} of {count(cause.n_failing)}" in cause.sentence
    says_explained = f"{count(cause.n_explained)} of {count(cause.n_failing)}" in cause.sentence
    parts = []
    if not says_present:
        parts.append(f"{count(cause.n_present)} of {outline.counted(cause.n_failing, 'newly failing output')} show it")
    if cause.explained_share is not None and cause.repaired_new is not None and not says_explained:
        parts.append(f"the repair turns {count(cause.n_explained)} of the {count(cause.n_failing)} right")
    share = "; ".join(parts)
    return CauseCard(
        title=outline.cause_title(cause),
        place=outline.cause_place(cause),
        sentence=tie(printable_line(cause.sentence)),
        share=f"{share[:1].upper()}{share[1:]}." if share else "",
        held=cause.ability_held is True,
        bars=bars,
        examples=tuple(printable_name(one) for one in cause.examples),
    )


def _one_answer(one: OneAnswer) -> OneAnswerCard:
    bars = tuple(
        Bar(f"{role}, {printable_name(one.label, 40)}", place_text(100 * share), percent(share), tone)
        for role, share, tone in (("Incumbent", one.old_share, "old"), ("Candidate", one.new_share, "new"))
    )
    return OneAnswerCard(outline.one_answer_words(one), tie(printable_line(one.sentence)), bars)
