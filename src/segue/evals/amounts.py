"""What exchanges take, gathered arm by arm: latency, tokens, cost. The comparison sets both arms side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter

from segue.evidence.quantiles import Spread
from segue.gates.tally import CONFIRMATION
from segue.store.base import ArmRow

AMOUNTS: tuple[tuple[str, str, str], ...] = (
    ("latency", "ms", "latency_ms"),
    ("ttft", "ms", "ttft_ms"),
    ("cost", "microusd", "cost_microusd"),
    ("input_tokens", "tokens", "input_tokens"),
    ("output_tokens", "tokens", "output_tokens"),
    ("reasoning_tokens", "tokens", "reasoning_tokens"),
)
"""What every exchange carries, whatever the scorers: name, unit, field of an arm row."""
BATCH = 4_096
"""Values are handed on in batches: a spread takes many at a time far faster than one by one."""

CostOf = Callable[[ArmRow], float | None]
"""Cost of one exchange in millionths of a dollar, from its tokens; `None` where they or the price are unknown."""

_fields = attrgetter(*(field for _, _, field in AMOUNTS))
_COST = [name for name, _, _ in AMOUNTS].index("cost")


class Amounts:
    """What one arm took, while it is being gathered. Unknown is left out, and re-runs of flips are."""

    def __init__(self, cost_of: CostOf | None = None) -> None:
        """`cost_of` works costs out anew; without it they are as they were paid."""
        self._cost_of = cost_of
        self._spreads = {name: Spread() for name, _, _ in AMOUNTS}
        self._waiting: list[tuple[float | None, ...]] = []

    def add(self, rows: Iterable[ArmRow]) -> None:
        """Add the runs of one case."""
        for row in rows:
            if row.repeat >= CONFIRMATION:
                continue
            taken = _fields(row)
            if self._cost_of is not None:
                taken = (*taken[:_COST], self._cost_of(row), *taken[_COST + 1 :])
            self._waiting.append(taken)
        if len(self._waiting) >= BATCH:
            self._settle()

    def spread(self, name: str) -> Spread:
        """All values of one quantity so far."""
        self._settle()
        return self._spreads[name]

    def _settle(self) -> None:
        if self._waiting:
            for spread, column in zip(self._spreads.values(), zip(*self._waiting, strict=True), strict=True):
                spread.extend(value for value in column if value is not None)
            self._waiting.clear()
