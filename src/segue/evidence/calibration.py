"""Whether a stated confidence means what it says: calibration error, reliability curve, Brier score, old arm against new.

Confidence and correctness come as plain numbers; where they come from is the scorers' affair (`segue.scoring.confidence`).
What to do about a shifted confidence, the threshold that keeps the old operating point, is in
`segue.evidence.operating_point`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segue.errors import Fault, InputError
from segue.evidence.agreement import Estimate, proportion
from segue.evidence.paired import PairedSample, difference_interval
from segue.evidence.special import gammaln

Binning = Literal["width", "mass"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """One output: its confidence (0 to 1) and whether it was right (0 or 1).

    `None` is not known; such an answer is counted, not used.
    """

    confidence: float | None
    correct: int | None

    @property
    def is_known(self) -> bool:
        """Whether both are known."""
        return self.confidence is not None and self.correct is not None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One point of the reliability curve: confidences from `low` to `high`, their mean, and the share that was right."""

    low: float
    high: float
    n: int
    mean_confidence: float | None
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """How confidence and correctness go together on one arm.

    `ece` is the expected calibration error: the mean distance of accuracy from confidence over the bins, weighted by n. It
    cannot be 0 on a finite sample: `noise_floor` is what a perfectly calibrated model would show with these confidences in
    these bins. `overconfidence` is mean confidence minus accuracy. `n_unknown` answers had no confidence or no grade.
    """

    binning: Binning
    bins: tuple[ReliabilityBin, ...]
    n: int
    n_unknown: int
    ece: float | None
    noise_floor: float | None
    brier: Estimate
    overconfidence: Estimate
    accuracy: Estimate
    reason: str = ""

    def sentence(self) -> str:
        """The arm in one line."""
        if self.ece is None or self.noise_floor is None or self.overconfidence.value is None:
            return self.reason
        lean = "more" if self.overconfidence.value > 0 else "less"
        unknown = f" {self.n_unknown} answers had no usable confidence." if self.n_unknown else ""
        return (
            f"Calibration error {self.ece:.3f} over {self.n} answers in {len(self.bins)} bins, where chance alone would show "
            f"about {self.noise_floor:.3f}; on average {abs(self.overconfidence.value):.3f} {lean} confident than right."
            + unknown
        )


@dataclass(frozen=True, slots=True)
class CalibrationShift:
    """Both arms, and the paired differences, new minus old, over the cases known on both."""

    old: Reliability
    new: Reliability
    n_paired: int
    brier: Estimate
    overconfidence: Estimate


def measure_reliability(
    answers: Sequence[Answer], *, bins: int = 10, binning: Binning = "width", level: float = 0.95
) -> Reliability:
    """Expected calibration error (Naeini, Cooper and Hauskrecht 2015), reliability curve and Brier score (Brier 1950).

    `binning`: `width` cuts 0…1 into equal parts (the last holds 1); `mass` puts equally many answers into each, equal
    confidences staying together, so there may be fewer bins. Empty bins are left out. Intervals: Wilson for accuracies,
    Student's t with a shared pseudo-answer for the Brier score and the overconfidence.
    Raises `InputError` for a confidence outside 0…1 or a grade other than 0 and 1.
    """
    assert bins >= 1, "at least one bin"
    confidence, correct = known_answers(answers)
    n = len(confidence)
    unknown = len(answers) - n
    if n == 0:
        reason = "No answer has both a confidence and a grade, so calibration is unknown."
        nothing = Estimate.unknown(reason)
        return Reliability(binning, (), 0, unknown, None, None, nothing, nothing, nothing, reason)
    curve: list[ReliabilityBin] = []
    ece = floor = 0.0
    for low, high, members in _bins(confidence, bins, binning):
        size = int(members.sum())
        mean, right = float(confidence[members].mean()), int(correct[members].sum())
        curve.append(ReliabilityBin(low, high, size, mean, proportion(right, size, level, "The bin is empty.")))
        ece += abs(right - size * mean) / n
        floor += mean_absolute_deviation(size, mean) / n
    return Reliability(
        binning=binning,
        bins=tuple(curve),
        n=n,
        n_unknown=unknown,
        ece=ece,
        noise_floor=floor,
        brier=_mean((confidence - correct) ** 2, level, floor=0.0),
        overconfidence=_mean(confidence - correct, level),
        accuracy=proportion(int(correct.sum()), n, level, "There is no answer."),
    )


def compare_reliability(
    old: Sequence[Answer], new: Sequence[Answer], *, bins: int = 10, binning: Binning = "width", level: float = 0.95
) -> CalibrationShift:
    """Both arms' reliability and the paired differences. `old[i]` and `new[i]` are the answers to the same case."""
    assert len(old) == len(new), "one answer per case on each arm"
    before = measure_reliability(old, bins=bins, binning=binning, level=level)
    after = measure_reliability(new, bins=bins, binning=binning, level=level)
    both = [(one, two) for one, two in zip(old, new, strict=True) if one.is_known and two.is_known]
    if not both:
        nothing = Estimate.unknown("No case has a confidence and a grade on both arms.")
        return CalibrationShift(before, after, 0, nothing, nothing)
    c_old, y_old = known_answers([one for one, _ in both])
    c_new, y_new = known_answers([two for _, two in both])
    return CalibrationShift(
        old=before,
        new=after,
        n_paired=len(both),
        brier=_mean((c_new - y_new) ** 2 - (c_old - y_old) ** 2, level),
        overconfidence=_mean((c_new - y_new) - (c_old - y_old), level),
    )


def mean_absolute_deviation(n: int, p: float) -> float:
    """E|X − np| of X ~ Binomial(n, p), exactly (De Moivre; Diaconis and Zabell 1991).

    2·ν·C(n, ν)·p^ν·(1 − p)^(n − ν + 1), with ν the whole part of np, plus 1.
    """
    if n == 0 or p <= 0 or p >= 1:
        return 0.0
    v = min(n, math.floor(n * p) + 1)
    logs = gammaln(n + 1) - gammaln(v + 1) - gammaln(n - v + 1) + v * math.log(p) + (n - v + 1) * math.log1p(-p)
    return float(2 * v * math.exp(logs))


def _bins(confidence: Floats, bins: int, binning: Binning) -> list[tuple[float, float, NDArray[np.bool_]]]:
    if binning == "width":
        place = np.minimum((confidence * bins).astype(int), bins - 1)
        edges = [(index / bins, (index + 1) / bins) for index in range(bins)]
    else:
        # The rank of a value's first occurrence, so that equal confidences are never torn apart.
        rank = np.searchsorted(np.sort(confidence), confidence, side="left")
        place = (rank * bins) // len(confidence)
        edges = []
        for index in range(bins):
            inside = confidence[place == index]
            edges.append((float(inside.min()), float(inside.max())) if len(inside) else (0.0, 0.0))
    found = [(*edges[index], place == index) for index in range(bins)]
    return [one for one in found if one[2].any()]


def known_answers(answers: Sequence[Answer]) -> tuple[Floats, Floats]:
    """Confidences and grades (0.0 or 1.0) of the answers that have both. `InputError` for values out of range."""
    faults = []
    for index, one in enumerate(answers):
        if one.confidence is not None and not 0 <= one.confidence <= 1:
            faults.append(Fault("A confidence is not between 0 and 1.", "Divide per cent by 100.", path=f"answer {index}"))
        if one.correct is not None and one.correct not in (0, 1):
            faults.append(Fault("A grade is neither 0 nor 1.", "Grade answers right or wrong.", path=f"answer {index}"))
    if faults:
        raise InputError.from_faults(faults, subject="the confidences")
    known = [(one.confidence, one.correct) for one in answers if one.is_known]
    table = np.array(known, dtype=float).reshape(len(known), 2)
    return table[:, 0], table[:, 1]


def _mean(values: Floats, level: float, floor: float = -1.0) -> Estimate:
    """Mean of values between −1 and 1; the interval is that of a paired difference from nothing."""
    low, high = difference_interval(PairedSample.from_pairs((0.0, float(value)) for value in values), level)
    return Estimate(float(values.mean()), max(floor, low), high, len(values))
