"""A route made ready for requests, and the assignment of one.

In this order: a pin (who may use one is the gateway's to check), a conversation that stays where it began, the first segment
the request meets, the route's share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from segue.model.route import Route
from segue.routing.point import POINTS, Place, share_limit

Arm = Literal["incumbent", "candidate", "pinned", "continued"]
"""pinned and continued requests get another bundle than the one drawn for them: they are no evidence of either arm."""

EVERYONE = "everyone"


_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Asked(NamedTuple):
    """What a request says of itself. `began_on` is the bundle its conversation began on, `pin` the bundle it asks for."""

    unit: str
    attributes: Mapping[str, str] = _NO_ATTRIBUTES
    began_on: str | None = None
    pin: str | None = None


class Assigned(NamedTuple):
    """Which bundle answers, as which arm, and by which segment's rule."""

    bundle: str
    arm: Arm
    segment: str
    is_shadowed: bool = False


class _Rule(NamedTuple):
    """Whom it holds for, the share of them below `limit`, and what is said of those below and above it."""

    where: tuple[tuple[str, frozenset[str]], ...]
    limit: int
    below: Assigned
    above: Assigned
    mirrored: Assigned

    def at(self, point: int, shadow_from: int) -> Assigned:
        """What the unit at this point gets."""
        return self.below if point < self.limit else self.mirrored if point >= shadow_from else self.above


class Draw:
    """One rule of a route: which bundle a unit gets by its place."""

    __slots__ = ("_place", "_rule", "_shadow_from", "same")

    def __init__(self, rule: _Rule, shadow_from: int, place: Place) -> None:
        self._rule = rule
        self._shadow_from = shadow_from
        self._place = place
        self.same: Assigned | None = None
        """What everybody gets, where it is the same for all."""
        if rule.limit >= POINTS:
            self.same = rule.below
        elif rule.limit <= 0 and (shadow_from <= 0 or shadow_from >= POINTS):
            self.same = rule.above if shadow_from else rule.mirrored

    def of(self, unit: str) -> Assigned:
        """What this unit gets."""
        if self.same is not None:
            return self.same
        return self._rule.at(self._place.of(unit), self._shadow_from)


class RoutingTable:
    """One route, compiled. Immutable: a flip puts another table in its place."""

    __slots__ = ("_known", "_needs_point", "_place", "_rules", "_shadow_from", "_stays", "route")

    def __init__(self, route: Route) -> None:
        self.route = route
        # The name of the workflow is part of it, so that a user is not among the first in every workflow at once.
        self._place = Place(f"{route.workflow}\n{route.salt}")
        rules = [_rule(route, rule.segment, rule.share, rule.where) for rule in route.segments]
        self._rules = (*rules, _rule(route, EVERYONE, route.share, {}))
        self._known = frozenset(route.bundles())
        self._stays = frozenset(route.draining) if route.conversations != "pin" else self._known
        is_served = any((route.share, *(rule.share for rule in route.segments)))
        if not is_served and route.candidate not in (route.fallback, *route.draining):
            # Nobody's conversation began on it: to ask for it all the same takes a pin, and the permission for one.
            self._stays -= {route.candidate}
        # Counted from the other end: the units mirrored at a small share are the last that the candidate would serve.
        self._shadow_from = POINTS - (0 if route.shadow is None else share_limit(route.shadow.share))
        # A share of none or all is the same wherever a unit has its place.
        self._needs_point = any(0 < limit < POINTS for limit in (*(rule.limit for rule in self._rules), self._shadow_from))

    def assign(self, asked: Asked) -> Assigned:
        """The bundle for a request. A pin on a bundle the route does not hold is the caller's to refuse (`holds`)."""
        if asked.pin is not None and asked.pin in self._known:
            return Assigned(asked.pin, "pinned", "")
        drawn = self._draw(self._place.of(asked.unit) if self._needs_point else 0, asked.attributes)
        if asked.began_on is not None and asked.began_on != drawn.bundle and asked.began_on in self._stays:
            return Assigned(asked.began_on, "continued", "")
        return drawn

    def draw(self, attributes: Mapping[str, str]) -> Draw:
        """How a unit with these attributes is drawn, for many of them."""
        return Draw(self._rule_for(attributes), self._shadow_from, self._place)

    def _draw(self, point: int, attributes: Mapping[str, str]) -> Assigned:
        return self._rule_for(attributes).at(point, self._shadow_from)

    def _rule_for(self, attributes: Mapping[str, str]) -> _Rule:
        for rule in self._rules:
            for name, values in rule.where:
                if attributes.get(name) not in values:
                    break
            else:
                return rule
        raise AssertionError("the last rule holds for everyone")

    def holds(self, bundle: str) -> bool:
        """Whether a pin on this bundle can be served."""
        return bundle in self._known


def _rule(route: Route, segment: str, share: float, where: Mapping[str, Iterable[str]]) -> _Rule:
    above = Assigned(route.incumbent, "incumbent", segment)
    return _Rule(
        where=tuple((name, frozenset(values)) for name, values in where.items()),
        limit=0 if route.candidate is None else share_limit(share),
        below=above if route.candidate is None else Assigned(route.candidate, "candidate", segment),
        above=above,
        mirrored=Assigned(route.incumbent, "incumbent", segment, True),
    )
