"""Putting a route in force, for every command that changes one: write the revision, wait for the gateways, say how it went."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.cli.app import ERROR
from segue.cli.route_views import confirmed_as_json, labels_of, route_as_json, route_lines, serves_it, told_lines
from segue.cli.screen import console

if TYPE_CHECKING:
    from segue.cli.desk import Desk
    from segue.gateway.control import Confirmed
    from segue.model.route import Route, RouteRevision

UNREACHABLE = 13
"""All gateways that live serve a flip, and one is unreachable."""


@dataclass(frozen=True)
class Flipped:
    """A flip that was made, what the gateways said, and how long it took until the last of them had."""

    revision: RouteRevision
    confirmed: list[Confirmed]
    ms: float

    @property
    def code(self) -> int:
        """The exit code."""
        if any(not one.is_silent and not serves_it(one, self.revision) for one in self.confirmed):
            return ERROR
        return UNREACHABLE if any(one.is_silent for one in self.confirmed) else 0

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        given = {**route_as_json(self.revision), "ms": self.ms if self.confirmed else None}
        return {**given, "gateways": [confirmed_as_json(one) for one in self.confirmed]}


def make_flip(desk: Desk, route: Route, follows: int | None, reason: str) -> Flipped:
    """Put it in force, and wait for the gateways."""
    from segue.gateway.control import confirm_flip, socket_folder

    began = time.perf_counter()
    revision = desk.store.flip_route(route, follows=follows, author=desk.author, reason=reason, at=desk.now())
    confirmed = confirm_flip(desk.store, socket_folder(state_folder(desk.workspace.root)), revision)
    return Flipped(revision, confirmed, (time.perf_counter() - began) * 1e3)


def show_flip(desk: Desk, flipped: Flipped) -> None:
    """To a person."""
    screen = console()
    for line in route_lines(flipped.revision, labels_of(desk, flipped.revision.route.workflow)):
        screen.print(line, markup=False, soft_wrap=True)
    for line in told_lines(flipped.revision, flipped.confirmed, flipped.ms):
        screen.print(line, soft_wrap=True)


def state_folder(root: Path) -> Path:
    """The folder of what a workspace keeps beside its state, also where the state itself is a database elsewhere."""
    return root / ".segue"


def parse_route(body: dict[str, Any]) -> Route:
    """`InputError` with every fault of it."""
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


def digest_of(desk: Desk, workflow: str, ref: str) -> str:
    """Of a label's file as it is now, or of a stored bundle."""
    from segue.evals.catalogue import Catalogue

    catalogue = Catalogue(desk.workspace, desk.store, author=desk.author, at=desk.now())
    return catalogue.bundle(workflow, ref).bundle.digest
