"""How many outcomes a question takes: the bound that no valid test beats by much, and what would settle it from here.

Per candidate outcome, evidence against a null can grow by at most
    min over the boundary of KL(p_b ‖ t_b) + k·KL(p_a ‖ t_a),   k control outcomes to one of the candidate's,
the growth rate of the optimal bet (Grünwald, de Heide and Koolen 2024); Wald's bound is log(1/(α·w)) over it.
"""

from __future__ import annotations

from math import ceil, inf, log

import numpy as np

from segue.evidence.sequential.betting import Array
from segue.evidence.sequential.combination import ALPHA
from segue.evidence.sequential.null import EDGE, Null
from segue.evidence.special import xlogy

ROUNDS, PATIENCE = 60, 12
CLOSE = 1e-12
"""Newton's steps inside a bracket; after some patience every other one is a halving, for rates at the ends. A convex function
is no lower than its value here less its slope times the bracket, so they end when that is next to nothing."""


def growth_rates(
    sign: Array | float,
    margin: Array | float,
    null_ratio: Array | float,
    *,
    control: Array | float,
    candidate: Array | float,
    ratio: Array | float,
) -> Array:
    """The best mean growth per candidate outcome, in nats, of any number of questions; 0 where the rates obey the null.

    `sign`, `margin` and `null_ratio` are the nulls'; `ratio` is control outcomes per candidate outcome: 19 at a share of 5 %.
    Shapes broadcast.
    """
    boundary = null_ratio * np.asarray(control) + margin
    far = (np.asarray(candidate) - margin) / null_ratio
    left = _inside(np.minimum(control, far))
    right = _inside(np.maximum(control, far))
    at = (left + right) / 2
    for turn in range(ROUNDS):
        line = null_ratio * at + margin
        other = _inside(line)
        slope = ratio * (at - control) / (at * (1 - at)) + null_ratio * (other - candidate) / (other * (1 - other))
        rises = slope > 0
        left, right = np.where(rises, left, at), np.where(rises, at, right)
        open_ = np.abs(slope) * (right - left) > CLOSE
        if not open_.any():
            break
        bend = ratio * _bend(control, at) + np.where(line == other, null_ratio**2 * _bend(candidate, other), 0.0)
        step = at - slope / bend
        newton = (step > left) & (step < right) & (turn < PATIENCE or turn % 2 == 0)
        at = np.where(open_, np.where(newton, step, (left + right) / 2), at)
    other = _inside(null_ratio * at + margin)
    rate = _kl(candidate, other) + ratio * _kl(control, at)
    return np.where((sign * (candidate - boundary) > 0) & (np.asarray(ratio) > 0), rate, 0.0)


def growth_rate(null: Null, *, control: float, candidate: float, ratio: float) -> float:
    """The best mean growth per candidate outcome against one null, in nats."""
    return float(growth_rates(null.sign, null.margin, null.ratio, control=control, candidate=candidate, ratio=ratio))


def outcomes_needed(
    null: Null,
    *,
    control: float,
    candidate: float,
    ratio: float,
    weight: float = 1.0,
    alpha: float = ALPHA,
    log_e: float = 0.0,
) -> float:
    """Wald's bound: candidate outcomes until a cell of this weight rejects, from `log_e` on; ∞ if it never will."""
    rate = growth_rate(null, control=control, candidate=candidate, ratio=ratio)
    left = -log(alpha * weight) - log_e
    return inf if rate <= 0 else max(0.0, left / rate)


def whole_outcomes(needed: float) -> int | None:
    """Rounded up for people; `None` where it is never."""
    return None if needed == inf else ceil(needed)


def _inside(rate: Array) -> Array:
    return np.asarray(np.minimum(np.maximum(rate, EDGE), 1 - EDGE))


def _bend(p: Array | float, q: Array) -> Array:
    """The second derivative of KL(p ‖ q) by q; never negative."""
    return np.asarray(p / q**2 + (1 - np.asarray(p)) / (1 - q) ** 2)


def _kl(p: Array | float, q: Array) -> Array:
    """KL(Bernoulli(p) ‖ Bernoulli(q)) in nats."""
    return np.asarray(xlogy(p, p / q) + xlogy(1 - np.asarray(p), (1 - np.asarray(p)) / (1 - q)))
