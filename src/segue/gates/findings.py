"""Findings: one metric on one slice, judged. All findings of a comparison share one error rate.

Verdict by slice:
- *worse*: a drop is shown (Holm-adjusted paired test at `alpha`), and the drop that was seen reaches the margin;
- *better*: a gain is shown the same way;
- *not worse*: a drop beyond the margin is excluded at `alpha`, and no single cluster holds a fifth of the cases;
- *inconclusive*: none of these, with the number of cases that would settle it.

The margin is the smallest drop that matters. A drop that is shown but smaller is said in the note; asking that the margin is
reached keeps false alarms far below `alpha`, and costs no power against drops that matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segue.evidence.binomial import wilson
from segue.evidence.flips import FlipCounts
from segue.evidence.multiplicity import holm
from segue.evidence.paired import PairedSample, PairedTest, difference_interval, test_difference
from segue.evidence.sample_size import ASSUMED_CHURN, Undecided, cases_to_decide, cases_to_settle
from segue.gates.tally import TOTAL, Cell, Tally, Unusable
from segue.gates.verdict import SliceVerdict
from segue.model import GateSettings

FEWEST_SEEN = 10
"""Of fewer cases their own spread says too little to tell how many more are needed: the usual one is assumed."""
FEWEST_RERUN = 5
"""From this many re-run flips on, a drop most of whose flips did not hold is not called worse."""
ROUNDING = 1e-9
"""Twelve of 240 is five points, whatever the last bit says."""
LARGEST_CLUSTER = 0.2
"""With a cluster of this share of the cases, or more, harm is not excluded: all of it may have gone either way at once."""


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
    margin: float
    is_critical: bool


@dataclass(frozen=True, slots=True)
class _Adjusted:
    """A draft's p-values adjusted within its family, and the level at which a further drop would be shown there."""

    p_worse: float
    p_better: float
    level: float


def judge_findings(
    tally: Tally, settings: GateSettings, *, gated: tuple[str, ...], critical: frozenset[str], part: str = TOTAL
) -> tuple[Finding, ...]:
    """Judge every cell of the bounded metrics.

    `gated` metrics share the correction: one family over all their slices and the total. The others are shown with a
    family of their own and decide nothing. Order: metrics as gated, then the total first, then slices by name.

    `part` names what was chosen where only a part of the suite is looked at (`lang=de`). The total is then not the suite's:
    it has the margin of that slice, and stands outside the family, since the slices decide.
    """
    drafts = [
        _draft(tally, settings, metric, where, cell, critical, part)
        for (metric, where), cell in tally.cells().items()
        if metric in tally.bounded
    ]
    order = {name: index for index, name in enumerate((*gated, *(name for name in tally.bounded if name not in gated)))}
    drafts.sort(key=lambda draft: (order[draft.metric], draft.where != TOTAL, draft.where))
    families: dict[bool, list[_Draft]] = {True: [], False: []}
    for draft in drafts:
        families[draft.metric in gated and not (part and draft.where == TOTAL)].append(draft)
    adjusted = {**_adjust(families[True], settings.alpha), **_adjust(families[False], settings.alpha)}
    return tuple(_judge(draft, settings, adjusted[draft.metric, draft.where]) for draft in drafts)


def _draft(
    tally: Tally, settings: GateSettings, metric: str, where: str, cell: Cell, critical: frozenset[str], part: str
) -> _Draft:
    sample = cell.sample()
    stands_for = part if where == TOTAL else where
    is_critical = stands_for in critical
    return _Draft(
        metric=metric,
        where=where,
        cell=cell,
        sample=sample,
        test=test_difference(sample),
        sign=1 if tally.better[metric] == "higher" else -1,
        margin=margin_of(settings, metric, stands_for, is_critical=is_critical),
        is_critical=is_critical,
    )


def _adjust(family: Sequence[_Draft], alpha: float) -> dict[tuple[str, str], _Adjusted]:
    """Holm within the family. The level of a drop not shown yet is what the step-down test would meet next.

    A slice that every compared case is in asks what the total asks: one question, counted once.
    """
    all_cases = {draft.metric: draft.sample.n_cases for draft in family if draft.where == TOTAL}
    asked: dict[tuple[str, str], _Draft] = {}
    for draft in family:
        asked.setdefault(_question(draft, all_cases), draft)
    worse = holm([_log10_worse(draft) for draft in asked.values()])
    better = holm([_log10_better(draft) for draft in asked.values()])
    left = sum(10.0**one > alpha for one in worse)
    level = alpha / max(1, left)
    adjusted = {
        question: _Adjusted(float(10.0**low), float(10.0**high), level)
        for question, low, high in zip(asked, worse, better, strict=True)
    }
    return {(draft.metric, draft.where): adjusted[_question(draft, all_cases)] for draft in family}


def _question(draft: _Draft, all_cases: Mapping[str, int]) -> tuple[str, str]:
    return draft.metric, TOTAL if draft.sample.n_cases == all_cases.get(draft.metric) else draft.where


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


def is_dominated(sample: PairedSample) -> bool:
    """Whether one cluster holds so much of the cases that the others say little of what it might have done."""
    return sample.largest_cluster >= LARGEST_CLUSTER * sample.n_cases > 0


def _verdict(draft: _Draft, settings: GateSettings, adjusted: _Adjusted, harm: float | None) -> tuple[SliceVerdict, str]:
    """The verdict, and what else has to be said of it."""
    sample, cell, only_old = draft.sample, draft.cell, draft.cell.only_old
    if not sample.n_cases or harm is None:
        return "inconclusive", "no case could be compared"
    drop_shown = adjusted.p_worse <= settings.alpha
    reaches_margin = -draft.sign * sample.difference >= draft.margin - ROUNDING
    unconfirmed = cell.rerun >= FEWEST_RERUN and cell.rerun >= 0.9 * only_old and 2 * cell.confirmed < cell.rerun
    if drop_shown and reaches_margin and not unconfirmed:
        return "worse", ""
    note = ""
    if drop_shown and reaches_margin:
        note = f"only {cell.confirmed} of {cell.rerun} flips held when they were run again"
    elif drop_shown:
        note = "a drop is shown, smaller than the margin"
    if adjusted.p_better <= settings.alpha:
        return "better", note
    if harm >= draft.margin:
        return "inconclusive", note
    if is_dominated(sample):
        return "inconclusive", note or f"one cluster holds {100 * sample.largest_cluster / sample.n_cases:.0f} % of the cases"
    return "not worse", note


def _judge(draft: _Draft, settings: GateSettings, adjusted: _Adjusted) -> Finding:
    sample, cell = draft.sample, draft.cell
    n = sample.n_cases
    difference = sample.difference if n else None
    gain = None if difference is None else draft.sign * difference
    interval = difference_interval(sample, 1 - 2 * settings.alpha) if n else None
    harm = None
    if interval is not None:
        harm = max(0.0, -interval[0] if draft.sign > 0 else interval[1])
    verdict, note = _verdict(draft, settings, adjusted, harm)
    needed = None
    if verdict == "inconclusive" and not (gain is not None and adjusted.p_worse <= settings.alpha and -gain >= draft.margin):
        needed = _needed(sample, gain, draft.margin, settings.alpha, adjusted.level)
    return Finding(
        metric=draft.metric,
        where=draft.where,
        better_is="higher" if draft.sign > 0 else "lower",
        is_primary=draft.metric in settings.primary,
        is_critical=draft.is_critical,
        margin=draft.margin,
        n=n,
        n_blocks=sample.n_blocks,
        n_applicable=cell.applicable,
        old=_rate(sample, sample.mean_old),
        new=_rate(sample, sample.mean_new),
        difference=difference,
        gain=gain,
        interval=interval,
        harm_excluded=harm,
        flips=cell.flips(),
        is_binary=sample.is_binary,
        log10_p=draft.test.log10_two_sided,
        p_worse=float(10.0 ** _log10_worse(draft)),
        p_worse_adjusted=adjusted.p_worse,
        p_better_adjusted=adjusted.p_better,
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
    """Wilson at 95 %, with the effective number of blocks as n: as if all runs of a case, and all cases of a cluster, agreed.

    They seldom do, so for repeats and for clusters of one size this is wider than need be; for clusters of very uneven sizes
    the effective number is Kish's, since one that holds most cases tells little more than one case does.
    """
    if not sample.n_cases:
        return Rate(None, None, None)
    low, high = wilson(mean * sample.effective_blocks, sample.effective_blocks, 0.95)
    return Rate(mean, low, high)


def _needed(sample: PairedSample, gain: float | None, margin: float, alpha: float, alpha_worse: float) -> int | None:
    """Cases in all that would settle it, at 80 % power (`cases_to_decide`); `None` where no number can be given.

    A margin of zero can never be shown to hold. With hardly a case the spread is assumed: 15 % of them change sides. With more,
    one pseudo-case does, so that none without churn is taken for none at all.
    """
    if margin <= 0:
        return None
    if gain is None or sample.n_cases < FEWEST_SEEN:
        return cases_to_settle(ASSUMED_CHURN, margin, alpha=alpha)
    pseudo = sample.n_cases / sample.n_blocks
    residual = (sample.new - sample.old) - sample.cases * sample.difference
    squares = float((sample.count * residual**2).sum())
    variance = (squares + pseudo**2) / (sample.n_cases + 2 * pseudo)
    needed = cases_to_decide(Undecided(sample.n_cases, gain, variance), margin, alpha=alpha, alpha_worse=alpha_worse)
    if needed is not None and is_dominated(sample):
        return max(needed, math.ceil(sample.largest_cluster / LARGEST_CLUSTER) + 1)
    return needed
