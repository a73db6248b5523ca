"""For how long each upgrade's route has been unconfirmed, for who looks often: what lasts a moment is no loss. One process's
memory; a new one counts from its own first look. What matters is in the log: `segue.upgrade.event` decides what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from segue.upgrade.seen import RouteSeen


@dataclass
class Confirmations:
    """By upgrade, the moment at which its route was first seen unconfirmed since it last was confirmed."""

    _since: dict[str, float] = field(default_factory=dict)

    def timed(self, upgrade: str, route: RouteSeen | None, now: float) -> RouteSeen | None:
        """The route with the time that it has been unconfirmed."""
        if route is None or route.standing != "unconfirmed":
            self._since.pop(upgrade, None)
            return route
        since = self._since.setdefault(upgrade, now)
        return replace(route, unconfirmed_s=max(0.0, now - since))
