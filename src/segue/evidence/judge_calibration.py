"""Whether a judge may gate: its verdicts against people's labels, on both models' outputs.

A judge is advisory until it is shown here to agree with people well enough, and *equally well on both arms*: one that errs
more on one model's outputs tilts the very difference it is asked about. Every rule has a threshold in `CalibrationRule`;
`docs/decisions/0007-judges.md` gives the reasons. What a calibrated judge's rates are worth is in `segue.evidence.judge_rates`.

It knows nothing of stores, bundles or prompts; labels come as plain pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segue.errors import Fault, InputError
from segue.evidence.agreement import Estimate, YesNoCounts, cohen_kappa, fisher_exact, percent_agreement, proportion
from segue.evidence.binomial import wilson
from segue.evidence.special import ndtri

LabelPair = tuple[int, int | None]
"""What people say of one output (1: yes, 0: no) and what the judge says; `None`: no usable verdict."""


@dataclass(frozen=True, slots=True)
class CalibrationRule:
    """What a judge must show before it may gate. Shares run from 0 to 1.

    On each arm: `min_labels` usable pairs, `min_per_class` of them on either side of the question; at most
    `max_invalid_share` of the verdicts unusable; the lower ends of the intervals at `level` of kappa and of Youden's index
    (sensitivity + specificity − 1) at least `min_kappa` and `min_youden`.
    Between the arms, shown by two one-sided tests at `equality_alpha`: neither sensitivity nor specificity differs by more
    than `max_error_gap`, and together they move the difference between the arms by no more than `max_tilt`.
    """

    min_labels: int = 100
    min_per_class: int = 20
    max_invalid_share: float = 0.05
    min_kappa: float = 0.6
    min_youden: float = 0.5
    max_error_gap: float = 0.15
    max_tilt: float = 0.05
    equality_alpha: float = 0.10
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class ArmCalibration:
    """The judge against people on one arm's outputs. People are the reference of `counts`."""

    name: str
    counts: YesNoCounts
    n_invalid: int
    agreement: Estimate
    kappa: Estimate
    sensitivity: Estimate
    specificity: Estimate
    youden: Estimate

    @property
    def n(self) -> int:
        """Outputs with a label and a usable verdict."""
        return self.counts.n

    def sentence(self) -> str:
        """The arm in one line."""
        if not self.n:
            return f"{self.name}: no output has both a human label and a usable verdict."
        kappa = "undefined" if self.kappa.value is None else f"{self.kappa.value:.2f}"
        invalid = f" {self.n_invalid} verdicts could not be used." if self.n_invalid else ""
        return (
            f"{self.name}: the judge agrees with people on {_percent(self.agreement.value)} of {self.n} outputs "
            f"(kappa {kappa}). It says yes to {self.counts.only_other} that people say no to, and no to "
            f"{self.counts.only_reference} that people say yes to.{invalid}"
        )


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a judge may not gate: a stable code, a sentence, and what would remove it."""

    code: str
    sentence: str
    next_step: str
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Gaps:
    """How differently the judge errs on the two arms: new minus old. The intervals are those of the two one-sided tests.

    `tilt`: by how much the two gaps together raise the new arm's rate against the old one's, at the mix of outputs that was
    labelled. The p-values are for "no gap" (Fisher's exact test), for display.
    """

    sensitivity: Estimate
    sensitivity_p: float
    specificity: Estimate
    specificity_p: float
    tilt: Estimate


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """What the labels say of a judge. `may_gate` is true exactly if there is no objection.

    `labels_wanted`: labels per arm that would probably show the gaps within bounds, if the judge errs alike on both arms;
    `None` where they are within bounds already, or where the labels at hand speak against erring alike.
    """

    old: ArmCalibration
    new: ArmCalibration
    pooled: ArmCalibration
    gaps: Gaps
    labels_wanted: int | None
    objections: tuple[Objection, ...]
    rule: CalibrationRule

    @property
    def may_gate(self) -> bool:
        """Whether the judge may gate."""
        return not self.objections

    def sentences(self) -> list[str]:
        """The finding in plain words: the verdict, both arms, each objection with its remedy."""
        if self.may_gate:
            verdict = "The judge may gate: it agrees with people on both models' outputs, and errs alike on both."
        else:
            verdict = "The judge may not gate; its scores are shown as advice."
        lines = [verdict, self.old.sentence(), self.new.sentence()]
        return lines + [f"{one.sentence} {one.next_step}" for one in self.objections]


def calibrate_judge(
    old: Sequence[LabelPair],
    new: Sequence[LabelPair],
    *,
    rule: CalibrationRule | None = None,
    names: tuple[str, str] = ("old", "new"),
) -> JudgeCalibration:
    """Hold a judge against human labels on both arms and decide whether it may gate.

    One pair per case: repeats of a case are not independent, and would make the intervals too narrow.
    Raises `InputError` for a label that is not 0 or 1 (or `None`, on the judge's side).
    """
    rule = rule or CalibrationRule()
    faults = [*_label_faults(old, names[0]), *_label_faults(new, names[1])]
    if faults:
        raise InputError.from_faults(faults, subject="the calibration labels")
    before, after = (_calibrate_arm(name, pairs, rule) for name, pairs in zip(names, (old, new), strict=True))
    pooled = _calibrate_arm(f"{names[0]} and {names[1]}", [*old, *new], rule)
    one, two = before.counts, after.counts
    level = 1 - 2 * rule.equality_alpha
    sensitivity_gap = _gap((one.both_yes, one.reference_yes), (two.both_yes, two.reference_yes), level)
    specificity_gap = _gap((one.both_no, one.reference_no), (two.both_no, two.reference_no), level)
    gaps = Gaps(
        sensitivity_gap,
        fisher_exact(one.both_yes, one.reference_yes, two.both_yes, two.reference_yes),
        specificity_gap,
        fisher_exact(one.both_no, one.reference_no, two.both_no, two.reference_no),
        _tilt(sensitivity_gap, specificity_gap, pooled.counts),
    )
    wanted = _labels_wanted(one, two, gaps, rule)
    objections = (
        *_arm_objections(before, rule),
        *_arm_objections(after, rule),
        *_gap_objections(before, after, gaps, wanted, rule),
    )
    return JudgeCalibration(before, after, pooled, gaps, wanted, objections, rule)


def _calibrate_arm(name: str, pairs: Sequence[LabelPair], rule: CalibrationRule) -> ArmCalibration:
    counts = YesNoCounts.of((human, judge) for human, judge in pairs if judge is not None)
    table = counts.table()
    sensitivity = proportion(counts.both_yes, counts.reference_yes, rule.level, "People say yes to none of the outputs.")
    specificity = proportion(counts.both_no, counts.reference_no, rule.level, "People say no to none of the outputs.")
    return ArmCalibration(
        name=name,
        counts=counts,
        n_invalid=len(pairs) - counts.n,
        agreement=percent_agreement(table, rule.level),
        kappa=cohen_kappa(table, rule.level),
        sensitivity=sensitivity,
        specificity=specificity,
        youden=_youden(sensitivity, specificity),
    )


def _youden(sensitivity: Estimate, specificity: Estimate) -> Estimate:
    """Sensitivity + specificity − 1, its interval from theirs by the method of variance estimates recovery (Zou 2008)."""
    if sensitivity.value is None or specificity.value is None:
        return Estimate.unknown(sensitivity.reason or specificity.reason)
    hits, hits_low, hits_high = sensitivity.numbers
    rejections, rejections_low, rejections_high = specificity.numbers
    value = hits + rejections - 1
    down = math.hypot(hits - hits_low, rejections - rejections_low)
    up = math.hypot(hits_high - hits, rejections_high - rejections)
    return Estimate(value, value - down, min(1.0, value + up), sensitivity.n + specificity.n)


def _gap(old: tuple[int, int], new: tuple[int, int], level: float) -> Estimate:
    """New share minus old, of two independent samples `(hits, n)`: Newcombe's hybrid score interval (1998b, method 10)."""
    if not old[1] or not new[1]:
        return Estimate.unknown("One of the arms has no output of this kind with a label and a verdict.")
    before, after = old[0] / old[1], new[0] / new[1]
    before_low, before_high = wilson(*old, level)
    after_low, after_high = wilson(*new, level)
    value = after - before
    low = value - math.hypot(after - after_low, before_high - before)
    high = value + math.hypot(after_high - after, before - before_low)
    return Estimate(value, low, high, old[1] + new[1])


def _tilt(sensitivity: Estimate, specificity: Estimate, pooled: YesNoCounts) -> Estimate:
    """π · sensitivity gap − (1 − π) · specificity gap, π the share of yes among people's labels on both arms.

    The part of an apparent difference that stays when both arms are equally good. Its interval comes from the gaps' by the
    method of variance estimates recovery (Zou 2008). The arms are taken as independent; where the same cases were labelled
    on both, errors tend to agree, and this is wider than it need be.
    """
    if sensitivity.value is None or specificity.value is None:
        return Estimate.unknown(sensitivity.reason or specificity.reason)
    hits, hits_low, hits_high = sensitivity.numbers
    rejections, rejections_low, rejections_high = specificity.numbers
    yes = pooled.reference_yes / pooled.n
    value = yes * hits - (1 - yes) * rejections
    down = math.hypot(yes * (hits - hits_low), (1 - yes) * (rejections_high - rejections))
    up = math.hypot(yes * (hits_high - hits), (1 - yes) * (rejections - rejections_low))
    return Estimate(value, value - down, value + up, pooled.n)


def _labels_wanted(old: YesNoCounts, new: YesNoCounts, gaps: Gaps, rule: CalibrationRule) -> int | None:
    """Labels per arm, mixed as they are now, at which judge errors that are alike would be shown so with 80 % power.

    n = (z₁₋α + z₀.₉)² · variance per label / bound², the largest over the three bounds.
    """
    bounds = ((gaps.tilt, rule.max_tilt), (gaps.sensitivity, rule.max_error_gap), (gaps.specificity, rule.max_error_gap))
    open_ = [(estimate, bound) for estimate, bound in bounds if not estimate.is_within(bound)]
    if not open_ or any(estimate.value is None or estimate.excludes_zero() for estimate, _ in open_):
        return None
    yes = (old.reference_yes + new.reference_yes) / (old.n + new.n)
    of_sensitivity = of_specificity = 0.0
    for arm in (old, new):
        sensitivity = (arm.both_yes + 1) / (arm.reference_yes + 2)
        specificity = (arm.both_no + 1) / (arm.reference_no + 2)
        of_sensitivity += sensitivity * (1 - sensitivity) * arm.n / arm.reference_yes
        of_specificity += specificity * (1 - specificity) * arm.n / arm.reference_no
    of_tilt = yes**2 * of_sensitivity + (1 - yes) ** 2 * of_specificity
    reach = float(ndtri(1 - rule.equality_alpha) + ndtri(0.9)) ** 2
    wanted = max(of_tilt / rule.max_tilt**2, max(of_sensitivity, of_specificity) / rule.max_error_gap**2)
    return max(rule.min_labels, math.ceil(reach * wanted))


def _arm_objections(arm: ArmCalibration, rule: CalibrationRule) -> list[Objection]:
    found: list[Objection] = []

    def object_(code: str, sentence: str, next_step: str) -> None:
        found.append(Objection(code, f"{arm.name}: {sentence}", next_step, arm.name))

    if arm.n < rule.min_labels:
        object_(
            "too-few-labels",
            f"{arm.n} outputs have a human label and a usable verdict; {rule.min_labels} are needed on each model.",
            f"Label {rule.min_labels - arm.n} more of its outputs.",
        )
    few, side = min((arm.counts.reference_yes, "yes"), (arm.counts.reference_no, "no"))
    if few < rule.min_per_class:
        object_(
            "one-sided-labels",
            f"people say {side} to {few} outputs only; {rule.min_per_class} are needed to see how the judge errs there.",
            f"Label more outputs that are likely to be a {side}.",
        )
    asked = arm.n + arm.n_invalid
    if asked and arm.n_invalid / asked > rule.max_invalid_share:
        object_(
            "invalid-verdicts",
            f"{arm.n_invalid} of {asked} verdicts could not be used ({_percent(arm.n_invalid / asked)}); "
            f"up to {_percent(rule.max_invalid_share)} is allowed, for what a judge will not judge is no random sample.",
            "Reword the rubric or take another judge.",
        )
    if arm.kappa.value is None:
        object_("kappa-undefined", f"kappa is undefined. {arm.kappa.reason}", "Label outputs of both kinds.")
    elif arm.kappa.low is not None and arm.kappa.low < rule.min_kappa:
        object_(
            "low-kappa",
            f"kappa is {arm.kappa.value:.2f} and may be as low as {arm.kappa.low:.2f}; {rule.min_kappa:g} must be shown.",
            "Sharpen the rubric on the outputs where the judge and people differ, or take another judge.",
        )
    if arm.youden.low is not None and arm.youden.low < rule.min_youden:
        object_(
            "weak-judge",
            f"sensitivity is {_percent(arm.sensitivity.value)} and specificity {_percent(arm.specificity.value)}; their sum "
            f"minus one may be as low as {arm.youden.low:.2f}, and below {rule.min_youden:g} a correction more than doubles "
            "every interval.",
            "Sharpen the rubric, label more, or take another judge.",
        )
    return found


def _gap_objections(
    old: ArmCalibration, new: ArmCalibration, gaps: Gaps, wanted: int | None, rule: CalibrationRule
) -> list[Objection]:
    found: list[Objection] = []
    more = f"About {wanted} labels on each model would show it, if the judge errs alike on both." if wanted else "Label more."
    other = "Take a judge that errs alike on both, or let people label both arms."
    for what, gap, p, before, after in (
        ("sensitivity", gaps.sensitivity, gaps.sensitivity_p, old.sensitivity, new.sensitivity),
        ("specificity", gaps.specificity, gaps.specificity_p, old.specificity, new.specificity),
    ):
        if gap.value is None:
            found.append(
                Objection(f"{what}-unknown", f"The judge's {what} cannot be compared. {gap.reason}", "Label both kinds.")
            )
        elif not gap.is_within(rule.max_error_gap):
            sentence = (
                f"The judge's {what} is {_percent(before.value)} on {old.name} and {_percent(after.value)} on {new.name} "
                f"(p = {p:.2g}); the gap may be {_points(gap.low)} to {_points(gap.high)} points, and must be shown to stay "
                f"within ±{100 * rule.max_error_gap:g}."
            )
            found.append(Objection(f"unequal-{what}", sentence, other if gap.excludes_zero() else more))
    if gaps.tilt.value is not None and not gaps.tilt.is_within(rule.max_tilt):
        sentence = (
            f"Its unequal errors alone move the difference between the models by {_points(gaps.tilt.value)} points "
            f"({_points(gaps.tilt.low)} to {_points(gaps.tilt.high)}); they must be shown to stay within "
            f"±{100 * rule.max_tilt:g}."
        )
        found.append(Objection("tilt", sentence, other if gaps.tilt.excludes_zero() else more))
    return found


def _label_faults(pairs: Iterable[LabelPair], name: str) -> list[Fault]:
    faults = []
    for index, (human, judge) in enumerate(pairs):
        if human not in (0, 1):
            faults.append(Fault("The human label is neither 0 nor 1.", "Map labels to 0 and 1.", path=f"{name}[{index}]"))
        if judge is not None and judge not in (0, 1):
            faults.append(
                Fault("The judge's verdict is not 0, 1 or none.", "Map verdicts to 0, 1 or none.", path=f"{name}[{index}]")
            )
    return faults


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"


def _points(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:+.1f}"
