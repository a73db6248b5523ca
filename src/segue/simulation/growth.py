"""How evidence grows per unit asked, calculated with the very bets that are made: mean and variance, by effect of a mixture.

After n units log e of one effect is about normal around n·mean; the mixture is at least its best effect, less what that costs.
So it reaches a level with probability 80 % once n·mean − z·√(n·variance) does, z = 0.84.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from segue.evidence.sequential.betting import Array, Block, choose_stakes, log_growth
from segue.evidence.sequential.null import Null, Questions
from segue.evidence.sequential.process import Memory
from segue.simulation.outcomes import unit_chances
from segue.simulation.setting import Setting, Stream

POWER_Z = 0.8416
"""Of 80 %."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Mean and variance of log growth per candidate unit asked, and the weights' cost. Shapes (questions, effects)."""

    mean: Array
    variance: Array
    cost: Array


def growth_of(setting: Setting, stream: Stream, nulls: Sequence[Null], drops: Array, share: float, *, cautious: bool) -> Growth:
    """Of many nulls at one drop, or of one null at many: how far the candidate's badness is beyond the incumbent's.

    `cautious` takes labels that do not come at their worst, as claims of safety do.
    """
    control = _masses(setting, np.full(len(drops), stream.rate))
    candidate = _masses(setting, np.minimum(stream.rate + drops, 1 - 1e-6))
    nodes = setting.scale.nodes
    ratio = (1 - share) / share
    new, old = candidate * stream.answered, control * stream.answered
    if cautious:
        new[:, -1] += 1 - stream.answered
        old[:, 0] += 1 - stream.answered
    n = np.ones((1, len(drops)))
    mean_bad = (old @ nodes) / np.maximum(old.sum(-1), 1e-12)
    memory = Memory(1e6 * n, 1e6 * mean_bad[None], 1e6 * ((old @ nodes**2) / np.maximum(old.sum(-1), 1e-12))[None])
    spread = np.ones(n.shape) if len(nodes) == 2 else memory.spread
    questions = Questions.of(nulls)
    stakes = choose_stakes(questions, memory.rate, spread, n, ratio * n)
    parts = []
    for arm, masses, times in ((0, new, 1.0), (1, old, ratio)):
        # One node at a time, so that the variance of a unit's growth is known as well as its mean.
        for node in range(len(nodes)):
            one = np.zeros((1, len(drops), len(nodes)))
            one[0, :, node] = 1.0
            none = np.zeros_like(one)
            block = Block(none if arm else one, one if arm else none, n, n, n)
            parts.append((arm, times * masses[:, node], log_growth(questions, stakes, block, nodes)))
    mean = sum((weight[None, :, None] * grown for _, weight, grown in parts), np.zeros(parts[0][2].shape))
    square = sum((weight[None, :, None] * grown**2 for _, weight, grown in parts), np.zeros(mean.shape))
    # Of independent units the variance is the second moment less the square of each arm's mean; the latter is small.
    for arm, times in ((0, 1.0), (1, ratio)):
        own = sum((weight[None, :, None] * grown for one, weight, grown in parts if one == arm), np.zeros(mean.shape))
        square = square - own**2 / times
    assert 1 in mean.shape[:2], "many nulls or many drops, not both"
    flat = (-1, mean.shape[-1])
    cost = np.broadcast_to(-questions.log_weights, mean.shape)
    return Growth(mean.reshape(flat), np.maximum(square, 0.0).reshape(flat), cost.reshape(flat))


def reaches(parts: Sequence[tuple[float, Growth]], level: float) -> Array:
    """Whether so many units asked under each growth, added up, reach a level at 80 % power. Shape (questions,)."""
    mean = sum((n * one.mean for n, one in parts), np.zeros(parts[0][1].mean.shape))
    spread = sum((n * one.variance for n, one in parts), np.zeros(mean.shape))
    return np.asarray((mean - POWER_Z * np.sqrt(spread) - parts[0][1].cost >= level).any(-1))


def units_needed(earlier: Sequence[tuple[float, Growth]], now: Growth, level: float) -> float:
    """Units asked under `now`, after those of `earlier`, until the level is reached; ∞ if it never is. Of one question."""
    mean = sum((n * one.mean for n, one in earlier), np.zeros(now.mean.shape))[0]
    spread = sum((n * one.variance for n, one in earlier), np.zeros(now.mean.shape))[0]
    best = inf
    for effect in range(now.mean.shape[-1]):
        rate, noise = now.mean[0, effect], now.variance[0, effect]
        if not rate > 1e-12 or not np.isfinite(now.cost[0, effect]):
            continue
        slope = rate / max(noise, 1e-12)
        rest = mean[effect] - slope * spread[effect] - level - now.cost[0, effect]
        root = (POWER_Z + np.sqrt(max(POWER_Z**2 - 4 * slope * rest, 0.0))) / (2 * slope)
        best = min(best, max((root**2 - spread[effect]) / max(noise, 1e-12), 0.0))
    return float(best)


def _masses(setting: Setting, rate: Array) -> Array:
    """A unit's expected masses on the nodes. Shape (rates, nodes)."""
    chances = unit_chances(np.clip(rate, 1e-6, 1 - 1e-6), setting.outcomes, setting.plan.likeness)
    rows = np.array([setting.scale.masses(bad / setting.outcomes) for bad in range(setting.outcomes + 1)])
    return np.asarray(chances @ rows)
