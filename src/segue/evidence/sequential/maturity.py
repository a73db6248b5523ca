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
from segue.evidence.sequential.labels import Label, MetricAge, Rejected, Said, read_labels


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
class Counted:
    """The cells, and the labels that were not read: their units are missing a label, and somebody should be told."""

    cells: dict[CellKey, CellStats]
    rejected: tuple[Rejected, ...]


_Made = dict[tuple[str, tuple[float, ...], float], CellStats]
"""Units that said the same of a metric at the same weight are the same cell; most are, so each is made once."""


def count_cells(
    workflow: str,
    exposures: Iterable[Exposure],
    labels: Iterable[Label],
    metrics: Mapping[str, MetricAge],
    *,
    block: float,
    now: float,
) -> Counted:
    """The cells of all blocks of `block` seconds up to `now`, total and slices, and the labels that could not be read.

    Immature blocks count as exposed and nothing else. A unit seen again, by whatever gateway, belongs to its first exposure:
    its later outcomes would not be independent of its first. All of its outcomes by the age are averaged: which of them is
    the latest says nothing of the others. A unit seen on the other arm while its outcomes were counted is dropped for that
    metric; one that crosses later stays, so that a matured cell never changes.
    A label that cannot be read is missing (`labels` says which those are); no single one of them stops a look.
    `ValueError` where a unit was sampled with a probability below the least one declared, or above 1.
    """
    if not block > 0:
        raise ValueError(f"A block has a length in seconds, not {block}.")
    first, crossed = _first_exposures(exposures, now)
    said, rejected = read_labels(labels, metrics, first.keys(), now)
    made: _Made = {}
    parts: dict[CellKey, list[CellStats]] = defaultdict(list)
    for exposure in first.values():
        number = int(exposure.at // block)
        ends = (number + 1) * block
        names = (POOLED, *sorted(exposure.slices - {POOLED}))
        for metric, rule in metrics.items():
            if crossed.get(exposure.unit, inf) <= exposure.at + rule.age:
                continue
            stats = _unit_stats(exposure, metric, rule, said, made, matured=ends + rule.age <= now)
            for name in names:
                parts[CellKey(workflow, name, metric, exposure.step, number, exposure.arm)].append(stats)
    return Counted({key: CellStats.total(units) for key, units in parts.items()}, rejected)


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
    said: Said,
    made: _Made,
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
    by_then = tuple(value for at, value in said.get((exposure.unit, metric), ()) if exposure.at <= at <= exposure.at + rule.age)
    weight = min(1.0, rule.least_probability / probability)
    alike = (metric, by_then, weight)
    if alike not in made:
        made[alike] = CellStats.of_unit(rule.scale, by_then, weight=weight, sketched=rule.sketched)
    return made[alike]
