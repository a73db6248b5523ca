"""Paired comparison of two arms on the same cases: the sample, its difference, its tests and its bounds.

A *block* is what is independent: a case, or a cluster of cases (a conversation, a document). Repeats of a case are averaged
before they come here. Equal blocks are counted, not listed, so a sample of a million pass/fail cases has four rows.

What is not here: which difference is good, and what to do about it (`segue.gates`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segue.evidence.binomial import LOG10, log_binomial_tail
from segue.evidence.special import gammaln, log_ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]
LATTICE = 840
"""Means of 1 to 8 repeats, and differences of two such means, are whole multiples of 1/840."""
LARGEST_LATTICE = 400_000
"""Above this many lattice points the exact sign-flip distribution gives way to its normal limit."""


@dataclass(frozen=True)
class PairedSample:
    """Blocks of paired values, each distinct block once with its count.

    `cases[i]` cases in a block of kind i; `old[i]` and `new[i]` the sums of their (repeat-averaged) values;
    `count[i]` such blocks.
    """

    cases: Floats
    old: Floats
    new: Floats
    count: Floats

    @classmethod
    def from_blocks(cls, blocks: Mapping[tuple[int, float, float], int]) -> PairedSample:
        """From `(cases, old sum, new sum) → number of blocks`."""
        rows = sorted(blocks.items())
        table = np.array([[*key, value] for key, value in rows], dtype=float).reshape(len(rows), 4)
        return cls(cases=table[:, 0], old=table[:, 1], new=table[:, 2], count=table[:, 3])

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[float, float]]) -> PairedSample:
        """From one `(old, new)` pair per case."""
        blocks: dict[tuple[int, float, float], int] = {}
        for old, new in pairs:
            key = (1, float(old), float(new))
            blocks[key] = blocks.get(key, 0) + 1
        return cls.from_blocks(blocks)

    @cached_property
    def n_blocks(self) -> int:
        """How many independent blocks."""
        return int(self.count.sum())

    @cached_property
    def n_cases(self) -> int:
        """How many cases."""
        return int((self.count * self.cases).sum())

    @cached_property
    def effective_blocks(self) -> float:
        """How many blocks of one size would carry as much: (Σ cases)² / Σ cases² (Kish 1965, §8.2). All of them if equal."""
        squares = float((self.count * self.cases**2).sum())
        return self.n_cases**2 / squares if squares else 0.0

    @cached_property
    def largest_cluster(self) -> int:
        """Cases in the largest block of more than one case; 0 where every case stands alone."""
        largest = int(self.cases.max()) if self.n_blocks else 0
        return largest if largest > 1 else 0

    @cached_property
    def is_binary(self) -> bool:
        """Whether every block is one case with a 0 or 1 on each arm."""
        return bool(
            self.n_blocks
            and (self.cases == 1).all()
            and np.isin(self.old, (0.0, 1.0)).all()
            and np.isin(self.new, (0.0, 1.0)).all()
        )

    @cached_property
    def mean_old(self) -> float:
        """Mean over cases; NaN for an empty sample."""
        return float((self.count * self.old).sum() / self.n_cases) if self.n_cases else math.nan

    @cached_property
    def mean_new(self) -> float:
        """Mean over cases; NaN for an empty sample."""
        return float((self.count * self.new).sum() / self.n_cases) if self.n_cases else math.nan

    @cached_property
    def difference(self) -> float:
        """New minus old."""
        return float((self.count * (self.new - self.old)).sum() / self.n_cases) if self.n_cases else math.nan

    @cached_property
    def variance_per_case(self) -> float:
        """Variance of a difference per case, blocks taken together; equals the churn minus the squared difference for 0/1."""
        if self.n_blocks < 2:
            return math.nan
        residual = (self.new - self.old) - self.cases * self.difference
        scale = self.n_blocks / (self.n_blocks - 1)
        return float((self.count * residual**2).sum() * scale / self.n_cases)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Log10 p-values: that the new arm is not lower (`lower`), not higher (`higher`), not different (`two_sided`)."""

    log10_lower: float
    log10_higher: float
    log10_two_sided: float
    method: str

    @property
    def p_lower(self) -> float:
        return float(min(1.0, 10.0**self.log10_lower))

    @property
    def p_higher(self) -> float:
        return float(min(1.0, 10.0**self.log10_higher))

    @property
    def p_two_sided(self) -> float:
        return float(min(1.0, 10.0**self.log10_two_sided))


def test_difference(sample: PairedSample) -> PairedTest:
    """Paired test of no difference, against the old arm being better or worse.

    Exact McNemar for single pass/fail (the binomial with ½ on the discordant cases); otherwise the paired permutation
    (sign-flip) test on block differences, exact on a lattice, by its normal limit where the lattice is too large.
    Valid whatever the churn; repeats that were chosen without looking at who is ahead keep it valid, since they
    leave the sign of a block's difference a fair coin under the null.
    """
    differences = sample.new - sample.old
    moved = np.abs(differences) > 1e-12
    if not moved.any():
        return PairedTest(0.0, 0.0, 0.0, "no case differs")
    if sample.is_binary:
        negative = int(sample.count[differences < 0].sum())
        positive = int(sample.count[differences > 0].sum())
        lower = log_binomial_tail(positive, negative + positive) / LOG10
        higher = log_binomial_tail(negative, negative + positive) / LOG10
        method = "exact McNemar"
    else:
        lower, higher, method = _sign_flip(differences[moved], sample.count[moved])
    two_sided = min(0.0, min(lower, higher) + math.log10(2.0))
    return PairedTest(lower, higher, two_sided, method)


test_difference.__test__ = False  # type: ignore[attr-defined]  # its name starts with test_, but it is none of pytest's


def _sign_flip(differences: Floats, count: Floats) -> tuple[float, float, str]:
    """Log10 of P(T* ≤ T) and of P(T* ≥ T), T* the sum with every block's sign a fair coin."""
    scaled = differences * LATTICE
    steps = np.rint(scaled)
    on_lattice = bool(np.abs(scaled - steps).max() < 1e-6)
    if on_lattice:
        unit = float(np.gcd.reduce(np.abs(steps).astype(np.int64)))
        steps = steps / unit
    else:
        steps = np.rint(differences / np.abs(differences).max() * 250.0)
        on_lattice = False
    span = float((np.abs(steps) * count).sum())
    if span <= LARGEST_LATTICE and (on_lattice or count.sum() <= 400):
        total = int((steps * count).sum())
        log_pmf = _sign_flip_distribution(np.abs(steps).astype(np.int64), count.astype(np.int64))
        centre = int(span)
        # The walk moves in steps of two: index j of the distribution is the sum 2j − span.
        index = (total + centre) // 2
        lower = _log_sum(log_pmf[: index + 1]) / LOG10
        higher = _log_sum(log_pmf[index:]) / LOG10
        name = "exact sign-flip" if on_lattice else "sign-flip, differences rounded to 1/250"
        return min(0.0, lower), min(0.0, higher), name
    z = float((differences * count).sum() / math.sqrt(float((differences**2 * count).sum())))
    return float(log_ndtr(z)) / LOG10, float(log_ndtr(-z)) / LOG10, "sign-flip, normal limit"


def _sign_flip_distribution(steps: NDArray[np.int64], count: NDArray[np.int64]) -> Floats:
    """Log-probabilities of Σ ±steps, index j for the sum 2j − Σ steps·count.

    Blocks of one size add up to a scaled binomial, so it takes one convolution per distinct size.
    """
    weights: dict[int, int] = {}
    for step, times in zip(steps.tolist(), count.tolist(), strict=True):
        if step:
            weights[step] = weights.get(step, 0) + times
    pmf = np.ones(1)
    log_scale = 0.0
    for step, times in sorted(weights.items()):
        k = np.arange(times + 1, dtype=float)
        logs = gammaln(times + 1) - gammaln(k + 1) - gammaln(times - k + 1) - times * math.log(2.0)
        spread = np.zeros(times * step + 1)
        spread[::step] = np.exp(logs)
        pmf = _convolve_sparse(pmf, spread, step)
        top = float(pmf.max())
        pmf /= top
        log_scale += math.log(top)
    with np.errstate(divide="ignore"):
        logged: Floats = np.log(pmf) + log_scale
    return logged


def _convolve_sparse(left: Floats, right: Floats, step: int) -> Floats:
    """Convolution by shifts: all terms are positive, so tails keep their relative precision (an FFT would lose them)."""
    out = np.zeros(len(left) + len(right) - 1)
    for offset in range(0, len(right), step):
        weight = right[offset]
        if weight > 0:
            out[offset : offset + len(left)] += weight * left
    return out


def _log_sum(logs: Floats) -> float:
    top = float(logs.max()) if len(logs) else -math.inf
    return top if top == -math.inf else top + math.log(float(np.exp(logs - top).sum()))


def difference_interval(sample: PairedSample, level: float = 0.95) -> tuple[float, float]:
    """Two-sided interval for new minus old; its ends are one-sided bounds at (1 + level) / 2.

    Single pass/fail: Tango's score interval (Tango 1998). Otherwise Student's t over blocks, with three safeguards:
    - z² pseudo-blocks of average size are shared among better and worse (as Agresti and Coull 1998 do for one proportion), so
      that no churn at all does not read as certainty: without any it gives Tango's bound for as many cases as there are blocks;
    - a block that holds much of the cases draws the mean towards itself and so looks closer to it than it is; its residual is
      scaled up by what it would be if the block were left out (the jackknife over clusters, Bell and McCaffrey 2002);
    - the degrees of freedom are those of Kish's effective number of blocks.
    (−1, 1) for an empty sample.
    """
    if not sample.n_blocks:
        return -1.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    if sample.is_binary:
        moved = sample.new - sample.old
        worse = float(sample.count[moved < 0].sum())
        better = float(sample.count[moved > 0].sum())
        return tango_interval(worse, better, sample.n_cases, z)
    pseudo, shared = sample.n_cases / sample.n_blocks, z * z
    n_cases = sample.n_cases + shared * pseudo
    blocks = sample.n_blocks + shared
    effective = n_cases**2 / float((sample.count * sample.cases**2).sum() + shared * pseudo**2)
    sums = sample.new - sample.old
    difference = float((sample.count * sums).sum()) / n_cases
    residual = (sums - sample.cases * difference) / (1 - sample.cases / n_cases)
    squares = float((sample.count * residual**2).sum()) + shared * (pseudo / (1 - pseudo / n_cases)) ** 2
    error = math.sqrt(squares * (blocks - 1) / blocks) / n_cases
    quantile = float(stdtrit(effective - 1, 0.5 + level / 2))
    return max(-1.0, difference - quantile * error), min(1.0, difference + quantile * error)


def tango_interval(worse: float, better: float, n: float, z: float) -> tuple[float, float]:
    """Tango's score interval for the difference of paired proportions, (better − worse) / n.

    Solves |better − worse − nΔ| = z·√(n(2q̂ + Δ(1 − Δ))) for Δ, q̂ the restricted maximum-likelihood estimate of the
    share of worse cases (Tango, Statistics in Medicine 17, 1998, equations 4–6).
    """

    def score(delta: float) -> float:
        b = -(better + worse) + (2 * n - better + worse) * delta
        c = -worse * delta * (1 - delta)
        q = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        spread = n * (2 * q + delta * (1 - delta))
        gap = better - worse - n * delta
        return gap / math.sqrt(spread) if spread > 1e-15 else math.copysign(math.inf, gap)

    estimate = (better - worse) / n
    return _root(score, z, -1.0, estimate), _root(score, -z, estimate, 1.0)


def _root(score: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Bisection for a decreasing function; 60 halvings reach the last bit."""
    for _ in range(60):
        middle = (low + high) / 2
        if score(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
