"""`segue ready`: would a rollback work? `segue drill`: practise one."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from segue.cli.app import ERROR
from segue.cli.desk import Desk, open_desk
from segue.cli.flipping import UNREACHABLE, digest_of, state_folder
from segue.cli.options import NAME, json_option
from segue.cli.route_commands import PRODUCTION, environment_option
from segue.cli.route_views import labels_of
from segue.cli.screen import console, print_json

if TYPE_CHECKING:
    from segue.controller.drilling import DrillAsked, Drilled
    from segue.controller.readiness import Readiness
    from segue.gateway.control import Confirmed
    from segue.model.route import RouteRevision

HOLD = 11
_MARKS = {"yes": ("✓", "green"), "no": ("✗", "red"), "unknown": ("?", "yellow")}


@click.command("ready")
@click.argument("workflow", type=NAME)
@click.option(
    "--burst",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Ask the incumbent so often at once: the full load. Costs as many calls.",
)
@environment_option
@json_option
def ready_command(workflow: str, burst: int, environment: str, as_json: bool) -> None:
    """Check by doing whether a rollback of WORKFLOW would work: five questions, each yes, no or unknown.

    The incumbent is asked; its stored prompt is compared with what was served; the flip is shown; drills and the runbook
    (RUNBOOK.md, docs/RUNBOOK.md, workflows/WORKFLOW/RUNBOOK.md) are looked for. Leaves with 0 if all are yes, else with 11.
    """
    from segue.cli.upgrade_opening import wall_clock

    with open_desk() as desk:
        found = _judged(desk, workflow, environment, burst, wall_clock())
    if as_json:
        print_json(found.as_json())
    else:
        _show_boxes(found)
    if not found.is_ready:
        raise click.exceptions.Exit(HOLD)


def _judged(desk: Desk, workflow: str, environment: str, burst: int, now: float) -> Readiness:
    from segue.controller.readiness import (
        Burst,
        Readiness,
        find_revision,
        judge_answers,
        judge_drill,
        judge_flip,
        judge_prompt,
        judge_runbook,
        note_readiness,
    )
    from segue.controller.readiness_probing import ask_burst, find_last_served
    from segue.errors import SegueError

    root = desk.workspace.root
    revision = find_revision(desk.store, workflow, environment)
    served = find_last_served(state_folder(root), revision, now)
    try:
        asked = ask_burst(desk.workspace, desk.store.get_bundle(revision.route.incumbent).bundle, burst)
    except SegueError as error:
        asked = Burst(burst, 0, unasked=error.what)
    found = Readiness(
        workflow,
        environment,
        (
            judge_answers(revision, asked, served),
            judge_prompt(desk.store, revision, served),
            judge_flip(revision, labels_of(desk, workflow)),
            judge_drill(desk.store, revision, now),
            judge_runbook(root, workflow),
        ),
    )
    note_readiness(desk.store, found, by=desk.author, now=now)
    return found


def _show_boxes(found: Readiness) -> None:
    screen = console()
    for box in found.boxes:
        mark, style = _MARKS[box.answer]
        screen.print(f"{mark} {box.question}: {box.answer}", style=style, markup=False, soft_wrap=True)
        screen.print(f"  {box.reason}", markup=False, soft_wrap=True)
        if box.remedy:
            screen.print(f"  → {box.remedy}", markup=False, soft_wrap=True)
    told = "is ready" if found.is_ready else "is not ready"
    screen.print(f"{found.workflow} in {found.environment} {told} to be rolled back.", markup=False, soft_wrap=True)


@click.command("drill")
@click.argument("workflow", type=NAME)
@click.option("--environment", default="staging", show_default=True, help="Where to rehearse: one without users.")
@click.option("--holdback", is_flag=True, help="In production: 2 % of the candidate's users go back for a moment.")
@click.option("--candidate", type=NAME, help="What to roll back from; else that of the upgrade under way, or the route's.")
@json_option
def drill_command(workflow: str, environment: str, holdback: bool, candidate: str | None, as_json: bool) -> None:
    """Practise a rollback of WORKFLOW for real, and measure it; afterwards the route is as it was.

    The gateways of the environment confirm each flip. A drill that was cut off is put right by the next one.
    """
    from segue.cli.upgrade_opening import wall_clock
    from segue.controller.drilling import DrillAsked, repair, run_drill, unfinished

    if holdback and candidate:
        raise click.UsageError("On a holdback the candidate is the route's own: leave --candidate away.")
    where = PRODUCTION if holdback and environment == "staging" else environment
    if where == PRODUCTION and not holdback:
        raise click.UsageError("In production a drill is on a holdback: --holdback. A whole one belongs in staging.")
    with open_desk() as desk, _ended_like_ctrl_c():
        now = wall_clock()
        repaired = unfinished(desk.store, workflow, where)
        if repaired is not None:
            repair(desk.store, repaired, lambda one: _confirm(desk, one), by=desk.author, now=now)
        name = f"{workflow}-{secrets.token_hex(3)}"
        wanted = _candidate(desk, workflow, candidate) if not holdback else None
        asked = DrillAsked(name, workflow, where, "holdback" if holdback else "staging", desk.author, wanted)
        _check_production(desk, asked)
        done = run_drill(desk.store, asked, lambda one: _confirm(desk, one), ticks=time.perf_counter, now=now)
    if as_json:
        print_json(_as_json(done, None if repaired is None else repaired.name))
    else:
        _show_drill(done, None if repaired is None else repaired.sentence())
    if not done.ok:
        raise click.exceptions.Exit(ERROR if done.gateways else UNREACHABLE)


def _confirm(desk: Desk, revision: RouteRevision) -> list[Confirmed]:
    from segue.gateway.control import confirm_flip, socket_folder

    return confirm_flip(desk.store, socket_folder(state_folder(desk.workspace.root)), revision)


def _candidate(desk: Desk, workflow: str, named: str | None) -> str | None:
    """As named; else of the upgrade under way."""
    from segue.controller.reading import find_upgrade

    if named is not None:
        return digest_of(desk, workflow, named)
    upgrade = find_upgrade(desk.store, workflow)
    return None if upgrade is None or upgrade.state.is_ended else upgrade.state.candidate


def _check_production(desk: Desk, asked: DrillAsked) -> None:
    """On users' traffic only those drill who may lead the upgrade."""
    from segue.controller.reading import find_upgrade
    from segue.errors import InputError
    from segue.upgrade.people import names, roles_of

    upgrade = find_upgrade(desk.store, asked.workflow, asked.environment) if asked.kind == "holdback" else None
    if upgrade is None or upgrade.state.is_ended or "operator" in roles_of(upgrade.plan, asked.by):
        return
    may = names(upgrade.plan.operators)
    raise InputError(f"{asked.by} may not drill in {asked.environment}: the plan leaves it to {may}.", fix=f"Ask {may}.")


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM, too, leaves the route as it was."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_json(done: Drilled, repaired: str | None) -> dict[str, Any]:
    return {
        "drill": done.name,
        "kind": done.kind,
        "environment": done.environment,
        "ok": done.ok,
        "flip_ms": done.flip_ms,
        "rollback_ms": done.rollback_ms,
        "gateways": done.gateways,
        "faults": list(done.faults),
        "repaired": repaired,
    }


def _show_drill(done: Drilled, repaired: str | None) -> None:
    screen = console()
    if repaired is not None:
        screen.print(
            f"{repaired.split('. Put it right')[0]}. It was put right first.", style="yellow", markup=False, soft_wrap=True
        )
    for what, ms in (("to the candidate", done.flip_ms), ("back", done.rollback_ms)):
        if ms is not None:
            screen.print(f"{what}: {ms:,.0f} ms until the last of {done.gateways} confirmed", markup=False, soft_wrap=True)
    for fault in done.faults:
        screen.print(fault, style="red", markup=False, soft_wrap=True)
    told = "counts: a rollback was practised" if done.ok else "does not count"
    screen.print(f"Drill {done.name} in {done.environment} {told}. The route is as it was.", markup=False, soft_wrap=True)
