"""Those whom an earlier step took to the candidate, while another segment's step goes on: watched for harm, and nothing else.

They have another share than the step's own, so they are another comparison, with evidence of its own. What they show lets no
step be left; harm among them rolls back as harm anywhere does. It decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

import numpy as np

from segue.controller.live_counting import Tally
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.grid import Grid, Outcomes
from segue.simulation.setting import Setting

SHARE = 0.1
"""Of the evidence of harm, for all of them together, where a plan has such steps: the step's own has the rest, and takes 3 %
more outcomes for it. An average of e-values with weights fixed beforehand is one, so the bound stays what it is."""


@dataclass
class Members:
    """By segment, the evidence of harm among its members, and how many met the candidate; their labels, all together."""

    grids: dict[str, Grid]
    total: Tally
    exposed: Array
    met: dict[str, int]

    @classmethod
    def start(cls, setting: Setting, names: tuple[str, ...]) -> Members:
        """Before the first block, of the segments that are beside any step of the plan."""
        cells = len(setting.slices)
        rules = [replace(gate.rule, safe=()) for gate in setting.gates]
        empty = replace(Grid.start(rules, setting.slices[1:]), weights=setting.weights)
        total = Tally.empty(len(setting.streams), cells, setting.scale.size)
        return cls(dict.fromkeys(names, empty), total, np.zeros((2, cells)), dict.fromkeys(names, 0))

    def meet(self, name: str, exposed: Array) -> None:
        """More of them were served for the first time."""
        self.exposed = self.exposed + exposed
        self.met[name] += int(exposed[1, 0])

    def bet(self, name: str, tally: Tally, outcomes: Outcomes, *, close: bool) -> None:
        """Outcomes of one segment that came of age."""
        self.total += tally
        self.grids[name] = self.grids[name].advance(outcomes, close=close)

    def with_harm_of(self, grid: Grid) -> tuple[Array, Array]:
        """Evidence of harm beyond the rollback and the hold limits, among the step's own or among any of these."""
        if not self.grids:
            return grid.harm_log_e
        weighed = [(1.0 - SHARE, grid.harm_log_e), *((SHARE / len(self.grids), one.harm_log_e) for one in self.grids.values())]
        rollback, hold = (np.logaddexp.reduce([log(weight) + found[place] for weight, found in weighed]) for place in (0, 1))
        return rollback, hold
