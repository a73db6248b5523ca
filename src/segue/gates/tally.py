"""The tally: two arms walked case by case, gathered into what the judges of evidence need.

Memory grows with the number of slices and of distinct value pairs, not with the number of cases (clusters excepted:
each needs its sum). It knows no texts and no verdicts.

Most cases are alike: the same slices, the same values on either arm. They are counted, and added to the cells together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from segue.evidence.flips import FlipCounts
from segue.evidence.paired import PairedSample
from segue.evidence.quantiles import Spread
from segue.evidence.sample_size import Noise

CONFIRMATION = 1000
"""Repeats from this number on are re-runs of flips. They say whether a flip holds, and never enter a rate:

only cases that flipped get them, and a rate over chosen cases would lean."""

TOTAL = ""
"""The slice that holds every case."""

MOST_ALIKE = 20_000
"""Kinds of cases that are counted before they are added to the cells, so that suites of unlike cases take no more memory."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One exchange of one arm: its values by metric (`None`: tried and not scorable), or `failed` if there was no reply.

    `unasked` metrics compare the two arms, and the other one has no reply here: this run neither counts nor is lost.
    """

    repeat: int
    values: Mapping[str, float | None]
    failed: bool = False
    unasked: frozenset[str] = frozenset()


@dataclass(slots=True)
class Unusable:
    """Why a case could not be compared, an arm at a time. Four things that are not each other, and none of them is *wrong*."""

    missing: int = 0
    errored: int = 0
    unscored: int = 0

    @property
    def n(self) -> int:
        return self.missing + self.errored + self.unscored

    def add(self, why: str | None, times: int) -> None:
        """Count as many cases that are lacking for one reason; `None` counts nothing."""
        self.missing += times * (why == "missing")
        self.errored += times * (why == "errored")
        self.unscored += times * (why == "unscored")


class Shown(NamedTuple):
    """What one case showed of one metric: the mean of its runs on either arm, or why it could not be compared.

    `again` says whether a negative flip held when it was run again, `within` is the variance of one run, both arms added, where
    there are repeats.
    """

    old: float = 0.0
    new: float = 0.0
    was_right: bool = False
    is_right: bool = False
    again: bool | None = None
    within: float | None = None
    usable: bool = True
    old_why: str | None = None
    new_why: str | None = None


@dataclass(slots=True)
class Cell:
    """One metric on one slice, while it is being gathered."""

    blocks: dict[tuple[int, float, float], int] = field(default_factory=dict)
    clusters: dict[str, list[float]] = field(default_factory=dict)
    both_right: int = 0
    only_old: int = 0
    only_new: int = 0
    both_wrong: int = 0
    applicable: int = 0
    old_unusable: Unusable = field(default_factory=Unusable)
    new_unusable: Unusable = field(default_factory=Unusable)
    either_unusable: int = 0
    rerun: int = 0
    confirmed: int = 0
    within_sum: float = 0.0
    within_cases: int = 0
    old_values: Spread | None = None
    new_values: Spread | None = None

    def add(self, shown: Shown, times: int, cluster: str | None = None) -> None:
        """Add as many cases that showed the same."""
        self.applicable += times
        if not shown.usable:
            self.either_unusable += times
            self.old_unusable.add(shown.old_why, times)
            self.new_unusable.add(shown.new_why, times)
            return
        if cluster is None:
            key = (1, round(shown.old, 9), round(shown.new, 9))
            self.blocks[key] = self.blocks.get(key, 0) + times
        else:
            sums = self.clusters.setdefault(cluster, [0.0, 0.0, 0.0])
            sums[0] += times
            sums[1] += times * shown.old
            sums[2] += times * shown.new
        self.both_right += times * (shown.was_right and shown.is_right)
        self.only_old += times * (shown.was_right and not shown.is_right)
        self.only_new += times * (shown.is_right and not shown.was_right)
        self.both_wrong += times * (not shown.was_right and not shown.is_right)
        if shown.again is not None:
            self.rerun += times
            self.confirmed += times * shown.again
        if shown.within is not None:
            self.within_sum += times * shown.within
            self.within_cases += times

    def sample(self) -> PairedSample:
        """The gathered blocks as a sample."""
        blocks = dict(self.blocks)
        for cases, old, new in self.clusters.values():
            key = (int(cases), round(old, 9), round(new, 9))
            blocks[key] = blocks.get(key, 0) + 1
        return PairedSample.from_blocks(blocks)

    def flips(self) -> FlipCounts:
        """The paired table."""
        return FlipCounts(self.both_right, self.only_old, self.only_new, self.both_wrong)

    def noise(self, sample: PairedSample) -> Noise | None:
        """Variance within cases (needs repeats) and in all; `None` without repeats."""
        if not self.within_cases or sample.n_blocks < 2:
            return None
        within = self.within_sum / self.within_cases
        return Noise(cases=sample.n_cases, within=within, total=max(within, sample.variance_per_case))


class Tally:
    """Gathers one comparison. Call `add` once per case of the suite, in any order."""

    def __init__(self, *, bounded: Sequence[str], better: Mapping[str, str]) -> None:
        """`bounded`: metrics between 0 and 1, judged by rates; `better` maps every metric to `higher` or `lower`."""
        self.bounded = tuple(bounded)
        self.better = dict(better)
        self.unbounded = tuple(name for name in better if name not in set(bounded))
        self.n_cases = 0
        self.by_task: dict[str, int] = {}
        self.by_kind: dict[str, int] = {}
        self.max_repeats = 0
        self._cells: dict[tuple[str, str], Cell] = {}
        self._alike: dict[tuple[str, tuple[str, ...], Shown], int] = {}

    def cells(self) -> Mapping[tuple[str, str], Cell]:
        """`(metric, slice) → cell`; the slice is `dimension=value`, or `TOTAL`. Unbounded metrics have their total alone."""
        self._settle()
        return self._cells

    def cell(self, metric: str, where: str = TOTAL) -> Cell:
        """One cell, made if it is not there yet."""
        self._settle()
        return self._cell(metric, where)

    def _cell(self, metric: str, where: str) -> Cell:
        key = (metric, where)
        found = self._cells.get(key)
        if found is None:
            found = self._cells[key] = Cell()
        return found

    def add(
        self,
        *,
        task: str,
        kind: str,
        slices: Sequence[str],
        applicable: Mapping[str, bool] | None,
        cluster: str | None,
        old: Sequence[Observed],
        new: Sequence[Observed],
    ) -> None:
        """Add one case: the slices it belongs to (without the total) and what either arm showed of it.

        `applicable` says which metrics are asked of this case; `None` means all of them.
        """
        self.n_cases += 1
        self.by_task[task] = self.by_task.get(task, 0) + 1
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
        self.max_repeats = max(self.max_repeats, len(old), len(new))
        places = (TOTAL, *slices)
        for metric in self.bounded:
            if applicable is not None and not applicable.get(metric, True):
                continue
            shown = self._show(metric, old, new)
            if cluster is None:
                alike = (metric, places, shown)
                self._alike[alike] = self._alike.get(alike, 0) + 1
            else:
                for where in places:
                    self._cell(metric, where).add(shown, 1, cluster)
        if len(self._alike) >= MOST_ALIKE:
            self._settle()
        for metric in self.unbounded:
            self._add_amounts(metric, old, new)

    def _settle(self) -> None:
        """Add what was counted to the cells."""
        for (metric, places, shown), times in self._alike.items():
            for where in places:
                self._cell(metric, where).add(shown, times)
        self._alike.clear()

    def _show(self, metric: str, old: Sequence[Observed], new: Sequence[Observed]) -> Shown:
        old_values, old_why = values_of(metric, old)
        new_values, new_why = values_of(metric, new)
        if not (old_values and new_values) or old_why is not None or new_why is not None:
            return Shown(usable=False, old_why=old_why, new_why=new_why)
        # As many runs on either arm: with more on one, a majority of few and a mean of many would lean.
        runs = min(len(old_values), len(new_values))
        old_values, new_values = old_values[:runs], new_values[:runs]
        x, y = sum(old_values) / runs, sum(new_values) / runs
        better_is_lower = self.better[metric] == "lower"
        was_right, is_right = (x < 0.5, y < 0.5) if better_is_lower else (x > 0.5, y > 0.5)
        again = _confirmed(metric, old, new, better_is_lower) if was_right and not is_right else None
        within = _within(old_values) + _within(new_values) if runs > 1 else None
        return Shown(x, y, was_right, is_right, again, within)

    def _add_amounts(self, metric: str, old: Sequence[Observed], new: Sequence[Observed]) -> None:
        cell = self._cell(metric, TOTAL)
        if cell.old_values is None or cell.new_values is None:
            cell.old_values, cell.new_values = Spread(), Spread()
        for spread, observed in ((cell.old_values, old), (cell.new_values, new)):
            for one in observed:
                value = one.values.get(metric)
                if value is not None and one.repeat < CONFIRMATION:
                    spread.add(value)


MOST_LOST_RUNS = 1 / 3
"""A case that loses this share of its runs, or more, on an arm is not compared: what is left may be the easy ones."""


def values_of(metric: str, observed: Sequence[Observed]) -> tuple[list[float], str | None]:
    """The values that enter a rate, in order of repeat; or why there are none: `missing`, `errored` or `unscored`.

    No value and no reason: only the other arm is to blame.
    """
    if len(observed) == 1:
        # Nearly all cases of a single run: no need to sort and count.
        (one,) = observed
        value = one.values.get(metric)
        if value is not None and not one.failed and not one.unasked and one.repeat < CONFIRMATION:
            return [value], None
    values: list[float] = []
    failed = unscored = unasked = 0
    for one in sorted(observed, key=lambda run: run.repeat):
        if one.repeat >= CONFIRMATION:
            continue
        if metric in one.unasked:
            unasked += 1
            continue
        value = None if one.failed else one.values.get(metric)
        if value is not None:
            values.append(value)
        elif one.failed:
            failed += 1
        else:
            unscored += 1
    lost = failed + unscored
    if unasked and not lost:
        return values, None
    if values and lost / (lost + len(values)) < MOST_LOST_RUNS:
        return values, None
    if unscored >= failed and unscored:
        return [], "unscored"
    return [], "errored" if failed else "missing"


def _within(values: Sequence[float]) -> float:
    """Unbiased variance of one run, from the repeats of one case."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _confirmed(metric: str, old: Sequence[Observed], new: Sequence[Observed], better_is_lower: bool) -> bool | None:
    """Whether a negative flip holds over its re-runs on both arms; `None` where it was not re-run."""
    means = []
    for observed in (old, new):
        again = [one.values.get(metric) for one in observed if one.repeat >= CONFIRMATION and not one.failed]
        scored = [value for value in again if value is not None]
        if not scored:
            return None
        means.append(sum(scored) / len(scored))
    old_mean, new_mean = (1 - means[0], 1 - means[1]) if better_is_lower else (means[0], means[1])
    return old_mean > 0.5 and new_mean <= 0.5
