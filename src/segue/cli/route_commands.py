"""`segue route`: show, set, flip, history. Every change is a revision with its author and reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from segue.cli.app import ERROR
from segue.cli.desk import Desk, open_desk
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.screen import console, print_json, print_table

if TYPE_CHECKING:
    from segue.gateway.control import Confirmed
    from segue.model.route import Route, RouteRevision

PRODUCTION = "production"
environment_option = click.option("--environment", default=PRODUCTION, show_default=True, help="Which environment's route.")
reason_option = click.option("--reason", default="", help="Why; kept with the revision.")


class Percent(click.ParamType[float]):
    """A share, as people write it: `5%`, `0.05`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
        except ValueError:
            share = -1.0
        if not 0.0 <= share <= 1.0:
            self.fail(f"{text[:40]!r} is no share. Write it as 5% or 0.05.", param, ctx)
        return share


class Segment(click.ParamType[dict[str, Any]]):
    """`NAME:SHARE[:attribute=value|value,…]`, such as `internal:100%:staff=yes`."""

    name = "segment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        name, _, rest = str(value).partition(":")
        share, _, where = rest.partition(":")
        conditions: dict[str, list[str]] = {}
        for part in filter(None, (one.strip() for one in where.split(","))):
            attribute, equals, values = part.partition("=")
            if not equals or not attribute or not values:
                self.fail(f"{part[:60]!r} is no attribute=value.", param, ctx)
            conditions[attribute] = values.split("|")
        if not name or not share:
            self.fail(f"{str(value)[:60]!r} is no segment. For example: internal:100%:staff=yes", param, ctx)
        return {"segment": name, "share": Percent().convert(share, param, ctx), "where": conditions}


@click.group("route", cls=CommandGroup)
def route_command() -> None:
    """Routes: which bundle serves which share of which segment. Changing one is a flip, never a deploy."""


@route_command.command("show")
@click.argument("workflow", type=NAME, required=False)
@environment_option
@json_option
def show(workflow: str | None, environment: str, as_json: bool) -> None:
    """Show the route of WORKFLOW, or of all workflows."""
    with open_desk() as desk:
        found = [desk.store.find_route(workflow, environment)] if workflow else desk.store.list_routes()
        labels = {one.route.workflow: _labels(desk, one.route.workflow) for one in found}
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    screen = console()
    if not found:
        screen.print("No workflow has a route yet. Set one: segue route set WORKFLOW BUNDLE")
    for one in found:
        for line in _lines(one, labels[one.route.workflow]):
            screen.print(line, markup=False, soft_wrap=True)


@route_command.command("set")
@click.argument("workflow", type=NAME)
@click.argument("bundle", type=NAME)
@click.option("--candidate", type=NAME, help="The bundle that may take its place.")
@click.option("--share", type=Percent(), default=0.0, help="Of everyone, for the candidate: 5%.")
@click.option(
    "--segment", "segments", type=Segment(), multiple=True, help="NAME:SHARE:attribute=value; the first one met decides."
)
@click.option("--shadow", type=Percent(), help="Mirror this share of requests to the candidate.")
@click.option("--fallback", type=NAME, help="What answers where the others fail.")
@click.option(
    "--conversations",
    type=click.Choice(["switch", "drain", "pin"]),
    default="switch",
    show_default=True,
    help="What becomes of conversations on a bundle that no longer serves.",
)
@click.option("--salt", default="", help="Draws other first users; keep it through an upgrade.")
@environment_option
@reason_option
@json_option
def set_route(workflow: str, bundle: str, environment: str, reason: str, as_json: bool, **given: Any) -> None:
    """Put a route in force on which BUNDLE serves WORKFLOW. BUNDLE is a label or a digest."""
    with open_desk() as desk:
        body: dict[str, Any] = {"workflow": workflow, "environment": environment, "incumbent": _digest(desk, workflow, bundle)}
        body |= {name: given[name] for name in ("share", "conversations", "salt")}
        body["segments"] = given["segments"]
        for name in ("candidate", "fallback"):
            if given[name]:
                body[name] = _digest(desk, workflow, given[name])
        if given["shadow"]:
            body["shadow"] = {"share": given["shadow"]}
        history = desk.store.route_history(workflow, environment)
        _flip(desk, _parsed(body), history[0].revision if history else None, reason or "set", as_json)


@route_command.command("flip")
@click.argument("workflow", type=NAME)
@click.option("--share", type=Percent(), help="Another share of everyone for the candidate.")
@click.option("--back", is_flag=True, help="The incumbent for everyone: roll back.")
@click.option("--to", "bundle", type=NAME, help="This bundle for everyone, as the new incumbent.")
@environment_option
@reason_option
@json_option
def flip(
    workflow: str, share: float | None, back: bool, bundle: str | None, environment: str, reason: str, as_json: bool
) -> None:
    """Change the route of WORKFLOW that is in force; says when every gateway serves it."""
    if sum((share is not None, back, bundle is not None)) != 1:
        raise click.UsageError("Say what to change: --share 5%, --back, or --to BUNDLE.")
    with open_desk() as desk:
        last = desk.store.find_route(workflow, environment)
        body = last.route.model_dump(mode="json")
        if back:
            route = last.route.rolled_back()
        elif bundle is not None:
            route = _parsed(_promoted(last.route, _digest(desk, workflow, bundle)))
        else:
            route = _parsed({**body, "share": share})
        _flip(desk, route, last.revision, reason or ("rolled back" if back else "flipped"), as_json)


@route_command.command("history")
@click.argument("workflow", type=NAME)
@environment_option
@json_option
def history(workflow: str, environment: str, as_json: bool) -> None:
    """List the revisions of a route, newest first."""
    with open_desk() as desk:
        found = desk.store.route_history(workflow, environment)
        if not found:
            desk.store.find_route(workflow, environment)
        labels = _labels(desk, workflow)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    rows = [(str(one.revision), one.at, one.author, _serves(one.route, labels), one.reason) for one in found]
    print_table(console(), ["revision", "at", "by", "serves", "reason"], rows)


def _promoted(route: Route, digest: str) -> dict[str, Any]:
    """The bundle for everyone; conversations that may end where they began still find their bundle."""
    body = route.rolled_back().model_dump(mode="json")
    if route.conversations != "switch":
        begun = dict.fromkeys([*body["draining"], route.incumbent])
        body["draining"] = [one for one in begun if one != digest]
    return {**body, "incumbent": digest}


def _flip(desk: Desk, route: Route, follows: int | None, reason: str, as_json: bool) -> None:
    """Put it in force, tell the gateways of this machine, and say what they say."""
    from segue.gateway.control import socket_folder, sync_gateways

    revision = desk.store.flip_route(route, follows=follows, author=desk.author, reason=reason, at=desk.now())
    confirmed = sync_gateways(socket_folder(state_folder(desk.workspace.root)), route.workflow, route.environment)
    missing = [one for one in confirmed if one.fault or one.revision != revision.revision]
    if as_json:
        print_json({**_as_json(revision), "gateways": [_confirmed_json(one) for one in confirmed]})
    else:
        screen = console()
        for line in _lines(revision, _labels(desk, route.workflow)):
            screen.print(line, markup=False, soft_wrap=True)
        for line in _told(revision, confirmed):
            screen.print(line, soft_wrap=True)
    if missing:
        raise click.exceptions.Exit(ERROR)


def state_folder(root: Path) -> Path:
    """The folder of what a workspace keeps beside its state, also where the state itself is a database elsewhere."""
    return root / ".segue"


def _told(revision: RouteRevision, confirmed: Sequence[Confirmed]) -> list[str]:
    if not confirmed:
        return ["[dim]No gateway of this workspace runs here; one that starts serves it.[/]"]
    lines = []
    for one in confirmed:
        if one.fault:
            lines.append(
                f"[yellow]Gateway {escape(one.gateway)} serves revision {one.revision or 'none'}: {escape(one.fault)}[/]"
            )
        elif one.revision != revision.revision:
            lines.append(f"[yellow]Gateway {escape(one.gateway)} serves revision {one.revision or 'none'} still.[/]")
        else:
            lines.append(f"[green]Gateway {escape(one.gateway)}: all {one.workers} workers serve it after {one.ms:.0f} ms.[/]")
    return lines


def _parsed(body: dict[str, Any]) -> Route:
    from pydantic import ValidationError

    from segue.errors import Fault, InputError
    from segue.model.route import Route

    try:
        return Route.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        told = [str(one["msg"]).removeprefix("Value error, ") for one in found]
        faults = [
            Fault(what=f"{text[:1].upper()}{text[1:]}.", fix=_remedy(text), path=".".join(map(str, one["loc"])) or None)
            for text, one in zip(told, found, strict=True)
        ]
        raise InputError.from_faults(faults, subject="the route") from None


def _remedy(told: str) -> str:
    return "Name it: --candidate BUNDLE." if "needs a candidate" in told else "Change the options: segue route set --help."


def _digest(desk: Desk, workflow: str, ref: str) -> str:
    """Of a label's file as it is now, or of a stored bundle."""
    from segue.evals.catalogue import Catalogue

    catalogue = Catalogue(desk.workspace, desk.store, author=desk.author, at=desk.now())
    return catalogue.bundle(workflow, ref).bundle.digest


def _labels(desk: Desk, workflow: str) -> dict[str, str]:
    """Digest → label."""
    return {digest: label for label, digest in sorted(desk.store.labels(workflow).items(), reverse=True)}


def _named(digest: str, labels: dict[str, str]) -> str:
    return f"{labels[digest]} ({digest[:10]})" if digest in labels else digest[:10]


def _serves(route: Route, labels: dict[str, str]) -> str:
    """In one line."""
    text = _named(route.incumbent, labels)
    if route.candidate is not None:
        text += f", {_named(route.candidate, labels)} for {100 * route.share:.4g} %"
    return text


def _lines(revision: RouteRevision, labels: dict[str, str]) -> list[str]:
    route = revision.route
    lines = [
        f"{route.workflow} in {route.environment}: revision {revision.revision}, by {revision.author} at {revision.at}"
        f" ({revision.reason})",
        f"  serves     {_serves(route, labels)}",
    ]
    for rule in route.segments:
        where = ", ".join(f"{name}={'|'.join(values)}" for name, values in rule.where.items()) or "everyone"
        lines.append(f"  segment    {rule.segment}: candidate for {100 * rule.share:.4g} % of {where}")
    if route.shadow is not None:
        lines.append(f"  shadow     {100 * route.shadow.share:.4g} % of requests to the candidate")
    if route.fallback is not None:
        lines.append(f"  fallback   {_named(route.fallback, labels)}")
    if route.conversations != "switch":
        lines.append(f"  conversations {route.conversations}")
    return lines


def _as_json(one: RouteRevision) -> dict[str, Any]:
    return {
        "revision": one.revision,
        "route": one.route.model_dump(mode="json"),
        "author": one.author,
        "reason": one.reason,
        "at": one.at,
        "digest": one.digest,
    }


def _confirmed_json(one: Confirmed) -> dict[str, Any]:
    return {"gateway": one.gateway, "ms": one.ms, "revision": one.revision, "workers": one.workers, "fault": one.fault}
