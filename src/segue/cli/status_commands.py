"""`segue status`, `segue history`, `segue why`: where an upgrade stands, what happened to it, and on what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.named_upgrade import find_named
from segue.cli.options import NAME, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, print_json
from segue.errors import NotFoundError

if TYPE_CHECKING:
    from segue.upgrade.log import Upgrade

MOST_ENDED = 3
"""So many that ended are named where none is under way."""
all_option = click.option("--all", "whole", is_flag=True, help="Every gate, however many.")


@click.command("status")
@click.argument("workflow", type=NAME, required=False)
@environment_option
@all_option
@click.option("--watch", is_flag=True, help="Go on telling what happens, until it ends or needs a person.")
@json_option
def status_command(workflow: str | None, environment: str, whole: bool, watch: bool, as_json: bool) -> None:
    """Where the upgrade of WORKFLOW stands: stage, share, time, each gate, what happens next, who has to do what.

    Without WORKFLOW, every open upgrade of the environment. An upgrade may be named, too, also one that has ended.
    """
    from segue.cli.upgrade_opening import wall_clock
    from segue.cli.upgrade_watch import watch_upgrade
    from segue.controller.reading import read_open, read_record
    from segue.controller.views import controller_view, status_view
    from segue.papers.upgrade_terminal import controller_words, print_status, print_statuses
    from segue.upgrade.decide import where

    with open_desk() as desk:
        if workflow is not None:
            upgrade = find_named(desk, workflow, environment)
            if watch:
                watch_upgrade(desk, upgrade.opening.upgrade, environment, as_json=as_json)
                return
            view = status_view(desk.store, upgrade, wall_clock())
            if as_json:
                print_json(view.as_json())
            else:
                print_status(view, console(), whole=whole)
            return
        views = [status_view(desk.store, one, wall_clock()) for one in read_open(desk.store, environment)]
        controller = controller_view(desk.store, environment)
        last = [] if views else desk.store.list_upgrades(environment=environment, most=MOST_ENDED)
        ended = [read_record(one) for one in last]
    if as_json:
        from segue.gates.report import plain

        print_json({"environment": environment, "controller": plain(controller), "upgrades": [one.as_json() for one in views]})
        return
    screen = console()
    if len(views) == 1:
        print_status(views[0], screen, whole=whole)
        return
    if not views:
        screen.print(f"No upgrade is under way in {environment}.", markup=False)
        for upgrade in ended:
            words = f"{upgrade.opening.upgrade} ended as {where(upgrade.state)}: segue status {upgrade.opening.workflow}"
            screen.print(words, markup=False, soft_wrap=True)
        screen.print("Open one: segue upgrade WORKFLOW --candidate BUNDLE. All there were: segue upgrade list", markup=False)
    else:
        print_statuses(views, screen)
    screen.print(f"controller   {controller_words(controller, environment)}", markup=False, soft_wrap=True)


@click.command("history")
@click.argument("workflow", type=NAME)
@environment_option
@json_option
def history_command(workflow: str, environment: str, as_json: bool) -> None:
    """Everything that happened to the upgrade of WORKFLOW, oldest first: what, when, by whom, and why."""
    from segue.controller.views import history_view
    from segue.papers.upgrade_log_terminal import print_history

    with open_desk() as desk:
        view = history_view(desk.store, find_named(desk, workflow, environment))
    if as_json:
        print_json(view.as_json())
    else:
        print_history(view, console())


@click.command("why")
@click.argument("workflow", type=NAME, required=False)
@click.argument("entry", type=click.IntRange(min=0), required=False)
@environment_option
@all_option
@json_option
def why_command(workflow: str | None, entry: int | None, environment: str, whole: bool, as_json: bool) -> None:
    """One decision with the evidence it was made on: numbers, limits, sentences.

    ENTRY is its number in `segue history`; without it, the last decision that moved the upgrade. WORKFLOW may be left out
    where one upgrade alone is open.
    """
    from segue.controller.views import why_view
    from segue.papers.upgrade_log_terminal import print_why

    with open_desk() as desk:
        upgrade = find_named(desk, workflow, environment) if workflow is not None else _only_open(desk, environment)
        view = why_view(desk.store, upgrade, entry)
    if as_json:
        print_json(view.as_json())
    else:
        print_why(view, console(), whole=whole)


def _only_open(desk: Desk, environment: str) -> Upgrade:
    from segue.controller.reading import read_open

    found = read_open(desk.store, environment)
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(one.opening.workflow for one in found))
    what = f"{len(found)} upgrades are open in {environment}: {names}." if found else f"No upgrade is open in {environment}."
    raise NotFoundError(what, fix="Name the workflow: segue why WORKFLOW")
