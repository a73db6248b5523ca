"""`segue incident`: what was rolled back, why, and what is left to record before a new attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.flipping import state_folder
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, print_json, print_table

if TYPE_CHECKING:
    from segue.controller.incidents import Incident, NotedCase


class CaseRef(click.ParamType[tuple[str, str]]):
    """`SUITE/CASE_ID`."""

    name = "suite/case"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        suite, _, case_id = str(value).partition("/")
        if not suite or not case_id:
            self.fail(f"{str(value)[:80]!r} is no SUITE/CASE_ID. For example: main/refund-after-90-days", param, ctx)
        return suite, case_id


@click.group("incident", cls=CommandGroup)
def incident_command() -> None:
    """Incidents: opened by every rollback, closed by a root cause, an action and a new regression case."""


@incident_command.command("list")
@click.argument("workflow", type=NAME, required=False)
@json_option
def list_command(workflow: str | None, as_json: bool) -> None:
    """List incidents, newest first."""
    from segue.controller.incidents import list_incidents

    with open_desk() as desk:
        found = list_incidents(desk.store, workflow)
    if as_json:
        print_json([one.as_json() for one in found])
        return
    if not found:
        console().print("Nothing was rolled back yet.")
        return
    rows = [(one.name, one.at, str(one.body.get("event", "")).replace("_", " "), one.model, _left(one)) for one in found]
    print_table(console(), ("incident", "opened", "event", "model", "left to do"), rows)


@incident_command.command("show")
@click.argument("incident", type=NAME)
@click.option("--md", "as_markdown", is_flag=True, help="The report as Markdown.")
@json_option
def show_command(incident: str, as_markdown: bool, as_json: bool) -> None:
    """Show INCIDENT, or the last one of a workflow: trigger, timeline, figures at the decision, who met the candidate."""
    from segue.controller.incident_paper import incident_markdown
    from segue.controller.incidents import get_incident

    with open_desk() as desk:
        found = get_incident(desk.store, incident)
        exposed = None if found.body.get("exposed") is not None else _counted(desk, found)
    if as_json:
        print_json({**found.as_json(), "exposed": found.body.get("exposed") if exposed is None else exposed})
        return
    if as_markdown:
        click.echo(incident_markdown(found, exposed=exposed), nl=False)
        return
    _show(found, exposed)


@incident_command.command("note")
@click.argument("incident", type=NAME)
@click.option("--root-cause", default="", help="Why it happened.")
@click.option("--action", default="", help="What was done about it.")
@click.option("--case", type=CaseRef(), help="SUITE/CASE_ID of a new regression case that would have caught it.")
@json_option
def note_command(incident: str, root_cause: str, action: str, case: tuple[str, str] | None, as_json: bool) -> None:
    """Record what was found out about INCIDENT, and done. A new attempt with the same model waits for all three."""
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.admission import suite_reader
    from segue.controller.incidents import NotedCase, get_incident, note_incident

    with open_desk() as desk:
        found = get_incident(desk.store, incident)
        noted: NotedCase | None = None if case is None else NotedCase(*case)
        reader = suite_reader(desk.workspace, found.workflow)
        given: dict[str, Any] = {"root_cause": root_cause, "action": action, "case": noted, "cases": reader}
        found = note_incident(desk.store, found, **given, by=desk.author, now=wall_clock())
    if as_json:
        print_json(found.as_json())
        return
    left = found.missing()
    told = (
        f"Left to do: {'; '.join(left)}."
        if left
        else f"Nothing is left to do; {found.workflow} may be upgraded to {found.model}."
    )
    console().print(f"Noted on {found.name}. {told}", markup=False, soft_wrap=True)


def _left(incident: Incident) -> str:
    return "; ".join(incident.missing()) or "nothing"


def _counted(desk: Desk, incident: Incident) -> int | None:
    """Units that the candidate answered, by the exchange log of this machine; `None` where that cannot be read."""
    from segue.controller.exposure import count_exposed
    from segue.errors import SegueError

    try:
        return count_exposed(state_folder(desk.workspace.root), incident)
    except (SegueError, ImportError):
        return None


def _show(incident: Incident, exposed: int | None) -> None:
    screen, body = console(), incident.body
    met = body.get("exposed") if exposed is None else exposed
    lines = [
        f"{incident.name}: {incident.workflow} in {body.get('environment')}, opened {incident.at}",
        f"  event      {str(body.get('event', '')).replace('_', ' ')}, by {body.get('by') or 'segue'}, in {body.get('stage')}",
        *(f"  because    {one}" for one in body.get("because") or ()),
        f"  candidate  {str(body.get('candidate'))[:10]} (model {incident.model or 'unknown'})",
        f"  met it     {'unknown' if met is None else f'{met:,}'}",
        f"  root cause {incident.root_cause or 'not recorded'}",
        f"  action     {incident.action or 'not recorded'}",
        f"  cases      {', '.join(f'{one.suite}/{one.case_id}' for one in incident.cases) or 'not recorded'}",
        *(
            f"  {one.get('at')}  {str(one.get('what')).replace('_', ' ')}, by {one.get('by')}: {one.get('why')}"
            for one in _timeline(body)
        ),
    ]
    for line in lines:
        screen.print(line, markup=False, soft_wrap=True)


def _timeline(body: Any) -> list[dict[str, Any]]:
    return [one for one in body.get("timeline") or () if isinstance(one, dict)]
