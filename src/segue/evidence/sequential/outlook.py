"""What would settle cells that are in no grid: shadow's pairs, and a soak's detectors. As `settling` has it of a canary's.

So many more outcomes of the candidate, at the rates seen so far, from where the evidence stands; never less than the best bet
would take. Cells are walked through one by one: these are of two stages that bet a few times a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from segue.evidence.sequential.betting import BOLDEST, Array
from segue.evidence.sequential.null import Null
from segue.evidence.sequential.paired import DIFFERENCES
from segue.evidence.sequential.verdicts import Settlement
from segue.evidence.sequential.wald import whole_outcomes

_HALVINGS = 60


def settle_pairs(
    masses: Array, nulls: Sequence[Null], log_e: Sequence[float], goals: Sequence[float], per_day: float | None = None
) -> Settlement | None:
    """Of one cell of pairs, by their masses on the nodes of `DIFFERENCES`; `None` while there is no pair.

    `nulls` are the limits of rollback and of hold and what is to be excluded, as differences of badness; `log_e` and `goals`
    are the evidence against each, and what it has to reach. The question is the limit that the candidate seems to be beyond.
    """
    pairs = float(masses.sum())
    if not pairs:
        return None
    parts = masses / pairs
    difference = float(parts @ (2 * DIFFERENCES.nodes - 1))
    back, hold, _ = nulls
    asked = 0 if difference > back.margin else 1 if difference > hold.margin else 2
    growth = paired_growth(nulls[asked], parts)
    return settled_after(nulls[asked], growth, max(goals[asked] - log_e[asked], 0.0), per_day)


def settled_after(null: Null, growth: float, left: float, per_day: float | None = None) -> Settlement:
    """From what is left to be shown, in nats, and how much an outcome shows on average."""
    outcomes = whole_outcomes(left / growth if growth > 0 else np.inf)
    return Settlement(null.side, outcomes, outcomes / per_day if per_day and outcomes is not None else None)


def paired_growth(null: Null, parts: Array) -> float:
    """The best mean growth per pair against a difference of `null.margin`, in nats; 0 where the pairs obey it.

    `parts` are the shares of pairs that came out better, the same and worse.
    """
    at = (1.0 + null.margin) / 2
    gains = null.sign * (DIFFERENCES.nodes - at)
    if float(parts @ gains) <= 0:
        return 0.0
    # The mean of log(1 + λ·gain) is concave in λ: where its slope changes its sign is halved for.
    low, high = 0.0, BOLDEST / float(-gains.min())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(parts @ (gains / (1 + middle * gains))) > 0 else (low, middle)
    return float(parts @ np.log1p(low * gains))


def level_growth(null: Null, *, level: float, candidate: float) -> float:
    """The best mean growth per outcome against a limit beyond a recorded level, in nats; 0 where the candidate keeps it."""
    boundary = min(max(null.ratio * level + null.margin, 1e-6), 1 - 1e-6)
    if null.sign * (candidate - boundary) <= 0:
        return 0.0
    return sum(part * log(part / whole) for part, whole in ((candidate, boundary), (1 - candidate, 1 - boundary)) if part > 0)
