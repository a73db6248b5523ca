"""The rules that teams use, on the same streams: what `exposure` sets beside the evidence that ships.

Each takes the running counts of one canary at every look and says where it would have alarmed first. Margins are the same
2 points, levels the same 5 %.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Counts = tuple[Array, Array, Array, Array]
"""Cumulative bad and all outcomes: candidate's, then control's. Shape (runs, looks)."""
MARGIN = 0.02
ALPHA = 0.05


def window(counts: Counts, *, size: int, failures: int) -> NDArray[np.bool_]:
    """The candidate's rate over the last `size` outcomes is beyond the control's plus the margin, for the n-th time."""
    bad, n, bad_old, n_old = counts
    ends = _every(n, size)
    over = _binned(bad, ends) / _binned(n, ends) > _binned(bad_old, ends) / _binned(n_old, ends) + MARGIN
    return _at(ends, np.cumsum(over, 1) >= failures, n.shape)


def cumulative(counts: Counts, *, every: int) -> NDArray[np.bool_]:
    """The rate so far is beyond the control's plus the margin."""
    bad, n, bad_old, n_old = counts
    ends = _every(n, every)
    return _at(ends, (bad / n > bad_old / n_old + MARGIN)[:, ends], n.shape)


def z_test(counts: Counts, *, every: int) -> NDArray[np.bool_]:
    """A one-sided z test of the margin, repeated."""
    bad, n, bad_old, n_old = counts
    p, q = bad / n, bad_old / n_old
    error = np.sqrt(p * (1 - p) / n + q * (1 - q) / n_old)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = 1 - ndtr(np.where(error > 0, (p - q - MARGIN) / error, 0.0))
    ends = _every(n, every)
    return _at(ends, (tail < ALPHA)[:, ends], n.shape)


def mann_whitney(counts: Counts, *, every: int) -> NDArray[np.bool_]:
    """A one-sided rank-sum test (normal, corrected for ties) of equality on each bin by itself."""
    bad, n, bad_old, n_old = counts
    ends = _every(n, every)
    x, m, y, k = (_binned(one, ends) for one in (bad, n, bad_old, n_old))
    total, pooled = m + k, (x + y) / (m + k)
    # For yes/no outcomes U minus its mean is m·k·(p − q)/2; its variance with ties is m·k·N²·p̄(1 − p̄) / (4·(N − 1)).
    spread = np.sqrt(m * k * total**2 * pooled * (1 - pooled) / (4 * (total - 1)))
    tail = 1 - ndtr(m * k * (x / m - y / k) / 2 / spread)
    return _at(ends, tail < ALPHA, n.shape)


def asymptotic_sequence(counts: Counts) -> NDArray[np.bool_]:
    """The lower end of a two-sided asymptotic confidence sequence lies beyond the margin."""
    bad, n, bad_old, n_old = counts
    p, q = bad / n, bad_old / n_old
    variance = (p * (1 - p) / n + q * (1 - q) / n_old) * n
    rho2 = (-2 * np.log(ALPHA) + np.log(-2 * np.log(ALPHA) + 1)) / 5_000
    half = np.sqrt(variance * 2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / ALPHA))
    return (p - q - half > MARGIN) & (bad > 0)


def msprt(counts: Counts) -> NDArray[np.bool_]:
    """The one-sided mixture sequential probability ratio test on normal approximations, half-normal mixture of 5 points."""
    bad, n, bad_old, n_old = counts
    p, q = bad / n, bad_old / n_old
    variance = np.maximum(p * (1 - p), 1e-9) / n + np.maximum(q * (1 - q), 1e-9) / n_old
    tau2 = 0.05**2
    z = p - q - MARGIN
    shrunk = tau2 / (tau2 + variance)
    log_e = np.log(2) + 0.5 * np.log(1 - shrunk) + z**2 * shrunk / (2 * variance)
    log_e += np.log(np.maximum(ndtr(z * np.sqrt(shrunk / variance)), 1e-300))
    return (log_e >= -np.log(ALPHA)) & (bad > 0)


RULES: dict[str, Callable[[Counts], NDArray[np.bool_]]] = {
    "point estimate over the last 100, first failure": lambda counts: window(counts, size=100, failures=1),
    "the same, 5 failures": lambda counts: window(counts, size=100, failures=5),
    "cumulative point estimate, every 100": lambda counts: cumulative(counts, every=100),
    "z test repeated every 100": lambda counts: z_test(counts, every=100),
    "Mann–Whitney per bin, every 1,000": lambda counts: mann_whitney(counts, every=1_000),
    "two-sided asymptotic confidence sequence": asymptotic_sequence,
    "mSPRT, one-sided": msprt,
}


def first_alarm(rule: Callable[[Counts], NDArray[np.bool_]], counts: Counts) -> Array:
    """Candidate outcomes at the first alarm of each run; ∞ where none came."""
    alarms = rule(counts)
    where = alarms.argmax(1)
    return np.where(alarms.any(1), counts[1][np.arange(len(where)), where], np.inf)


def _every(n: Array, size: int) -> NDArray[np.int64]:
    """The looks at which another `size` candidate outcomes are full (looks come every so many outcomes in all runs alike)."""
    return np.flatnonzero(n[0] % size == 0)


def _binned(cumulated: Array, ends: NDArray[np.int64]) -> Array:
    return np.diff(cumulated[:, ends], axis=1, prepend=0.0)


def _at(ends: NDArray[np.int64], alarms: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    whole = np.zeros(shape, bool)
    whole[:, ends] = alarms
    return whole
