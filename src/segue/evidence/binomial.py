"""Binomial tails in logarithms, so that p = 1e-300 is a number and not a zero."""

from __future__ import annotations

import math

import numpy as np

from segue.evidence.special import betaincinv, gammaln, ndtri

LOG10 = math.log(10.0)


def log_binomial_tail(k: int, n: int) -> float:
    """Natural logarithm of P(X ≤ k) for X ~ Binomial(n, ½), exact to about 1e-12 relative.

    Sums the terms from the largest down; at k ≥ n the probability is 1.
    """
    if k < 0:
        return -math.inf
    if k >= n:
        return 0.0
    if 2 * k >= n:
        # The complement is the small side: 1 − P(X ≤ n − k − 1).
        return math.log1p(-math.exp(log_binomial_tail(n - k - 1, n)))
    terms = np.arange(k + 1, dtype=float)
    logs = gammaln(n + 1) - gammaln(terms + 1) - gammaln(n - terms + 1)
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum())) - n * math.log(2.0)


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927; Newcombe 1998a, method 3). (0, 1) when n is 0."""
    if n <= 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval for a proportion (Clopper and Pearson 1934). (0, 1) when n is 0."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


__all__ = ["LOG10", "clopper_pearson", "log_binomial_tail", "wilson"]
