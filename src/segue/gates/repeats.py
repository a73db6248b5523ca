"""How often to repeat: as often as the noise asks, decided without looking at who is ahead.

Only spreads enter (churn, variance within a case), so the paired tests that follow keep their level.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from segue.evidence.sample_size import Noise, RepeatTarget, plan_repeats
from segue.gates.findings import margin_of
from segue.gates.tally import Tally
from segue.model import GateSettings


def plan_uniform_repeats(tally: Tally, settings: GateSettings, *, critical: Collection[str], done: int) -> int:
    """How many runs of every case both arms need in all, given the `done` runs that `tally` holds.

    After one run the variance within a case is unknown: the answer is then 1 (every slice is quiet enough, or so noisy
    between cases that nothing is known to help) or 2 (run once more and ask again).
    """
    if settings.repeats != "auto":
        return settings.repeats
    if done >= settings.max_repeats:
        return done
    gated = (*settings.primary, *settings.guardrails)
    targets = []
    for (metric, where), cell in tally.cells().items():
        if metric not in gated or metric not in tally.bounded:
            continue
        sample = cell.sample()
        if sample.n_cases < settings.min_slice_cases:
            continue
        margin = margin_of(settings, metric, where, is_critical=where in critical)
        if margin <= 0:
            continue
        noise = cell.noise(sample)
        if noise is None:
            # One run: all of the spread may be noise within cases, so ask for a second run if any is in the way.
            variance = sample.variance_per_case
            if not math.isfinite(variance):
                continue
            noise = Noise(cases=sample.n_cases, within=variance, total=variance)
        else:
            # The tally's spread is of means over `done` runs: give back what averaging took away.
            noise = Noise(noise.cases, noise.within, max(noise.within, noise.total + noise.within * (1 - 1 / done)))
        targets.append(RepeatTarget(noise, margin))
    alpha = settings.alpha / max(1, len(targets))
    planned = plan_repeats(targets, most=settings.max_repeats, alpha=alpha)
    if done == 1:
        return min(2, planned)
    return max(done, planned)
