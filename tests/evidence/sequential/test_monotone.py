"""More harm never lowers the evidence of harm and never raises that of safety, over whole histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.combination import holm_log_e
from segue.evidence.sequential.detector import Detector
from segue.evidence.sequential.grid import Grid, outcomes_of
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.process import FixedProcess, Process
from tests.evidence.sequential.builders import TENTHS, YES_NO, a_grid, some_stats

SIDES = (Null("harm", margin=0.02), Null("harm", ratio=1.2), Null("safe", margin=0.02), Null("safe", margin=-0.05))
SLACK = 1e-12

Histories = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 60), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)),
    min_size=1,
    max_size=8,
)
"""Blocks: sizes of both arms, the share of bad ones in each, and the share of the candidate's good ones that turn bad."""


def assert_ordered(before: np.ndarray, after: np.ndarray) -> None:
    """Rows of `SIDES`: harm may only rise, safety only fall."""
    assert np.all(after[..., :2, :] >= before[..., :2, :] - SLACK)
    assert np.all(after[..., 2:, :] <= before[..., 2:, :] + SLACK)


@given(Histories)
def test_turning_good_outcomes_bad_never_helps_a_candidate(history: list[tuple[int, int, float, float, float]]) -> None:
    """Yes/no outcomes against a live control, and in a soak's detector."""
    calm = worse = Process.start(Questions.of(SIDES), 1, YES_NO.nodes, rate=0.1)
    calm_soak, worse_soak = Detector.start(calm, blocks=9), Detector.start(worse, blocks=9)
    for n_new, n_old, bad_new, bad_old, turned in history:
        bad = round(bad_new * n_new)
        more = bad + round(turned * (n_new - bad))
        blocks = [
            Block.of_counts(*(np.array([[x]], float) for x in (b, n_new, round(bad_old * n_old), n_old))) for b in (bad, more)
        ]
        calm, worse = calm.advance(blocks[0]), worse.advance(blocks[1])
        calm_soak, worse_soak = calm_soak.advance(blocks[0]), worse_soak.advance(blocks[1])
        assert_ordered(calm.log_e, worse.log_e)
        assert_ordered(calm_soak.log_statistic, worse_soak.log_statistic)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=6))
def test_worse_scores_never_help_a_candidate(history: list[tuple[float, float, float]]) -> None:
    """Graded outcomes on nodes: moving mass towards the bad end is never good news."""
    calm = worse = Process.start(Questions.of(SIDES), 1, TENTHS.nodes, rate=0.3)
    for value, control, worsened in history:
        old = 20 * np.array(TENTHS.masses(control)).reshape(1, 1, 11)
        sizes = [np.array([[n]]) for n in (5.0, 20.0, 5.0)]
        moved = value + worsened * (1 - value)
        rows = [5 * np.array(TENTHS.masses(one)).reshape(1, 1, 11) for one in (value, moved)]
        calm = calm.advance(Block(rows[0], old, *sizes))
        worse = worse.advance(Block(rows[1], old, *sizes))
        assert_ordered(calm.log_e, worse.log_e)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=8))
def test_the_same_holds_against_a_recorded_level(history: list[tuple[int, float, float]]) -> None:
    """Yes/no outcomes without a live control."""
    calm = worse = FixedProcess.start(Questions.of(SIDES), np.array([[0.1]]), YES_NO.nodes)
    for n, share, turned in history:
        bad = round(share * n)
        more = bad + round(turned * (n - bad))
        calm, worse = (
            process.advance(np.array([[[n - count, count]]], float)) for process, count in ((calm, bad), (worse, more))
        )
        assert_ordered(calm.log_e, worse.log_e)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 9), st.integers(0, 40)),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_a_grid_is_no_kinder_to_a_candidate_that_did_worse(history: list[tuple[int, ...]], close: bool) -> None:
    """Slices, missing labels, waiting blocks, unions and adjusted e-values included."""
    grids = [a_grid(slices=["a"]) for _ in range(2)]
    for good, bad, missing, turned, control in history:
        for place, worse in enumerate((0, min(good, turned))):
            new = some_stats(bad + worse, good + bad, missing=missing)
            old = some_stats(control // 10, control)
            cells = {("quality", name): (old, new) for name in ("", "a")}
            grids[place] = grids[place].advance(outcomes_of(grids[place], cells), close=close)
        calm, worse_off = grids
        for harm in ("rollback_log_e", "hold_log_e"):
            before, after = getattr(calm, harm), getattr(worse_off, harm)
            assert np.all(after >= before - SLACK)
            assert worse_off.union(after) >= calm.union(before) - SLACK
            weights = calm.weights.ravel()
            assert np.all(holm_log_e(after.ravel(), weights) >= holm_log_e(before.ravel(), weights) - 1e-9)
        null = calm.rules[0].safe[0]
        assert np.all(worse_off.safe_log_e(0, null) <= calm.safe_log_e(0, null) + SLACK)


def test_a_label_that_turns_missing_never_makes_a_candidate_safer() -> None:
    """Hiding the candidate's good outcomes or the control's bad ones lowers the claim; hiding the others changes nothing."""

    def safe_after(new: CellStats, old: CellStats) -> float:
        grid: Grid = a_grid()
        for _ in range(30):
            grid = grid.advance(outcomes_of(grid, {("quality", ""): (old, new)}))
        return float(grid.safe_log_e(0, grid.rules[0].safe[0])[0])

    full = safe_after(some_stats(2, 30), some_stats(10, 100))
    assert full > np.log(20)
    assert safe_after(some_stats(2, 28, missing=2), some_stats(10, 100)) < full
    assert safe_after(some_stats(2, 30), some_stats(5, 95, missing=5)) < full
    assert safe_after(some_stats(0, 28, missing=2), some_stats(10, 50, missing=50)) == pytest.approx(full)
