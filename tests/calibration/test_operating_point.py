"""The threshold that keeps the old operating point: found, covered, or honestly not there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.errors import InputError
from segue.evidence.calibration import Answer
from segue.evidence.operating_point import Keep, OperatingPoint, keep_operating_point

Curve = Callable[[np.ndarray], np.ndarray]
GRID = np.linspace(0, 1, 20_001)
DENSITY = GRID**4 * (1 - GRID)


def informative(confidence: np.ndarray) -> np.ndarray:
    """The surer, the righter."""
    return 0.3 + 0.65 * confidence**2


def flat(confidence: np.ndarray) -> np.ndarray:
    """The confidence tells nothing."""
    return 0 * confidence + 0.8


def truth(threshold: float, curve: Curve) -> dict[str, float]:
    """Coverage, precision and recall of `threshold` for confidences from Beta(5, 2)."""
    acts = threshold <= GRID
    right = DENSITY * curve(GRID)
    return {
        "coverage": DENSITY[acts].sum() / DENSITY.sum(),
        "precision": right[acts].sum() / DENSITY[acts].sum(),
        "recall": right[acts].sum() / right.sum(),
    }


def drawn(rng: np.random.Generator, n: int, curve: Curve, a: float = 5) -> list[Answer]:
    """Answers with confidences from Beta(a, 2)."""
    confidence = rng.beta(a, 2, n)
    return [Answer(float(c), int(rng.random() < p)) for c, p in zip(confidence, curve(confidence), strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["precision", "coverage", "recall"])
@pytest.mark.parametrize("curve", [informative, flat])
def test_the_interval_holds_the_true_figure_at_the_chosen_threshold(keep: Keep, curve: Curve) -> None:
    """At nominal 95 %, in at least 93 % of 400 runs: also for a precision whose threshold the same answers chose."""
    rng = np.random.default_rng(21)
    held = found = 0
    for _ in range(400):
        point = keep_operating_point(drawn(rng, 300, curve, 6), drawn(rng, 300, curve), threshold=0.75, keep=keep)
        if point.threshold is None or point.achieved is None:
            continue
        _, low, high = getattr(point.achieved, keep).numbers
        found += 1
        held += low <= truth(point.threshold, curve)[keep] <= high
    assert found > 150
    assert held / found >= 0.93


def test_an_overconfident_model_needs_a_higher_threshold() -> None:
    """The same answers, each 10 points surer: the threshold moves up by the same 10 points."""
    rng = np.random.default_rng(22)
    old = [Answer(round(0.85 * (one.confidence or 0), 3), one.correct) for one in drawn(rng, 2000, informative)]
    new = [Answer((one.confidence or 0) + 0.1, one.correct) for one in old]
    for keep in ("coverage", "precision", "recall"):
        point = keep_operating_point(old, new, threshold=0.6, keep=keep)  # type: ignore[arg-type]
        assert point.threshold is not None
        assert point.achieved is not None
        assert getattr(point.achieved, keep).value == pytest.approx(getattr(point.old, keep).value, abs=0.01)
        if keep != "precision":  # a lower threshold may happen to reach the same precision
            assert point.threshold == pytest.approx(0.7, abs=0.005)
    assert point.unchanged.coverage.numbers[0] > point.old.coverage.numbers[0]


def by_hand() -> list[Answer]:
    """Hundred answers from 0.00 to 0.99; those below 0.5 are wrong."""
    return [Answer(index / 100, int(index >= 50)) for index in range(100)]


def test_figures_by_hand() -> None:
    """At 0.4: 60 acted on, 50 of them right, all 50 right ones among them."""
    point = keep_operating_point(by_hand(), by_hand(), threshold=0.4, keep="coverage")
    assert (point.old.coverage.value, point.old.precision.value, point.old.recall.value) == (0.6, 50 / 60, 1.0)
    assert point.threshold == 0.4
    assert point.achieved is not None
    assert point.achieved.precision.value == 50 / 60
    assert "act from a confidence of 0.4 on" in point.sentence()


def reasons(point: OperatingPoint) -> str:
    """Why there is no threshold."""
    assert point.threshold is None
    assert point.achieved is None
    assert point.reason in point.sentence()
    return point.reason


def test_a_precision_out_of_reach_is_said_so() -> None:
    """A new model that is right half of the time everywhere cannot have the old precision of one."""
    new = [Answer(index / 100, index % 2) for index in range(100)]
    point = keep_operating_point(by_hand(), new, threshold=0.5)
    assert "best precision over at least 30 answers stays below 100.0 %" in reasons(point)


def test_a_lucky_top_answer_is_no_operating_point() -> None:
    """One right answer at the top has precision one, and is not enough."""
    new = [Answer(0.99, 1), *[Answer(0.5, 0)] * 99]
    assert "at least 30" in reasons(keep_operating_point(by_hand(), new, threshold=0.5))


def test_coarse_confidences_may_leave_no_threshold() -> None:
    """A model that says 0.9 to everything can be acted on always or never."""
    new = [Answer(0.9, 1)] * 100
    assert "too coarse" in reasons(keep_operating_point(by_hand(), new, threshold=0.5, keep="coverage"))
    assert "too coarse" in reasons(keep_operating_point(by_hand(), new, threshold=0.75, keep="recall"))


def test_an_undefined_old_point_cannot_be_kept() -> None:
    """An old threshold that nothing reaches has no precision; an arm without right answers no recall."""
    assert "reaches the threshold" in reasons(keep_operating_point(by_hand(), by_hand(), threshold=1.0))
    wrong = [Answer(0.5, 0)] * 50
    assert "No answer is right" in reasons(keep_operating_point(wrong, by_hand(), threshold=0.1, keep="recall"))
    assert "right" in reasons(keep_operating_point(by_hand(), wrong, threshold=0.1, keep="recall"))


def test_too_many_unknown_confidences_leave_the_point_unknown() -> None:
    """Up to one answer in twenty may lack a confidence; silence on more is a reason to stop."""
    gaps = [Answer(None, 1)]
    assert keep_operating_point(by_hand(), [*by_hand(), *gaps * 5], threshold=0.5).threshold is not None
    assert "6 of 106 answers of the new arm" in reasons(keep_operating_point(by_hand(), [*by_hand(), *gaps * 6], threshold=0.5))
    assert "old arm has no answer" in reasons(keep_operating_point([], by_hand(), threshold=0.5))
    assert "new arm has no answer" in reasons(keep_operating_point(by_hand(), gaps, threshold=0.5))


def test_wrong_values_are_faults() -> None:
    """A confidence in per cent is refused."""
    with pytest.raises(InputError):
        keep_operating_point(by_hand(), [Answer(85.0, 1)], threshold=0.5)


@given(
    st.lists(st.builds(Answer, st.sampled_from([0.1, 0.5, 0.7, 0.9]), st.integers(0, 1)), max_size=80),
    st.lists(st.builds(Answer, st.floats(0, 1), st.integers(0, 1)), max_size=80),
    st.floats(0, 1),
    st.sampled_from(["precision", "coverage", "recall"]),
)
def test_a_threshold_is_found_or_explained(old: list[Answer], new: list[Answer], threshold: float, keep: Keep) -> None:
    """Whatever the answers; a kept precision or recall is never below the old one, and the threshold occurs on the new arm."""
    point = keep_operating_point(old, new, threshold=threshold, keep=keep)
    assert (point.threshold is None) == bool(point.reason)
    if point.threshold is not None:
        assert point.threshold in {one.confidence for one in new}
        assert point.achieved is not None
        if keep != "coverage":
            assert getattr(point.achieved, keep).numbers[0] >= getattr(point.old, keep).numbers[0] - 1e-9
