"""Agreement and kappa against statsmodels, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from segue.evidence.agreement import (
    YesNoCounts,
    agreement_table,
    cohen_kappa,
    fisher_exact,
    kappa_standard_error,
    percent_agreement,
)

TABLES = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.integers(0, 60), min_size=k, max_size=k), min_size=k, max_size=k)
)


@given(TABLES)
def test_kappa_and_its_standard_error_agree_with_statsmodels(table: list[list[int]]) -> None:
    """For any square table with more than one label in use, to nine digits."""
    found = cohen_kappa(table)
    if found.value is None:
        counts = np.array(table)
        assert counts.sum() == 0 or (counts.sum(axis=0) > 0).sum() == (counts.sum(axis=1) > 0).sum() == 1
        return
    with np.errstate(invalid="ignore", divide="ignore"):  # theirs warns where its variance rounds to below 0
        theirs = cohens_kappa(np.array(table))
    assert found.value == pytest.approx(theirs.kappa, abs=1e-9)
    error = kappa_standard_error(table)
    assert error is not None
    assert error**2 == pytest.approx(max(0.0, theirs.var_kappa), abs=1e-9)
    value, low, high = found.numbers
    assert low <= value + 1e-12
    assert high >= value - 1e-12
    assert low <= max(-1.0, theirs.kappa - 1.9599 * error) + 1e-9


def test_published_kappa_of_fleiss_cohen_and_everitt() -> None:
    """Cohen's (1960) two psychiatrists: kappa 0.492 for agreement 0.70 and chance agreement 0.41."""
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    found = cohen_kappa(table)
    assert percent_agreement(table).value == pytest.approx(0.70)
    assert found.value == pytest.approx(0.492, abs=5e-4)


def test_perfect_agreement_does_not_read_as_certainty() -> None:
    """With nobody disagreeing the large-sample interval is a point; ours is not."""
    found = cohen_kappa([[10, 0], [0, 10]])
    assert found.value == 1.0
    assert found.low is not None
    assert found.low < 0.75


def test_kappa_is_undefined_where_everything_has_one_label() -> None:
    """Agreement beyond chance cannot be told apart from chance; no item at all is undefined too."""
    for table in ([[20, 0], [0, 0]], [[0, 0], [0, 0]]):
        found = cohen_kappa(table)
        assert found.value is None
        assert found.reason
    assert percent_agreement([[0, 0], [0, 0]]).value is None
    assert cohen_kappa([[10, 10], [0, 0]]).value == 0.0


@given(st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_fisher_agrees_with_scipy(cells: list[int]) -> None:
    """Two-sided p of any 2×2 table."""
    a, b, c, d = cells
    expected = stats.fisher_exact([[a, b], [c, d]]).pvalue if a + b and c + d else 1.0
    assert fisher_exact(a, a + b, c, c + d) == pytest.approx(expected, rel=1e-6)


def test_counts_add_up_and_tabulate() -> None:
    """Counting pairs, adding counts and tabulating labels say the same."""
    pairs = [(1, 1), (1, 0), (0, 1), (0, 0), (0, 0)]
    counts = YesNoCounts.of(pairs)
    assert counts == YesNoCounts(1, 1, 1, 2)
    assert counts + counts == YesNoCounts(2, 2, 2, 4)
    assert counts.table() == agreement_table([one for one, _ in pairs], [other for _, other in pairs], [1, 0])
