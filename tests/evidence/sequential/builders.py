"""The smallest values that the tests of sequential evidence need, so that a test shows only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue.evidence.sequential.betting import Block
from segue.evidence.sequential.cells import CellStats, Sums
from segue.evidence.sequential.grid import Grid, Rule, outcomes_of
from segue.evidence.sequential.judgement import Look
from segue.evidence.sequential.null import EDGE, Null, Questions
from segue.evidence.sequential.scale import Scale

Pair = tuple[CellStats, CellStats]

SIZES = ((1, 1), (10, 190), (1, 99), (99, 1), (37, 5), (0, 20), (20, 0), (500, 500))
"""Candidate and control outcomes of a block, extremes included."""


def some_stats(bad: int, n: int, *, missing: int = 0, unasked: int = 0, immature: int = 0) -> CellStats:
    """A cell of yes/no outcomes: `n` labelled units, `bad` of them bad, and units that are not labelled for three reasons."""
    asked = n + missing
    return CellStats(
        exposed=asked + unasked + immature,
        matured=asked + unasked,
        asked=asked,
        labelled=n,
        masses=(float(n - bad), float(bad)) if n else (),
        units=Sums(n, bad, bad),
        requests=Sums(n, bad, bad),
    )


def a_rule(metric: str = "quality", **changes: object) -> Rule:
    """Holds beyond 2 points, rolls back beyond 5, is safe within 2."""
    given: dict[str, object] = {
        "rollback": Null("harm", margin=0.05),
        "hold": Null("harm", margin=0.02),
        "safe": (Null("safe", margin=0.02),),
        "rate": 0.1,
    }
    return Rule(metric, **{**given, **changes})  # type: ignore[arg-type]


def a_grid(*rules: Rule, slices: Sequence[str] = ()) -> Grid:
    """A grid of the rules given; of the plain one by default."""
    return Grid.start(rules or [a_rule()], slices)


def watched(grid: Grid, blocks: Sequence[dict[tuple[str, str], Pair]], **look: object) -> tuple[Grid, Look]:
    """A grid after blocks of cells, and what a look knows of their totals."""
    totals: dict[tuple[str, str], Pair] = {}
    for cells in blocks:
        grid = grid.advance(outcomes_of(grid, cells), close=True)
        for key, (old, new) in cells.items():
            before = totals.get(key, (CellStats(), CellStats()))
            totals[key] = (before[0] + old, before[1] + new)
    return grid, Look(totals, **look)  # type: ignore[arg-type]


def counts(*numbers: float) -> list[NDArray[np.float64]]:
    """Numbers as arrays of one stream and one cell."""
    return [np.array([[number]], float) for number in numbers]


def a_block(bad_new: float, n_new: float, bad_old: float, n_old: float) -> Block:
    """One stream, one cell, yes/no outcomes."""
    return Block.of_counts(*counts(bad_new, n_new, bad_old, n_old))


def boundary_is_inside(margin: float, ratio: float) -> bool:
    """Whether some pair of rates lies on the boundary with room on both sides."""
    low, high = max(EDGE, (EDGE - margin) / ratio), min(1 - EDGE, (1 - EDGE - margin) / ratio)
    return low < high


@st.composite
def nulls(draw: st.DrawFn) -> Null:
    """Margins and ratios of both sides, near the ends too."""
    margin = draw(st.one_of(st.sampled_from([0.0, 0.02, -0.02, 0.9, -0.9, 0.99, -0.99]), st.floats(-0.95, 0.95)))
    ratio = draw(st.one_of(st.just(1.0), st.sampled_from([0.5, 0.8, 1.2, 3.0]), st.floats(0.1, 10.0)))
    side = draw(st.sampled_from(["harm", "safe"]))
    if not boundary_is_inside(margin, ratio):
        margin, ratio = 0.02, 1.0
    return Null(side, margin=margin, ratio=ratio, floor=draw(st.sampled_from([1e-4, 0.01])))


@st.composite
def true_rates(draw: st.DrawFn, null: Null) -> tuple[float, float]:
    """Rates of control and candidate that obey the null: at its edge, or inside it."""
    control = draw(st.one_of(st.sampled_from([0.0, 0.001, 0.1, 0.5, 0.999, 1.0]), st.floats(0.0, 1.0)))
    edge = null.ratio * control + null.margin
    if null.sign > 0:
        top = min(1.0, edge)
        return (control, top * draw(st.sampled_from([1.0, 0.9, 0.0]))) if top >= 0 else _on_the_edge(null, draw)
    bottom = max(0.0, edge)
    return (control, min(1.0, bottom + draw(st.sampled_from([0.0, 0.01, 1.0])))) if bottom <= 1 else _on_the_edge(null, draw)


def _on_the_edge(null: Null, draw: st.DrawFn) -> tuple[float, float]:
    """A pair of rates on the boundary, where the one first tried has none."""
    low, high = max(0.0, -null.margin / null.ratio), min(1.0, (1.0 - null.margin) / null.ratio)
    control = low + draw(st.floats(0.0, 1.0)) * (high - low)
    return control, min(1.0, max(0.0, null.ratio * control + null.margin))


def one_question(null: Null) -> Questions:
    """One null, asked of the first stream."""
    return Questions.of([null])


YES_NO = Scale()
TENTHS = Scale(size=11)
