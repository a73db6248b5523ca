"""The evidence of promotion is that of the shipped grid, on fewer cells and with nothing of harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue.evidence.sequential.betting import Array, Block
from segue.evidence.sequential.grid import Grid, Outcomes
from segue.simulation.promotion import Promotion
from segue.simulation.setting import Setting
from tests.simulation.builders import ERRORS, QUALITY, a_setting

RUNS = 6


def setting() -> Setting:
    slices = {"task=refund": 0.2, "task=other": 0.7}
    return a_setting(QUALITY, {**ERRORS, "watch": "total"}, slices=slices, critical=("task=refund",))


def a_block(rng: np.random.Generator, cells: int) -> Block:
    """A few candidate units in each cell, so that some wait and some are bet on."""
    new, old = rng.poisson(6, (RUNS, 2, cells)).astype(float), rng.poisson(90, (RUNS, 2, cells)).astype(float)
    bad_new, bad_old = rng.binomial(new.astype(int), 0.08), rng.binomial(old.astype(int), 0.1)
    return Block.of_counts(bad_new.astype(float), new, bad_old.astype(float), old)


def weakest(grid: Grid, known: Setting, step: int) -> Array:
    """The same question asked of a grid of all cells."""
    parts = [grid.safe_log_e(row, known.steps[step].nulls[row])[:, list(gate.required)] for row, gate in enumerate(known.gates)]
    return np.asarray(np.concatenate(parts, -1).min(-1))


def test_bets_as_the_safe_side_of_the_grid() -> None:
    """Block by block, with cells that wait and steps that close."""
    known, rng = setting(), np.random.default_rng(1)
    grid = Grid.start([gate.rule for gate in known.gates], known.slices[1:], runs=(RUNS,))
    promotion = Promotion.start(known, RUNS)
    assert promotion.cells == (0, 1)
    for place in range(60):
        block = a_block(rng, len(known.slices))
        close = np.full(RUNS, place % 7 == 0)
        grid = grid.advance(Outcomes({2: block}, {2: block}), close=close.astype(float))
        few = Block(
            *(getattr(block, name)[:, :, :2] for name in ("candidate", "control")),
            *(getattr(block, name)[:, :, :2] for name in ("candidate_exposed", "control_exposed", "asked")),
        )
        promotion = promotion.advance(few, close)
    everyone = np.ones(RUNS, bool)
    for step in range(2):
        found = promotion.log_e(step, everyone)
        assert np.allclose(found, weakest(grid, known, step))
        assert found.max() > 0.5


def test_runs_that_ended_are_dropped() -> None:
    """And the others keep their evidence; asked of some runs, it answers for these."""
    known, rng = setting(), np.random.default_rng(2)
    promotion = Promotion.start(known, RUNS)
    for _ in range(30):
        promotion = promotion.advance(a_block(rng, 2), np.zeros(RUNS, bool))
    some = np.array([True, False, True, True, False, False])
    assert np.array_equal(promotion.take(some).log_e(0, np.ones(3, bool)), promotion.log_e(0, some))


def test_nothing_required_is_never_safe() -> None:
    """An intersection of nothing."""
    known = setting()
    gates = tuple(replace(gate, required=()) for gate in known.gates)
    promotion = Promotion.start(replace(known, gates=gates), RUNS)
    assert np.all(np.isneginf(promotion.log_e(0, np.ones(RUNS, bool))))
