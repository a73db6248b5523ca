"""The arrays say what a slow and straightforward calculation says, cell by cell."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.combination import holm_log_e
from segue.evidence.sequential.grid import Rule
from segue.evidence.sequential.judgement import judge
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import Scale
from segue.evidence.sequential.wald import growth_rates
from tests.evidence.sequential.builders import Pair, a_grid, a_rule, boundary_is_inside, watched
from tests.evidence.sequential.reference import log_e_after, lowest_average, outcomes_to, slowest_growth

SLICES = ("a", "b", "c")
RULES = (
    a_rule("quality", safe=(Null("safe", margin=0.1), Null("safe", margin=0.02))),
    a_rule("unwatched", safe=(), rate=None),
    a_rule("grade", scale=Scale(size=11), safe=(Null("safe", margin=0.1),)),
    a_rule(
        "complaints",
        rollback=Null("harm", ratio=1.5),
        hold=Null("harm", ratio=1.2),
        safe=(Null("safe", ratio=2.0), Null("safe", ratio=1.2)),
    ),
    a_rule("last", safe=()),
)
"""Scales and limits of every kind, and metrics without a margin to exclude in the middle and at the end."""


def some_blocks(seed: int) -> list[dict[tuple[str, str], Pair]]:
    """Blocks with holes, silence, and harm in some of the cells."""
    rng = np.random.default_rng(seed)
    lift = rng.choice([0.0, 0.0, 0.0, 0.1, 0.4], size=(len(RULES), 1 + len(SLICES)))
    blocks: list[dict[tuple[str, str], Pair]] = []
    for _ in range(int(rng.integers(3, 12))):
        cells = {}
        for row, rule in enumerate(RULES):
            for column, name in enumerate(("", *SLICES)):
                if rng.random() < 0.8:
                    old = some_cell(rng, rule, int(rng.integers(0, 150)), 0.1)
                    cells[rule.metric, name] = (old, some_cell(rng, rule, int(rng.integers(0, 25)), 0.1 + lift[row, column]))
        blocks.append(cells)
    return blocks


def some_cell(rng: np.random.Generator, rule: Rule, asked: int, rate: float) -> CellStats:
    """Units of which a tenth say nothing."""
    n, size = int(rng.binomial(asked, 0.9)), rule.scale.size
    masses = rng.multinomial(n, [1 - rate, *[rate / (size - 1)] * (size - 1)]).astype(float)
    total, squares = float(masses @ rule.scale.nodes), float(masses @ rule.scale.nodes**2)
    return CellStats(asked, asked, asked, n, tuple(masses.tolist()) if n else (), Sums(n, total, squares), Sums())


@pytest.mark.parametrize("seed", range(6))
def test_a_grid_bets_like_its_cells_one_at_a_time(seed: int) -> None:
    """Every limit and every margin of every cell, to twelve digits."""
    blocks = some_blocks(seed)
    grid, _ = watched(a_grid(*RULES, slices=SLICES), blocks)
    rollback, hold = grid.harm_log_e
    assert np.array_equal(rollback, grid.rollback_log_e)
    assert np.array_equal(hold, grid.hold_log_e)
    for row, rule in enumerate(RULES):
        for column, name in enumerate(grid.slices):
            seen = [cells.get((rule.metric, name), (CellStats(), CellStats())) for cells in blocks]
            nodes = rule.scale.nodes.tolist()
            for null, found in ((rule.rollback, rollback[row, column]), (rule.hold, hold[row, column])):
                assert found == pytest.approx(log_e_after(null, nodes, rule.rate, seen, cautious=False), rel=1e-12, abs=1e-12)
            for null in rule.safe:
                found = grid.safe_log_e(row, null)[column]
                assert found == pytest.approx(log_e_after(null, nodes, rule.rate, seen, cautious=True), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_cells_are_judged_like_one_at_a_time(seed: int) -> None:
    """Which cells are harmed and at which limit, what is excluded, and what would settle the rest."""
    grid, look = watched(a_grid(*RULES, slices=SLICES), some_blocks(seed))
    found = judge(grid, look)
    least, weights = log(1 / look.alpha), grid.weights.ravel().tolist()
    e_values = [np.exp(one.ravel()).tolist() for one in grid.harm_log_e]
    for place, (row, column) in enumerate(np.ndindex(grid.weights.shape)):
        rule, name = RULES[row], grid.slices[column]
        one = found.evidence(rule.metric, name)
        old, new = look.totals.get((rule.metric, name), (CellStats(), CellStats()))
        harmed = [lowest_average(values, weights, place) >= exp(least) for values in e_values]
        limit = "rollback" if harmed[0] else "hold" if harmed[1] else None
        assert one.limit == limit
        control = old.units.mean or 0.0
        ladder = sorted(rule.safe, key=lambda null: (null.ratio - 1) * control + null.margin)
        excluded = [bool(grid.safe_log_e(row, null)[column] >= least) for null in ladder]
        assert (one.verdict == "safe") == (limit is None and excluded[:1] == [True])
        assert (one.verdict == "harm") == (limit is not None)
        if one.settlement is not None and one.settlement.question == "harm" and one.settlement.outcomes is not None:
            at = rule.rollback if new.units.mean > rule.rollback.ratio * control + rule.rollback.margin else rule.hold  # type: ignore[operator]
            log_e = grid.harm_log_e[0 if at is rule.rollback else 1][row, column]
            assert one.settlement.outcomes == np.ceil(outcomes_to(at, (old, new), weights[place], look.alpha, log_e))


@pytest.mark.parametrize("seed", range(4))
def test_holm_of_those_that_could_be_named_is_holm_of_all(seed: int) -> None:
    """Leaving out what lies below the level changes no adjusted value that reaches it, and names nobody else."""
    rng = np.random.default_rng(seed)
    log_e = rng.normal(2.0, 3.0, 30)
    log_e[rng.random(30) < 0.1] = -np.inf
    weights = rng.dirichlet(np.ones(30))
    whole, some = holm_log_e(log_e, weights), holm_log_e(log_e, weights, least=log(20))
    named = whole >= log(20)
    assert np.array_equal(named, some >= log(20))
    assert np.array_equal(some[log_e >= log(20)], whole[log_e >= log(20)])
    slow = [log(lowest_average(np.exp(log_e).tolist(), weights.tolist(), cell)) for cell in np.flatnonzero(log_e >= log(20))]
    assert some[log_e >= log(20)] == pytest.approx(slow, rel=1e-9)
    assert holm_log_e(np.full(3, -1.0), np.full(3, 1 / 3), least=0.0).tolist() == [-1.0] * 3


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_point_of_a_line_is_found(seed: int) -> None:
    """Many questions at once, rates at the ends and far lines included: what two hundred halvings of each find."""
    rng = np.random.default_rng(seed)
    cases: list[tuple[Null, float, float, float]] = []
    while len(cases) < 100:
        margin, ratio = rng.choice([0.0, 0.02, -0.02, 0.9, -0.9]), rng.choice([1.0, 0.5, 1.2, rng.uniform(0.1, 10.0)])
        if boundary_is_inside(margin, ratio):
            control, candidate = (float(rng.choice([0.0, 1.0, 1e-3, rng.random(), rng.random()])) for _ in range(2))
            null = Null("harm" if rng.random() < 0.5 else "safe", margin=float(margin), ratio=float(ratio))
            cases.append((null, control, candidate, float(rng.choice([0.01, 1.0, 19.0, 1_000.0]))))
    asked = np.array([(null.sign, null.margin, null.ratio) for null, *_ in cases], float).T
    control, candidate, ratio = (np.array([case[place] for case in cases]) for place in (1, 2, 3))
    found = growth_rates(*asked, control=control, candidate=candidate, ratio=ratio)
    assert found.tolist() == pytest.approx([slowest_growth(*case) for case in cases], rel=1e-6, abs=1e-9)
