"""What is told of workflows whose newest route cannot be served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segue.gateway.target import Plane
from segue.gateway.telemetry.lines import Happened


def refusals_told(before: Mapping[str, str], plane: Plane) -> Iterator[Happened]:
    """What cannot be served since the plane before, which refused `before`, and what can again."""
    new = {name: reason for name, reason in plane.refused.items() if before.get(name) != reason}
    for line in refused_lines(plane.numbers(), new):
        yield Happened("route_refused", line, "error")
    for name in sorted(before.keys() - plane.refused.keys()):
        text = f"The newest route of '{name}' is served again."
        yield Happened("route_accepted", text, "warning", {"workflow": name})


def refused_lines(revisions: Mapping[str, int], refused: Mapping[str, str]) -> list[str]:
    """What is said of workflows whose newest route cannot be served."""
    return [
        f"The newest route of '{name}' cannot be served: {reason} "
        + (f"Revision {revisions[name]} is served on." if name in revisions else "Requests for it get an error.")
        for name, reason in sorted(refused.items())
    ]
