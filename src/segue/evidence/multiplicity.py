"""Many slices, one error rate."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10


def holm(log10_p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, as log10 (Holm 1979).

    Valid under any dependence between the tests. Order is kept; an empty list stays empty.
    """
    order = sorted(range(len(log10_p)), key=lambda index: log10_p[index])
    adjusted = [0.0] * len(log10_p)
    running = float("-inf")
    for rank, index in enumerate(order):
        running = max(running, log10_p[index] + log10(len(log10_p) - rank))
        adjusted[index] = min(0.0, running)
    return adjusted
