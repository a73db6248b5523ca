"""What a judge's rates are worth once its errors are known: corrected rates, with the calibration's uncertainty inside.

A judge that calls a share q of the outputs good, with sensitivity Se and specificity Sp against people, has seen a true share
p = (q + Sp − 1) / (Se + Sp − 1) (Rogan and Gladen 1978). Se and Sp are estimates themselves, so the interval is that of
Lang and Reiczigel (2014), which carries all three samples. Each arm is corrected by its own calibration.

It does not decide whether the judge may be used at all: `segue.evidence.judge_calibration`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from segue.evidence.agreement import Estimate, YesNoCounts, proportion
from segue.evidence.paired import tango_interval
from segue.evidence.special import ndtri
from segue.evidence.verdict_means import PairedTable

MIN_LABELS_PER_CLASS = 10
"""With fewer labels on either side of the question no corrected rate is given.

Measured at 95 %: with 3 to 5 labels on the smaller side the interval held the truth in 91 to 93 % of runs; from 10 on in
94 % or so and more."""


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """A judge's rate of yes as it stands, and corrected. `raw` is the correction before it was cut to 0…1."""

    apparent: Estimate
    corrected: Estimate
    raw: float | None
    youden: float | None


@dataclass(frozen=True, slots=True)
class CorrectedDifference:
    """New arm minus old on the same cases: as the judge has it, and corrected arm by arm."""

    apparent: Estimate
    corrected: Estimate
    old: CorrectedRate
    new: CorrectedRate


@dataclass(frozen=True, slots=True)
class _Adjusted:
    """The quantities of Lang and Reiczigel with a prime: shrunk counts, for the interval only."""

    rate: float
    shift: float
    sampling_variance: float
    variance: float


def correct_rate(yes: float, n: float, calibration: YesNoCounts, level: float = 0.95) -> CorrectedRate:
    """Correct the judge's `yes` out of `n` verdicts by its `calibration` (people are the reference).

    The interval follows Lang and Reiczigel (2014, eq. 16 and 17), cut to 0…1; coverage is measured in
    `tests/judge/test_corrected_rates.py`. The calibration labels are taken as another sample than the n verdicts; where
    they are some of the same outputs, the interval is close, and rather wide than narrow.
    Unknown without verdicts, with fewer than `MIN_LABELS_PER_CLASS` labels of either kind, or when the judge does no better
    than chance (Youden's index at most 0): there is nothing to invert then.
    """
    assert 0 <= yes <= n * (1 + 1e-9), "no more yes than verdicts"
    yes = min(yes, n)
    apparent = proportion(yes, n, level, "There is no verdict.")
    why_not = _not_correctable(calibration)
    if apparent.value is None or why_not:
        return CorrectedRate(apparent, Estimate.unknown(why_not or apparent.reason, round(n)), None, _youden(calibration))
    youden = _youden(calibration)
    assert youden is not None
    raw = (apparent.value + calibration.both_no / calibration.reference_no - 1) / youden
    value = min(1.0, max(0.0, raw))
    adjusted = _adjust(yes, n, calibration, level)
    if adjusted is None:
        return CorrectedRate(apparent, Estimate.unknown(_CHANCE, round(n)), None, youden)
    half = _z(level) * math.sqrt(adjusted.variance)
    centre = adjusted.rate + adjusted.shift
    low, high = min(1.0, max(0.0, centre - half)), min(1.0, max(0.0, centre + half))
    return CorrectedRate(apparent, Estimate(value, min(value, low), max(value, high), round(n)), raw, youden)


def correct_difference(
    verdicts: PairedTable, old_calibration: YesNoCounts, new_calibration: YesNoCounts, level: float = 0.95
) -> CorrectedDifference:
    """Correct the paired difference, new minus old, of a judge's verdicts (`only_old`: yes on the old arm only, and so on).

    Verdicts that were averaged over runs, or come in clusters, make a table of their own (`verdict_means`).

    Each arm's rate and interval are those of `correct_rate`; they are joined by the method of variance estimates recovery for
    correlated estimates (Zou 2008), the correlation being that of the verdicts on the same cases, as far as sampling of cases
    makes up either variance. Cases without two verdicts are not in `verdicts`; the caller counts them.
    """
    old = correct_rate(verdicts.both_right + verdicts.only_old, verdicts.n, old_calibration, level)
    new = correct_rate(verdicts.both_right + verdicts.only_new, verdicts.n, new_calibration, level)
    apparent = _apparent_difference(verdicts, level)
    if old.corrected.value is None or new.corrected.value is None:
        reason = old.corrected.reason or new.corrected.reason
        return CorrectedDifference(apparent, Estimate.unknown(reason, round(verdicts.n)), old, new)
    before, before_low, before_high = old.corrected.numbers
    after, after_low, after_high = new.corrected.numbers
    shared = _correlation(verdicts, old_calibration, new_calibration, level)
    value = after - before
    low = value - _recovered(after - after_low, before_high - before, shared)
    high = value + _recovered(after_high - after, before - before_low, shared)
    return CorrectedDifference(apparent, Estimate(value, max(-1.0, low), min(1.0, high), round(verdicts.n)), old, new)


_CHANCE = "The judge does no better than chance (sensitivity + specificity is not above 1), so its rate cannot be corrected."


def _youden(calibration: YesNoCounts) -> float | None:
    if not calibration.reference_yes or not calibration.reference_no:
        return None
    return calibration.both_yes / calibration.reference_yes + calibration.both_no / calibration.reference_no - 1


def _not_correctable(calibration: YesNoCounts) -> str:
    for side, count in (("yes", calibration.reference_yes), ("no", calibration.reference_no)):
        if count < MIN_LABELS_PER_CLASS:
            return (
                f"People say {side} to {count} of the labelled outputs; a corrected rate needs at least {MIN_LABELS_PER_CLASS}."
            )
    youden = _youden(calibration)
    return _CHANCE if youden is None or youden <= 0 else ""


def _adjust(yes: float, n: float, calibration: YesNoCounts, level: float) -> _Adjusted | None:
    """Lang and Reiczigel (2014): rate, variance (eq. 4) and shift (eq. 17) at the shrunk counts; `None` at chance."""
    z2 = _z(level) ** 2
    tested = n + z2
    apparent = (yes + z2 / 2) / tested
    positives, negatives = calibration.reference_yes + 2, calibration.reference_no + 2
    sensitivity, specificity = (calibration.both_yes + 1) / positives, (calibration.both_no + 1) / negatives
    youden = sensitivity + specificity - 1
    if youden <= 0:
        return None
    rate = (apparent + specificity - 1) / youden
    of_sensitivity = sensitivity * (1 - sensitivity) / positives
    of_specificity = specificity * (1 - specificity) / negatives
    sampling = apparent * (1 - apparent) / tested / youden**2
    calibrating = (rate**2 * of_sensitivity + (1 - rate) ** 2 * of_specificity) / youden**2
    shift = 2 * z2 * (rate * of_sensitivity - (1 - rate) * of_specificity)
    return _Adjusted(rate, shift, sampling, sampling + calibrating)


def _correlation(verdicts: PairedTable, old_calibration: YesNoCounts, new_calibration: YesNoCounts, level: float) -> float:
    """Correlation of the two corrected rates: that of the verdicts, thinned by the share of variance sampling accounts for."""
    yes_old, yes_new = verdicts.both_right + verdicts.only_old, verdicts.both_right + verdicts.only_new
    margins = yes_old * (verdicts.n - yes_old) * yes_new * (verdicts.n - yes_new)
    if margins <= 0:
        return 0.0
    phi = (verdicts.both_right * verdicts.both_wrong - verdicts.only_old * verdicts.only_new) / math.sqrt(margins)
    old = _adjust(yes_old, verdicts.n, old_calibration, level)
    new = _adjust(yes_new, verdicts.n, new_calibration, level)
    assert old is not None
    assert new is not None
    return phi * math.sqrt(old.sampling_variance / old.variance * new.sampling_variance / new.variance)


def _recovered(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))


def _apparent_difference(verdicts: PairedTable, level: float) -> Estimate:
    if not verdicts.n:
        return Estimate.unknown("There is no case with a verdict on both arms.")
    low, high = tango_interval(verdicts.only_old, verdicts.only_new, verdicts.n, _z(level))
    return Estimate((verdicts.only_new - verdicts.only_old) / verdicts.n, low, high, round(verdicts.n))


def _z(level: float) -> float:
    return float(ndtri(0.5 + level / 2))
