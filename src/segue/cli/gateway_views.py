"""What is shown of gateways beside a route: which revision each serves, and what it has cut off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.model.route import RouteRevision
    from segue.store.gateways import GatewaySeen


def serving(gateways: Iterable[GatewaySeen], one: RouteRevision) -> list[GatewaySeen]:
    """Those of the route's environment."""
    return [seen for seen in gateways if seen.said.environment == one.route.environment]


def seen_lines(gateways: Sequence[GatewaySeen], one: RouteRevision) -> list[str]:
    """A line for each gateway, and one for each bundle that it has cut off."""
    lines = []
    for seen in gateways:
        said, name = seen.said, one.route.workflow
        serves = said.revisions.get(name)
        text = (
            f"  gateway    {said.name}: revision {serves or 'none'}, {_workers(said.workers)}, heard of {seen.age_s:.0f} s ago"
        )
        lines.append(f"{text}; {said.refused[name]}" if name in said.refused else text)
        for digest, count in _cut_off(seen, one).items():
            lines.append(f"             {digest[:10]} is cut off by {count} of them: it fails too often")
    return lines


def seen_as_json(seen: GatewaySeen, one: RouteRevision) -> dict[str, Any]:
    """The same for a program."""
    said, name = seen.said, one.route.workflow
    return {
        "gateway": said.name,
        "revision": said.revisions.get(name),
        "workers": said.workers,
        "fault": said.refused.get(name),
        "cut_off": _cut_off(seen, one),
        "age_s": seen.age_s,
    }


def _cut_off(seen: GatewaySeen, one: RouteRevision) -> dict[str, int]:
    return {digest: count for digest, count in seen.said.breakers.items() if digest in set(one.route.bundles())}


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"
