"""Confirmed critical safety incidents: what people told of exchanges that the candidate answered. They wait for no block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.upgrade.log import Upgrade

MOST = 20
"""Exchanges looked up at one look; the others at the next."""


@dataclass
class Incidents:
    """Of one upgrade. An exchange that is not in the log yet is asked for again."""

    log: ExchangeLog
    _known: dict[str, bool] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)

    def of(self, upgrade: Upgrade, told: Iterable[str]) -> tuple[str, ...]:
        """One sentence for each exchange of the candidate that was told of."""
        # Those asked for least go first: names that are in no log must not crowd out one that is.
        unknown = sorted((name for name in told if name not in self._known), key=lambda name: (self._asked[name], name))
        for name in unknown[:MOST]:
            self._asked[name] += 1
            found = next(self.log.iterate(Selection(id=name), with_bodies=False), None)
            if found is None:
                continue
            one, opening = found.exchange, upgrade.opening
            self._known[name] = (
                one.workflow == opening.workflow
                and one.environment == opening.environment
                and (one.answered_by or one.bundle) == upgrade.state.candidate
                and one.at_ns >= opening.at * 1e9
            )
        return tuple(
            f"A critical safety incident was confirmed on exchange {name}, which the candidate answered."
            for name, is_candidates in sorted(self._known.items())
            if is_candidates
        )
