"""What voids a comparison: units not assigned as planned, and labels that come back unlike."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.ratio_test import CONCENTRATIONS, RatioTest, ResponseTest, share_log_e, unlike_cells

Batches = st.lists(st.tuples(st.sampled_from([0.01, 0.05, 0.25]), st.integers(0, 500), st.integers(0, 100)), max_size=6)


@given(Batches)
def test_order_within_a_share_does_not_matter(batches: list[tuple[float, int, int]]) -> None:
    """Units of one share add up, in one batch or in many."""
    slow = fast = RatioTest()
    for share, old, new in batches:
        slow = slow.advance(share, old=old // 2, new=0).advance(share, old=0, new=new).advance(share, old=old - old // 2, new=0)
        fast = fast.advance(share, old=old, new=new)
    assert slow.log_e == pytest.approx(fast.log_e)


def test_nothing_assigned_is_no_evidence() -> None:
    """Neither for nor against."""
    assert RatioTest().log_e == pytest.approx(0.0)
    assert RatioTest().advance(0.05, old=0, new=0).log_e == pytest.approx(0.0)
    assert not RatioTest().is_mismatched()


def test_shares_of_a_ramp_multiply() -> None:
    """Each share is a question of its own; the factors are multiplied within a concentration and averaged over them."""
    ramp = RatioTest().advance(0.01, old=990, new=30).advance(0.05, old=900, new=40).advance(0.01, old=99, new=0)
    whole = [
        share_log_e(990, 30, 0.01, c) + share_log_e(900, 40, 0.05, c) + share_log_e(99, 0, 0.01, c) for c in CONCENTRATIONS
    ]
    assert ramp.log_e == pytest.approx(log(sum(map(exp, whole)) / len(whole)))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_the_bet_on_assignment_is_fair(share: float) -> None:
    """E[e] over all counts of thirty units is 1, at every concentration: a Bayes factor of one point."""
    from scipy.stats import binom

    new = np.arange(31)
    for concentration in CONCENTRATIONS:
        factors = np.array([exp(share_log_e(30 - k, int(k), share, concentration)) for k in new])
        assert float(binom.pmf(new, 30, share) @ factors) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("share", "old", "new"), [(0.05, 800, 100), (0.5, 6_000, 5_500), (0.01, 10_000, 30)], ids=["leak", "uneven", "starved"]
)
def test_a_broken_splitter_is_found(share: float, old: int, new: int) -> None:
    """Too many, too few."""
    assert RatioTest().advance(share, old=old, new=new).is_mismatched()


def test_a_working_splitter_is_left_alone_at_every_look() -> None:
    """1,000 streams through a ramp of three shares, looked at every 20 units: at most 1 % alarm at 1 %."""
    rng = np.random.default_rng(5)
    alarmed = 0
    for _ in range(1_000):
        test, found = RatioTest(), False
        for share in (0.01, 0.05, 0.25):
            for new in rng.binomial(20, share, 8):
                test = test.advance(share, old=20 - int(new), new=int(new))
                found = found or test.is_mismatched()
        alarmed += found
    assert alarmed <= 10


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.0}, {"share": float("nan")}, {"old": -1}, {"new": -1}], ids=str)
def test_counts_and_shares_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    """At 0 and at 1 nothing is random."""
    with pytest.raises(ValueError, match=r"share|Counts"):
        RatioTest().advance(**{"share": 0.5, "old": 1, "new": 1, **wrong})  # type: ignore[arg-type]


def responses(came_new: int, asked_new: int, came_old: int, asked_old: int, blocks: int) -> ResponseTest:
    """One metric, one cell, the same block so many times."""
    test = ResponseTest.start(1, 1)
    for _ in range(blocks):
        test = test.advance(*(np.array([[count]], float) for count in (came_new, asked_new, came_old, asked_old)))
    return test


@pytest.mark.parametrize(
    ("block", "different"),
    [
        ((10, 50, 30, 150), False),
        ((20, 50, 30, 150), True),
        ((2, 50, 30, 150), True),
        ((0, 50, 150, 150), True),
        ((0, 0, 0, 0), False),
        ((50, 50, 150, 150), False),
        ((0, 50, 0, 150), False),
    ],
    ids=["alike", "more", "fewer", "none at all", "nobody asked", "everybody", "nobody"],
)
def test_who_answers_is_compared(block: tuple[int, int, int, int], different: bool) -> None:
    """More answers from the candidate's users are as suspicious as fewer."""
    assert bool(responses(*block, blocks=20).is_different()[0, 0]) is different


def test_each_metric_and_cell_is_watched_by_itself() -> None:
    """Two metrics on three cells; only one of the six is unlike."""
    test = ResponseTest.start(2, 3)
    asked = np.full((2, 3), 50.0)
    came_old = np.full((2, 3), 25.0)
    came_new = came_old.copy()
    came_new[1, 2] = 5.0
    for _ in range(20):
        test = test.advance(came_new, asked, came_old, asked)
    assert np.argwhere(test.is_different()).tolist() == [[1, 2]]


def test_answers_at_the_tolerance_raise_few_alarms() -> None:
    """1,000 streams whose response differs by exactly the tolerance: at most 5 % alarm over 60 looks."""
    rng = np.random.default_rng(11)
    runs = 1_000
    test = ResponseTest.start(1, (runs, 1), tolerance=0.05)
    ever = np.zeros((runs, 1, 1), bool)
    new, old = np.full((runs, 1, 1), 20.0), np.full((runs, 1, 1), 60.0)
    for _ in range(60):
        test = test.advance(rng.binomial(20, 0.35, new.shape), new, rng.binomial(60, 0.30, old.shape), old)
        ever |= test.is_different()
    assert ever.mean() <= 0.05


def test_cells_that_answer_unlike_are_named_for_the_guards() -> None:
    """By metric and slice, as a look wants them; names that do not fit the cells are an error."""
    test = ResponseTest.start(2, 3)
    asked, came_old = np.full((2, 3), 50.0), np.full((2, 3), 25.0)
    came_new = came_old.copy()
    came_new[1, 2] = 5.0
    for _ in range(20):
        test = test.advance(came_new, asked, came_old, asked)
    assert unlike_cells(test, ["quality", "complaints"], ["", "a", "b"]) == {("complaints", "b")}
    with pytest.raises(ValueError, match="2 × 2"):
        unlike_cells(test, ["quality", "complaints"], ["", "a"])


def test_weights_of_the_response_guard_are_spent_where_they_lie() -> None:
    """With all weight on one cell it is judged as if alone, and no other can be named."""
    test = ResponseTest.start(1, 2)
    new, old = np.full((1, 2), 50.0), np.full((1, 2), 150.0)
    for _ in range(6):
        test = test.advance(np.full((1, 2), 8.0), new, np.full((1, 2), 60.0), old)
    assert test.is_different(0.01).all()
    alone = test.adjusted_log_e(np.array([[1.0, 0.0]]))
    assert alone[0, 0] == pytest.approx(test.log_e[0, 0])
    assert test.is_unlike(weights=np.array([[1.0, 0.0]])).tolist() == [[True, False]]


def test_many_cells_that_answer_alike_are_seldom_void() -> None:
    """300 grids of 60 cells at the tolerance over 25 looks: at most 3 % have a void cell at 1 % for all.

    Each cell at 5 % by itself, as one cell is judged, voids something in most grids.
    """
    rng = np.random.default_rng(17)
    shape = (300, 1, 60)
    test = ResponseTest.start(1, (300, 60), tolerance=0.05)
    alone, together = np.zeros(300, bool), np.zeros(300, bool)
    new, old = np.full(shape, 20.0), np.full(shape, 60.0)
    for _ in range(25):
        test = test.advance(rng.binomial(20, 0.35, shape), new, rng.binomial(60, 0.30, shape), old)
        alone |= test.is_different().any((1, 2))
        together |= test.is_unlike().any((1, 2))
    assert alone.mean() > 0.2
    assert together.mean() <= 0.03
