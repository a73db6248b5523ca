"""`segue eval` and `segue compare`: the regression gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.app import INTERRUPTED
from segue.cli.desk import open_desk
from segue.cli.options import NAME, Money, Numbers, SignOff, json_option
from segue.cli.run_end import STOPPED, require_results, say_failures, say_spent
from segue.cli.screen import console, error_console, print_json

if TYPE_CHECKING:
    from segue.evals.session import Outcome, Request, Session


def shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """What eval and compare have in common."""
    options = (
        click.argument("workflow", type=NAME),
        click.option(
            "--candidate", required=True, type=NAME, metavar="BUNDLE", help="The bundle that may take over: label or digest."
        ),
        click.option(
            "--incumbent", type=NAME, metavar="BUNDLE", help="The bundle that serves now. Default: the workflow's incumbent."
        ),
        click.option("--suite", type=NAME, metavar="SUITE", help="Suite by name or digest. Default: the workflow's."),
        click.option("--only", multiple=True, metavar="SLICE=VALUE", help="Only these cases; may be repeated."),
        click.option(
            "--sign-off", type=SignOff(), metavar="'NAME: REASON'", help="Who signs for a cost beyond the limit, and why."
        ),
        click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write the report as one HTML file."),
        click.option("--markdown", type=click.Path(dir_okay=False, path_type=Path), help="Also write a Markdown summary."),
        click.option("--details", is_flag=True, help="Show every slice and metric."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("eval")
@shared_options
@click.option(
    "--repeats", type=click.IntRange(1, 100), metavar="N", help="Runs of each case. Default: as many as the noise asks for."
)
@click.option("--budget", type=Money(), help="Stop before this is spent, unfinished runs included; e.g. 5usd.")
def eval_command(workflow: str, repeats: int | None, budget: float | None, **options: Any) -> None:
    """Run candidate and incumbent on the suite of WORKFLOW, and judge whether the candidate may go on.

    Finished answers are kept at once: after Ctrl-C or a crash the same command goes on where it stopped.

    Exit codes: 0 pass, 10 caution, 11 hold, 12 fail; 1 could not judge, 2 wrong usage, 130 interrupted (judged on what was
    finished).
    """
    from segue.cli.evaluation import open_session, stop_on_interrupt, watching
    from segue.cli.papers_out import require_place
    from segue.evals.session import Request

    require_place(options["html"], options["markdown"])
    request = Request(workflow=workflow, repeats=repeats, budget_microusd=budget, **_request_fields(options))
    screen = error_console()
    with open_desk() as desk:
        session = open_session(desk)
        with watching(screen) as listener:
            outcome = session.evaluate(request, listener, stop=stop_on_interrupt(screen))
        code = _present(session, request, outcome, options, spent=True)
        say_failures(screen, desk.store, outcome)
        say_spent(screen, outcome)
    if outcome.stopped is not None:
        screen.print(STOPPED[outcome.stopped], style="yellow")
    raise SystemExit(INTERRUPTED if outcome.stopped == "interrupted" else code)


@click.command("compare")
@shared_options
@click.option("--incumbent-repeats", type=Numbers(), help="Only these repeats of the incumbent, for example 0 or 0-2.")
@click.option("--candidate-repeats", type=Numbers(), help="Only these repeats of the candidate.")
def compare_command(
    workflow: str, incumbent_repeats: frozenset[int] | None, candidate_repeats: frozenset[int] | None, **options: Any
) -> None:
    """Judge the stored or imported results of two bundles of WORKFLOW. No model is asked.

    Exit codes: 0 pass, 10 caution, 11 hold, 12 fail; 1 could not judge, 2 wrong usage.
    """
    from segue.cli.evaluation import open_session
    from segue.cli.papers_out import require_place
    from segue.evals.session import Listener, Request

    require_place(options["html"], options["markdown"])
    request = Request(
        workflow=workflow, old_repeats=incumbent_repeats, new_repeats=candidate_repeats, **_request_fields(options)
    )
    with open_desk() as desk:
        session = open_session(desk)
        require_results(desk.store, session.prepare(request))
        outcome = session.compare(request, Listener())
        code = _present(session, request, outcome, options)
    raise SystemExit(code)


def _request_fields(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidate": options["candidate"],
        "incumbent": options["incumbent"],
        "suite": options["suite"],
        "only": tuple(options["only"]),
        "signed_off": options["sign_off"],
    }


def _present(session: Session, request: Request, outcome: Outcome, options: dict[str, Any], *, spent: bool = False) -> int:
    """Print the report and write the files that were asked for; returns the verdict's exit code."""
    from segue.cli.papers_out import write_html, write_markdown
    from segue.gates.verdict import EXIT_CODES
    from segue.papers.terminal import print_report

    if options["html"] is not None:
        write_html(session, request, outcome.report, options["html"])
    if options["markdown"] is not None:
        write_markdown(outcome.report, options["markdown"])
    if options["as_json"]:
        bill = {"spent": outcome.spent.as_json(), "spent_before": outcome.earlier.as_json()} if spent else {}
        print_json({"verdict": outcome.verdict, **bill, **outcome.report.as_json()})
    else:
        print_report(outcome.report, console(), details=options["details"])
    return EXIT_CODES[outcome.report.outcome]
