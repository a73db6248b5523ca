"""Findings: one metric on one slice, judged. All findings of a comparison share one error rate.

Verdict by slice:
- *worse*: a drop is shown (Holm-adjusted paired test at `alpha`), and the drop that was seen reaches the margin;
- *better*: a gain is shown the same way;
- *not worse*: a drop beyond the margin is excluded at `alpha`;
- *inconclusive*: none of these, with the number of cases that would settle it.

The margin is the smallest drop that matters. A drop that is shown but smaller is said in the note; asking that the margin is
reached keeps false alarms far below `alpha`, and costs no power against drops that matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from segue.evidence.binomial import wilson
from segue.evidence.flips import FlipCounts
from segue.evidence.multiplicity import holm
from segue.evidence.paired import PairedSample, PairedTest, difference_interval, test_difference
from segue.evidence.sample_size import cases_to_settle
from segue.gates.tally import TOTAL, Cell, Tally, Unusable
from segue.gates.verdict import SliceVerdict
from segue.model import GateSettings

FEWEST_RERUN = 5
"""From this many re-run flips on, a drop most of whose flips did not hold is not called worse."""
ROUNDING = 1e-9
"""Twelve of 240 is five points, whatever the last bit says."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean over cases with its 95 % interval; all `None` where no case was compared."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one metric on one slice.

    `difference` is new minus old in the metric's own direction; `gain` is positive when the candidate is better.
    `harm_excluded` is the drop (a positive share) beyond which harm is excluded at `alpha`, one-sided.
    `interval` is the two-sided interval at 1 − 2·alpha around `difference`, so that its ends are the bounds that decide.
    """

    metric: str
    where: str
    better_is: str
    is_primary: bool
    is_critical: bool
    margin: float
    n: int
    n_blocks: int
    n_applicable: int
    old: Rate
    new: Rate
    difference: float | None
    gain: float | None
    interval: tuple[float, float] | None
    harm_excluded: float | None
    flips: FlipCounts
    is_binary: bool
    log10_p: float
    p_worse: float
    p_worse_adjusted: float
    p_better_adjusted: float
    test: str
    old_unusable: Unusable
    new_unusable: Unusable
    n_unusable: int
    rerun: int
    confirmed: int
    verdict: SliceVerdict
    needed: int | None
    note: str = ""
    is_gated: bool = True

    @property
    def is_total(self) -> bool:
        """Whether this is the finding over all cases."""
        return self.where == TOTAL

    @property
    def p(self) -> float:
        """Exact two-sided p, unadjusted; 0.0 below the smallest float (use `log10_p`)."""
        return float(min(1.0, 10.0**self.log10_p)) if self.log10_p > -300 else 0.0

    @property
    def unusable_share(self) -> float:
        """Share of the cases that were asked but could not be compared."""
        return self.n_unusable / self.n_applicable if self.n_applicable else 0.0


@dataclass(frozen=True, slots=True)
class _Draft:
    metric: str
    where: str
    cell: Cell
    sample: PairedSample
    test: PairedTest
    sign: int


def judge_findings(
    tally: Tally, settings: GateSettings, *, gated: tuple[str, ...], critical: frozenset[str]
) -> tuple[Finding, ...]:
    """Judge every cell of the bounded metrics.

    `gated` metrics share the correction: one family over all their slices and the total. The others are shown with a
    family of their own and decide nothing. Order: metrics as gated, then the total first, then slices by name.
    """
    drafts = []
    for (metric, where), cell in tally.cells().items():
        if metric in tally.bounded:
            sample = cell.sample()
            drafts.append(
                _Draft(metric, where, cell, sample, test_difference(sample), 1 if tally.better[metric] == "higher" else -1)
            )
    order = {name: index for index, name in enumerate((*gated, *(name for name in tally.bounded if name not in gated)))}
    drafts.sort(key=lambda draft: (order[draft.metric], draft.where != TOTAL, draft.where))
    findings: list[Finding] = []
    for family in (
        [draft for draft in drafts if draft.metric in gated],
        [draft for draft in drafts if draft.metric not in gated],
    ):
        worse = holm([_log10_worse(draft) for draft in family])
        better = holm([_log10_better(draft) for draft in family])
        findings.extend(
            _judge(draft, settings, 10.0**low, 10.0**high, critical)
            for draft, low, high in zip(family, worse, better, strict=True)
        )
    return tuple(findings)


def _log10_worse(draft: _Draft) -> float:
    return draft.test.log10_lower if draft.sign > 0 else draft.test.log10_higher


def _log10_better(draft: _Draft) -> float:
    return draft.test.log10_higher if draft.sign > 0 else draft.test.log10_lower


def margin_of(settings: GateSettings, metric: str, where: str, *, is_critical: bool) -> float:
    """The margin that holds here: the most particular one that is set. One for a metric holds for its total alone."""
    overrides: Mapping[str, float] = settings.margins
    for key in (f"{metric}@{where}", where or metric):
        if key in overrides:
            return overrides[key]
    if where == TOTAL:
        return settings.margin
    return settings.critical_margin if is_critical else settings.slice_margin


def _judge(
    draft: _Draft, settings: GateSettings, p_worse_adjusted: float, p_better_adjusted: float, critical: frozenset[str]
) -> Finding:
    sample, cell = draft.sample, draft.cell
    is_critical = draft.where in critical
    margin = margin_of(settings, draft.metric, draft.where, is_critical=is_critical)
    flips = cell.flips() if draft.sign > 0 or sample.n_blocks else FlipCounts()
    n = sample.n_cases
    difference = sample.difference if n else None
    gain = None if difference is None else draft.sign * difference
    interval = difference_interval(sample, 1 - 2 * settings.alpha) if n else None
    harm = None
    if interval is not None:
        harm = max(0.0, -interval[0] if draft.sign > 0 else interval[1])
    excluded = harm is not None and harm < margin
    verdict: SliceVerdict = "inconclusive"
    note = ""
    drop_shown = p_worse_adjusted <= settings.alpha
    reaches_margin = gain is not None and -gain >= margin - ROUNDING
    unconfirmed = cell.rerun >= FEWEST_RERUN and cell.rerun >= 0.9 * flips.only_old and 2 * cell.confirmed < cell.rerun
    if n and drop_shown and reaches_margin and not unconfirmed:
        verdict = "worse"
    elif n and p_better_adjusted <= settings.alpha:
        verdict = "better"
    elif excluded:
        verdict = "not worse"
    if n and drop_shown and verdict != "worse":
        note = "a drop is shown, smaller than the margin"
        if unconfirmed and reaches_margin:
            note = f"only {cell.confirmed} of {cell.rerun} flips held when they were run again"
    needed = _needed(sample, gain, margin, settings) if verdict == "inconclusive" else None
    if not n:
        note = "no case could be compared"
    return Finding(
        metric=draft.metric,
        where=draft.where,
        better_is="higher" if draft.sign > 0 else "lower",
        is_primary=draft.metric in settings.primary,
        is_critical=is_critical,
        margin=margin,
        n=n,
        n_blocks=sample.n_blocks,
        n_applicable=cell.applicable,
        old=_rate(sample, sample.mean_old),
        new=_rate(sample, sample.mean_new),
        difference=difference,
        gain=gain,
        interval=interval,
        harm_excluded=harm,
        flips=flips,
        is_binary=sample.is_binary,
        log10_p=draft.test.log10_two_sided,
        p_worse=float(10.0 ** _log10_worse(draft)),
        p_worse_adjusted=float(p_worse_adjusted),
        p_better_adjusted=float(p_better_adjusted),
        test=draft.test.method,
        old_unusable=cell.old_unusable,
        new_unusable=cell.new_unusable,
        n_unusable=cell.either_unusable,
        rerun=cell.rerun,
        confirmed=cell.confirmed,
        verdict=verdict,
        needed=needed,
        note=note,
        is_gated=draft.metric in (*settings.primary, *settings.guardrails),
    )


def _rate(sample: PairedSample, mean: float) -> Rate:
    """Wilson at 95 %; for clusters and repeats the number of blocks stands for n, which is the cautious side."""
    if not sample.n_cases:
        return Rate(None, None, None)
    low, high = wilson(mean * sample.n_blocks, sample.n_blocks, 0.95)
    return Rate(mean, low, high)


def _needed(sample: PairedSample, gain: float | None, margin: float, settings: GateSettings) -> int | None:
    """Cases that would settle it at 80 % power: by the margin if the arms are alike, else by the distance seen.

    `None` where the margin is zero, which no number of cases can show.
    """
    if margin <= 0:
        return None
    flips_seen = float((sample.count * (sample.new - sample.old) ** 2).sum()) if sample.n_blocks else 0.0
    churn = (flips_seen + 1) / (sample.n_cases + 2)
    if not sample.n_cases:
        churn = 0.15
    plain = cases_to_settle(churn, margin, alpha=settings.alpha)
    if plain > sample.n_cases or gain is None:
        return plain
    distances = [distance for distance in (abs(gain), margin + gain) if distance > 1e-9]
    nearest = max(distances, default=margin)
    return max(sample.n_cases + 1, math.ceil(cases_to_settle(churn, nearest, alpha=settings.alpha)))
