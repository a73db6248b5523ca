"""Bets and verdicts once more, one number at a time and as slowly as they read: what the arrays are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, log1p

from segue.evidence.sequential.cells import CellStats
from segue.evidence.sequential.null import EDGE, Null
from segue.evidence.sequential.process import LEAST_MEMORY, LONGEST_MEMORY, PRIOR_WEIGHT
from segue.evidence.sequential.wald import growth_rate

Pair = tuple[CellStats, CellStats]
BOLDEST, ROUNDS = 0.999, 4


def log_e_after(null: Null, nodes: Sequence[float], rate: float | None, blocks: Sequence[Pair], *, cautious: bool) -> float:
    """log e-value of one null in one cell, all of whose blocks are bet on as they come."""
    capital = [0.0] * len(null.mixture)
    known = 0.0 if rate is None else PRIOR_WEIGHT
    n, total, squares = known, known * (rate or 0.0), known * (rate or 0.0)
    for old, new in blocks:
        control, candidate = _masses(old, len(nodes)), _masses(new, len(nodes))
        if cautious:
            control[0] += old.missing
            candidate[-1] += new.missing
        if n >= LEAST_MEMORY and sum(control) > 0 and sum(candidate) > 0:
            mean = (total + 0.5) / (n + 1)
            spread = 1.0 if len(nodes) == 2 else _spread(mean, n, total, squares)
            for place, (size, _) in enumerate(null.mixture):
                capital[place] += _growth(null, size, mean, spread, candidate, control, nodes)
        n += sum(control)
        total += sum(mass * node for mass, node in zip(control, nodes, strict=True))
        squares += sum(mass * node**2 for mass, node in zip(control, nodes, strict=True))
        keep = min(1.0, LONGEST_MEMORY / max(n, 1.0))
        n, total, squares = n * keep, total * keep, squares * keep
    return log(sum(weight * exp(one) for one, (_, weight) in zip(capital, null.mixture, strict=True)))


def lowest_average(values: Sequence[float], weights: Sequence[float], cell: int) -> float:
    """e-Holm's value of one cell: over all sets that hold it, joined from the smallest e-value upwards. In e-values."""
    others = sorted((one for one in range(len(values)) if one != cell), key=lambda one: values[one])
    lowest, total, mass = values[cell], values[cell] * weights[cell], weights[cell]
    for one in others:
        total, mass = total + values[one] * weights[one], mass + weights[one]
        lowest = min(lowest, total / mass)
    return lowest


def outcomes_to(null: Null, pair: Pair, weight: float, alpha: float, log_e: float) -> float:
    """Outcomes until a cell rejects, at the rates so far."""
    old, new = pair
    assert old.units.mean is not None
    assert new.units.mean is not None
    growth = growth_rate(null, control=old.units.mean, candidate=new.units.mean, ratio=old.labelled / new.labelled)
    return inf if growth <= 0 else max(0.0, -log(alpha * weight) - log_e) / growth


def slowest_growth(null: Null, control: float, candidate: float, ratio: float) -> float:
    """The least of KL(candidate ‖ line) + ratio · KL(control ‖ line), by halving where it is steepest; 0 inside the null."""
    if null.sign * (candidate - null.ratio * control - null.margin) <= 0:
        return 0.0
    far = (candidate - null.margin) / null.ratio
    left, right = (min(max(one, EDGE), 1 - EDGE) for one in (min(control, far), max(control, far)))
    for _ in range(200):
        at = (left + right) / 2
        there = min(max(null.ratio * at + null.margin, EDGE), 1 - EDGE)
        slope = ratio * (at - control) / (at * (1 - at)) + null.ratio * (there - candidate) / (there * (1 - there))
        left, right = (left, at) if slope > 0 else (at, right)
    at = (left + right) / 2
    return _kl(candidate, min(max(null.ratio * at + null.margin, EDGE), 1 - EDGE)) + ratio * _kl(control, at)


def _kl(p: float, q: float) -> float:
    return (p * log(p / q) if p else 0.0) + ((1 - p) * log((1 - p) / (1 - q)) if p < 1 else 0.0)


def _growth(
    null: Null,
    size: float,
    mean: float,
    spread: float,
    candidate: Sequence[float],
    control: Sequence[float],
    nodes: Sequence[float],
) -> float:
    rate = min(max(mean, EDGE), 1 - EDGE)
    relative = null.ratio * sum(candidate) / sum(control)
    target = _target(null, size, rate)
    at = _projection(null, rate, target, relative)
    there = null.ratio * at + null.margin
    worst = (there, 1 - at) if null.sign > 0 else (1 - there, at)
    stake = min(
        null.sign * (target - there) / (spread * there * (1 - there)),
        null.sign * (at - rate) / (spread * at * (1 - at)) / relative,
    )
    stake = min(max(stake, 0.0), BOLDEST / max(worst[0], relative * worst[1]))
    grown = 0.0
    for node, new, old in zip(nodes, candidate, control, strict=True):
        grown += new * log1p(null.sign * stake * (node - there))
        grown += old * log1p(-null.sign * relative * stake * (node - at))
    return grown


def _target(null: Null, size: float, rate: float) -> float:
    boundary = null.ratio * rate + null.margin
    target = boundary + null.sign * size * max((null.ratio - 1) * rate + null.margin, null.floor)
    low = (rate if null.sign > 0 else min(rate, boundary)) / 2
    high = (1 + (max(rate, boundary) if null.sign > 0 else rate)) / 2
    return min(max(min(max(target, low), high), EDGE), 1 - EDGE)


def _projection(null: Null, rate: float, target: float, relative: float) -> float:
    low = max(EDGE, (EDGE - null.margin) / null.ratio)
    high = min(1 - EDGE, (1 - EDGE - null.margin) / null.ratio)
    far = (target - null.margin) / null.ratio
    left, right, at = (min(max(one, low), high) for one in (min(rate, far), max(rate, far), rate))
    for _ in range(ROUNDS):
        there = null.ratio * at + null.margin
        pull = relative * at * (1 - at) / (there * (1 - there))
        step = (rate + pull * (target - null.margin)) / (1 + null.ratio * pull)
        left, right = (at, right) if step > at else (left, at)
        at = step if left < step < right else (left + right) / 2
    return at


def _spread(mean: float, n: float, total: float, squares: float) -> float:
    share = min(max(squares / n - (total / n) ** 2, 0.0) / (mean * (1 - mean)), 1.0)
    return min(max((n * share + LEAST_MEMORY) / (n + LEAST_MEMORY), 0.02), 1.0)


def _masses(stats: CellStats, size: int) -> list[float]:
    return list(stats.masses or [0.0] * size)
