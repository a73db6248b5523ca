"""What is shown of routes and flips, to people and to programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.gateway.control import Confirmed
    from segue.model.route import Route, RouteRevision


def labels_of(desk: Desk, workflow: str) -> dict[str, str]:
    """Digest → label."""
    return {digest: label for label, digest in sorted(desk.store.labels(workflow).items(), reverse=True)}


def named(digest: str, labels: dict[str, str]) -> str:
    """A bundle by its label, if it has one."""
    return f"{labels[digest]} ({digest[:10]})" if digest in labels else digest[:10]


def serves_text(route: Route, labels: dict[str, str]) -> str:
    """In one line."""
    text = named(route.incumbent, labels)
    if route.candidate is not None:
        text += f", {named(route.candidate, labels)} for {100 * route.share:.4g} %"
    return text


def route_lines(revision: RouteRevision, labels: dict[str, str]) -> list[str]:
    """A route as people read it."""
    route = revision.route
    lines = [
        f"{route.workflow} in {route.environment}: revision {revision.revision}, by {revision.author} at {revision.at}"
        f" ({revision.reason})",
        f"  serves     {serves_text(route, labels)}",
    ]
    for rule in route.segments:
        where = ", ".join(f"{name}={'|'.join(values)}" for name, values in rule.where.items()) or "everyone"
        lines.append(f"  segment    {rule.segment}: candidate for {100 * rule.share:.4g} % of {where}")
    if route.shadow is not None:
        cap = "" if route.shadow.usd_per_day is None else f", at most ${route.shadow.usd_per_day:,.2f} a day"
        lines.append(f"  shadow     {100 * route.shadow.share:.4g} % of requests to the candidate{cap}")
    if route.fallback is not None:
        lines.append(f"  fallback   {named(route.fallback, labels)}")
    if route.conversations != "switch":
        left = ", ".join(named(one, labels) for one in route.draining)
        lines.append(f"  conversations {route.conversations}{f'; those begun on {left} go on with it' if left else ''}")
    return lines


def cut_off_drill(desk: Desk, revision: RouteRevision) -> tuple[str, ...]:
    """A line where a drill left this route behind."""
    from segue.controller.drilling import unfinished

    if not revision.reason.startswith("drill "):
        return ()
    left = unfinished(desk.store, revision.route.workflow, revision.route.environment)
    return () if left is None else (f"  drill      {left.sentence()}",)


def route_as_json(one: RouteRevision) -> dict[str, Any]:
    """The same for a program."""
    return {
        "revision": one.revision,
        "route": one.route.model_dump(mode="json"),
        "author": one.author,
        "reason": one.reason,
        "at": one.at,
        "digest": one.digest,
    }


def confirmed_as_json(one: Confirmed) -> dict[str, Any]:
    """What a gateway said of a flip."""
    return {
        "gateway": one.gateway,
        "ms": one.ms,
        "revision": one.revision,
        "workers": one.workers,
        "fault": one.fault,
        "silent": one.is_silent,
    }


def serves_it(one: Confirmed, revision: RouteRevision) -> bool:
    """Whether it serves this revision, or one that came after it."""
    return one.fault is None and one.revision is not None and one.revision >= revision.revision


def told_lines(revision: RouteRevision, confirmed: Sequence[Confirmed], ms: float) -> list[str]:
    """What the gateways said, a line for each."""
    if not confirmed:
        return ["[dim]No gateway of this workspace runs; one that starts serves it.[/]"]
    lines = []
    for one in confirmed:
        if one.is_silent:
            lines.append(f"[yellow]Gateway {escape(one.gateway)} is unreachable: {escape(one.fault or '')}[/]")
        elif one.fault:
            lines.append(
                f"[yellow]Gateway {escape(one.gateway)} serves revision {one.revision or 'none'}: {escape(one.fault)}[/]"
            )
        elif not serves_it(one, revision):
            lines.append(f"[yellow]Gateway {escape(one.gateway)} serves revision {one.revision or 'none'} still.[/]")
        else:
            who = "its worker serves" if one.workers == 1 else f"all {one.workers} workers serve"
            lines.append(f"[green]Gateway {escape(one.gateway)}: {who} it after {one.ms:.0f} ms.[/]")
    if len(lines) > 1 and all(serves_it(one, revision) for one in confirmed):
        lines.append(f"[green]The last of {len(lines)} gateways serves it {ms:.0f} ms after the decision.[/]")
    return lines
