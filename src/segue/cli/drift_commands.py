"""`segue drift`: what moved between incumbent and candidate, from shadow pairs; and taking a dimension as it is."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.exchange_commands import Moment
from segue.cli.flipping import digest_of, state_folder
from segue.cli.options import NAME, Condition, json_option
from segue.cli.papers_out import require_place, write_text
from segue.cli.replay_commands import need_extra, open_log
from segue.cli.screen import console, error_console, print_json
from segue.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from segue.drift.drift_report import DriftReport

DIMENSIONS = (
    *("failures", "contract", "refusals", "tool-calls", "format"),
    *("language", "length", "tone", "latency", "cost"),
)
"""As `segue.drift.questions` has them; written here so that help needs no numbers."""


@click.command("drift")
@click.argument("workflow", type=NAME)
@click.option("--environment", default="production", show_default=True, help="Pairs of this environment: staging for a replay.")
@click.option("--since", type=Moment(), help="Pairs from then on: 2026-11-21, 2026-11-21T10:30 (UTC), or 24h, 7d ago.")
@click.option("--slice", "where", type=Condition(), multiple=True, help="Pairs of this slice alone: task=refund.")
@click.option("--candidate", type=NAME, help="Another candidate than the one shadowed last: a label or a digest.")
@click.option("--examples", type=click.IntRange(0, 5), default=2, show_default=True, help="Pairs to show for each move.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as a page to this file.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write it as Markdown; - is standard output.")
@click.option("--keep", is_flag=True, help="Write down, as a fact of the workflow's upgrade, what moved in its shadow.")
@click.option(
    "--accept",
    type=click.Choice(DIMENSIONS),
    multiple=True,
    help="Take what moved of this dimension as it is; staging asks for that. May be given several times.",
)
@click.option("--reason", default="", help="Why it is accepted; kept with your name.")
@json_option
def drift_command(
    workflow: str,
    environment: str,
    where: tuple[tuple[str, str], ...],
    examples: int,
    html: Path | None,
    markdown: Path | None,
    keep: bool,
    accept: tuple[str, ...],
    reason: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Show what moved between the two bundles that were shadowed last: format, length, tone, latency, cost, refusals and more.

    Each move with its size, its slice, an interval corrected for all that was asked, and answers side by side.
    """
    need_extra()
    require_place(html, markdown)
    if accept and not reason.strip():
        raise click.UsageError("--accept needs a --reason, for whoever reads the log in a year.")
    from segue.controller.drift_report_examples import with_examples

    with open_desk() as desk:
        if accept:
            staged = _staged(desk, workflow)
            report = _report(desk, workflow, environment, dict(where), given) if staged is None else staged
            _accept(desk, report, accept, reason, as_json=as_json)
            return
        report = _report(desk, workflow, environment, dict(where), given) if not keep else _keep(desk, workflow, environment)
        report = with_examples(report, open_log(state_folder(desk.workspace.root)), examples)
    if html is not None:
        from segue.papers.drift_page import render_drift

        write_text(html, render_drift(report))
    if markdown is not None:
        from segue.papers.drift_markdown import render_drift_markdown

        write_text(markdown, render_drift_markdown(report))
    if as_json:
        print_json(report.as_json())
    elif markdown != Path("-"):
        from segue.papers.drift_terminal import print_drift

        print_drift(console(), report)


def _report(desk: Desk, workflow: str, environment: str, where: dict[str, str], given: dict[str, Any]) -> DriftReport:
    from segue.controller.drift_report import DriftScope, newest_scope
    from segue.controller.drift_report_shadow import open_reader

    declared = desk.workspace.load_workflow(workflow)
    screen = error_console()

    def progress(n: int) -> None:
        if screen.is_terminal and n % 5_000 == 0:
            screen.print(f"{n:,} pairs…", style="dim")

    log = open_log(state_folder(desk.workspace.root))
    reader = open_reader(desk.workspace, desk.store, log, date.fromisoformat(desk.now()[:10]), progress)
    slices = frozenset(declared.slices)
    wanted = DriftScope(workflow, environment, "", "", given["since"], None, where, slices)
    scope = newest_scope(log, wanted)
    kept = _kept(desk, workflow, environment) if scope is None and not where else None
    if kept is not None:
        return kept
    if scope is None:
        fix = f"Let a candidate shadow: segue route set {workflow} INCUMBENT --candidate CANDIDATE --shadow 100%"
        if environment != "production":
            fix = f"Replay some traffic: segue replay {workflow} --from-log --environment {environment}"
        raise NotFoundError(f"The log has no shadow pair of '{workflow}' in {environment}.", fix=fix)
    if given["candidate"] is not None:
        scope = replace(scope, candidate=digest_of(desk, workflow, given["candidate"]))
    report = reader.report(scope)
    if not report.n_pairs:
        about = f" with {' '.join(f'{name}={value}' for name, value in where.items())}" if where else ""
        raise NotFoundError(
            f"The log has no pair of these two bundles{about}.", fix="Leave an option out, or ask for a longer time."
        )
    return report


def _staged(desk: Desk, workflow: str) -> DriftReport | None:
    """What staging found last of the workflow's upgrade: what its gate asks to be accepted."""
    from segue.controller.reading import find_upgrade
    from segue.controller.staging_facts import read_result

    upgrade = find_upgrade(desk.store, workflow)
    result = None if upgrade is None else read_result(desk.store, workflow, upgrade.opening.upgrade)
    return None if result is None else result.report


def _keep(desk: Desk, workflow: str, environment: str) -> DriftReport:
    """The report of the upgrade's shadow, and the fact of it."""
    from segue.controller.drift_report_shadow import open_reader, shadow_report, write_drift
    from segue.controller.reading import read_upgrade

    upgrade = read_upgrade(desk.store, workflow, environment)
    log = open_log(state_folder(desk.workspace.root))
    reader = open_reader(desk.workspace, desk.store, log, date.fromisoformat(desk.now()[:10]))
    slices = frozenset(desk.workspace.load_workflow(workflow).slices)
    report = shadow_report(reader, upgrade, time.time_ns() / 1e9, slices)
    if report is None:
        name = upgrade.opening.upgrade
        raise NotFoundError(f"Upgrade '{name}' has not come to shadow.", fix=f"See where it is: segue status {workflow}")
    write_drift(desk.store, upgrade, report, author=desk.author, at=desk.now())
    return report


def _kept(desk: Desk, workflow: str, environment: str) -> DriftReport | None:
    """What was written down when shadow was passed, for when the log has no pairs any more."""
    from segue.controller.drift_report_shadow import read_drift
    from segue.controller.reading import find_upgrade

    upgrade = find_upgrade(desk.store, workflow, environment)
    return None if upgrade is None else read_drift(desk.store, upgrade)


def _accept(desk: Desk, report: DriftReport, dimensions: Collection[str], reason: str, *, as_json: bool) -> None:
    from segue.controller.staging_facts import accept
    from segue.controller.staging_gate import moved_questions
    from segue.drift.drift_words import TITLES

    moved = [one for one in report.dimensions if one.name in dimensions]
    for seen in moved:
        if seen.standing not in ("moved beyond", "unknown"):
            raise InputError(
                f"There is nothing to accept: {TITLES[seen.name]} has not moved beyond its limit. {seen.sentence}",
                fix=f"See what has: segue drift {report.workflow} --environment {report.environment}",
            )
    questions = {seen.name: moved_questions(report, seen.name) for seen in moved}
    for name, asked in questions.items():
        accept(desk.store, report, name, asked, reason=reason.strip(), author=desk.author, at=desk.now())
    if as_json:
        told = {name: list(asked) for name, asked in questions.items()}
        print_json({"accepted": told, "candidate": report.candidate, "by": desk.author})
        return
    for seen in moved:
        console().print(f"Accepted by {desk.author}: {seen.sentence}", markup=False, soft_wrap=True)
