"""Which of very many questions about pairs may be asked at all, and what an answer is worth then.

A question on which few pairs disagree cannot come out beyond chance, however they fall, and need not be corrected for
(Tarone, Biometrics 46, 1990): given how many disagree, which ones are left is fixed. Half of the chance of a false alarm is for
the questions on all pairs, half for those on slices, as in the canary (statistics: Many cells). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from segue.evidence.multiplicity import holm

ALPHA = 0.05
"""Chance that any move is named where nothing moved, over all questions of a report."""


def least_log10_p(discordant: float) -> float:
    """The smallest two-sided p-value, as log10, that so many disagreeing pairs could give: all fall one way."""
    return min(0.0, (1.0 - discordant) * log10(2.0))


def countable(least: Sequence[float], alpha: float) -> list[int]:
    """The places of the questions that count, by the smallest p-value (log10) that each could have given."""
    for k in range(1, len(least) + 1):
        kept = [place for place, one in enumerate(least) if one <= log10(alpha / k)]
        if len(kept) <= k:
            return kept
    return list(range(len(least)))


def adjust(log10_p: Sequence[float], least: Sequence[float], alpha: float) -> tuple[list[float], int]:
    """Adjusted p-values (log10) to be held against `alpha`, and how many questions counted; 0 (a p of 1) for the others."""
    kept = countable(least, alpha)
    adjusted = [0.0] * len(log10_p)
    for place, value in zip(kept, holm([log10_p[one] for one in kept]), strict=True):
        adjusted[place] = value
    return adjusted, len(kept)
