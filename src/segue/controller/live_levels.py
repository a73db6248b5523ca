"""The levels that slow answers and dear ones are held against: frozen from the incumbent's own traffic, written down once.

A level that followed the traffic would let the data choose the question. So it is worked out from what the incumbent served
before any user met the candidate, kept as a fact of the upgrade, and read from there ever after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from segue.controller.live_blocks import DAY_S, last_state
from segue.controller.live_rows import LEVELS, Floats
from segue.exchanges.query import ExchangeLog
from segue.exchanges.selection import Selection
from segue.store.upgrades import UpgradeStore
from segue.upgrade.log import Upgrade

KIND = "frozen-levels"
MEANS = 10.0
"""Cost is a share of so many times the incumbent's mean; what is dearer counts as that."""
LEAST = 200
"""Values known before a p99, or the mean of something with a heavy tail, says anything."""
BEFORE_DAYS = 7.0
"""Of the incumbent's traffic where there was no shadow."""


class Levels(Protocol):
    """Where levels are kept."""

    def get(self, upgrade: Upgrade) -> Mapping[str, float] | None:
        """Those of this upgrade, by metric; `None` while they are not written down."""
        ...

    def keep(self, upgrade: Upgrade, levels: Mapping[str, float], now: float) -> None:
        """Write them down."""
        ...


@dataclass(frozen=True)
class FactLevels:
    """As a fact of the store."""

    store: UpgradeStore
    author: str = "segue controller"

    def get(self, upgrade: Upgrade) -> Mapping[str, float] | None:
        found = self.store.newest_fact(KIND, upgrade.opening.upgrade)
        body = None if found is None else found.body
        if not isinstance(body, dict):
            return None
        return {name: float(value) for name, value in body.items() if isinstance(value, int | float)}

    def keep(self, upgrade: Upgrade, levels: Mapping[str, float], now: float) -> None:
        from segue.controller.moments import iso

        opening = upgrade.opening
        self.store.add_fact(KIND, opening.workflow, opening.upgrade, dict(levels), author=self.author, at=iso(now))


class KeptLevels:
    """In memory, for tests and rehearsals; or given beforehand."""

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        self._found: dict[str, Mapping[str, float]] = {}
        self._given = given

    def get(self, upgrade: Upgrade) -> Mapping[str, float] | None:
        return self._found.get(upgrade.opening.upgrade, self._given)

    def keep(self, upgrade: Upgrade, levels: Mapping[str, float], now: float) -> None:  # noqa: ARG002  the port's
        self._found[upgrade.opening.upgrade] = levels


def wanted_levels(upgrade: Upgrade) -> tuple[str, ...]:
    """The metrics of the plan that need one."""
    return tuple(gate.metric for gate in upgrade.plan.gates if gate.source == "served" and gate.metric in LEVELS)


def freeze(log: ExchangeLog, upgrade: Upgrade, until: float) -> dict[str, float]:
    """The levels from what the incumbent served in shadow, or in the week before; those that are known well enough."""
    opening = upgrade.opening
    shadow = last_state(upgrade, "shadow")
    since = until - BEFORE_DAYS * DAY_S if shadow is None else shadow.evidence_from
    selection = Selection(
        workflow=opening.workflow,
        environment=opening.environment,
        bundle=opening.incumbent,
        arm="incumbent",
        since_ns=int(since * 1e9),
        until_ns=int(until * 1e9),
    )
    found = {}
    columns = dict(zip(LEVELS, _values(log, selection), strict=True))
    factors = {gate.metric: gate.factor for gate in upgrade.plan.gates if gate.source == "served"}
    for metric in wanted_levels(upgrade):
        known = columns[metric]
        if len(known) >= LEAST:
            found[metric] = (
                MEANS * float(known.mean()) if metric == "cost" else factors[metric] * float(np.quantile(known, 0.99))
            )
    return {metric: level for metric, level in found.items() if level > 0}


def _values(log: ExchangeLog, selection: Selection) -> Iterator[Floats]:
    """The known values of each column that a level is of, in the order of `LEVELS`."""
    names = ", ".join(f"{name}::DOUBLE" for name in LEVELS.values())
    with log.moment() as moment, log.connect() as base:
        log.show_exchanges(base, moment, selection)
        table = base.execute(f"SELECT {names} FROM exchanges WHERE len(coalesce(tags, [])) = 0").fetchnumpy()  # noqa: S608
    for column in table.values():
        values: Floats = np.ma.filled(np.ma.asarray(column, float), np.nan)
        yield values[~np.isnan(values)]
