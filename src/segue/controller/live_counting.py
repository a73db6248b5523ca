"""Rows of one block counted into cells, as `segue.evidence.sequential.maturity` counts them, but in arrays.

The same rules: a unit belongs to its first exposure, is judged at a fixed age by the mean of what was said by then, is missing
where it was asked and said nothing, and is dropped for a metric where it was seen on the other arm meanwhile. The tests hold
the two to the same cells; here a million rows take seconds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.controller.live_rows import CANDIDATE, DRAWN_NEW, DRAWN_OLD, INCUMBENT, Floats, Rows, Truths
from segue.controller.live_told import Told, tells_by_silence
from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.ratio_test import RatioTest

Places = NDArray[np.intp]
ARMS = 2


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of every stream in every cell. Shapes: (arms, streams, cells), `masses` and the like with nodes behind.

    `sums` are n, total and squares of the units' badness.
    """

    matured: Array
    asked: Array
    labelled: Array
    masses: Array
    sums: Array

    @classmethod
    def empty(cls, streams: int, cells: int, nodes: int) -> Self:
        """Nothing counted."""
        shape = (ARMS, streams, cells)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((*shape, nodes)), np.zeros((*shape, 3)))

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in Tally.__slots__))

    def cell(self, exposed: Array, arm: int, stream: int, cell: int) -> CellStats:
        """As the evidence has it. `exposed` has the shape (arms, cells)."""
        at = (arm, stream, cell)
        total = Sums(*self.sums[at].tolist())
        labelled = int(self.labelled[at])
        return CellStats(
            int(exposed[arm, cell]),
            int(self.matured[at]),
            int(self.asked[at]),
            labelled,
            tuple(self.masses[at].tolist()) if labelled else (),
            total,
            total,
        )


@dataclass(frozen=True, slots=True)
class Units:
    """The units first exposed in a block: when, by which arm, in which cells, and the row that was."""

    at: Floats
    arm: NDArray[np.int8]
    cells: Truths
    codes: NDArray[np.int64]
    asked: Floats


@dataclass
class Counter:
    """Counts blocks in their order. `by_user`: units are users, who come back; else each request is its own unit."""

    by_user: bool
    least: Floats
    """By stream, the smallest probability with which it is sampled."""
    nodes: int
    _codes: dict[str, int] = field(default_factory=dict)
    _assigned: set[str] = field(default_factory=set)
    _open: dict[Hashable, Units] = field(default_factory=dict)

    def assigned(self, rows: Rows) -> tuple[int, int]:
        """How many units were drawn for either arm in these rows for the first time; a sticky one counts once for ever."""
        counts = [0, 0]
        seen = self._assigned
        drawn = np.where((rows.arm == CANDIDATE) | (rows.arm == DRAWN_NEW), 1, 0)
        drawn[(rows.arm != CANDIDATE) & (rows.arm != DRAWN_NEW) & (rows.arm != INCUMBENT) & (rows.arm != DRAWN_OLD)] = -1
        for unit, arm in zip(rows.units.tolist(), drawn.tolist(), strict=True):
            if arm >= 0 and unit not in seen:
                seen.add(unit)
                counts[arm] += 1
        return counts[0], counts[1]

    def open(self, rows: Rows) -> Units:
        """The units whose first exposure is in these rows, which follow those of all blocks before."""
        served = rows.take((rows.arm == INCUMBENT) | (rows.arm == CANDIDATE))
        if not self.by_user:
            return Units(served.at, served.arm, served.cells, np.arange(len(served)), served.asked)
        known = self._codes
        first, codes = [], []
        for place, unit in enumerate(served.units.tolist()):
            if unit not in known:
                known[unit] = len(known)
                first.append(place)
                codes.append(known[unit])
        chosen = served.take(np.array(first, np.intp))
        return Units(chosen.at, chosen.arm, chosen.cells, np.array(codes, np.int64), chosen.asked)

    def remember(self, name: Hashable, units: Units) -> None:
        """The units of a block, until all of its metrics were counted."""
        self._open[name] = units

    def recall(self, name: Hashable, *, forget: bool) -> Units:
        """Those of a block that was opened."""
        return self._open.pop(name) if forget else self._open[name]

    def count(self, units: Units, rows: Rows, streams: Sequence[int], age: float, told: Told) -> Tally:
        """These streams, at their age. `rows` are those served in the block; of users, those served since it began."""
        tally = Tally.empty(len(self.least), units.cells.shape[1], self.nodes)
        served = rows.take((rows.arm == INCUMBENT) | (rows.arm == CANDIDATE))
        owner, kept, is_crossed = self._owners(units, served, age)
        mine = served.take(kept)
        for stream in streams:
            total, count = _said(mine, units.at[owner], stream, age, told)
            sums, counts = np.bincount(owner, total, len(units.at)), np.bincount(owner, count, len(units.at))
            is_labelled = counts > 0
            mean = np.where(is_labelled, sums / np.where(is_labelled, counts, 1.0), np.nan)
            self._add(tally, units, stream, mean, is_labelled, ~is_crossed)
        return tally

    def _owners(self, units: Units, served: Rows, age: float) -> tuple[Places, Places, Truths]:
        """Which unit each row is of, for rows that are of one and in its time; and which units were seen on the other arm."""
        n = len(units.at)
        if not self.by_user:
            return np.arange(n), np.arange(n), np.zeros(n, bool)
        known = dict(zip(units.codes.tolist(), range(n), strict=True))
        owners = np.array([known.get(self._codes.get(unit, -1), -1) for unit in served.units.tolist()], np.intp)
        kept = np.flatnonzero(owners >= 0)
        owner, at = owners[kept], served.at[kept]
        in_time = (at >= units.at[owner]) & (at <= units.at[owner] + age)
        owner, kept = owner[in_time], kept[in_time]
        return owner, kept, np.bincount(owner, served.arm[kept] != units.arm[owner], n) > 0

    def _add(self, tally: Tally, units: Units, stream: int, mean: Floats, is_labelled: Truths, kept: Truths) -> None:
        probability = units.asked[:, stream]
        with np.errstate(invalid="ignore"):
            asked = kept & (probability >= self.least[stream] * (1 - 1e-9)) & (probability <= 1.0)
        labelled = asked & is_labelled
        weight = np.where(labelled, np.minimum(1.0, self.least[stream] / np.where(asked, probability, 1.0)), 0.0)
        bad = np.where(labelled, mean, 0.0)
        laid = lay(bad, weight, self.nodes)
        moments = np.stack([weight, weight * bad, weight * bad * bad], -1)
        for arm in range(ARMS):
            mine = units.cells & (units.arm == arm)[:, None]
            tally.matured[arm, stream] = (mine & kept[:, None]).sum(0)
            tally.asked[arm, stream] = (mine & asked[:, None]).sum(0)
            tally.labelled[arm, stream] = (mine & labelled[:, None]).sum(0)
            chosen = mine.T.astype(float)
            tally.masses[arm, stream] = chosen @ laid
            tally.sums[arm, stream] = chosen @ moments


def _said(rows: Rows, since: Floats, stream: int, age: float, told: Told) -> tuple[Floats, Floats]:
    """By row: the sum of what was said of it within the age of its unit, and of how many outcomes."""
    if stream not in told.streams.values():
        values = rows.values[:, stream]
        is_known = ~np.isnan(values)
        return np.where(is_known, values, 0.0), is_known.astype(float)
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    silence = 1.0 if tells_by_silence(told.settings[stream]) else 0.0
    for place, (name, begin) in enumerate(zip(rows.ids.tolist(), since.tolist(), strict=True)):
        said = [bad for at, bad in told.of(name, stream) if begin <= at <= begin + age]
        total[place], count[place] = sum(said), len(said) or silence
    return total, count


def lay(bad: Floats, weight: Floats, nodes: int) -> Floats:
    """Each badness as mass on its two nearest nodes, as `Scale.masses` lays one. Shape (values, nodes)."""
    at = bad * (nodes - 1)
    left = np.minimum(at.astype(np.intp), nodes - 2)
    part = at - left
    laid = np.zeros((len(bad), nodes))
    rows = np.arange(len(bad))
    laid[rows, left] += weight * (1.0 - part)
    laid[rows, left + 1] += weight * part
    return laid


def exposed_of(units: Units) -> Array:
    """Units by arm and cell."""
    return np.stack([(units.cells & (units.arm == arm)[:, None]).sum(0) for arm in range(ARMS)]).astype(float)


def guarded(test: RatioTest, share: float, counts: tuple[int, int]) -> RatioTest:
    """The guard of assignment with more units; at a share of none or all, assignment is nothing random."""
    return test.advance(share, old=counts[0], new=counts[1]) if 0.0 < share < 1.0 and any(counts) else test
