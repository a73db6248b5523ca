"""How far two raters agree: the counts, the share, and Cohen's kappa, each with an interval.

It does not know which rater is the human one, nor how much agreement is enough (`segue.evidence.judge_calibration`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from segue.evidence.binomial import wilson
from segue.evidence.special import gammaln, ndtri


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval and the size of the sample behind it. `value` is `None` exactly if there is a `reason`."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        assert (self.value is None) == bool(self.reason), "an estimate has a value or a reason why not"

    @classmethod
    def unknown(cls, reason: str, n: int = 0) -> Estimate:
        """No number, and why."""
        return cls(None, None, None, n, reason)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Value, low and high of an estimate that is known."""
        assert self.value is not None, self.reason
        assert self.low is not None
        assert self.high is not None
        return self.value, self.low, self.high

    def is_within(self, bound: float) -> bool:
        """Whether the whole interval lies within ±`bound`; an unknown one does not."""
        return self.low is not None and self.high is not None and -bound <= self.low and self.high <= bound

    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero; that of an unknown one does not."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True)
class YesNoCounts:
    """A reference rater against another on a yes/no question: the 2×2 table. Addable."""

    both_yes: int = 0
    only_reference: int = 0
    only_other: int = 0
    both_no: int = 0

    def __add__(self, other: YesNoCounts) -> YesNoCounts:
        return YesNoCounts(
            self.both_yes + other.both_yes,
            self.only_reference + other.only_reference,
            self.only_other + other.only_other,
            self.both_no + other.both_no,
        )

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> YesNoCounts:
        """Count `(reference, other)` pairs of 0 and 1."""
        cells = [0, 0, 0, 0]
        for reference, other in pairs:
            cells[2 * (1 - reference) + (1 - other)] += 1
        return cls(both_yes=cells[0], only_reference=cells[1], only_other=cells[2], both_no=cells[3])

    @property
    def n(self) -> int:
        """Pairs counted."""
        return self.both_yes + self.only_reference + self.only_other + self.both_no

    @property
    def reference_yes(self) -> int:
        """Pairs to which the reference says yes."""
        return self.both_yes + self.only_reference

    @property
    def reference_no(self) -> int:
        """Pairs to which the reference says no."""
        return self.only_other + self.both_no

    def table(self) -> list[list[int]]:
        """Rows: the reference says yes, no; columns: the other does."""
        return [[self.both_yes, self.only_reference], [self.only_other, self.both_no]]


def proportion(successes: float, n: float, level: float, empty: str) -> Estimate:
    """A share with Wilson's interval; unknown with the reason `empty` when `n` is 0."""
    if n <= 0:
        return Estimate.unknown(empty)
    low, high = wilson(successes, n, level)
    return Estimate(successes / n, low, high, round(n))


def agreement_table(first: Sequence[Hashable], second: Sequence[Hashable], classes: Sequence[Hashable]) -> list[list[int]]:
    """Cross-tabulate two raters over `classes` (rows: the first). Both sequences are of one length and use only `classes`."""
    place = {label: index for index, label in enumerate(classes)}
    table = [[0] * len(classes) for _ in classes]
    for one, other in zip(first, second, strict=True):
        table[place[one]][place[other]] += 1
    return table


def percent_agreement(table: Sequence[Sequence[int]], level: float = 0.95) -> Estimate:
    """Share of items on which both raters say the same (between 0 and 1), with Wilson's interval."""
    n = sum(map(sum, table))
    same = sum(row[index] for index, row in enumerate(table))
    return proportion(same, n, level, "There is no item that both have rated.")


def kappa_standard_error(table: Sequence[Sequence[int]]) -> float | None:
    """Large-sample standard error of kappa (Fleiss, Cohen and Everitt 1969, eq. 13). `None` where kappa is undefined."""
    shares, n = _shares(table)
    if n == 0:
        return None
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    expected = float(rows @ columns)
    if expected >= 1:
        return None
    observed = float(np.trace(shares))
    kappa = (observed - expected) / (1 - expected)
    weights = (1 - kappa) ** 2 * (columns[:, None] + rows[None, :]) ** 2
    np.fill_diagonal(weights, (1 - (rows + columns) * (1 - kappa)) ** 2)
    spread = float((shares * weights).sum()) - (kappa - expected * (1 - kappa)) ** 2
    return math.sqrt(max(0.0, spread) / n) / (1 - expected)


def cohen_kappa(table: Sequence[Sequence[int]], level: float = 0.95) -> Estimate:
    """Cohen's kappa of a square table (Cohen 1960): agreement beyond what chance would give.

    The interval is the wider, end by end, of the large-sample one and Wilson's interval for the agreement carried over at the
    chance agreement found: the first is a single point when nobody disagrees, and that would read as certainty.
    Unknown when there is no item, or when both raters gave everything one and the same label.
    """
    shares, n = _shares(table)
    if n == 0:
        return Estimate.unknown("There is no item that both have rated.")
    expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
    error = kappa_standard_error(table)
    if error is None:
        return Estimate.unknown("Both gave every item the same label, so agreement beyond chance is undefined.", n)
    kappa = (float(np.trace(shares)) - expected) / (1 - expected)
    half = float(ndtri(0.5 + level / 2)) * error
    low, high = wilson(float(np.trace(shares)) * n, n, level)
    return Estimate(
        value=kappa,
        low=max(-1.0, min(kappa - half, (low - expected) / (1 - expected))),
        high=min(1.0, max(kappa + half, (high - expected) / (1 - expected))),
        n=n,
    )


def fisher_exact(first_hits: int, first_n: int, second_hits: int, second_n: int) -> float:
    """Two-sided p of Fisher's exact test that two independent shares are equal; 1 where either sample is empty.

    Sums the tables that are no more likely than the one found.
    """
    hits, n = first_hits + second_hits, first_n + second_n
    if first_n == 0 or second_n == 0 or hits in (0, n):
        return 1.0
    x = np.arange(max(0, hits - second_n), min(hits, first_n) + 1, dtype=float)

    def log_choose(total: int, chosen: np.ndarray) -> np.ndarray:
        return np.asarray(gammaln(total + 1) - gammaln(chosen + 1) - gammaln(total - chosen + 1))

    logs = log_choose(first_n, x) + log_choose(second_n, hits - x)
    weights = np.exp(logs - logs.max())
    found = weights[int(first_hits - x[0])]
    # A hair of slack: tables that are equally likely differ in the last bits.
    return float(min(1.0, weights[weights <= found * (1 + 1e-7)].sum() / weights.sum()))


def _shares(table: Sequence[Sequence[int]]) -> tuple[np.ndarray, int]:
    counts = np.asarray(table, dtype=float).reshape(len(table), -1)
    assert counts.shape[0] == counts.shape[1], "an agreement table is square"
    n = int(counts.sum())
    return (counts / n if n else counts), n
