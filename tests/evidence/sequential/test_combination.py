"""Many cells and one error rate: weights, unions, culprits and intersections."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.combination import (
    alpha_of_start,
    check_weights,
    holm_log_e,
    intersection_log_e,
    rejects,
    split_alpha,
    spread_weights,
    union_log_e,
)

Cells = st.lists(st.tuples(st.floats(-30.0, 30.0), st.floats(0.01, 1.0)), min_size=1, max_size=7)


def shares(given_weights: list[float]) -> np.ndarray:
    """Weights that add up to 1."""
    weights = np.array(given_weights)
    return weights / weights.sum()


@given(Cells)
def test_the_union_is_the_weighted_average(cells: list[tuple[float, float]]) -> None:
    """In logarithms as in plain numbers."""
    log_e, weights = np.array([cell[0] for cell in cells]), shares([cell[1] for cell in cells])
    assert union_log_e(log_e, weights) == pytest.approx(log(float(np.exp(log_e) @ weights)), abs=1e-9)


@given(Cells)
def test_e_holm_is_the_smallest_average_over_all_sets(cells: list[tuple[float, float]]) -> None:
    """Against brute force over every set of up to seven cells that holds the one asked about (Vovk and Wang 2021, §5)."""
    log_e, weights = np.array([cell[0] for cell in cells]), shares([cell[1] for cell in cells])
    values = np.exp(log_e)
    adjusted = holm_log_e(log_e, weights)
    for cell in range(len(cells)):
        others = [one for one in range(len(cells)) if one != cell]
        every = ([cell, *rest] for size in range(len(cells)) for rest in combinations(others, size))
        smallest = min(float(values[group] @ weights[group] / weights[group].sum()) for group in every)
        assert adjusted[cell] == pytest.approx(log(smallest), abs=1e-9)


@given(Cells)
def test_a_culprit_implies_that_the_union_has_alarmed(cells: list[tuple[float, float]]) -> None:
    """The set of all cells is one of the sets, so no cell is named beyond the union."""
    log_e, weights = np.array([cell[0] for cell in cells]), shares([cell[1] for cell in cells])
    adjusted = holm_log_e(log_e, weights)
    assert np.all(adjusted <= union_log_e(log_e, weights) + 1e-9)
    assert np.all(adjusted <= log_e + 1e-9)


def test_e_holm_by_hand() -> None:
    """Three even cells with e = 60, 30 and 0: averages that hold 60 go down to 30, those that hold 30 to 15."""
    adjusted = holm_log_e(np.array([log(60.0), log(30.0), -inf]), np.full(3, 1 / 3))
    assert np.exp(adjusted) == pytest.approx([30.0, 15.0, 0.0])


def test_a_culprit_beside_a_far_worse_one_is_still_named() -> None:
    """One cell with e = exp(2000) must not drown another with e = exp(20): both are beyond 1/α whatever is averaged in."""
    adjusted = holm_log_e(np.array([2_000.0, 20.0, 0.0]), np.full(3, 1 / 3))
    assert rejects(adjusted).tolist() == [True, True, False]
    assert adjusted[1] == pytest.approx(20.0 - log(2.0), abs=1e-6)


def test_cells_of_no_weight_are_never_named_and_change_nothing() -> None:
    """A weight of 0 takes part in no average."""
    adjusted = holm_log_e(np.array([50.0, 5.0]), np.array([0.0, 1.0]))
    assert adjusted.tolist() == [-inf, pytest.approx(5.0)]
    assert union_log_e(np.array([50.0, 5.0]), np.array([0.0, 1.0])) == pytest.approx(5.0)


def test_a_grid_of_void_cells_has_no_evidence() -> None:
    """All e-values 0: the union is 0 and so is every adjusted value, and nothing becomes an unknown number."""
    nothing = np.full(3, -inf)
    assert union_log_e(nothing, np.full(3, 1 / 3)) == -inf
    assert holm_log_e(nothing, np.full(3, 1 / 3)).tolist() == [-inf] * 3
    assert union_log_e(np.full((2, 3), -inf), np.full(3, 1 / 3)).tolist() == [-inf, -inf]


def test_an_intersection_is_its_weakest_cell_and_nothing_is_never_safe() -> None:
    """Every cell asked for has to be shown; without a cell nothing was shown."""
    assert intersection_log_e(np.array([5.0, 1.0, 3.0])) == 1.0
    assert intersection_log_e(np.empty(0)) == -inf
    assert intersection_log_e(np.empty((2, 0))).tolist() == [-inf, -inf]


def test_evidence_rejects_at_one_over_alpha() -> None:
    """At 20 for 5 %, not just below."""
    assert rejects(np.array([log(20.0), log(19.99)])).tolist() == [True, False]


def test_half_the_weight_lies_on_the_total_of_the_first_metric() -> None:
    """The rest is spread evenly over slices and the totals of other metrics."""
    weights = spread_weights(["quality", "refusals"], 3)
    assert weights.shape == (2, 4)
    assert weights[0, 0] == 0.5
    assert np.unique(weights.ravel()[1:]).tolist() == pytest.approx([0.5 / 7])
    assert spread_weights(["quality"], 0).tolist() == [[1.0]]


def test_the_pooled_part_can_be_shared_out() -> None:
    """Between metrics, by shares that add up to 1."""
    weights = spread_weights(["quality", "refusals"], 1, pooled={"quality": 0.8, "refusals": 0.2}, pooled_share=0.6)
    assert weights.tolist() == [[pytest.approx(0.48), 0.2], [pytest.approx(0.12), 0.2]]


@pytest.mark.parametrize(
    ("metrics", "slices", "wrong"),
    [
        ([], 1, {}),
        (["quality"], 1, {"pooled": {"speed": 1.0}}),
        (["quality"], 1, {"pooled": {"quality": 0.9}}),
        (["quality", "speed"], 1, {"pooled": {"quality": 1.5, "speed": -0.5}}),
        (["quality"], 1, {"pooled": {"quality": float("nan")}}),
        (["quality"], 1, {"pooled_share": 1.1}),
        (["quality"], 1, {"pooled_share": float("nan")}),
    ],
    ids=str,
)
def test_weights_that_do_not_add_up_are_refused(metrics: list[str], slices: int, wrong: dict[str, object]) -> None:
    """With α spent twice the error rate would be a lie."""
    with pytest.raises(ValueError, match=r"metric|share"):
        spread_weights(metrics, slices, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [float("nan"), 1.0]], ids=str)
def test_weights_are_checked_again_before_culprits_are_named(weights: list[float]) -> None:
    """Not negative, and 1 in all."""
    with pytest.raises(ValueError, match="add up to 1"):
        check_weights(np.array(weights))


@pytest.mark.parametrize("soaks", [True, False])
def test_canary_and_soak_spend_one_alpha(soaks: bool) -> None:
    """All of it and no more; without a soak the canary has it whole."""
    canary, soak = split_alpha(0.05, soaks=soaks)
    assert canary + soak == pytest.approx(0.05)
    assert (soak > 0) == soaks
    assert canary > soak


def test_however_often_evidence_begins_anew_it_spends_one_alpha() -> None:
    """A false alarm of any beginning is at most as likely as one of them all may be; each has some of it."""
    parts = [alpha_of_start(0.05, restarts) for restarts in range(1_000)]
    assert sum(parts) == pytest.approx(0.05)
    assert sum(parts) <= 0.05 * (1 + 1e-12)
    assert all(0 < later < before for before, later in pairwise(parts[:60]))


def test_evidence_that_never_begins_anew_pays_little_for_those_that_do() -> None:
    """At α = 4.5 % and a weight of one half, 3 % more outcomes: within what is promised of users exposed (`benchmarks`)."""
    assert log(1 / (alpha_of_start(0.045, 0) * 0.5)) / log(1 / (0.045 * 0.5)) == pytest.approx(1.028, abs=0.001)
