"""`segue show` and `segue report`: stored verdicts, their flips, and single cases."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from segue.cli.desk import Desk, open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, error_console, print_json, print_table
from segue.cli.streams import write_out
from segue.errors import NotFoundError
from segue.papers.printable import printable, printable_name

if TYPE_CHECKING:
    from segue.evals.session import Request
    from segue.gates.report import Report
    from segue.model import Exchange


@click.group("show", cls=CommandGroup)
def show_command() -> None:
    """Look closer: verdicts, flips, cases."""


@show_command.command("verdicts")
@click.argument("workflow", type=NAME)
@json_option
def verdicts(workflow: str, as_json: bool) -> None:
    """List the stored verdicts of WORKFLOW, newest first."""
    with open_desk() as desk:
        desk.workspace.folder(workflow)
        found = desk.store.list_verdicts(workflow)
    if as_json:
        print_json([{"verdict": digest, "at": at, "report": body} for digest, at, body in found])
    elif not found:
        error_console().print(f"{workflow} has no verdict yet. Make one: segue eval {workflow} --candidate LABEL")
    else:
        rows = [
            (digest[:10], at, body["outcome"], f"{body['incumbent']['label']} → {body['candidate']['label']}", body["headline"])
            for digest, at, body in found
        ]
        print_table(console(), ("verdict", "at", "outcome", "upgrade", ""), rows, fold=4)


@show_command.command("verdict")
@click.argument("workflow", type=NAME)
@click.argument("verdict", required=False, type=NAME)
@click.option("--details", is_flag=True, help="Show every slice and metric.")
@json_option
def verdict_of(workflow: str, verdict: str | None, details: bool, as_json: bool) -> None:
    """Show a stored verdict of WORKFLOW again (default: the latest)."""
    from segue.papers.terminal import print_report

    with open_desk() as desk:
        digest, report = _report(desk, workflow, verdict)
    if as_json:
        print_json({"verdict": digest, **report.as_json()})
    else:
        print_report(report, console(), details=details)


@show_command.command("flips")
@click.argument("workflow", type=NAME)
@click.option(
    "--slice", "where", multiple=True, metavar="SLICE=VALUE", help="Only flips of this slice; of several, of cases in all."
)
@click.option("--metric", type=NAME, help="Flips of this metric. Default: the first primary one.")
@click.option("--verdict", type=NAME, help="Of this verdict. Default: the latest.")
@click.option("--positive", is_flag=True, help="Wrong before, right now, instead of the other way.")
@click.option("--limit", type=click.IntRange(1, 10_000), metavar="N", default=10, show_default=True, help="How many to show.")
@json_option
def flips(
    workflow: str, where: tuple[str, ...], metric: str | None, verdict: str | None, positive: bool, limit: int, as_json: bool
) -> None:
    """Show answer flips of WORKFLOW side by side, word by word: right before, wrong now."""
    from segue.cli.evaluation import open_session
    from segue.cli.flip_views import found_flips
    from segue.gates.report import plain
    from segue.papers.terminal_flips import print_flips

    with open_desk() as desk:
        _, report = _report(desk, workflow, verdict)
        scope = open_session(desk).scope(request_of(report))
        gate = scope.question.workflow.gate
        name = metric or (gate.primary[0] if gate.primary else "")
        known = [one.name for one in scope.question.metrics if one.is_bounded]
        if name not in known:
            raise NotFoundError.naming("metric", name, known, fix=_details_of(workflow))
        slices = {one.where for one in report.findings if one.where}
        for one in where:
            if one not in slices:
                raise NotFoundError.naming("slice", one, slices, fix=_details_of(workflow))
        if not scope.has_scores(name):
            raise NotFoundError(
                f"No score of {name} as its scorer is set up now: it was changed after this verdict.",
                fix=f"Judge again: segue compare {workflow} --candidate {report.candidate.label}",
            )
        found = found_flips(scope, name, where, negative=not positive, positive=positive, most=limit)
    if as_json:
        print_json([plain(view) for view in found.views])
        return
    if not found.views:
        kind = "positive" if positive else "negative"
        error_console().print(f"No {kind} flip of {name}{' on ' + ' and '.join(where) if where else ''}.", markup=False)
        for line in _other_flips(report, workflow, name, positive=positive):
            error_console().print(line, markup=False)
        return
    print_flips(found.views, console(), most=None, n_in_all=found.n_in_all)
    if len(found.views) < found.n_in_all:
        error_console().print("--limit shows more.", style="dim")


def _other_flips(report: Report, workflow: str, metric: str, *, positive: bool) -> Iterator[str]:
    """Where there are flips of this kind, of other metrics, on all cases."""
    for one in report.findings:
        flips = one.flips.only_new if positive else one.flips.only_old
        if not one.where and one.metric != metric and flips:
            command = f"segue show flips {shlex.quote(workflow)} --metric {one.metric}" + (" --positive" if positive else "")
            yield f"There {'is 1' if flips == 1 else f'are {flips:,}'} of {one.metric}: {command}"


@show_command.command("case")
@click.argument("workflow", type=NAME)
@click.argument("case_id", type=NAME)
@click.option("--verdict", type=NAME, help="Of this verdict. Default: the latest.")
@json_option
def case_of(workflow: str, case_id: str, verdict: str | None, as_json: bool) -> None:
    """Show one case of WORKFLOW: what it asks, what is expected, and every stored answer of both arms."""
    from segue.cli.flip_views import prompt_text, reply_text, text_of
    from segue.gates.report import plain

    with open_desk() as desk:
        _, report = _report(desk, workflow, verdict)
        case = next(iter(desk.store.iter_cases(report.suite, case_ids=[case_id])), None)
        if case is None:
            known = (row.case_id for row in desk.store.iter_case_rows(report.suite))
            raise NotFoundError.naming("case", case_id, known, fix="Case ids are in the suite's file and in show flips.")
        arms: list[tuple[str, str, list[Exchange]]] = [
            (role, arm.label, list(desk.store.iter_exchanges(behaviour, case_ids=[case_id])))
            for role, arm in (("incumbent", report.incumbent), ("candidate", report.candidate))
            for behaviour in (desk.store.get_bundle(arm.digest).bundle.behaviour,)
        ]
    if as_json:
        answers = {role: [plain(one) for one in exchanges] for role, _, exchanges in arms}
        print_json({"case": case.model_dump(mode="json"), "answers": answers})
        return
    screen = console()
    slices = ", ".join(f"{name}={value}" for name, value in case.slices.items())
    screen.print(f"[bold]{escape(printable_name(case.case_id, 400))}[/]  {escape(printable_name(slices, 400))}")
    screen.print(printable(prompt_text(case)), markup=False, soft_wrap=True)
    if case.reference is not None:
        screen.print("\n[bold]expected[/]")
        screen.print(printable(text_of(case.reference)), markup=False, soft_wrap=True)
    for role, label, exchanges in arms:
        for one in exchanges:
            screen.print(f"\n[bold]{role} {escape(label)}[/], {_repeat_words(one.repeat)}")
            screen.print(printable(reply_text(one.reply) or _failure(one)), markup=False, soft_wrap=True)
        if not exchanges:
            screen.print(f"\n[bold]{role} {escape(label)}[/]: no answer is stored")


def _repeat_words(repeat: int) -> str:
    from segue.gates.tally import CONFIRMATION

    return f"repeat {repeat}" if repeat < CONFIRMATION else f"re-run {repeat - CONFIRMATION + 1} of a flip"


def _failure(exchange: Exchange) -> str:
    if exchange.failure is None:
        return "(an empty reply)"
    return f"(no reply: {exchange.failure.kind}. {exchange.failure.detail})"


@click.command("report")
@click.argument("workflow", type=NAME)
@click.argument("verdict", required=False, type=NAME)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write one self-contained HTML file.")
@click.option(
    "--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Write a summary for a pull request; - prints it."
)
@json_option
def report_command(workflow: str, verdict: str | None, html: Path | None, markdown: Path | None, as_json: bool) -> None:
    """Write a stored verdict of WORKFLOW (default: the latest) as HTML or Markdown; without either, print the Markdown."""
    from segue.cli.evaluation import open_session
    from segue.cli.papers_out import write_html, write_markdown
    from segue.papers.markdown import render_markdown

    with open_desk() as desk:
        digest, report = _report(desk, workflow, verdict)
        if html is not None:
            write_html(open_session(desk), request_of(report), report, html)
        if markdown is not None:
            write_markdown(report, markdown)
    if as_json:
        print_json({"verdict": digest, **report.as_json()})
    elif html is None and markdown is None:
        write_out(render_markdown(report).removesuffix("\n"))


def request_of(report: Report) -> Request:
    """The request that leads to the same comparison again, by digests."""
    from segue.evals.session import Request

    settings: dict[str, Any] = report.settings if isinstance(report.settings, dict) else {}
    only = tuple(f"{name}={value}" for name, values in (settings.get("only") or {}).items() for value in values)
    old, new = settings.get("incumbent_repeats"), settings.get("candidate_repeats")
    return Request(
        workflow=report.workflow,
        incumbent=report.incumbent.digest,
        candidate=report.candidate.digest,
        suite=report.suite,
        only=only,
        old_repeats=None if old is None else frozenset(old),
        new_repeats=None if new is None else frozenset(new),
    )


def _details_of(workflow: str) -> str:
    return f"All of them: segue show verdict {shlex.quote(workflow)} --details."


def _report(desk: Desk, workflow: str, verdict: str | None) -> tuple[str, Report]:
    """A stored verdict, by digest or the latest. `NotFoundError` says how to make one."""
    from segue.gates.report_reading import report_from_json

    desk.workspace.folder(workflow)
    if verdict is not None:
        try:
            digest, body = desk.store.get_verdict(verdict)
        except NotFoundError as error:
            raise NotFoundError(error.what, fix=f"See them with: segue show verdicts {shlex.quote(workflow)}.") from None
        report = report_from_json(body)
        if report.workflow != workflow:
            fix = f"Look at it with: segue show verdict {shlex.quote(report.workflow)} {shlex.quote(verdict)}."
            raise NotFoundError(f"Verdict {digest[:10]} is one of {report.workflow}, not of {workflow}.", fix=fix)
        return digest, report
    stored = desk.store.list_verdicts(workflow)
    if not stored:
        raise NotFoundError(
            f"{workflow} has no verdict yet.", fix=f"Make one: segue eval {workflow} --candidate LABEL (or segue compare)."
        )
    digest, _, body = stored[0]
    return digest, report_from_json(body)
