"""The threshold on the new model's confidence that keeps the old operating point.

An application that acts on an answer from some confidence on has an operating point: how much it acts on (coverage), how much
of that is right (precision), and how much of what is right it acts on (recall). After a swap the same threshold stands
for another point, even at equal quality. It knows nothing of models; answers come as plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segue.evidence.agreement import Estimate, proportion
from segue.evidence.calibration import Answer, Floats, known_answers

Keep = Literal["precision", "coverage", "recall"]

MIN_ACTED_ON = 30
"""A precision over fewer answers is chance; no threshold is chosen for it."""
MAX_UNKNOWN_SHARE = 0.05
"""With more answers of an arm lacking a confidence or a grade, figures over the rest would not be the arm's."""
MAX_MISS = 0.05
"""Coarse confidences leave gaps. A threshold that misses the old coverage or recall by more keeps no operating point."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a threshold yields on one arm: act where confidence ≥ threshold."""

    coverage: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The old threshold on both arms, and the new threshold that keeps `keep`; `None` exactly if there is a `reason`.

    `achieved` holds the new arm's figures at the new threshold. The interval of a precision that was kept is widened, since
    the same answers chose the threshold.
    """

    keep: Keep
    old_threshold: float
    old: Figures
    unchanged: Figures
    threshold: float | None
    achieved: Figures | None
    reason: str = ""

    def sentence(self) -> str:
        """The finding in one or two lines."""
        target: Estimate = getattr(self.old, self.keep)
        if self.threshold is None or self.achieved is None:
            return f"No threshold on the new model keeps the old {self.keep}. {self.reason}"
        got, low, high = getattr(self.achieved, self.keep).numbers
        return (
            f"To keep the old {self.keep} of {100 * target.numbers[0]:.1f} % (threshold {self.old_threshold:g}), act from a "
            f"confidence of {self.threshold:.6g} on; that gave {100 * got:.1f} % ({100 * low:.1f} to {100 * high:.1f}) here."
        )


def keep_operating_point(
    old: Sequence[Answer], new: Sequence[Answer], *, threshold: float, keep: Keep = "precision", level: float = 0.95
) -> OperatingPoint:
    """Find the new arm's threshold that keeps the old arm's precision, coverage or recall at `threshold`.

    Only confidences that occur on the new arm are tried. For precision: the lowest threshold (most coverage) whose precision
    is not below the old one, among those with at least `MIN_ACTED_ON` answers. For coverage: the nearest. For recall: the
    highest that is not below. Raises `InputError` as `measure_reliability` does.
    """
    before, after = known_answers(old), known_answers(new)
    was = _figures(*before, threshold, level, level)
    unchanged = _figures(*after, threshold, level, level)
    target: Estimate = getattr(was, keep)
    why_not = _not_comparable(old, len(before[0]), "old") or _not_comparable(new, len(after[0]), "new") or target.reason
    if why_not:
        return OperatingPoint(keep, threshold, was, unchanged, None, None, why_not)
    chosen, why_not = _choose(*after, target.numbers[0], keep)
    if chosen is None:
        return OperatingPoint(keep, threshold, was, unchanged, None, None, why_not)
    corrected = _level_after_choice(len(after[0]), level) if keep == "precision" else level
    return OperatingPoint(keep, threshold, was, unchanged, chosen, _figures(*after, chosen, level, corrected))


def _choose(confidence: Floats, correct: Floats, target: float, keep: Keep) -> tuple[float | None, str]:
    """The threshold, or why there is none. Rows i of the arrays below: act on the i + 1 most confident answers."""
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    right = np.cumsum(correct[order])
    acted = np.arange(1, len(ranked) + 1, dtype=float)
    ends = np.append(ranked[1:] != ranked[:-1], True)
    ranked, right, acted = ranked[ends], right[ends], acted[ends]
    # A hair of slack, so that 0.8 is not missed by 0.7999999999999999.
    slack = 1e-12
    if keep == "precision":
        reached = np.flatnonzero((acted >= MIN_ACTED_ON) & (right / acted >= target - slack))
        if not len(reached):
            return None, f"Its best precision over at least {MIN_ACTED_ON} answers stays below {100 * target:.1f} %."
        return float(ranked[reached[-1]]), ""
    if keep == "coverage":
        shares = acted / len(confidence)
        best = int(np.argmin(np.abs(shares - target)))
        miss = abs(float(shares[best]) - target)
    else:
        if right[-1] == 0:
            return None, "None of its answers is right."
        shares = right / right[-1]
        best = int(np.flatnonzero(shares >= target - slack)[0])
        miss = float(shares[best]) - target
    if miss > MAX_MISS:
        return None, (
            f"Its confidences are too coarse: the nearest threshold gives {100 * float(shares[best]):.1f} % instead of "
            f"{100 * target:.1f} %."
        )
    return float(ranked[best]), ""


def _figures(confidence: Floats, correct: Floats, threshold: float, level: float, precision_level: float) -> Figures:
    acts = confidence >= threshold
    n, acted = len(confidence), int(acts.sum())
    right, both = int(correct.sum()), int(correct[acts].sum())
    return Figures(
        coverage=proportion(acted, n, level, "No answer has a confidence and a grade."),
        precision=proportion(both, acted, precision_level, "No answer reaches the threshold."),
        recall=proportion(both, right, level, "No answer is right."),
    )


def _level_after_choice(n: int, level: float) -> float:
    """Bonferroni over the doublings between `MIN_ACTED_ON` and n: precisions at thresholds closer together hardly differ.

    Measured in `tests/calibration/test_operating_point.py`, also where the confidence tells nothing.
    """
    looks = max(1, math.ceil(math.log2(max(2.0, n / MIN_ACTED_ON))))
    return 1 - (1 - level) / looks


def _not_comparable(answers: Sequence[Answer], n_known: int, arm: str) -> str:
    if not answers or not n_known:
        return f"The {arm} arm has no answer with a confidence and a grade."
    unknown = len(answers) - n_known
    if unknown / len(answers) > MAX_UNKNOWN_SHARE:
        return f"{unknown} of {len(answers)} answers of the {arm} arm have no confidence or no grade."
    return ""
