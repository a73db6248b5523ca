"""Corrected rates: published examples, an independent computation, coverage, and where there is nothing to correct."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evidence.agreement import YesNoCounts
from segue.evidence.flips import FlipCounts
from segue.evidence.judge_rates import correct_difference, correct_rate
from tests.judge.builders import calibration_counts

NEARLY_KNOWN = 10**9


def known(sensitivity: float, specificity: float) -> YesNoCounts:
    """A calibration so large that its errors are as good as known."""
    hits, rejections = round(sensitivity * NEARLY_KNOWN), round(specificity * NEARLY_KNOWN)
    return YesNoCounts(hits, NEARLY_KNOWN - hits, NEARLY_KNOWN - rejections, rejections)


def test_published_example_brucellosis() -> None:
    """23 of 150 cows positive, Se 0.96, Sp 0.89: 5.1 per 100, 95 % interval 0 to 13 (epiR's manual, `epi.prev`)."""
    found = correct_rate(23, 150, known(0.96, 0.89)).corrected
    assert found.numbers == pytest.approx((0.051, 0.0, 0.13), abs=6e-3)


def test_published_example_helicobacter() -> None:
    """6 of 151 children positive, Se 0.964, Sp 0.927 (Moujaber et al. 2008, in epiR's manual): the correction is cut at 0."""
    found = correct_rate(6, 151, known(0.964, 0.927))
    assert found.corrected.value == 0.0
    assert found.raw is not None
    assert found.raw < 0
    assert found.corrected.numbers[2] == pytest.approx(0.013, abs=1e-2)


def test_lang_and_reiczigel_step_by_step() -> None:
    """80 of 200 yes, 45 of 50 hits, 90 of 100 rejections, their equations written out.

    AP′ = (80 + z²/2)/(200 + z²) = 0.40188; Se′ = 46/52; Sp′ = 91/102; P′ = (AP′ + Sp′ − 1)/(Se′ + Sp′ − 1) = 0.37854.
    """
    found = correct_rate(80, 200, YesNoCounts(45, 5, 10, 90)).corrected
    assert found.value == pytest.approx(0.375)
    z2 = 1.959963985**2
    sensitivity, specificity = 46 / 52, 91 / 102
    apparent = (80 + z2 / 2) / (200 + z2)
    rate = (apparent + specificity - 1) / (sensitivity + specificity - 1)
    assert rate == pytest.approx(0.37854, abs=1e-5)
    a, b = sensitivity * (1 - sensitivity) / 52, specificity * (1 - specificity) / 102
    error = (apparent * (1 - apparent) / (200 + z2) + rate**2 * a + (1 - rate) ** 2 * b) ** 0.5 / (
        sensitivity + specificity - 1
    )
    centre = rate + 2 * z2 * (rate * a - (1 - rate) * b)
    assert found.numbers[1:] == pytest.approx((centre - z2**0.5 * error, centre + z2**0.5 * error), abs=1e-9)


@pytest.mark.parametrize(
    ("yes", "n", "calibration"),
    [(240, 300, YesNoCounts(116, 4, 3, 27)), (150, 300, YesNoCounts(90, 10, 15, 85)), (80, 100, YesNoCounts(190, 10, 20, 80))],
)
def test_interval_agrees_with_an_independent_simulation(yes: int, n: int, calibration: YesNoCounts) -> None:
    """Drawing all three shares from their Jeffreys posteriors and inverting each draw gives the same ends within a point."""
    rng = np.random.default_rng(11)

    def draws(hits: int, misses: int) -> np.ndarray:
        return rng.beta(hits + 0.5, misses + 0.5, 400_000)

    apparent = draws(yes, n - yes)
    sensitivity = draws(calibration.both_yes, calibration.only_reference)
    specificity = draws(calibration.both_no, calibration.only_other)
    rates = np.clip((apparent + specificity - 1) / (sensitivity + specificity - 1), 0, 1)
    found = correct_rate(yes, n, calibration).corrected
    assert found.numbers[1:] == pytest.approx(tuple(np.quantile(rates, [0.025, 0.975])), abs=0.012)


def test_a_perfect_judge_needs_no_correction() -> None:
    """With errors known to be none, the corrected rate is the apparent one."""
    found = correct_rate(70, 100, known(1.0, 1.0))
    assert found.corrected.value == pytest.approx(0.7)
    assert found.corrected.numbers[1:] == pytest.approx(found.apparent.numbers[1:], abs=5e-3)


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [
        (YesNoCounts(50, 50, 50, 50), "no better than chance"),
        (YesNoCounts(20, 80, 90, 10), "no better than chance"),
        (YesNoCounts(100, 0, 0, 9), "no to 9 of"),
        (YesNoCounts(0, 0, 0, 100), "yes to 0 of"),
        (YesNoCounts(), "yes to 0 of"),
    ],
)
def test_nothing_is_corrected_that_cannot_be_inverted(calibration: YesNoCounts, reason: str) -> None:
    """Chance, or too few labels of one kind, leave the rate unknown with the reason, and the difference too."""
    found = correct_rate(50, 100, calibration)
    assert found.corrected.value is None
    assert reason in found.corrected.reason
    assert found.apparent.value == 0.5
    both = correct_difference(FlipCounts(40, 10, 10, 40), known(0.9, 0.9), calibration)
    assert both.corrected.value is None
    assert reason in both.corrected.reason


def test_no_verdicts_are_unknown() -> None:
    """An empty suite gives no rate and no difference."""
    assert correct_rate(0, 0, known(0.9, 0.9)).corrected.value is None
    found = correct_difference(FlipCounts(), known(0.9, 0.9), known(0.9, 0.9))
    assert (found.apparent.value, found.corrected.value) == (None, None)


def test_unequal_errors_that_made_a_difference_are_taken_out() -> None:
    """Both arms at 0.8; a judge with specificity 0.9 on one and 0.5 on the other sees 8 points that are not there."""
    old, new = known(1.0, 0.9), known(1.0, 0.5)
    found = correct_difference(FlipCounts(8000, 200, 1000, 800), old, new)
    assert found.apparent.value == pytest.approx(0.08)
    assert found.corrected.value == pytest.approx(0.0, abs=1e-6)


def simulate_rates(runs: int, rate: float, errors: tuple[float, float], n: int, labels: int) -> float:
    """Share of runs whose 95 % interval holds the true rate."""
    rng = np.random.default_rng(42)
    sensitivity, specificity = errors
    held = tried = 0
    for _ in range(runs):
        yes = int(rng.binomial(n, rate * sensitivity + (1 - rate) * (1 - specificity)))
        found = correct_rate(yes, n, calibration_counts(rng, labels, rate, *errors)).corrected
        if found.value is not None:
            tried += 1
            held += found.numbers[1] <= rate <= found.numbers[2]
    assert tried > 0.5 * runs
    return held / tried


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("errors", [(0.97, 0.97), (0.9, 0.9), (0.98, 0.7)])
@pytest.mark.parametrize(("n", "labels"), [(300, 150), (1000, 300)])
def test_interval_of_a_rate_covers(rate: float, errors: tuple[float, float], n: int, labels: int) -> None:
    """At least 93.5 % at nominal 95 %."""
    assert simulate_rates(2000, rate, errors, n, labels) >= 0.935


@pytest.mark.slow
@pytest.mark.parametrize(("old_rate", "new_rate", "together"), [(0.8, 0.8, 0.9), (0.9, 0.85, 0.5), (0.5, 0.6, 0.7)])
@pytest.mark.parametrize("errors", [((0.97, 0.97), (0.97, 0.97)), ((0.9, 0.9), (0.9, 0.9)), ((0.98, 0.7), (0.95, 0.85))])
def test_interval_of_a_difference_covers(
    old_rate: float, new_rate: float, together: float, errors: tuple[tuple[float, float], tuple[float, float]]
) -> None:
    """At least 93.5 % at nominal 95 %, for paired arms and unequal judge errors."""
    rng = np.random.default_rng(43)
    n, labels, runs, held = 300, 300, 1200, 0
    (old_hits, old_rejects), (new_hits, new_rejects) = errors
    for _ in range(runs):
        ease = rng.random(n)
        old = ease < old_rate
        new = np.where(rng.random(n) < together, ease, rng.random(n)) < new_rate
        says_old = np.where(old, rng.random(n) < old_hits, rng.random(n) >= old_rejects)
        says_new = np.where(new, rng.random(n) < new_hits, rng.random(n) >= new_rejects)
        verdicts = FlipCounts(
            int((says_old & says_new).sum()),
            int((says_old & ~says_new).sum()),
            int((~says_old & says_new).sum()),
            int((~says_old & ~says_new).sum()),
        )
        found = correct_difference(
            verdicts,
            calibration_counts(rng, labels, old_rate, *errors[0]),
            calibration_counts(rng, labels, new_rate, *errors[1]),
        ).corrected
        assert found.value is not None
        held += found.numbers[1] <= new_rate - old_rate <= found.numbers[2]
    assert held / runs >= 0.935


@given(st.integers(0, 200), st.integers(10, 60), st.integers(10, 60), st.data())
def test_intervals_hold_their_estimate_and_stay_in_range(yes: int, positives: int, negatives: int, data: st.DataObject) -> None:
    """Whatever the counts: low ≤ value ≤ high, all between 0 and 1, or unknown with a reason."""
    hits, rejections = data.draw(st.integers(0, positives)), data.draw(st.integers(0, negatives))
    found = correct_rate(yes, 200, YesNoCounts(hits, positives - hits, negatives - rejections, rejections)).corrected
    if found.value is None:
        assert found.reason
        return
    value, low, high = found.numbers
    assert 0 <= low <= value <= high <= 1
