"""The tally: two arms walked case by case, gathered into what the judges of evidence need.

Memory grows with the number of slices and of distinct value pairs, not with the number of cases (clusters excepted:
each needs its sum). It knows no texts and no verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segue.evidence.flips import FlipCounts
from segue.evidence.paired import PairedSample
from segue.evidence.quantiles import Spread
from segue.evidence.sample_size import Noise

CONFIRMATION = 1000
"""Repeats from this number on are re-runs of flips. They say whether a flip holds, and never enter a rate:

only cases that flipped get them, and a rate over chosen cases would lean."""

TOTAL = ""
"""The slice that holds every case."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One exchange of one arm: its values by metric (`None`: tried and not scorable), or `failed` if there was no reply."""

    repeat: int
    values: Mapping[str, float | None]
    failed: bool = False


@dataclass(slots=True)
class Unusable:
    """Why a case could not be compared, an arm at a time. Four things that are not each other, and none of them is *wrong*."""

    missing: int = 0
    errored: int = 0
    unscored: int = 0

    @property
    def n(self) -> int:
        return self.missing + self.errored + self.unscored


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

    def cells(self) -> Mapping[tuple[str, str], Cell]:
        """`(metric, slice) → cell`; the slice is `dimension=value`, or `TOTAL`."""
        return self._cells

    def cell(self, metric: str, where: str = TOTAL) -> Cell:
        """One cell, made if it is not there yet."""
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
            self._add_rate(metric, places, cluster, old, new)
        for metric in self.unbounded:
            self._add_amounts(metric, places, old, new)

    def _add_rate(
        self, metric: str, places: Sequence[str], cluster: str | None, old: Sequence[Observed], new: Sequence[Observed]
    ) -> None:
        old_values, old_why = values_of(metric, old)
        new_values, new_why = values_of(metric, new)
        usable = old_why is None and new_why is None
        if usable:
            # As many runs on either arm: with more on one, a majority of few and a mean of many would lean.
            runs = min(len(old_values), len(new_values))
            old_values, new_values = old_values[:runs], new_values[:runs]
            x, y = sum(old_values) / len(old_values), sum(new_values) / len(new_values)
            better_is_lower = self.better[metric] == "lower"
            was_right, is_right = (x < 0.5, y < 0.5) if better_is_lower else (x > 0.5, y > 0.5)
            again = _confirmed(metric, old, new, was_right, is_right, better_is_lower)
            within = _within(old_values) + _within(new_values)
            has_repeats = len(old_values) > 1 and len(new_values) > 1
        for where in places:
            cell = self.cell(metric, where)
            cell.applicable += 1
            if not usable:
                cell.either_unusable += 1
                _count_unusable(cell.old_unusable, old_why)
                _count_unusable(cell.new_unusable, new_why)
                continue
            if cluster is None:
                key = (1, round(x, 9), round(y, 9))
                cell.blocks[key] = cell.blocks.get(key, 0) + 1
            else:
                sums = cell.clusters.setdefault(cluster, [0.0, 0.0, 0.0])
                sums[0] += 1
                sums[1] += x
                sums[2] += y
            if was_right:
                if is_right:
                    cell.both_right += 1
                else:
                    cell.only_old += 1
            elif is_right:
                cell.only_new += 1
            else:
                cell.both_wrong += 1
            if again is not None:
                cell.rerun += 1
                cell.confirmed += again
            if has_repeats:
                cell.within_sum += within
                cell.within_cases += 1

    def _add_amounts(self, metric: str, places: Sequence[str], old: Sequence[Observed], new: Sequence[Observed]) -> None:
        for where in places:
            cell = self.cell(metric, where)
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
    """The values that enter a rate, in order of repeat; or why there are none: `missing`, `errored` or `unscored`."""
    values: list[float] = []
    failed = unscored = 0
    for one in sorted(observed, key=lambda run: run.repeat):
        if one.repeat >= CONFIRMATION:
            continue
        value = None if one.failed else one.values.get(metric)
        if value is not None:
            values.append(value)
        elif one.failed:
            failed += 1
        else:
            unscored += 1
    lost = failed + unscored
    if values and lost / (lost + len(values)) < MOST_LOST_RUNS:
        return values, None
    if unscored >= failed and unscored:
        return [], "unscored"
    return [], "errored" if failed else "missing"


def _count_unusable(unusable: Unusable, why: str | None) -> None:
    if why == "missing":
        unusable.missing += 1
    elif why == "errored":
        unusable.errored += 1
    elif why == "unscored":
        unusable.unscored += 1


def _within(values: Sequence[float]) -> float:
    """Unbiased variance of one run, from the repeats of one case."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _confirmed(
    metric: str, old: Sequence[Observed], new: Sequence[Observed], was_right: bool, is_right: bool, better_is_lower: bool
) -> bool | None:
    """Whether a negative flip holds over its re-runs on both arms; `None` where there is none, or it was not re-run."""
    if not was_right or is_right:
        return None
    means = []
    for observed in (old, new):
        again = [one.values.get(metric) for one in observed if one.repeat >= CONFIRMATION and not one.failed]
        scored = [value for value in again if value is not None]
        if not scored:
            return None
        means.append(sum(scored) / len(scored))
    old_mean, new_mean = (1 - means[0], 1 - means[1]) if better_is_lower else (means[0], means[1])
    return old_mean > 0.5 and new_mean <= 0.5
