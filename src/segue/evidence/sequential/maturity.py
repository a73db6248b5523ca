"""From what was served and what came back to cells: by exposure, at a fixed age, each unit once.

Counting outcomes as they arrive compares the impatient of one arm with the patient of the other, for bad news comes first.
So a unit is placed in the block of its first exposure and judged when that block is old enough; what its outcomes were by that
age is averaged; what came later is not counted; and a unit that was asked and said nothing is missing, not well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from segue.evidence.sequential.cells import POOLED, Arm, CellKey, CellStats
from segue.evidence.sequential.scale import Scale


@dataclass(frozen=True, slots=True)
class Exposure:
    """A unit served by an arm. `at` is in seconds; `asked` gives, for each metric sampled for it, the sampling probability."""

    unit: str
    arm: Arm
    at: float
    step: int = 0
    slices: frozenset[str] = frozenset()
    asked: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Label:
    """An outcome of a unit, in the metric's own units. `at` is when it became known, in seconds."""

    unit: str
    metric: str
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class MetricAge:
    """A metric's scale, the age in seconds at which it is judged, and the smallest probability it is sampled with."""

    scale: Scale
    age: float
    least_probability: float = 1.0
    sketched: bool = False

    def __post_init__(self) -> None:
        if not self.age >= 0:
            raise ValueError(f"An age is not negative; {self.age} is.")
        if not 0 < self.least_probability <= 1:
            raise ValueError(f"A sampling probability lies above 0 and up to 1; {self.least_probability} does not.")


def count_cells(
    workflow: str,
    exposures: Iterable[Exposure],
    labels: Iterable[Label],
    metrics: Mapping[str, MetricAge],
    *,
    block: float,
    now: float,
) -> dict[CellKey, CellStats]:
    """The cells of all blocks of `block` seconds up to `now`, total and slices.

    Immature blocks count as exposed and nothing else. A unit seen again belongs to its first exposure: its later outcomes would
    not be independent of its first. A unit seen on the other arm while its outcomes were counted is dropped for that metric;
    one that crosses later stays, so that a matured cell never changes. `ValueError` where a unit was sampled with a
    probability below the least one declared, or above 1.
    """
    if not block > 0:
        raise ValueError(f"A block has a length in seconds, not {block}.")
    first, crossed = _first_exposures(exposures, now)
    said: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for label in labels:
        said[label.unit, label.metric].append((label.at, label.value))
    cells: dict[CellKey, CellStats] = {}
    for exposure in first.values():
        number = int(exposure.at // block)
        ends = (number + 1) * block
        for metric, rule in metrics.items():
            if crossed.get(exposure.unit, inf) <= exposure.at + rule.age:
                continue
            stats = _unit_stats(exposure, metric, rule, said, matured=ends + rule.age <= now)
            for name in (POOLED, *sorted(exposure.slices - {POOLED})):
                key = CellKey(workflow, name, metric, exposure.step, number, exposure.arm)
                cells[key] = cells[key] + stats if key in cells else stats
    return cells


def _first_exposures(exposures: Iterable[Exposure], now: float) -> tuple[dict[str, Exposure], dict[str, float]]:
    """Each unit's first exposure, and when those that were seen on the other arm too were first seen there."""
    first: dict[tuple[str, Arm], Exposure] = {}
    for exposure in exposures:
        known = first.get((exposure.unit, exposure.arm))
        if exposure.at <= now and (known is None or exposure.at < known.at):
            first[exposure.unit, exposure.arm] = exposure
    whole: dict[str, Exposure] = {}
    crossed: dict[str, float] = {}
    for (unit, _), exposure in first.items():
        other = whole.get(unit)
        if other is not None:
            crossed[unit] = max(exposure.at, other.at)
        if other is None or exposure.at < other.at:
            whole[unit] = exposure
    return whole, crossed


def _unit_stats(
    exposure: Exposure,
    metric: str,
    rule: MetricAge,
    said: Mapping[tuple[str, str], list[tuple[float, float]]],
    *,
    matured: bool,
) -> CellStats:
    if not matured:
        return CellStats(exposed=1)
    probability = exposure.asked.get(metric)
    if probability is None:
        return CellStats(exposed=1, matured=1)
    if not rule.least_probability * (1 - 1e-9) <= probability <= 1.0:
        raise ValueError(
            f"Unit {exposure.unit} was sampled for {metric} with probability {probability}, "
            f"not between the {rule.least_probability} declared as the least and 1."
        )
    by_then = [value for at, value in said.get((exposure.unit, metric), ()) if exposure.at <= at <= exposure.at + rule.age]
    weight = min(1.0, rule.least_probability / probability)
    return CellStats.of_unit(rule.scale, by_then, weight=weight, sketched=rule.sketched)
