"""All cells of an upgrade at once: metrics × (total and slices), with their processes, their weights and what still waits.

A grid is a frozen value of arrays; leading dimensions of the blocks (runs of a simulation) are carried through. It turns blocks
into e-values and nothing more: words, guards and verdicts are `judgement`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.cells import POOLED, CellStats
from segue.evidence.sequential.combination import POOLED_SHARE, spread_weights, union_log_e
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.process import Process, mix
from segue.evidence.sequential.scale import Scale

LEAST_BLOCK = 10
"""Candidate units asked for a label that a cell waits for before it bets: one at a time, each would face few controls."""


@dataclass(frozen=True, slots=True)
class Unit:
    """How a metric's differences are said: so many `name`s to one unit of the metric; `one` is said of exactly one."""

    name: str
    factor: float = 1.0
    one: str | None = None


POINTS = Unit("points", 100.0, "point")
"""Percentage points of a rate."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a metric is judged: beyond `hold` people look, beyond `rollback` it goes back; `safe` are the margins to exclude.

    `rate` is the control's badness as known beforehand (the offline eval), `None` where it is not.
    """

    metric: str
    rollback: Null
    hold: Null
    safe: tuple[Null, ...] = ()
    scale: Scale = field(default_factory=Scale)
    rate: float | None = None
    unit: Unit = field(default_factory=lambda: POINTS)

    def __post_init__(self) -> None:
        if self.rollback.side != "harm" or self.hold.side != "harm" or any(null.side != "safe" for null in self.safe):
            raise ValueError("Limits are nulls of the side 'harm', what is to be excluded of the side 'safe'.")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One block of all metrics of a grid: a `Block` per scale in use, keyed by its number of nodes.

    Streams of a block are the grid's metrics of that scale, in the order of its rules; cells are the total and the slices.
    `cautious` are the same outcomes with missing labels at their worst, for the claim of safety; where none is missing,
    the same blocks.
    """

    plain: Mapping[int, Block]
    cautious: Mapping[int, Block]


@dataclass(frozen=True, slots=True)
class Group:
    """The metrics of one scale: their processes, and the outcomes that wait for their cell's block to fill."""

    rules: tuple[int, ...]
    harm: Process
    safe: Process | None
    waiting: Block
    cautious: Block

    def advance(self, block: Block, cautious: Block, close: NDArray[np.bool_]) -> Self:
        """Add a block; cells with enough candidate units, or all where `close` is set, are bet on."""
        waiting = self.waiting + block
        ready = (waiting.asked >= LEAST_BLOCK) | close
        if not ready.any():
            return replace(self, waiting=waiting, cautious=self.cautious if self.safe is None else self.cautious + cautious)
        moved = replace(self, harm=self.harm.advance(waiting.only(ready)), waiting=waiting.only(~ready))
        if self.safe is None:
            return moved
        careful = self.cautious + cautious
        return replace(moved, safe=self.safe.advance(careful.only(ready)), cautious=careful.only(~ready))


@dataclass(frozen=True, slots=True)
class Grid:
    """The state of an upgrade's evidence. `slices[0]` is the total."""

    rules: tuple[Rule, ...]
    slices: tuple[str, ...]
    weights: Array
    groups: tuple[Group, ...]

    @classmethod
    def start(
        cls,
        rules: Sequence[Rule],
        slices: Sequence[str],
        *,
        pooled: Mapping[str, float] | None = None,
        pooled_share: float = POOLED_SHARE,
        runs: tuple[int, ...] = (),
    ) -> Self:
        """Before the first block. `ValueError` on names given twice, or weights that do not add up."""
        names = [rule.metric for rule in rules]
        for what, given in (("metric", names), ("slice", [POOLED, *slices])):
            if twice := {one for one in given if given.count(one) > 1}:
                raise ValueError(f"Given twice: {what} {', '.join(sorted(twice))}.")
        weights = spread_weights(names, len(slices), pooled=pooled, pooled_share=pooled_share)
        sizes = sorted({rule.scale.size for rule in rules})
        groups = tuple(_group(rules, size, (*runs, 1 + len(slices))) for size in sizes)
        return cls(tuple(rules), (POOLED, *slices), weights, groups)

    def advance(self, outcomes: Outcomes, *, close: bool | Array = False) -> Self:
        """The state after one block.

        `close` bets at once on what would wait for more: at the end of a step, for outcomes at two shares must not be pooled.
        It may be an array of the runs' shape.
        """
        every = np.asarray(close, bool)[..., None, None]
        moved = []
        for group in self.groups:
            size = len(group.harm.nodes)
            moved.append(group.advance(outcomes.plain[size], outcomes.cautious[size], every))
        return replace(self, groups=tuple(moved))

    @property
    def rollback_log_e(self) -> Array:
        """Evidence of harm beyond each rollback limit. Shape (…, metrics, 1 + slices)."""
        return self._harm(0, 1)[0]

    @property
    def hold_log_e(self) -> Array:
        """Evidence of harm beyond each hold limit. Shape (…, metrics, 1 + slices)."""
        return self._harm(1, 2)[0]

    @property
    def harm_log_e(self) -> tuple[Array, Array]:
        """Both: beyond the rollback limits, beyond the hold limits."""
        rollback, hold = self._harm(0, 2)
        return rollback, hold

    def safe_log_e(self, metric: int, null: Null) -> Array:
        """Evidence that a metric keeps within a margin it was asked to exclude. Shape (…, 1 + slices)."""
        return self.ladders_log_e[metric][..., self.rules[metric].safe.index(null), :]

    @property
    def ladders_log_e(self) -> tuple[Array, ...]:
        """For each metric, evidence that it keeps within each margin of `safe`. Shapes (…, margins, 1 + slices)."""
        runs = self.groups[0].harm.log_capital.shape[:-3]
        ladders = [np.empty((*runs, 0, len(self.slices)))] * len(self.rules)
        for group in self.groups:
            if group.safe is None:
                continue
            whole, before = group.safe.log_e, 0
            for metric in group.rules:
                size = len(self.rules[metric].safe)
                ladders[metric] = whole[..., before : before + size, :]
                before += size
        return tuple(ladders)

    def union(self, log_e: Array) -> Array:
        """One e-value of the whole grid, in logarithms. Shape (…)."""
        return union_log_e(log_e.reshape(*log_e.shape[:-2], -1), self.weights.ravel())

    def _harm(self, first: int, last: int) -> list[Array]:
        """Of the limits in a row: 0 is rollback, 1 is hold."""
        runs = self.groups[0].harm.log_capital.shape[:-3]
        limits = [np.empty((*runs, len(self.rules), len(self.slices))) for _ in range(first, last)]
        for group in self.groups:
            half = len(group.rules)
            mixed = mix(group.harm.questions, group.harm.log_capital, slice(first * half, last * half))
            for place, whole in enumerate(limits):
                whole[..., list(group.rules), :] = mixed[..., place * half : (place + 1) * half, :]
        return limits


Cells = Mapping[tuple[str, str], tuple[CellStats | None, CellStats | None]]
"""By metric and slice: the incumbent's and the candidate's cell of one block of time."""


def outcomes_of(grid: Grid, cells: Cells) -> Outcomes:
    """The cells of one block of time as arrays. What a grid does not watch is left out; a cell without data is empty.

    Stakes are balanced by what was labelled, not by who was exposed: an arm that answers less, or was never asked, would else
    win or lose by its silence. Where silence counts as the worst (`cautious`), all that were asked are labelled.
    """
    plain: dict[int, Block] = {}
    cautious: dict[int, Block] = {}
    for group in grid.groups:
        size = len(group.harm.nodes)
        shape = (len(group.rules), len(grid.slices))
        known = [cells.get((grid.rules[index].metric, name), _NO_CELLS) for index in group.rules for name in grid.slices]
        none = (0.0,) * size
        rows = [[none if one is None else one.masses or none for one in pair] for pair in known]
        counts = [[(0, 0) if one is None else (one.asked, one.labelled) for one in pair] for pair in known]
        masses = np.array(rows, float).reshape(*shape, 2, size)
        asked, labelled = np.moveaxis(np.array(counts, float).reshape(*shape, 2, 2), -1, 0)
        incumbent, candidate = (np.ascontiguousarray(masses[:, :, arm]) for arm in (0, 1))
        called = np.ascontiguousarray(asked[:, :, 1])
        plain[size] = Block(candidate, incumbent, candidate.sum(-1), incumbent.sum(-1), called)
        missing = asked - labelled
        if missing.any():
            # At its worst for a claim of safety: the candidate's silence is bad, the incumbent's is good.
            candidate, incumbent = candidate.copy(), incumbent.copy()
            incumbent[..., 0] += missing[:, :, 0]
            candidate[..., -1] += missing[:, :, 1]
            cautious[size] = Block(candidate, incumbent, candidate.sum(-1), incumbent.sum(-1), called)
        else:
            cautious[size] = plain[size]
    return Outcomes(plain, cautious)


_NO_CELLS = (None, None)


def _group(rules: Sequence[Rule], size: int, shape: tuple[int, ...]) -> Group:
    chosen = [index for index, rule in enumerate(rules) if rule.scale.size == size]
    here = [rules[index] for index in chosen]
    nodes = here[0].scale.nodes
    *runs, cells = shape
    rates = np.array([np.nan if rule.rate is None else rule.rate for rule in here])[:, None]
    streams = list(range(len(here)))
    harm = Questions.of([*(rule.rollback for rule in here), *(rule.hold for rule in here)], streams * 2)
    wanted = [(null, row) for row, rule in enumerate(here) for null in rule.safe]
    safe = Questions.of([null for null, _ in wanted], [row for _, row in wanted]) if wanted else None
    empty = Block.empty((*runs, len(here), cells), size)
    return Group(
        tuple(chosen),
        Process.start(harm, shape, nodes, rate=rates),
        None if safe is None else Process.start(safe, shape, nodes, rate=rates, streams=len(here)),
        empty,
        empty,
    )
