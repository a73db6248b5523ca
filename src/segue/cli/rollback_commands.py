"""`segue rollback`: the incumbent for everyone, whatever else is down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segue.cli.options import NAME, json_option
from segue.cli.route_commands import environment_option
from segue.cli.screen import console, print_json

if TYPE_CHECKING:
    from segue.cli.rolling import Outcome


@click.command("rollback")
@click.argument("workflow", type=NAME)
@click.option("--reason", default="", help="Why; kept with the revision, the log of the upgrade and the incident.")
@environment_option
@json_option
def rollback_command(workflow: str, reason: str, environment: str, as_json: bool) -> None:
    """Roll WORKFLOW back: the incumbent serves everyone, at once, and nobody is shadowed.

    Needs no controller. Where the store cannot be reached, this machine's gateways are told directly, and write it into the
    store as soon as they can.
    """
    from segue.cli.desk import author
    from segue.cli.rolling import Asked, Rolling
    from segue.workspace import find_workspace

    # The clock first: what follows is time that users spend on the candidate.
    at = datetime.now(UTC).timestamp()  # noqa: TID251  the edge: it is passed on
    rolling = Rolling(Asked(find_workspace(Path.cwd()), workflow, environment, author(), reason.strip() or "rolled back", at))
    try:
        outcome = rolling.run()
        if not as_json:
            _show(outcome)
        outcome = rolling.note(outcome)
    finally:
        rolling.close()
    if as_json:
        print_json(outcome.as_json())
    else:
        _show_rest(outcome)
    if outcome.code:
        raise click.exceptions.Exit(outcome.code)


def _show(outcome: Outcome) -> None:
    """What is in force, before anything is written down."""
    from segue.cli.route_views import named, told_lines

    screen, route = console(), outcome.revision.route
    where = f"{route.workflow} in {route.environment}"
    told = "is in force for everyone" if outcome.is_new else "was in force for everyone already"
    left = ", ".join(named(one, {}) for one in route.draining)
    but = f", but for conversations begun on {left} (the route says {route.conversations})" if left else ""
    screen.print(f"{where}: {named(route.incumbent, {})} {told}{but}.", markup=False, soft_wrap=True)
    if left:
        remedy = f"To take those back, too: segue route flip {route.workflow} --conversations switch"
        screen.print(remedy, style="yellow", markup=False, soft_wrap=True)
    for line in told_lines(outcome.revision, outcome.confirmed, outcome.ms):
        screen.print(line, soft_wrap=True)
    if outcome.order is not None:
        text = f"The store does not have it yet: {outcome.fault} This machine's gateways write it there as soon as they can."
        screen.print(text, style="yellow", markup=False, soft_wrap=True)


def _show_rest(outcome: Outcome) -> None:
    """What was written down."""
    screen, done = console(), outcome.done
    for note in outcome.notes if done is None else done.notes:
        screen.print(note, style="yellow", markup=False, soft_wrap=True)
    if done is None:
        return
    if outcome.is_new or done.entry is not None:
        revision = outcome.revision
        screen.print(f"Revision {revision.revision}, by {revision.author} ({revision.reason}).", markup=False, soft_wrap=True)
    if done.entry is not None:
        entry = done.entry
        state = entry.state.stage.replace("_", " ") + (", held" if entry.state.standing == "holding" else "")
        screen.print(f"Upgrade {entry.upgrade}, entry {entry.number}: {state}.", markup=False, soft_wrap=True)
    if done.incident is not None:
        text = f"Incident {done.incident} is open: segue incident show {done.incident}"
        screen.print(text, markup=False, soft_wrap=True)
