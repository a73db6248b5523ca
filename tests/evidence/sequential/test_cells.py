"""Cells add up in any order, come back from storage as they were, and refuse what cannot be."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.sequential.cells import CellKey, CellStats, Sketch, Sums, merge_cells
from segue.evidence.sequential.scale import Scale
from tests.evidence.sequential.builders import TENTHS, some_stats

Eighths = st.integers(0, 8).map(lambda part: part / 8)
NINE = Scale(size=9)

Units = st.builds(
    lambda values, weight: CellStats.of_unit(NINE, values, weight=weight, sketched=True),
    st.lists(Eighths, max_size=3).filter(lambda values: len(values) != 3),
    st.sampled_from([1.0, 0.5, 0.25]),
)
"""Units whose sums are exact in binary, so that order may be compared to the last bit."""


@given(st.lists(Units, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_adding_does_not_matter(units: list[CellStats], shuffle: object) -> None:
    """Any order and any grouping give the same cell."""
    forwards = CellStats()
    for unit in units:
        forwards = forwards + unit
    shuffled = list(units)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    middle = len(shuffled) // 2
    halves = []
    for part in (shuffled[middle:], shuffled[:middle]):
        half = CellStats()
        for unit in part:
            half = half + unit
        halves.append(half)
    assert halves[0] + halves[1] == forwards


@given(st.lists(Units, max_size=6))
def test_a_total_is_the_sum_one_by_one(units: list[CellStats]) -> None:
    """To the last bit, sketches and all; of nothing it is an empty cell."""
    assert CellStats.total(units) == sum(units, CellStats())


@given(st.lists(st.lists(st.floats(0.0, 1e9), max_size=8), min_size=3, max_size=3))
def test_sketches_add_up_in_any_order(parts: list[list[float]]) -> None:
    """Three sketches in six orders, against the sketch of everything."""
    whole = Sketch.of([value for part in parts for value in part])
    for one, two, three in permutations(map(Sketch.of, parts)):
        assert one + (two + three) == whole
        assert (one + two) + three == whole


def test_cells_of_several_gateways_merge_by_key() -> None:
    """A key on one gateway only is kept, a key on both is added up."""
    keys = [CellKey("refunds", "", "quality", 0, block, "candidate") for block in range(2)]
    merged = merge_cells([{keys[0]: some_stats(1, 5)}, {keys[0]: some_stats(2, 5), keys[1]: some_stats(0, 1)}])
    assert merged == {keys[0]: some_stats(3, 10), keys[1]: some_stats(0, 1)}
    assert merge_cells([]) == {}


@given(st.lists(Units, max_size=4))
def test_a_cell_comes_back_from_storage_as_it_was(units: list[CellStats]) -> None:
    """Through JSON text, and the stored form is plain data."""
    cell = CellStats(exposed=3, matured=2)
    for unit in units:
        cell = cell + unit
    assert CellStats.from_json(json.loads(json.dumps(cell.as_json()))) == cell


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version 2"),
        ({"version": None}, "version None"),
        ({"extra": 1}, "extra"),
        ({"exposed": "7"}, "exposed"),
        ({"exposed": 7.5}, "exposed"),
        ({"labelled": True}, "labelled"),
        ({"masses": "12"}, "masses"),
        ({"masses": [1, "x"]}, "masses"),
        ({"masses": [float("nan"), 1.0]}, "masses"),
        ({"units": [1, 2]}, "units"),
        ({"requests": [1, None, 2]}, "requests"),
        ({"requests": [1, float("inf"), 2]}, "requests"),
        ({"sketch": [[1]]}, "sketch"),
        ({"sketch": [["a", 1]]}, "sketch"),
        ({"sketch": [[1, -1]]}, "sketch"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_named(change: dict[str, object], named: str) -> None:
    """Another version, a key too many, and every value of a wrong type: an error that says which."""
    with pytest.raises(ValueError, match=named):
        CellStats.from_json({**some_stats(1, 5).as_json(), **change})


def test_a_missing_key_is_named() -> None:
    """A key too few is as bad as one too many."""
    stored = some_stats(1, 5).as_json()
    del stored["asked"]
    with pytest.raises(ValueError, match="check asked"):
        CellStats.from_json(stored)


def test_a_stored_sketch_is_sorted_when_it_is_read() -> None:
    """Another writer's order of buckets does not change a quantile."""
    stored = {**CellStats().as_json(), "sketch": [[300, 1], [-5, 1], [300, 2]]}
    read = CellStats.from_json(stored).sketch
    assert read.buckets == ((-5, 1.0), (300, 3.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"exposed": 1, "matured": 2},
        {"exposed": 2, "matured": 1, "asked": 2},
        {"exposed": 2, "matured": 2, "asked": 1, "labelled": 2},
        {"exposed": -1},
        {"exposed": 1, "matured": 1, "asked": 1, "labelled": 1, "masses": (-0.5, 1.5)},
        {"exposed": 1, "matured": 1, "asked": 1, "labelled": 1, "masses": (float("inf"), 0.0)},
        {"exposed": 9, "matured": 9, "asked": 9, "labelled": 1, "masses": (2.0, 0.0)},
        {"exposed": 9, "masses": (1.0, 0.0)},
    ],
    ids=str,
)
def test_counts_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    """labelled ≤ asked ≤ matured ≤ exposed, and no more mass than labels: a weight above 1 would be a bet above its stake."""
    with pytest.raises(ValueError, match=r"counts|[Mm]ass"):
        CellStats(**wrong)  # type: ignore[arg-type]


def test_a_unit_weighs_at_most_one() -> None:
    """A sampling weight above 1 is not a fair bet, so it is refused where it is given."""
    with pytest.raises(ValueError, match="weight"):
        CellStats.of_unit(Scale(), [1.0], weight=1.5)
    with pytest.raises(ValueError, match="weight"):
        CellStats.of_unit(Scale(), [1.0], weight=float("nan"))


def test_a_unit_without_outcomes_is_missing_and_not_well() -> None:
    """It was asked, it said nothing: no mass, no mean."""
    silent = CellStats.of_unit(Scale(), [])
    assert (silent.asked, silent.labelled, silent.missing) == (1, 0, 1)
    assert silent.masses == ()
    assert silent.units.mean is None
    assert CellStats().units.variance is None


def test_a_unit_counts_once_however_often_it_asked() -> None:
    """Ten outcomes of one user are one unit with their mean, and ten requests for display."""
    busy = CellStats.of_unit(TENTHS, [1.0] * 3 + [0.0] * 7)
    assert (busy.labelled, busy.units.n, busy.requests.n) == (1, 1.0, 10.0)
    assert busy.units.mean == pytest.approx(0.3)
    assert sum(busy.masses) == pytest.approx(1.0)


def test_cells_of_unlike_scales_do_not_add() -> None:
    """Two nodes and eleven are two different measurements."""
    with pytest.raises(ValueError, match="2 and 11 nodes"):
        CellStats.of_unit(Scale(), [1.0]) + CellStats.of_unit(TENTHS, [1.0])
    with pytest.raises(ValueError, match="2 and 11 nodes"):
        CellStats.total([CellStats.of_unit(TENTHS, [1.0]), CellStats(), CellStats.of_unit(Scale(), [1.0])])


@given(st.floats(-2.0, 3.0), st.integers(2, 21), st.sampled_from(["higher", "lower"]))
def test_a_value_on_nodes_keeps_its_mean(value: float, size: int, worse: str) -> None:
    """Winsorised, turned, and split between its neighbours."""
    scale = Scale(-1.0, 2.0, worse, size)  # type: ignore[arg-type]
    badness = scale.badness(value)
    assert 0.0 <= badness <= 1.0
    masses = scale.masses(badness, 0.5)
    assert sum(masses) == pytest.approx(0.5)
    assert sum(mass * node for mass, node in zip(masses, scale.nodes, strict=True)) == pytest.approx(0.5 * badness)
    assert sum(mass > 0 for mass in masses) <= 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_measurement(value: float) -> None:
    """Unknown is not zero."""
    with pytest.raises(ValueError, match="no measurement"):
        Scale().badness(value)
    with pytest.raises(ValueError, match="finite"):
        Sketch.of([value])


@pytest.mark.parametrize("ends", [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (-1e308, 1e308)], ids=str)
def test_a_scale_has_a_length(ends: tuple[float, float]) -> None:
    """Its ends are finite and apart, and so is the distance between them."""
    with pytest.raises(ValueError, match="scale"):
        Scale(*ends)


def test_sums_know_mean_and_variance() -> None:
    """Count, sum and sum of squares, by hand."""
    sums = Sums.of(1.0) + Sums.of(0.0) + Sums.of(0.5, weight=2.0)
    assert (sums.n, sums.mean) == (4.0, 0.5)
    assert sums.variance == pytest.approx(0.125)
