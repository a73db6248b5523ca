"""What people see of a soak beside its verdict: the incumbent's rate, an interval, and what would settle each cell. Pure.

With a holdback the candidate is compared with it; without one, with the level that the canary recorded, whose own error is in
the interval. Where nothing was recorded there is nothing to compare with, and nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from segue.controller.live_intervals import Intervals, places_of
from segue.controller.live_verdicts import Place
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.outlook import level_growth, settled_after
from segue.evidence.sequential.process import PRIOR_WEIGHT, Memory
from segue.evidence.sequential.sequences import Interval, rate_interval
from segue.evidence.sequential.verdicts import Limit, Settlement
from segue.evidence.sequential.wald import growth_rate
from segue.simulation.setting import Setting
from segue.simulation.soak import recorded_level

DAY_S = 86_400.0


@dataclass
class Beside:
    """`cells` are the incumbent's and the candidate's totals; of a recorded level, what it was recorded from.

    `levels` is the rate that the detectors take for the incumbent's, higher by what its own error may be.
    """

    setting: Setting
    cells: dict[Place, tuple[CellStats, CellStats]]
    lasted_s: float
    levels: dict[Place, float] = field(default_factory=dict)

    def record(self, gates: tuple[int, ...], memory: Memory) -> None:
        """The recorded level of these gates, in the place of a live control."""
        level = recorded_level(memory)
        for row, gate in enumerate(gates):
            for cell in range(level.shape[-1]):
                sums = Sums(*(float(one[row, cell]) for one in (memory.n, memory.total, memory.squares)))
                # What was known before the canary stands in for no outcome.
                n = int(sums.n) if sums.n > PRIOR_WEIGHT else 0
                if n:
                    self.levels[gate, cell] = float(level[row, cell])
                    self.cells[gate, cell] = (CellStats(n, n, n, n, (), sums, sums), self.cells[gate, cell][1])

    def intervals(self, live: Intervals | None, alpha: float) -> dict[Place, Interval]:
        """Of the differences, of the totals and of what has to be safe."""
        if live is not None:
            return dict(zip(live.places, live.sequence.intervals(alpha), strict=True))
        return {place: self._from_level(place, alpha) for place in places_of(self.setting) if place in self.levels}

    def _from_level(self, place: Place, alpha: float) -> Interval:
        """Two intervals of one rate each, at half of α: the level has an error as well."""
        old, new = (rate_interval(one.units.total, one.units.n, alpha / 2) for one in self.cells[place])
        if old.low is None or old.high is None or new.low is None or new.high is None:
            return Interval(None, None)
        return Interval(new.low - old.high, new.high - old.low)

    def settlements(self, beyond: Mapping[Limit, Array]) -> dict[Place, Settlement | None]:
        """How many outcomes would show harm, at the rates seen so far. `beyond` is how far above its threshold each cell is."""
        return {place: self._settlement(place, beyond) for place in self._comparable()}

    def _comparable(self) -> Iterator[Place]:
        for place, (old, new) in self.cells.items():
            if old.labelled and new.labelled and self.setting.weights[place] > 0:
                yield place

    def _settlement(self, place: Place, beyond: Mapping[Limit, Array]) -> Settlement | None:
        old, new = self.cells[place]
        control, candidate = old.units.mean, new.units.mean
        if control is None or candidate is None:
            return None
        level, rule = self.levels.get(place, control), self.setting.gates[place[0]].rule
        is_past = candidate > rule.rollback.ratio * level + rule.rollback.margin
        limit: Limit = "rollback" if is_past else "hold"
        null = rule.rollback if is_past else rule.hold
        if place in self.levels:
            growth = level_growth(null, level=level, candidate=candidate)
        else:
            growth = growth_rate(null, control=control, candidate=candidate, ratio=old.units.n / new.units.n)
        left = -float(beyond[limit][place] + np.log(self.setting.weights[place]))
        daily = new.labelled / (self.lasted_s / DAY_S) if self.lasted_s >= DAY_S / 24 else None
        return settled_after(null, growth, max(left, 0.0), daily)
