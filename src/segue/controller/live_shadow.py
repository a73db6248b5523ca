"""Shadow's evidence: each request on both bundles, so each pair is its own control. As `segue.simulation.shadow` bets.

Here the log says besides how much of what was served was mirrored and answered, and time counts only where all of it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from segue.controller.live_canary import name_of
from segue.controller.live_counting import Tally, lay
from segue.controller.live_feed import Due
from segue.controller.live_intervals import places_of, scale_of
from segue.controller.live_operations import Operations
from segue.controller.live_rows import INCUMBENT, SHADOW, Rows
from segue.controller.live_verdicts import Place, Shown, conclude
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.outlook import settle_pairs
from segue.evidence.sequential.paired import DIFFERENCES, start_paired
from segue.evidence.sequential.paired_sequence import PairedSequence
from segue.evidence.sequential.process import FixedProcess
from segue.evidence.sequential.sequences import Interval
from segue.evidence.sequential.verdicts import Judgement, Settlement
from segue.simulation.promotion import required_cells
from segue.simulation.setting import Setting
from segue.simulation.shadow import paired_null

DAY_S = 86_400.0
FULL = 0.99
"""Of what should have been mirrored, the part that has to have been answered for time to count."""
_NODES = DIFFERENCES.size


@dataclass
class Shadow:
    """What shadow has shown so far. `gates` are those whose metric both halves of a pair can have.

    `seen` are the pairs of each on the nodes of a difference; `places` are the gates and cells that have an interval.
    """

    setting: Setting
    alpha: float
    gates: tuple[int, ...]
    process: FixedProcess | None
    total: Tally
    operations: Operations
    seen: Array
    places: tuple[Place, ...] = ()
    sequence: PairedSequence | None = None
    pairs: int = 0
    served: int = 0
    mirrored: int = 0
    answered: int = 0
    covered_s: float = 0.0
    counting_s: float = 0.0
    blocks: int = 0
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def start(cls, setting: Setting, *, alpha: float, since: float) -> Shadow:
        """Before the first block."""
        gates = tuple(row for row, gate in enumerate(setting.gates) if setting.streams[gate.stream].in_shadow)
        total = Tally.empty(len(setting.streams), len(setting.slices), setting.scale.size)
        seen, places = np.zeros((len(gates), len(setting.slices), _NODES)), places_of(setting, gates)
        sequence = PairedSequence.start(len(places), scale=scale_of(setting, places)) if places else None
        begun = Operations(since, since)
        return cls(setting, alpha, gates, _start(setting, gates), total, begun, seen, places, sequence)

    def take(self, due: Due) -> None:
        """One block of pairs, and how much of it was covered."""
        block, rows = due.block, due.rows
        if not due.is_first or block.end <= block.begin:
            return
        self.blocks += 1
        old, new = paired(rows)
        self._cover(due, new)
        self._operate(old, new, block.end)
        self.pairs += len(old)
        if self.setting.plan.unit == "user":
            # One user's pairs depend on each other: those of the block that first saw the user count, as their mean.
            fresh = np.array([unit not in self._seen for unit in old.units.tolist()], bool)
            self._seen.update(old.units.tolist())
            old, new = old.take(fresh), new.take(fresh)
        if len(old):
            self._bet(old, new)

    def _operate(self, old: Rows, new: Rows, until: float) -> None:
        self.operations.arms[0].add(old)
        self.operations.arms[1].add(new)
        self.operations.until = until

    def _cover(self, due: Due, new: Rows) -> None:
        rows, plan = due.rows, self.setting.plan
        of_served = rows.arm == INCUMBENT
        served = int(of_served.sum())
        mirrored = int((of_served & np.array([one is not None for one in rows.pairs], bool)).sum())
        answered = int(new.answered.sum())
        self.served, self.mirrored, self.answered = self.served + served, self.mirrored + mirrored, self.answered + answered
        if not due.block.is_counting:
            return
        length = due.block.end - due.block.begin
        self.counting_s += length
        share = plan.shadow.share
        # Which requests are mirrored at a share is drawn: three standard errors fewer are no gap.
        least = share * served - 3 * sqrt(served * share * (1 - share))
        if served and mirrored and mirrored >= FULL * least and answered >= FULL * mirrored:
            self.covered_s += length

    def _bet(self, old: Rows, new: Rows) -> None:
        setting = self.setting
        units, owner = np.unique(old.units, return_inverse=True)
        if setting.plan.unit != "user":
            owner = np.arange(len(old))
        n = len(units) if setting.plan.unit == "user" else len(old)
        cells = np.zeros((n, len(setting.slices)), bool)
        cells[owner[::-1]] = old.cells[::-1]
        masses = np.zeros((len(self.gates), len(setting.slices), _NODES))
        for row, gate in enumerate(self.gates):
            stream = setting.gates[gate].stream
            masses[row] = self._count(old.values[:, stream], new.values[:, stream], owner, cells, stream)
        self.seen += masses
        if self.process is not None:
            self.process = self.process.advance(masses)
        if self.sequence is not None:
            at = [self.gates.index(gate) for gate, _ in self.places], [cell for _, cell in self.places]
            self.sequence = self.sequence.advance(masses[at])

    def _count(self, old: Array, new: Array, owner: NDArray[np.intp], cells: NDArray[np.bool_], stream: int) -> Array:
        """The masses of one stream's differences, by cell; and both halves added to the totals."""
        n = len(cells)
        both = ~np.isnan(old) & ~np.isnan(new)
        count = np.bincount(owner[both], minlength=n)
        known = count > 0
        halves = [np.bincount(owner[both], one[both], n)[known] / count[known] for one in (old, new)]
        chosen = cells[known].T.astype(float)
        for arm, bad in enumerate(halves):
            self.total.labelled[arm, stream] += cells[known].sum(0)
            self.total.asked[arm, stream] += cells.sum(0)
            self.total.matured[arm, stream] += cells.sum(0)
            self.total.sums[arm, stream] += chosen @ np.stack([np.ones(len(bad)), bad, bad * bad], -1)
        difference = halves[1] - halves[0]
        return np.asarray(chosen @ lay((1.0 + difference) / 2, np.ones(len(difference)), _NODES))

    def judgement(self) -> Judgement | None:
        """`None` where no gate can be seen in shadow."""
        if self.process is None:
            return None
        setting, g = self.setting, len(self.gates)
        log_e = self.process.log_e
        weights = setting.weights[list(self.gates)]
        weights = weights / weights.sum()
        shown = Shown(
            self.gates,
            weights,
            {"rollback": log_e[:g], "hold": log_e[g : 2 * g]},
            -log(self.alpha),
            safe=log_e[2 * g :],
            intervals=self._intervals(),
            settlements={
                (gate, cell): self._settlement(row, cell, log_e[row::g, cell], float(weights[row, cell]))
                for row, gate in enumerate(self.gates)
                for cell in setting.gates[gate].watched
            },
        )
        cells = {
            (row, cell): (self._cell(0, row, cell), self._cell(1, row, cell))
            for row in self.gates
            for cell in range(len(setting.slices))
        }
        return conclude(setting, shown, cells)

    def _intervals(self) -> dict[Place, Interval]:
        """Of the paired differences, at every look together."""
        if self.sequence is None:
            return {}
        return dict(zip(self.places, self.sequence.intervals(self.setting.plan.alpha), strict=True))

    def _settlement(self, row: int, cell: int, log_e: Array, weight: float) -> Settlement | None:
        """So many more pairs; harm is weighed among all cells, safety by itself."""
        least = -log(self.alpha)
        harm = least - log(weight) if weight else inf
        nulls = _nulls(self.setting, self.gates[row])
        return settle_pairs(self.seen[row, cell], nulls, log_e.tolist(), (harm, harm, least), self._per_day(row, cell))

    def _per_day(self, row: int, cell: int) -> float | None:
        """Pairs that were compared, of the cell."""
        lasted_s = self.operations.until - self.operations.since
        return float(self.seen[row, cell].sum()) * DAY_S / lasted_s if lasted_s >= DAY_S / 24 else None

    def _cell(self, arm: int, row: int, cell: int) -> CellStats:
        stream = self.setting.gates[row].stream
        return self.total.cell(self.total.matured[:, stream], arm, stream, cell)

    def missing(self) -> Iterator[str]:
        """What has to be shown before users may meet the candidate, in sentences."""
        setting = self.setting
        if not self.pairs:
            yield "No pair of answers has come of age yet."
        least, log_e = -log(self.alpha), None if self.process is None else self.process.log_e[2 * len(self.gates) :]
        for row, _, cells in required_cells(setting, 0):
            gate = setting.gates[row]
            if row not in self.gates:
                continue
            seen = int(gate.seen(self.total.labelled[1, gate.stream]))
            if seen < gate.wants():
                yield f"{gate.title}: {seen:,} of the {gate.wants():,} pairs that the plan asks for."
            for cell in cells:
                if log_e is None or log_e[self.gates.index(row), cell] < least:
                    pairs = int(self.total.labelled[1, gate.stream, cell])
                    limit = setting.steps[0].limits[row].words
                    where = name_of(gate.title, setting.slices[cell])
                    yield f"{where}: harm beyond {limit} is not excluded yet by {pairs:,} pairs."


def paired(rows: Rows) -> tuple[Rows, Rows]:
    """Served rows that have a shadow, and their shadows, in one order. A pair with more than two halves is none."""
    served = {
        pair: place
        for place, (pair, arm) in enumerate(zip(rows.pairs.tolist(), rows.arm.tolist(), strict=True))
        if pair is not None and arm == INCUMBENT
    }
    shadows: dict[str, int] = {}
    for place, (pair, arm) in enumerate(zip(rows.pairs.tolist(), rows.arm.tolist(), strict=True)):
        if arm == SHADOW and pair in served:
            if pair in shadows:
                del served[pair]
                continue
            shadows[pair] = place
    both = [(place, shadows[pair]) for pair, place in served.items() if pair in shadows]
    places = np.array(both, np.intp).reshape(-1, 2)
    return rows.take(places[:, 0]), rows.take(places[:, 1])


def _start(setting: Setting, gates: tuple[int, ...]) -> FixedProcess | None:
    if not gates:
        return None
    by_gate = [_nulls(setting, row) for row in gates]
    nulls = [of_gate[question] for question in range(3) for of_gate in by_gate]
    return start_paired(nulls, len(setting.slices), streams=list(range(len(gates))) * 3)


def _nulls(setting: Setting, row: int) -> tuple[Null, Null, Null]:
    """A gate's limits as differences: of rollback, of hold, and what the first step asks to exclude."""
    gate = setting.gates[row]
    safe = paired_null(gate, setting, setting.steps[0].nulls[row])
    return paired_null(gate, setting), paired_null(gate, setting, gate.rule.hold), safe
