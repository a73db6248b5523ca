"""Counting in arrays comes to the cells that the evidence's own, plain counting comes to."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.controller.live_counting import Counter, Tally, exposed_of, lay
from segue.controller.live_rows import CANDIDATE, DRAWN_NEW, INCUMBENT, Rows
from segue.controller.live_told import Told
from segue.evidence.sequential.cells import Arm, CellKey, CellStats
from segue.evidence.sequential.labels import Label, MetricAge
from segue.evidence.sequential.maturity import Exposure, count_cells
from segue.evidence.sequential.scale import Scale
from segue.simulation.setting import Stream

BLOCK, AGE, LEAST = 10.0, 12.0, 0.5
STREAM = Stream("quality", "lower", 0.1, AGE / 86_400, 0.5, 1.0, in_shadow=True)
NAMES = ("", "task=refund")

a_row = st.tuples(
    st.integers(0, 59),
    st.integers(0, 5),
    st.sampled_from([INCUMBENT, CANDIDATE]),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 1.0, float("nan")]),
    st.sampled_from([float("nan"), 0.5, 0.75, 1.0]),
)
"""Time, user, arm, whether it is of the slice, badness, and the probability of having been asked."""


def rows_of(given_rows: list[tuple[int, int, int, bool, float, float]]) -> Rows:
    """One stream, two cells, in order."""
    ordered = sorted(enumerate(given_rows), key=lambda one: (one[1][0], one[0]))
    table = [row for _, row in ordered]
    n = len(table)
    nothing = np.full(n, np.nan)
    return Rows(
        at=np.array([row[0] for row in table], float),
        ids=np.array([f"x{place}" for place in range(n)], object),
        units=np.array([f"u{row[1]}" for row in table], object),
        pairs=np.full(n, None, object),
        arm=np.array([row[2] for row in table], np.int8),
        segment=np.full(n, "everyone", object),
        cells=np.array([[True, row[3]] for row in table], bool).reshape(n, 2),
        values=np.array([[row[4]] for row in table], float).reshape(n, 1),
        asked=np.array([[row[5]] for row in table], float).reshape(n, 1),
        latency_ns=nothing,
        ttft_ns=nothing,
        cost_microusd=nothing,
        answered=np.ones(n, bool),
    )


def in_arrays(rows: Rows, *, by_user: bool, nodes: int) -> dict[int, tuple[Tally, np.ndarray]]:
    """By block, as a feed would have it counted."""
    counter = Counter(by_user, np.array([LEAST]), nodes)
    told = Told("reply", {}, (STREAM,))
    found = {}
    for number in range(6):
        begin, end = number * BLOCK, (number + 1) * BLOCK
        mine = rows.take((rows.at >= begin) & (rows.at < end))
        units = counter.open(mine)
        later = rows.take((rows.at >= begin) & (rows.at <= end + AGE)) if by_user else mine
        found[number] = (counter.count(units, later, [0], AGE, told), exposed_of(units))
    return found


def plainly(rows: Rows, *, by_user: bool, nodes: int) -> dict[CellKey, CellStats]:
    """The same by `count_cells`."""
    exposures, labels = [], []
    for place in range(len(rows)):
        unit = rows.units[place] if by_user else rows.ids[place]
        at, asked, value = float(rows.at[place]), float(rows.asked[place, 0]), float(rows.values[place, 0])
        slices = frozenset([NAMES[1]]) if rows.cells[place, 1] else frozenset()
        arm: Arm = "candidate" if rows.arm[place] == CANDIDATE else "incumbent"
        exposures.append(Exposure(unit, arm, at, 0, slices, {} if isnan(asked) else {"quality": asked}))
        if not isnan(value):
            # Twice the same of one unit at one moment is one label: no two rows here are of the same moment.
            labels.append(Label(unit, "quality", value, at))
    age = MetricAge(Scale(size=nodes), AGE, LEAST)
    return count_cells("reply", exposures, labels, {"quality": age}, block=BLOCK, now=1e6).cells


@settings(max_examples=150, deadline=None)
@given(st.lists(a_row, max_size=25, unique_by=lambda row: row[0]), st.booleans(), st.sampled_from([2, 11]))
def test_arrays_count_as_the_evidence_does(
    given_rows: list[tuple[int, int, int, bool, float, float]], by_user: bool, nodes: int
) -> None:
    """Users and requests, crossings, missing labels, sampling weights: the same masses in every cell of every block."""
    rows = rows_of(given_rows)
    expected = plainly(rows, by_user=by_user, nodes=nodes)
    for number, (tally, exposed) in in_arrays(rows, by_user=by_user, nodes=nodes).items():
        for arm, word in enumerate(("incumbent", "candidate")):
            for cell, name in enumerate(NAMES):
                plain = expected.get(CellKey("reply", name, "quality", 0, number, word), CellStats())  # type: ignore[arg-type]
                found = tally.cell(exposed, arm, 0, cell)
                assert (found.matured, found.asked, found.labelled) == (plain.matured, plain.asked, plain.labelled)
                assert found.masses == pytest.approx(plain.masses)
                assert [found.units.n, found.units.total, found.units.squares] == pytest.approx(
                    [plain.units.n, plain.units.total, plain.units.squares]
                )


@given(st.floats(0, 1), st.sampled_from([2, 3, 11]))
def test_a_value_is_laid_on_its_nodes_as_a_scale_lays_it(bad: float, nodes: int) -> None:
    """Also at the very ends."""
    assert lay(np.array([bad]), np.array([0.5]), nodes)[0] == pytest.approx(Scale(size=nodes).masses(bad, 0.5))


def test_a_sticky_unit_counts_once_for_assignment_and_a_continued_conversation_for_the_arm_it_was_drawn_for() -> None:
    """Else a busy user, or a route that drains, would look like shares that were not kept."""
    counter = Counter(by_user=False, least=np.array([1.0]), nodes=2)
    rows = rows_of([(place, user, CANDIDATE, False, 0.0, 1.0) for place, user in enumerate((1, 1, 2))])
    assert counter.assigned(rows) == (0, 2)
    rows.arm[:] = DRAWN_NEW
    rows.units[:] = "u9"
    assert counter.assigned(rows) == (0, 1)
