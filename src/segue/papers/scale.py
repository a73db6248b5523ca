"""Scales of the page's drawings: from a value to a place in per cent of the width, with round ticks.

Places are per cent, so a drawing stretches with the page while its dots stay round and its text stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segue.papers.figures import amount, signed_points

ROUND = (1.0, 2.0, 5.0)
TIMES_MS = (
    *(base * 10**power for power in (-2, -1, 0, 1, 2) for base in ROUND),
    *(1_000.0 * seconds for seconds in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 43_200, 86_400)),
)
"""Round times, from 10 µs to a day."""
NEAREST = 17.0
"""Labels stand at least this many per cent of the width apart."""
EDGE = 3.0
"""Per cent of the width kept free at either end, so that no dot is cut."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place in per cent, its words, and where its text is anchored."""

    x: str
    label: str
    anchor: str


def place_text(place: float) -> str:
    """A place as an attribute of a drawing."""
    return f"{place:.2f}%"


def _anchor(place: float) -> str:
    return "start" if place < 6 else "end" if place > 94 else "middle"


@dataclass(frozen=True, slots=True)
class GainScale:
    """Gains in shares, linear; worse lies on the left, better on the right, and zero is always in view."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> GainScale:
        """Wide enough for `values` and for zero."""
        held = [0.0, *(value for value in values if math.isfinite(value))]
        low, high = min(held), max(held)
        width = max(high - low, 0.02)
        return cls(low - 0.04 * width, high + 0.04 * width)

    def at(self, value: float) -> float:
        """Place in per cent of the width."""
        return 100 * (value - self.low) / (self.high - self.low)

    def ticks(self, *, less_is_better: bool = False) -> tuple[Tick, ...]:
        """Round differences in points, zero among them, in the metric's own direction: what is better stays on the right."""
        steps = [base * 10**power for power in (-3, -2, -1) for base in ROUND] + [1.0]
        step = next((one for one in steps if (self.high - self.low) / one <= 6), 1.0)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        ticks = []
        for index in range(first, last + 1):
            place = self.at(index * step)
            text = signed_points((-index if less_is_better else index) * step).removesuffix(".0") if index else "0"
            ticks.append(Tick(place_text(place), text, _anchor(place)))
        return tuple(ticks)


@dataclass(frozen=True, slots=True)
class AmountScale:
    """Positive amounts on a logarithmic axis; zero, which has no logarithm, stands at the left edge."""

    low: float
    high: float
    unit: str

    @classmethod
    def over(cls, values: Iterable[float], unit: str) -> AmountScale | None:
        """Wide enough for the positive ones of `values`; `None` where there is none."""
        held = [value for value in values if value > 0 and math.isfinite(value)]
        if not held:
            return None
        low, high = min(held), max(held)
        if high / low < 1.5:
            low, high = low / 1.25, high * 1.25
        return cls(low, high, unit)

    def at(self, value: float) -> float:
        """Place in per cent of the width."""
        if value <= 0:
            return 0.0
        span = math.log(self.high / self.low)
        return EDGE + (100 - 2 * EDGE) * math.log(value / self.low) / span

    def ticks(self) -> tuple[Tick, ...]:
        """Round amounts as far apart as their labels need."""
        chosen: list[float] = []
        for value in _by_roundness(self._round_values()):
            if all(abs(self.at(value) - self.at(other)) >= NEAREST for other in chosen):
                chosen.append(value)
        return tuple(
            Tick(place_text(self.at(value)), amount(value, self.unit), _anchor(self.at(value))) for value in sorted(chosen)
        )

    def _round_values(self) -> list[float]:
        if self.unit == "ms":
            ladder: Sequence[float] = TIMES_MS
        else:
            lowest, highest = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            ladder = [base * 10.0**power for power in range(lowest, highest + 1) for base in ROUND]
        return [value for value in ladder if self.low <= value <= self.high]


def _by_roundness(values: Sequence[float]) -> list[float]:
    """Whole powers of ten first: if labels do not all fit, the roundest ones stay."""

    def roundness(value: float) -> float:
        fraction = math.log10(value) % 1
        return min(fraction, 1 - fraction) > 1e-9

    return sorted(values, key=lambda value: (roundness(value), value))
