"""A judge's verdicts over several runs, or in clusters, as a table that can be corrected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.agreement import YesNoCounts
from segue.evidence.flips import FlipCounts
from segue.evidence.judge_rates import correct_difference
from segue.evidence.paired import PairedSample
from segue.evidence.verdict_means import clustered_flips, mean_verdicts

counts = st.integers(0, 40)


@given(counts, counts, counts, counts)
def test_single_runs_of_single_cases_are_the_table_of_flips(both: int, only_old: int, only_new: int, neither: int) -> None:
    """Nothing is made up and nothing is scaled."""
    pairs = [(1.0, 1.0)] * both + [(1.0, 0.0)] * only_old + [(0.0, 1.0)] * only_new + [(0.0, 0.0)] * neither
    table = mean_verdicts(PairedSample.from_pairs(pairs))
    assert (table.both_right, table.only_old, table.only_new, table.both_wrong) == (both, only_old, only_new, neither)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_averaged_runs_keep_the_rates(pairs: list[tuple[int, int]]) -> None:
    """Two of three runs right is two thirds of a yes, on either arm."""
    sample = PairedSample.from_pairs((old / 3, new / 3) for old, new in pairs)
    table = mean_verdicts(sample)
    assert table.n == pytest.approx(len(pairs))
    assert (table.both_right + table.only_old) / table.n == pytest.approx(sample.mean_old)
    assert (table.both_right + table.only_new) / table.n == pytest.approx(sample.mean_new)


def test_clusters_that_agree_within_are_worth_one_case_each() -> None:
    """Forty conversations of ten cases that share one fate weigh as forty cases, not as four hundred."""
    blocks = {(10, 10.0, 10.0): 28, (10, 10.0, 0.0): 4, (10, 0.0, 10.0): 4, (10, 0.0, 0.0): 4}
    assert mean_verdicts(PairedSample.from_blocks(blocks)).n == pytest.approx(40, rel=0.05)
    assert clustered_flips(FlipCounts(280, 40, 40, 40), PairedSample.from_blocks(blocks)).n == pytest.approx(40)
    silent = PairedSample.from_blocks({(10, 10.0, 10.0): 40})
    assert mean_verdicts(silent).n == pytest.approx(40)


def labels(rng: np.random.Generator, n: int, rate: float, hits: float, rejects: float) -> YesNoCounts:
    """A calibration sample of one arm."""
    yes = int(rng.binomial(n, rate))
    caught, refused = int(rng.binomial(yes, hits)), int(rng.binomial(n - yes, rejects))
    return YesNoCounts(caught, yes - caught, n - yes - refused, refused)


@pytest.mark.parametrize("clusters", [False, True])
def test_the_corrected_difference_covers(clusters: bool) -> None:
    """Three runs a case, or 50 conversations of six: the 95 % interval holds the truth in at least 93.5 % of 400 runs.

    The judge's errors differ between the arms, so that clusters do not cancel out of the difference.
    """
    rng = np.random.default_rng(17 + clusters)
    n, held = 300, 0
    for _ in range(400):
        ease = np.repeat(rng.normal(0, 1, 50), 6) + rng.normal(0, 0.5, n) if clusters else rng.normal(0, 1.118, n)
        p_old, p_new = 1 / (1 + np.exp(-2 * ease - 2)), 1 / (1 + np.exp(-2 * ease - 1.7))
        runs = 1 if clusters else 3
        said = []
        for p, (hits, rejects) in ((p_old, (0.97, 0.93)), (p_new, (0.93, 0.9))):
            good = rng.random((runs, n)) < p
            said.append(np.where(good, rng.random((runs, n)) < hits, rng.random((runs, n)) >= rejects).mean(axis=0))
        if clusters:
            blocks: dict[tuple[int, float, float], int] = {}
            for x, y in zip(said[0].reshape(50, 6).sum(axis=1), said[1].reshape(50, 6).sum(axis=1), strict=True):
                blocks[6, float(x), float(y)] = blocks.get((6, float(x), float(y)), 0) + 1
            sample = PairedSample.from_blocks(blocks)
        else:
            sample = PairedSample.from_pairs(zip(said[0].tolist(), said[1].tolist(), strict=True))
        found = correct_difference(
            mean_verdicts(sample), labels(rng, 300, TRUE_OLD, 0.97, 0.93), labels(rng, 300, TRUE_NEW, 0.93, 0.9)
        ).corrected
        assert found.value is not None
        held += found.numbers[1] <= TRUE_NEW - TRUE_OLD <= found.numbers[2]
    assert held / 400 >= 0.935


def _rate(shift: float) -> float:
    """The mean of the logistic curve over cases, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float((weights / (1 + np.exp(-2 * np.sqrt(1.25) * nodes - shift))).sum() / weights.sum())


TRUE_OLD, TRUE_NEW = _rate(2.0), _rate(1.7)
