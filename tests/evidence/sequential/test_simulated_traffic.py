"""The traffic that `benchmarks exposure` simulates: it reaches the evidence as recorded traffic would, and no sooner."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.bound import growth_of_means, traffic_bound
from benchmarks.canary import Setup, keep, rolls_back, watch
from benchmarks.promotion import SAFE, promotes
from benchmarks.streams import LAG, LOOKS, Draw, Stream, World, draw

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.grid import Grid, Outcomes, Rule, outcomes_of
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.scale import Scale
from segue.evidence.sequential.wald import growth_rate, outcomes_needed

HARM = Null("harm", 0.02)
WORLDS = {
    "all labelled": World(metrics=2, slices=3),
    "some missing": World(metrics=2, slices=3, missing=0.3),
    "fewer missing on the control": World(metrics=2, slices=3, missing=0.5, missing_control=0.1),
    "users of ten, some missing": World(metrics=2, slices=3, missing=0.3, clustered=True),
    "one cell": World(missing=0.3),
    "none labelled": World(metrics=2, slices=3, missing=1.0),
}


def recorded(grid: Grid, drawn: Draw, run: int) -> dict[tuple[str, str], tuple[CellStats, CellStats]]:
    """The cells that the collector would have recorded of one run."""

    def cell(arm: int, row: int, column: int) -> CellStats:
        masses, asked = drawn.masses[run, arm, row, column], int(drawn.asked[run, arm, row, column])
        labelled = int(masses.sum())
        bad = float(masses @ np.linspace(0.0, 1.0, len(masses)))
        sums = Sums(labelled, bad, bad)
        return CellStats(asked, asked, asked, labelled, tuple(masses) if labelled else (), sums, sums)

    return {
        (rule.metric, name): (cell(0, row, column), cell(1, row, column))
        for row, rule in enumerate(grid.rules)
        for column, name in enumerate(grid.slices)
    }


def same(one: Block, other: Block) -> bool:
    """Whether two blocks hold the same numbers; the first has a dimension of runs."""
    fields = ("candidate", "control", "candidate_exposed", "control_exposed", "asked")
    return all(np.array_equal(getattr(one, field)[0], getattr(other, field)) for field in fields)


def a_grid(world: World) -> Grid:
    """What watches a world's metrics and slices, without a dimension of runs."""
    rules = [Rule(f"metric {row}", HARM, HARM, (SAFE,), scale=world.scale, rate=0.1) for row in range(world.metrics)]
    return Grid.start(rules, [f"slice {number}" for number in range(world.slices)])


@pytest.mark.parametrize("name", list(WORLDS))
def test_simulated_blocks_are_those_of_recorded_cells(name: str) -> None:
    """Stakes by what was labelled, missing labels at their worst for safety: the same arrays, whoever makes them."""
    world = WORLDS[name]
    drawn = draw(world, 1, (190, 10), 0.1, np.random.default_rng(5))
    grid, size = a_grid(world), world.scale.size
    simulated: Outcomes = drawn.outcomes(world.scale)
    shipped = outcomes_of(grid, recorded(grid, drawn, 0))
    assert same(simulated.plain[size], shipped.plain[size])
    assert same(simulated.cautious[size], shipped.cautious[size])


def test_looks_are_as_close_in_every_row() -> None:
    """Every 10 candidate units up to 2,000, then fewer; no world of the tables has looks of its own."""
    stream, seen = Stream(World(), 1, np.random.default_rng(1)), []
    while stream.candidates < 10_000:
        stream.look()
        seen.append(stream.candidates)
    steps = np.diff([0, *seen])
    assert [int(step) for step in steps[[0, 199, 200, 349, 350]]] == [10, 10, 40, 40, 80]
    assert LOOKS[-1][0] is None


def test_late_labels_are_seen_after_the_users_served_meanwhile() -> None:
    """At a share of 5 %, a delay of 800 users of both arms is 40 of the candidate's."""
    stream = Stream(World(delay=LAG), 1, np.random.default_rng(1))
    first = next(stream.candidates for _ in range(9) if stream.look())
    assert first == 50


def test_a_delay_shifts_every_look_and_changes_no_evidence() -> None:
    """The same outcomes in the same blocks; only more users are exposed by the time they are known."""
    setup, world = Setup(), World(lift=0.2)
    for seed in range(5):  # One run each: which runs are still drawn decides what the others draw.
        at_once, late = (
            watch(setup, [lambda grid: rolls_back(grid, setup.alpha)], replace(world, delay=delay), 0, 2_000, 1, seed)[0, 0]
            for delay in (0.0, LAG)
        )
        assert late[0] == at_once[0]
        assert late[1] == at_once[1] + 40


def test_a_share_that_grows_serves_more_users_while_labels_are_late() -> None:
    """800 users of both arms are 8 of the candidate's at 1 %, and 200 at 25 %; the last block of a step closes it."""
    stream = Stream(World(ramp=True, delay=LAG), 1, np.random.default_rng(1))
    closed, waiting, ripe = [], [], 0
    for _ in range(260):
        drawn = stream.look()
        ripe += sum(int(one.asked[0, 1, 0, 0]) for one in drawn)
        closed += [ripe for one in drawn if one.closes]
        waiting.append(stream.candidates - ripe)
    assert closed == [300, 2_000]
    assert (waiting[20], waiting[100], waiting[-1]) == (10, 40, 200)


def test_dropping_runs_leaves_the_others_as_they_are() -> None:
    """Runs of a simulation have nothing to do with each other."""
    setup, world = Setup(safe=(SAFE,)), World(missing=0.2)
    stream, grid = Stream(world, 6, np.random.default_rng(2)), setup.grid(world, 6)
    where = np.array([True, False, True, True, False, True])
    kept = keep(grid, where)
    for _ in range(20):
        for drawn in stream.look():
            grid = grid.advance(drawn.outcomes(world.scale))
            kept = kept.advance(drawn.only(where).outcomes(world.scale))
    assert np.allclose(grid.rollback_log_e[where], kept.rollback_log_e)
    assert np.allclose(grid.safe_log_e(0, SAFE)[where], kept.safe_log_e(0, SAFE))


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World(lift=-0.10, missing=1.0), id="no labels"),
        pytest.param(World(lift=-0.10, missing=1.0, missing_control=0.0), id="labels of the control only"),
        pytest.param(World(lift=-0.10, delay=math.inf), id="immature"),
    ],
)
def test_silence_never_promotes(world: World) -> None:
    """However good the candidate is; with its labels it would have been promoted at once."""
    found = watch(Setup(safe=(SAFE,)), [promotes], world, 0, 1_000, 20, 4)
    assert np.isinf(found).all()
    heard = watch(Setup(safe=(SAFE,)), [promotes], World(lift=-0.10), 0, 1_000, 20, 4)
    assert np.isfinite(heard).all()


def test_the_bound_for_means_is_that_of_rates_where_outcomes_are_yes_or_no() -> None:
    """Two ways to the same growth; without drift the traffic's bound is the one that ships."""
    growth = growth_of_means(HARM, np.array([0.9, 0.1]), np.array([0.8, 0.2]), 19)
    assert growth == pytest.approx(growth_rate(HARM, control=0.1, candidate=0.2, ratio=19), rel=1e-3)
    needed = outcomes_needed(HARM, control=0.1, candidate=0.2, ratio=19, weight=0.5)
    assert traffic_bound(World(lift=0.1), HARM, 0.5) == pytest.approx(needed, rel=1e-6)
    assert Scale().size == World().scale.size
