"""Verdicts of a judge as a paired table, also where a case has several runs, or several cases make one block.

`judge_rates` corrects such a table for the judge's errors. With one run of independent cases it is the table of flips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from segue.evidence.flips import FlipCounts
from segue.evidence.paired import Floats, PairedSample


class PairedTable(Protocol):
    """Cases by what the judge said of either arm; a case may be spread over the cells."""

    @property
    def both_right(self) -> float: ...
    @property
    def only_old(self) -> float: ...
    @property
    def only_new(self) -> float: ...
    @property
    def both_wrong(self) -> float: ...
    @property
    def n(self) -> float: ...


@dataclass(frozen=True, slots=True)
class MeanCounts:
    """A paired table whose cells need not be whole numbers."""

    both_right: float
    only_old: float
    only_new: float
    both_wrong: float

    @property
    def n(self) -> float:
        """Cases in the table, or as many as they are worth."""
        return self.both_right + self.only_old + self.only_new + self.both_wrong

    def scaled(self, factor: float) -> MeanCounts:
        """The same shares of `factor` times as many cases."""
        return MeanCounts(self.both_right * factor, self.only_old * factor, self.only_new * factor, self.both_wrong * factor)


def mean_verdicts(sample: PairedSample) -> MeanCounts:
    """The table of yes-or-no verdicts whose runs were averaged: both arms' rates of yes are those of all runs.

    A case with shares x and y of yes adds xy to *both*, x(1 − y) to *only the old*, and so on, so the table is as wide as one
    run a case: averaging is not counted on, which errs on the wide side. For clusters the whole is scaled down to as many
    cases as they are worth, by the largest design effect (Kish 1965, §5.4) of the two rates and their difference.
    """
    cases, old, new, count = sample.cases, sample.old, sample.new, sample.count
    both = old * new / cases
    table = MeanCounts(
        both_right=float((count * both).sum()),
        only_old=float((count * (old - both)).sum()),
        only_new=float((count * (new - both)).sum()),
        both_wrong=float((count * (cases - old - new + both)).sum()),
    )
    if not sample.largest_cluster:
        return table
    n = sample.n_cases
    churn, gap = (table.only_old + table.only_new) / n, sample.difference
    effects = (
        _design_effect(sample, old, sample.mean_old, sample.mean_old * (1 - sample.mean_old)),
        _design_effect(sample, new, sample.mean_new, sample.mean_new * (1 - sample.mean_new)),
        _design_effect(sample, new - old, gap, churn - gap**2),
    )
    return table.scaled(1 / max(1.0, *effects))


def clustered_flips(flips: FlipCounts, sample: PairedSample) -> MeanCounts:
    """The table of flips, scaled down to the effective number of blocks: as if all cases of a cluster agreed."""
    table = MeanCounts(flips.both_right, flips.only_old, flips.only_new, flips.both_wrong)
    return table.scaled(sample.effective_blocks / sample.n_cases) if sample.n_cases else table


def _design_effect(sample: PairedSample, sums: Floats, mean: float, alone: float) -> float:
    """How much wider than `alone`, the variance of a case, blocks make it. Without any spread: as if blocks agreed within."""
    if alone <= 0 or sample.n_blocks < 2:
        return sample.n_cases / sample.effective_blocks
    residual = sums - sample.cases * mean
    scale = sample.n_blocks / (sample.n_blocks - 1)
    return float((sample.count * residual**2).sum()) * scale / sample.n_cases / alone
