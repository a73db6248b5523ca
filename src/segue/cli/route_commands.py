"""`segue route`: show, set, flip, history, apply. Every change is a revision with its author and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from segue.cli.desk import Desk, open_desk
from segue.cli.flipping import Flipped, digest_of, make_flip, parse_route, show_flip
from segue.cli.gateway_views import seen_as_json, seen_lines, serving
from segue.cli.groups import CommandGroup
from segue.cli.options import NAME, json_option
from segue.cli.route_file import apply_command, as_file
from segue.cli.route_views import cut_off_drill, labels_of, route_as_json, route_lines, serves_text
from segue.cli.screen import console, error_console, print_json, print_table
from segue.cli.shadow_cap import shadow_cap_option, shadow_rule

if TYPE_CHECKING:
    from segue.model.route import Route, RouteRevision

PRODUCTION = "production"
CONVERSATIONS = ("switch", "drain", "pin")
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


route_command.add_command(apply_command)


@route_command.command("show")
@click.argument("workflow", type=NAME, required=False)
@environment_option
@click.option("--yaml", "as_yaml", is_flag=True, help="As routes.yaml, which `segue route apply` puts in force.")
@json_option
def show(workflow: str | None, environment: str, as_yaml: bool, as_json: bool) -> None:
    """Show the route of WORKFLOW, or of all workflows."""
    with open_desk() as desk:
        if as_yaml:
            some = [desk.store.find_route(workflow, environment)] if workflow else desk.store.list_routes(environment)
            click.echo(as_file(desk, some, environment), nl=False)
            return
        found = [desk.store.find_route(workflow, environment)] if workflow else desk.store.list_routes()
        labels = {one.route.workflow: labels_of(desk, one.route.workflow) for one in found}
        gateways = desk.store.list_gateways()
        cut_off = [cut_off_drill(desk, one) for one in found]
    if as_json:
        rows = [(one, [seen_as_json(seen, one) for seen in serving(gateways, one)]) for one in found]
        print_json([{**route_as_json(one), "gateways": seen} for one, seen in rows])
        return
    screen = console()
    if not found:
        screen.print("No workflow has a route yet. Set one: segue route set WORKFLOW BUNDLE")
    for one, drill in zip(found, cut_off, strict=True):
        for line in (*route_lines(one, labels[one.route.workflow]), *drill, *seen_lines(serving(gateways, one), one)):
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
@shadow_cap_option
@click.option("--fallback", type=NAME, help="What answers where the others fail.")
@click.option(
    "--conversations",
    type=click.Choice(CONVERSATIONS),
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
        body: dict[str, Any] = {
            "workflow": workflow,
            "environment": environment,
            "incumbent": digest_of(desk, workflow, bundle),
        }
        body |= {name: given[name] for name in ("share", "conversations", "salt")}
        body["segments"] = given["segments"]
        for name in ("candidate", "fallback"):
            if given[name]:
                body[name] = digest_of(desk, workflow, given[name])
        shadow = shadow_rule(desk, given["shadow"], given["shadow_usd_per_day"], body.get("candidate"))
        if shadow is not None:
            body["shadow"] = shadow
        history = desk.store.route_history(workflow, environment)
        last = history[0] if history else None
        route = parse_route(body).following(last.route if last else None)
        _warn_of_upgrade(desk, route, last)
        _finish(desk, make_flip(desk, route, last.revision if last else None, reason or "set"), as_json)


@route_command.command("flip")
@click.argument("workflow", type=NAME)
@click.option("--share", type=Percent(), help="Another share of everyone for the candidate.")
@click.option("--back", is_flag=True, help="The incumbent for everyone: roll back.")
@click.option("--to", "bundle", type=NAME, help="This bundle for everyone, as the new incumbent.")
@click.option(
    "--conversations", type=click.Choice(CONVERSATIONS), help="Another rule; switch takes back those that go on elsewhere."
)
@environment_option
@reason_option
@json_option
def flip(workflow: str, environment: str, reason: str, as_json: bool, **given: Any) -> None:
    """Change the route of WORKFLOW that is in force; says when every gateway serves it."""
    share, back, bundle, rule = (given[name] for name in ("share", "back", "bundle", "conversations"))
    if sum((share is not None, back, bundle is not None, rule is not None)) != 1:
        raise click.UsageError("Say what to change: --share 5%, --back, --to BUNDLE, or --conversations RULE.")
    with open_desk() as desk:
        last = desk.store.find_route(workflow, environment)
        body = last.route.model_dump(mode="json")
        if back:
            route = last.route.rolled_back()
        elif bundle is not None:
            route = parse_route(_promoted(last.route, digest_of(desk, workflow, bundle)))
        elif rule is not None:
            route = parse_route({**body, "conversations": rule, "draining": [] if rule == "switch" else body["draining"]})
        else:
            route = parse_route({**body, "share": share})
        _warn_of_upgrade(desk, route, last)
        _finish(desk, make_flip(desk, route, last.revision, reason or ("rolled back" if back else "flipped")), as_json)


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
        labels = labels_of(desk, workflow)
    if as_json:
        print_json([route_as_json(one) for one in found])
        return
    rows = [(str(one.revision), one.at, one.author, serves_text(one.route, labels), one.reason) for one in found]
    print_table(console(), ["revision", "at", "by", "serves", "reason"], rows)


def _warn_of_upgrade(desk: Desk, route: Route, last: RouteRevision | None) -> None:
    """Said, and not refused: whoever changes a route by hand during an upgrade may have to."""
    from segue.controller.retiring import upgrade_left_behind

    kept = [one for one in (route.incumbent, route.candidate, route.fallback) if one is not None]
    told = upgrade_left_behind(desk.store, last, kept)
    if told is not None:
        error_console().print(told, style="yellow", markup=False, soft_wrap=True)


def _promoted(route: Route, digest: str) -> dict[str, Any]:
    """The bundle for everyone; conversations that may end where they began still find their bundle."""
    return route.rolled_back().model_copy(update={"incumbent": digest}).following(route).model_dump(mode="json")


def _finish(desk: Desk, flipped: Flipped, as_json: bool) -> None:
    """Say how it went, and leave with what it came to."""
    if as_json:
        print_json(flipped.as_json())
    else:
        show_flip(desk, flipped)
    if flipped.code:
        raise click.exceptions.Exit(flipped.code)
