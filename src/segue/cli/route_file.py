"""`segue route apply`: what a file in git says of routes, put in force; and the same file written from what is in force.

A rollback is never undone by a file that was written before it: a route that was changed by another command since is left
alone until the file says the same, or somebody says `--over`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.cli.app import ERROR
from segue.cli.desk import Desk, open_desk
from segue.cli.flipping import digest_of, make_flip, parse_route, show_flip
from segue.cli.options import json_option
from segue.cli.route_views import labels_of, named
from segue.cli.screen import console, print_json
from segue.cli.shadow_cap import shadow_rule

if TYPE_CHECKING:
    from segue.errors import Fault
    from segue.model.route import Route, RouteRevision
    from segue.workspace.routes_file import RoutesFile, WrittenRoute

BY_FILE = "routes.yaml: "
"""How the reason of a revision begins that was made from a file."""


@dataclass(frozen=True)
class Change:
    """What becomes of one workflow: the route the file says, the one in force, and what differs."""

    route: Route
    last: RouteRevision | None
    lines: tuple[str, ...]


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--over", is_flag=True, help="Also over what another command has changed since.")
@click.option("--author", help="Who made the change; else SEGUE_AUTHOR or the login name.")
@click.option("--reason", default="", help="Why; kept with the revision. For example the commit.")
@json_option
def apply_command(file: Path | None, over: bool, author: str | None, reason: str, as_json: bool) -> None:
    """Put the routes of FILE (routes.yaml) in force: shows what changes, and changes nothing where it says what is.

    The whole file is checked before anything is changed. The exit code is the worst of all flips.
    """
    from segue.workspace.routes_file import FILE, read_routes

    with open_desk() as desk:
        desk = replace(desk, author=author.strip()) if author and author.strip() else desk
        path = (Path.cwd() / file) if file is not None else desk.workspace.root / FILE
        changes = list(_changes(desk, read_routes(desk.workspace.root, path), over=over))
        shown, code = [], 0
        for change in changes:
            workflow = change.route.workflow
            if not change.lines:
                assert change.last is not None, "a first route is a change"
                shown.append({"workflow": workflow, "changed": False, "revision": change.last.revision})
                if not as_json:
                    console().print(f"{workflow}: revision {change.last.revision} says the same.", markup=False, soft_wrap=True)
                continue
            follows = change.last.revision if change.last else None
            flipped = make_flip(desk, change.route, follows, f"{BY_FILE}{reason or 'applied'}")
            shown.append({"workflow": workflow, "changed": True, "diff": list(change.lines), **flipped.as_json()})
            code = ERROR if ERROR in (code, flipped.code) else code or flipped.code
            if not as_json:
                for line in change.lines:
                    console().print(f"  {line}", markup=False, soft_wrap=True)
                show_flip(desk, flipped)
        if as_json:
            print_json(shown)
    if code:
        raise click.exceptions.Exit(code)


def _changes(desk: Desk, file: RoutesFile, *, over: bool) -> Iterator[Change]:
    """What the file changes; every fault of it at once, before the first flip."""
    from segue.errors import InputError, SegueError

    found: list[Change] = []
    faults: list[Fault] = []
    for workflow, written in sorted(file.routes.items()):
        try:
            found.append(_change(desk, file.environment, workflow, written, over=over))
        except SegueError as error:
            where = f"routes.{workflow}"
            faults += [replace(one, path=f"{where}.{one.path}" if one.path else where) for one in error.faults]
    if faults:
        raise InputError.from_faults(faults, subject="the routes")
    yield from found


def _change(desk: Desk, environment: str, workflow: str, written: WrittenRoute, *, over: bool) -> Change:
    from segue.errors import ConflictError

    desk.workspace.folder(workflow)
    body: dict[str, Any] = {"workflow": workflow, "environment": environment, **written.model_dump(mode="json")}
    for name in ("incumbent", "candidate", "fallback"):
        if body[name] is not None:
            body[name] = digest_of(desk, workflow, body[name])
    if written.shadow is not None:
        shadow_rule(desk, written.shadow.share, written.shadow.usd_per_day, body["candidate"])
    history = desk.store.route_history(workflow, environment)
    last = history[0] if history else None
    route = parse_route(body).following(last.route if last else None)
    lines = tuple(_differences(route, last.route if last else None, labels_of(desk, workflow)))
    if lines and last is not None and not over and not last.reason.startswith(BY_FILE):
        by = f"Revision {last.revision} was made by {last.author} with another command ({last.reason})."
        raise ConflictError(
            f"The file would change {'; '.join(lines)}. {by}",
            fix="Take it into the file (segue route show --yaml), or put the file in force over it: segue route apply --over.",
        )
    return Change(route, last, lines)


def _differences(route: Route, last: Route | None, labels: dict[str, str]) -> Iterator[str]:
    """A line for each field that differs. Draining bundles follow from the others."""

    def told(name: str, of: Route | None) -> str:
        value = None if of is None else getattr(of, name)
        if value is None or value in ("", ()):
            return "none"
        if name == "share":
            return f"{100 * value:.4g} %"
        if name == "segments":
            return ", ".join(f"{rule.segment} {100 * rule.share:.4g} % of {dict(rule.where) or 'everyone'}" for rule in value)
        return named(value, labels) if name in ("incumbent", "candidate", "fallback") else str(value)

    for name in type(route).model_fields:
        if name in ("workflow", "environment", "draining"):
            continue
        if last is None:
            if getattr(route, name) != type(route).model_fields[name].default:
                yield f"{name}: {told(name, route)}"
        elif getattr(route, name) != getattr(last, name):
            yield f"{name}: {told(name, last)} → {told(name, route)}"


def as_file(desk: Desk, revisions: list[RouteRevision], environment: str) -> str:
    """What is in force, as the file says it: labels where there are any."""
    from segue.workspace.routes_file import RoutesFile, WrittenRoute, write_routes

    routes = {}
    for one in revisions:
        body = one.route.model_dump(mode="json", exclude={"workflow", "environment", "draining"})
        labels = labels_of(desk, one.route.workflow)
        for name in ("incumbent", "candidate", "fallback"):
            body[name] = labels.get(body[name], body[name])
        routes[one.route.workflow] = WrittenRoute.model_validate_json(WrittenRoute.model_validate(body).model_dump_json())
    return write_routes(RoutesFile(version=1, environment=environment, routes=routes))
