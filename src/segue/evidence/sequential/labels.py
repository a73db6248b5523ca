"""Which labels can be read, and which cannot and why: one bad label is missing, is named, and stops nothing.

It knows what a label says and of whom; when a label is old enough to count is `maturity`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Literal

from segue.evidence.sequential.scale import Scale

Fault = Literal["no number", "outside the scale", "no time", "unknown unit", "repeated"]
"""Why a label is not read. `repeated` is a label that came twice and is read once."""


@dataclass(frozen=True, slots=True)
class Label:
    """An outcome of a unit, in the metric's own units. `at` is when it became known, in seconds."""

    unit: str
    metric: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class MetricAge:
    """A metric's scale, the age in seconds at which it is judged, and the smallest probability it is sampled with.

    `capped` says that values beyond the scale's ends are real and count as the nearer end: cost, time. Else such a value
    is no measurement, for a grade of 7 out of 5 says nothing.
    """

    scale: Scale
    age: float
    least_probability: float = 1.0
    sketched: bool = False
    capped: bool = False

    def __post_init__(self) -> None:
        if not self.age >= 0:
            raise ValueError(f"An age is not negative; {self.age} is.")
        if not 0 < self.least_probability <= 1:
            raise ValueError(f"A sampling probability lies above 0 and up to 1; {self.least_probability} does not.")

    def fault(self, value: float) -> Fault | None:
        """Why a value is no measurement of this metric, if it is none."""
        if not isfinite(value):
            return "no number"
        scale = self.scale
        inside = self.capped or scale.limit is not None or scale.low <= value <= scale.high
        return None if inside and (value >= 0 or not self.sketched) else "outside the scale"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Labels that were not read, all alike: of whom, of what, what they said, why not, and how many."""

    unit: str
    metric: str
    value: float
    why: Fault
    times: int


Said = Mapping[tuple[str, str], list[tuple[float, float]]]
"""By unit and metric: when each outcome became known, and what it was."""


def read_labels(
    labels: Iterable[Label], metrics: Mapping[str, MetricAge], units: Collection[str], now: float
) -> tuple[Said, tuple[Rejected, ...]]:
    """What was said by `now` of the units known, and what could not be read, by name.

    Labels of metrics that are not watched are left out silently. One unit may have many outcomes; but the same value of the
    same unit and metric at the same moment is one label delivered twice, and is read once.
    """
    said: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    read: set[Label] = set()
    rejected: Counter[tuple[str, str, str, Fault]] = Counter()
    values: dict[str, float] = {}
    for label in labels:
        rule = metrics.get(label.metric)
        if rule is None or label.at > now:
            continue
        why = _fault(label, rule, units, read)
        if why is None:
            read.add(label)
            said[label.unit, label.metric].append((label.at, label.value))
            continue
        shown = repr(label.value)
        values[shown] = nan if isnan(label.value) else label.value
        rejected[label.unit, label.metric, shown, why] += 1
    found = sorted(rejected.items())
    return said, tuple(Rejected(unit, metric, values[shown], why, n) for (unit, metric, shown, why), n in found)


def _fault(label: Label, rule: MetricAge, units: Collection[str], read: Collection[Label]) -> Fault | None:
    if (why := rule.fault(label.value)) is not None:
        return why
    if not isfinite(label.at):
        return "no time"
    if label.unit not in units:
        return "unknown unit"
    return "repeated" if label in read else None
