"""`segue upgrade`: open an upgrade, and what people do to one under way. It moves by itself while a controller runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.groups import CommandGroup, no_command
from segue.cli.options import NAME, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, error_console, print_json

if TYPE_CHECKING:
    from segue.controller.actions import Admission
    from segue.upgrade.log import UpgradeEntry
    from segue.upgrade.table import Action

WAYS = (
    "no-suite",
    "aggregate-only",
    "shadow-skipped",
    "short-canary",
    "rollback-by-deploy",
    "incumbent-removed",
    "cheaper-but-worse",
    "effort-ungated",
)
"""Of `segue.workspace.plan_ways`, which the help is shown without; a test compares them."""
ABOUT = ("drift", "cases", "prompt", "process")
"""Of `segue.controller.learnings`, which the help is shown without; a test compares them."""
despite_option = click.option(
    "--despite",
    multiple=True,
    type=click.Choice(WAYS),
    metavar="WAY",
    help="Answer for this way in which upgrades go wrong, as the refusal names it; needs --reason, and goes into the log.",
)
why_option = click.option("--reason", required=True, help="Why; kept in the log, under your name.")


class UpgradeGroup(CommandGroup):
    """`segue upgrade WORKFLOW …` is `segue upgrade open WORKFLOW …`: a first word that is no command names the workflow."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and args[0] not in names:
            if len(args) > 1 and not args[1].startswith("-"):
                raise click.UsageError(no_command(args[0], names, ctx.command_path), ctx)
            args = ["open", *args]
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options before the workflow are those of `open`."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = ["open", *args]
        return super().parse_args(ctx, args)


@click.group("upgrade", cls=UpgradeGroup, subcommand_metavar="WORKFLOW --candidate BUNDLE … | COMMAND …")
def upgrade_command() -> None:
    """Upgrades: a candidate in place of the incumbent, through all stages.

    `segue upgrade WORKFLOW --candidate BUNDLE` opens one. It moves by itself while a controller runs (`segue controller`),
    and `segue status` says where it stands.
    """


@upgrade_command.command("open")
@click.argument("workflow", type=NAME)
@click.option("--candidate", type=NAME, required=True, help="The bundle that may take the incumbent's place: label or digest.")
@click.option("--plan", type=NAME, help="By which plan; left out, the only one the workflow has.")
@click.option("--reason", default="", help="Why; kept in the log, under your name.")
@despite_option
@environment_option
@click.option("--watch", is_flag=True, help="Follow it until it ends or needs a person.")
@json_option
def open_one(
    workflow: str,
    candidate: str,
    plan: str | None,
    reason: str,
    despite: tuple[str, ...],
    environment: str,
    watch: bool,
    as_json: bool,
) -> None:
    """Open an upgrade of WORKFLOW. Its plan is checked first, and kept as it is now; editing the file changes nothing later."""
    from segue.cli.upgrade_opening import Wanted, open_wanted, wall_clock
    from segue.controller.views import status_view

    with open_desk() as desk:
        at = wall_clock()
        wanted = Wanted(workflow, candidate, plan or "", reason, environment, despite)
        opened = open_wanted(desk, wanted, by=desk.author, at=at)
        view = status_view(desk.store, opened.upgrade, at)
        if as_json and not watch:
            print_json({**view.as_json(), "remarks": opened.remarks, "warnings": opened.warnings})
        elif not as_json:
            for remark in opened.remarks:
                error_console().print(remark, style="dim", markup=False, soft_wrap=True)
            for warning in opened.warnings:
                error_console().print(warning, style="yellow", markup=False, soft_wrap=True)
            _say_opened(desk, view)
        if watch:
            _follow(desk, workflow, environment, as_json=as_json)


def _say_opened(desk: Desk, view: Any) -> None:
    from segue.papers.upgrade_terminal import controller_words, print_next

    screen = console()
    head = f"Opened {view.upgrade}: {view.incumbent.name} → {view.candidate.name}, by plan {view.plan}."
    screen.print(head, markup=False, soft_wrap=True)
    print_next(view.next, screen)
    words = controller_words(view.controller, view.environment)
    screen.print(f"controller   {words}", markup=False, soft_wrap=True, style="" if view.controller.acts else "yellow")
    screen.print(f"See where it stands: segue status {view.workflow}", style="dim", markup=False, soft_wrap=True)
    assert desk.author, "the log names who opened it"


def _follow(desk: Desk, workflow: str, environment: str, *, as_json: bool) -> None:
    from segue.cli.upgrade_watch import watch_upgrade

    watch_upgrade(desk, workflow, environment, as_json=as_json)


@upgrade_command.command("list")
@click.option("--environment", help="Of this environment alone.")
@json_option
def list_all(environment: str | None, as_json: bool) -> None:
    """List all upgrades there have been, newest first."""
    from segue.cli.screen import print_table
    from segue.controller.moments import iso
    from segue.controller.reading import read_record
    from segue.papers.upgrade_words import moment
    from segue.upgrade.decide import where

    with open_desk() as desk:
        found = [read_record(one) for one in desk.store.list_upgrades(environment=environment)]
    if as_json:
        print_json(
            [
                {
                    **one.opening.model_dump(mode="json", exclude={"plan", "at"}),
                    "opened_at": iso(one.opening.at),
                    "stage": one.state.stage,
                    "standing": one.state.standing,
                    "entries": len(one.entries),
                }
                for one in found
            ]
        )
        return
    if not found:
        console().print("There has been no upgrade yet. Open one: segue upgrade WORKFLOW --candidate BUNDLE", markup=False)
        return
    rows = [
        (one.opening.upgrade, one.opening.environment, where(one.state), moment(iso(one.opening.at)), one.opening.by)
        for one in found
    ]
    print_table(console(), ("upgrade", "environment", "where", "opened", "by"), rows, fold=0)


def _do(
    ref: str,
    action: Action,
    environment: str,
    reason: str,
    candidate: str | None,
    *,
    as_json: bool,
    despite: tuple[str, ...] = (),
) -> None:
    """Act on the upgrade that `ref` means, and say what follows."""
    from segue.cli.flipping import digest_of
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.actions import act_on, warnings_of
    from segue.controller.reading import read_named, read_ref
    from segue.controller.views import history_view, status_view

    with open_desk() as desk:
        opening = read_ref(desk.store, ref, environment).opening
        digest = None if candidate is None else digest_of(desk, opening.workflow, candidate)
        at = wall_clock()
        entry = act_on(
            desk.store,
            opening.workflow,
            action,
            by=desk.author,
            reason=reason,
            at=at,
            environment=opening.environment,
            candidate=digest,
            despite=despite,
            admission=_admission(desk) if action == "replace" else None,
        )
        upgrade = read_named(desk.store, opening.upgrade)
        view = status_view(desk.store, upgrade, at)
        shown = history_view(desk.store, upgrade).entries[entry.number]
    warned = {} if action != "replace" else {"warnings": warnings_of(entry)}
    if as_json:
        from segue.gates.report import plain

        print_json({"entry": plain(shown), "status": view.as_json(), **warned})
        return
    for warning in warned.get("warnings", ()):
        error_console().print(warning, style="yellow", markup=False, soft_wrap=True)
    _say_done(entry, view)


def _admission(desk: Desk) -> Admission:
    """Who says whether another candidate may take the place of the first."""
    from segue.controller.admission import WorkspaceAdmission

    return WorkspaceAdmission(desk.workspace, desk.store)


def _say_done(entry: UpgradeEntry, view: Any) -> None:
    from segue.papers.upgrade_terminal import controller_words, print_next
    from segue.papers.upgrade_words import event_words
    from segue.upgrade.decide import where

    screen = console()
    words = f"{view.workflow}: {event_words(entry.event)} by {entry.by}, entry {entry.number}. It is in {where(entry.state)}."
    screen.print(words, markup=False, soft_wrap=True)
    print_next(view.next, screen)
    if not view.controller.acts and entry.effects:
        told = controller_words(view.controller, view.environment)
        screen.print(f"controller   {told}", markup=False, soft_wrap=True, style="yellow")


def _command(action: Action, text: str) -> None:
    """One of the commands that take a workflow and a reason."""

    @upgrade_command.command(action, help=text)
    @click.argument("workflow", type=NAME)
    @why_option
    @environment_option
    @json_option
    def run(workflow: str, reason: str, environment: str, as_json: bool) -> None:
        _do(workflow, action, environment, reason, None, as_json=as_json)


_command("advance", "Go on to the next stage or step now, with a reason, whatever is still open.")
_command("approve", "Say yes, where the plan asks you, to leaving the present stage or step.")
_command("hold", "Hold: share and stage stay as they are, and time stands, until somebody resumes.")
_command("pause", "Pause: time stands until somebody resumes. A trigger still rolls back.")
_command("resume", "Go on after a hold or a pause. What held it is taken upon you for the rest of the step, where it can be.")
_command("abort", "End an upgrade that no user has met yet. Once users have, it is rolled back: segue rollback.")


@upgrade_command.command("replace")
@click.argument("workflow", type=NAME)
@click.option("--candidate", type=NAME, required=True, help="The bundle to go on with: label or digest.")
@why_option
@despite_option
@environment_option
@json_option
def replace(workflow: str, candidate: str, reason: str, despite: tuple[str, ...], environment: str, as_json: bool) -> None:
    """Go on with another candidate, before any user meets it. What was shown of the last one counts no more.

    It has to pass what opening asks: the plan check, and what a rollback from the same model left to do.
    """
    _do(workflow, "replace", environment, reason, candidate, as_json=as_json, despite=despite)


@upgrade_command.command("learn")
@click.argument("workflow", type=NAME)
@click.argument("text")
@click.option("--about", type=click.Choice(ABOUT), required=True, help="What it is about.")
@environment_option
@json_option
def learn(workflow: str, text: str, about: str, environment: str, as_json: bool) -> None:
    """Write down what the upgrade of WORKFLOW taught, for the next team: also when all went well, and after its end.

    segue history shows it, and segue status asks for it after the end. A case that would have helped goes into the suite, too.
    """
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.learnings import record_learning
    from segue.controller.moments import iso
    from segue.controller.reading import read_ref
    from segue.gates.report import plain

    with open_desk() as desk:
        upgrade = read_ref(desk.store, workflow, environment)
        found = record_learning(desk.store, upgrade, text, about, author=desk.author, at=iso(wall_clock()))
    if as_json:
        print_json({"upgrade": upgrade.opening.upgrade, **plain(found)})
        return
    told = f"Kept with {upgrade.opening.upgrade}, by {found.by}. All of them: segue history {upgrade.opening.upgrade}"
    console().print(told, markup=False, soft_wrap=True)


_command("defer", "End it for now: not worth it, or not yet. Before shadow.")
