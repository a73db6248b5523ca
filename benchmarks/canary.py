"""A canary's evidence on simulated traffic: the shipped `Grid`, asked at every look, until each question has its answer.

It neither invents evidence nor judges it: questions are predicates on the grid, alarms are those of the union at 1/α.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.streams import Stream, World
from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.combination import ALPHA, alpha_of_start, split_alpha
from segue.evidence.sequential.grid import Grid, Group, Rule
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.process import Process

MARGIN = 0.02
SLICES, METRICS = 40, 5
HARM = Null("harm", MARGIN)
CANARY_ALPHA = alpha_of_start(split_alpha(ALPHA, soaks=True)[0], 0)
"""What a canary of an upgrade that soaks may spend on all its cells, as long as its evidence never had to begin anew."""
IDLE = 0.25
"""Runs that have their answers are dropped once they are this share of those still simulated."""

Question = Callable[[Grid], NDArray[np.bool_]]


@dataclass(frozen=True)
class Setup:
    """What is watched: one cell alone at α, or the full grid at what a canary may spend of it."""

    wide: bool = False
    rollback: Null = HARM
    hold: Null = HARM
    safe: tuple[Null, ...] = ()

    @property
    def alpha(self) -> float:
        """Spent on all cells together."""
        return CANARY_ALPHA if self.wide else ALPHA

    def grid(self, world: World, runs: int) -> Grid:
        """Before the first look."""
        metrics, slices = (METRICS, SLICES) if self.wide else (1, 0)
        rules = [
            Rule(f"metric {number}", self.rollback, self.hold, self.safe, scale=world.scale, rate=world.base)
            for number in range(metrics)
        ]
        return Grid.start(rules, [f"slice {number}" for number in range(slices)], runs=(runs,))

    def world(self, world: World) -> World:
        """The same truth in as many cells."""
        return replace(world, metrics=METRICS, slices=SLICES) if self.wide else world


def rolls_back(grid: Grid, alpha: float) -> NDArray[np.bool_]:
    """Whether the union over the rollback limits alarms."""
    return np.asarray(grid.union(grid.rollback_log_e) >= -math.log(alpha))


def holds(grid: Grid, alpha: float) -> NDArray[np.bool_]:
    """Whether the union over the hold limits alarms."""
    return np.asarray(grid.union(grid.hold_log_e) >= -math.log(alpha))


def watch(setup: Setup, questions: Sequence[Question], world: World, cell: int, horizon: int, runs: int, seed: int) -> Array:
    """When each question was first answered with yes: the labels of a cell and the candidate units exposed by then.

    `cell` is 0 for the total and counts slices from 1, of the first metric. A run ends at `horizon` candidate units exposed; ∞
    where no answer came. Shape (runs, questions, 2).
    """
    world = setup.world(world)
    stream = Stream(world, runs, np.random.default_rng(seed))
    grid = setup.grid(world, runs)
    found = np.full((runs, len(questions), 2), np.inf)
    rows, labelled = np.arange(runs), np.zeros(runs)
    while stream.candidates < horizon:
        for draw in stream.look():
            grid = grid.advance(draw.outcomes(world.scale, cautious=bool(setup.safe)), close=draw.closes)
            labelled += draw.labelled[:, 1, 0, cell]
            for place, question in enumerate(questions):
                new = question(grid) & np.isinf(found[rows, place, 0])
                found[rows[new], place] = np.stack([labelled[new], np.full(new.sum(), stream.candidates)], -1)
        open_runs = np.isinf(found[rows, :, 0]).any(-1)
        if not open_runs.any():
            break
        if open_runs.mean() <= 1 - IDLE:
            rows, labelled, grid = rows[open_runs], labelled[open_runs], keep(grid, open_runs)
            stream.keep(open_runs)
    return found


def keep(grid: Grid, where: NDArray[np.bool_]) -> Grid:
    """The same grid in some of its runs."""
    return replace(grid, groups=tuple(_keep_group(one, where) for one in grid.groups))


def _keep_group(group: Group, where: NDArray[np.bool_]) -> Group:
    return replace(
        group,
        harm=_keep_process(group.harm, where),
        safe=None if group.safe is None else _keep_process(group.safe, where),
        waiting=_keep_block(group.waiting, where),
        cautious=_keep_block(group.cautious, where),
    )


def _keep_process(process: Process, where: NDArray[np.bool_]) -> Process:
    memory = process.memory
    kept = replace(memory, n=memory.n[where], total=memory.total[where], squares=memory.squares[where])
    return replace(process, log_capital=process.log_capital[where], memory=kept)


def _keep_block(block: Block, where: NDArray[np.bool_]) -> Block:
    return Block(
        block.candidate[where],
        block.control[where],
        block.candidate_exposed[where],
        block.control_exposed[where],
        block.asked[where],
    )
