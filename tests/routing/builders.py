"""The smallest valid routes, so that a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from segue.model.route import Route
from segue.routing import Asked, RoutingTable

OLD, NEW, OTHER = ("a" * 64, "b" * 64, "c" * 64)
UNITS = st.text(min_size=1, max_size=30)
SHARES = st.floats(0.0, 1.0)


def a_route(**given: Any) -> Route:
    """A route of one workflow; with a share or a shadow, to a candidate."""
    asks = given.get("share") or given.get("segments") or given.get("shadow")
    return Route.model_validate({"workflow": "mail", "incumbent": OLD, **({"candidate": NEW} if asks else {}), **given})


def bundle_of(route: Route, unit: str, **attributes: str) -> str:
    """Which bundle a unit gets."""
    return RoutingTable(route).assign(Asked(unit, attributes)).bundle
