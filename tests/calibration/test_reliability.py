"""Calibration error, reliability curve and Brier score, by hand and against what they must converge to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from segue.errors import InputError
from segue.evidence.calibration import Answer, compare_reliability, mean_absolute_deviation, measure_reliability

ANSWERS = st.lists(
    st.builds(Answer, st.one_of(st.none(), st.floats(0, 1)), st.one_of(st.none(), st.integers(0, 1))), max_size=60
)


def calibrated(rng: np.random.Generator, n: int, shift: float = 0.0) -> list[Answer]:
    """Answers right with the probability they state, less `shift`."""
    confidence = rng.uniform(0.5, 1.0, n)
    return [Answer(float(c), int(rng.random() < c - shift)) for c in confidence]


def test_calibration_error_by_hand() -> None:
    """Two bins: 4 at 0.8 with 2 right (off by 0.3), 6 at 0.3 with 3 right (off by 0.2): 0.4 · 0.3 + 0.6 · 0.2 = 0.24."""
    answers = [Answer(0.8, 1)] * 2 + [Answer(0.8, 0)] * 2 + [Answer(0.3, 1)] * 3 + [Answer(0.3, 0)] * 3
    for binning in ("width", "mass"):
        found = measure_reliability(answers, bins=2, binning=binning)  # type: ignore[arg-type]
        assert found.ece == pytest.approx(0.24)
        assert [(one.n, one.accuracy.value) for one in found.bins] == [(6, 0.5), (4, 0.5)]
    assert found.brier.value == pytest.approx((2 * 0.04 + 2 * 0.64 + 3 * 0.49 + 3 * 0.09) / 10)
    assert found.overconfidence.value == pytest.approx(0.5 - 0.5)


def test_bins_of_equal_width_hold_their_edges() -> None:
    """0 opens the first bin, 1 closes the last, empty bins are left out."""
    found = measure_reliability([Answer(0.0, 0), Answer(0.1, 0), Answer(1.0, 1)], bins=10)
    assert [(one.low, one.high, one.n) for one in found.bins] == [(0.0, 0.1, 1), (0.1, 0.2, 1), (0.9, 1.0, 1)]


def test_bins_of_equal_mass_never_tear_equal_confidences_apart() -> None:
    """Ninety answers at 0.9 stay in one bin, though ten bins were asked for."""
    answers = [Answer(0.9, 1)] * 90 + [Answer(0.5 + index / 100, 1) for index in range(10)]
    found = measure_reliability(answers, bins=10, binning="mass")
    assert [one.n for one in found.bins] == [10, 90]
    even = measure_reliability([Answer(index / 99, 1) for index in range(100)], bins=10, binning="mass")
    assert [one.n for one in even.bins] == [10] * 10


def test_the_noise_floor_is_what_a_calibrated_model_shows() -> None:
    """Over many samples of a perfectly calibrated model, the mean calibration error equals the mean floor."""
    rng = np.random.default_rng(5)
    found = [measure_reliability(calibrated(rng, 200)) for _ in range(300)]
    ece = float(np.mean([one.ece for one in found if one.ece is not None]))
    floor = float(np.mean([one.noise_floor for one in found if one.noise_floor is not None]))
    assert ece == pytest.approx(floor, rel=0.06)
    assert ece > 0.02


def test_miscalibration_stands_out_of_the_noise() -> None:
    """Ten points of overconfidence are found, in the calibration error and in the mean."""
    found = measure_reliability(calibrated(np.random.default_rng(6), 2000, shift=0.1))
    assert found.ece == pytest.approx(0.1, abs=0.02)
    assert found.noise_floor is not None
    assert found.noise_floor < 0.03
    assert found.overconfidence.numbers[1] > 0.05
    assert "more confident than right" in found.sentence()


@given(st.integers(0, 60), st.floats(1e-9, 1))
def test_mean_absolute_deviation_agrees_with_the_sum_over_the_distribution(n: int, p: float) -> None:
    """De Moivre's closed form equals the expectation term by term."""
    k = np.arange(n + 1)
    expected = float((np.abs(k - n * p) * stats.binom.pmf(k, n, p)).sum())
    assert mean_absolute_deviation(n, p) == pytest.approx(expected, abs=1e-9)


def test_a_shift_between_the_arms_is_shown_with_an_interval() -> None:
    """The new arm is as right as the old one and 10 points more confident."""
    rng = np.random.default_rng(8)
    old = calibrated(rng, 800)
    new = [Answer(min(1.0, (one.confidence or 0) + 0.1), one.correct) for one in old]
    found = compare_reliability(old, new)
    assert found.n_paired == 800
    assert found.overconfidence.value == pytest.approx(0.098, abs=0.01)
    assert found.overconfidence.numbers[1] > 0
    assert found.brier.numbers[0] > 0


@pytest.mark.slow
def test_no_difference_in_brier_covers_zero() -> None:
    """Two arms alike: the 95 % interval of the difference holds 0 in at least 93 % of runs."""
    rng = np.random.default_rng(9)
    held = 0
    for _ in range(300):
        low, high = compare_reliability(calibrated(rng, 150), calibrated(rng, 150)).brier.numbers[1:]
        held += low <= 0 <= high
    assert held / 300 >= 0.93


def test_unknown_confidences_and_grades_are_counted_not_used() -> None:
    """Neither a missing confidence nor a missing grade is a zero."""
    known = [Answer(0.9, 1), Answer(0.8, 0)]
    found = measure_reliability([*known, Answer(None, 1), Answer(0.7, None)])
    assert (found.n, found.n_unknown) == (2, 2)
    assert found.brier.value == measure_reliability(known).brier.value
    assert "2 answers had no usable confidence" in found.sentence()


def test_nothing_known_is_unknown() -> None:
    """Without a usable answer every figure is open, with the reason."""
    for answers in ([], [Answer(None, 1)]):
        found = measure_reliability(answers)
        assert (found.ece, found.noise_floor, found.brier.value, found.bins) == (None, None, None, ())
        assert found.sentence() == found.reason != ""
    assert compare_reliability([Answer(None, 1)], [Answer(0.5, 1)]).brier.value is None


def test_one_answer_is_not_certainty() -> None:
    """A single right answer at full confidence has a wide interval."""
    found = measure_reliability([Answer(1.0, 1)])
    assert found.ece == 0.0
    assert found.brier.numbers[2] > 0.3
    assert found.accuracy.numbers[1] < 0.3


@pytest.mark.parametrize("answer", [Answer(1.5, 1), Answer(-0.1, 1), Answer(float("nan"), 1), Answer(0.5, 2)])
def test_values_out_of_range_are_faults(answer: Answer) -> None:
    """Per cent instead of shares, NaN and grades that are no grades are named by their place."""
    with pytest.raises(InputError) as caught:
        measure_reliability([Answer(0.5, 1), answer])
    assert caught.value.faults[0].path == "answer 1"


@given(ANSWERS, st.integers(1, 15), st.sampled_from(["width", "mass"]))
def test_figures_stay_in_range_and_bins_add_up(answers: list[Answer], bins: int, binning: str) -> None:
    """Whatever the answers."""
    found = measure_reliability(answers, bins=bins, binning=binning)  # type: ignore[arg-type]
    assert found.n + found.n_unknown == len(answers)
    assert sum(one.n for one in found.bins) == found.n
    assert len(found.bins) <= bins
    if found.ece is None:
        return
    assert 0 <= found.ece <= 1
    assert found.noise_floor is not None
    assert 0 <= found.noise_floor <= 0.5
    value, low, high = found.brier.numbers
    assert -1e-12 <= low <= value + 1e-12
    assert value <= high + 1e-12
