"""A route made ready for requests, and the assignment of one.

In this order: a pin (who may use one is the gateway's to check), a conversation that stays where it began, the first segment
the request meets, the route's share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from segue.model.route import Route
from segue.routing.point import POINTS, point_of, share_limit

Arm = Literal["incumbent", "candidate", "pinned", "continued"]
"""pinned and continued requests get another bundle than the one drawn for them: they are no evidence of either arm."""

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself. `began_on` is the bundle its conversation began on, `pin` the bundle it asks for."""

    unit: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    began_on: str | None = None
    pin: str | None = None


class Assigned(NamedTuple):
    """Which bundle answers, as which arm, and by which segment's rule. `point` is the unit's, from 0 to 2⁶⁴ − 1."""

    bundle: str
    arm: Arm
    segment: str
    point: int
    is_shadowed: bool = False


class _Rule(NamedTuple):
    segment: str
    where: tuple[tuple[str, frozenset[str]], ...]
    limit: int


class RoutingTable:
    """One route, compiled. Immutable: a flip puts another table in its place."""

    __slots__ = ("_known", "_limit", "_rules", "_salt", "_shadow_limit", "_stays", "route")

    def __init__(self, route: Route) -> None:
        self.route = route
        # The name of the workflow is part of it, so that a user is not among the first in every workflow at once.
        self._salt = f"{route.workflow}\n{route.salt}"
        self._limit = share_limit(route.share)
        self._rules = tuple(
            _Rule(
                rule.segment,
                tuple((name, frozenset(values)) for name, values in rule.where.items()),
                share_limit(rule.share),
            )
            for rule in route.segments
        )
        self._known = frozenset(route.bundles())
        self._stays = frozenset(route.draining) if route.conversations != "pin" else self._known
        self._shadow_limit = 0 if route.shadow is None else share_limit(route.shadow.share)

    def assign(self, asked: Asked) -> Assigned:
        """The bundle for a request. A pin on a bundle the route does not hold is the caller's to refuse (`holds`)."""
        point = point_of(self._salt, asked.unit)
        drawn = self._draw(point, asked.attributes)
        if asked.pin is not None and asked.pin in self._known:
            return Assigned(asked.pin, "pinned", "", point)
        if asked.began_on is not None and asked.began_on != drawn.bundle and asked.began_on in self._stays:
            return Assigned(asked.began_on, "continued", "", point)
        return drawn

    def _draw(self, point: int, attributes: Mapping[str, str]) -> Assigned:
        segment, limit = EVERYONE, self._limit
        for named, where, its_limit in self._rules:
            for name, values in where:
                if attributes.get(name) not in values:
                    break
            else:
                segment, limit = named, its_limit
                break
        route = self.route
        if route.candidate is not None and point < limit:
            return Assigned(route.candidate, "candidate", segment, point)
        # Counted from the other end: the units mirrored at a small share are the last that the candidate would serve.
        return Assigned(route.incumbent, "incumbent", segment, point, point >= POINTS - self._shadow_limit)

    def holds(self, bundle: str) -> bool:
        """Whether a pin on this bundle can be served."""
        return bundle in self._known
