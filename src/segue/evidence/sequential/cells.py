"""The sufficient statistics of a cell: frozen, addable in any order, storable. Judges of evidence read these and nothing else.

A cell is one arm of one workflow, on one slice and metric, at one step of the plan, in one block of time.
Units are counted once, in the block of their first exposure, with the mean of their outcomes up to a fixed age: outcomes of one
user depend on each other, and bad news tends to arrive first (`maturity` builds cells from what was recorded).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil, exp, isfinite, log
from typing import Any, Literal, Self

from segue.evidence.quantiles import GAMMA
from segue.evidence.sequential.scale import Scale

VERSION = 1
"""Of the stored form. A reader refuses what it does not know."""

Arm = Literal["incumbent", "candidate"]
POOLED = ""
"""The slice of everything."""


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """Which cell. `block` numbers the blocks of time from 0; `step` the steps of the plan."""

    workflow: str
    slice: str
    metric: str
    step: int
    block: int
    arm: Arm


@dataclass(frozen=True, slots=True)
class Sums:
    """Count, sum and sum of squares of badness."""

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @classmethod
    def total_of(cls, parts: Sequence[Self]) -> Self:
        """Of many, added up from the left."""
        return cls(sum(one.n for one in parts), sum(one.total for one in parts), sum(one.squares for one in parts))

    @classmethod
    def of(cls, badness: float, weight: float = 1.0) -> Self:
        """One value."""
        return cls(weight, weight * badness, weight * badness * badness)

    @property
    def mean(self) -> float | None:
        """`None` when nothing was counted."""
        return self.total / self.n if self.n else None

    @property
    def variance(self) -> float | None:
        """Of the values counted (not of their mean); `None` when nothing was counted."""
        return max(0.0, self.squares / self.n - (self.total / self.n) ** 2) if self.n else None


@dataclass(frozen=True, slots=True)
class Sketch:
    """Counts of values in the metric's own units, in buckets 1 % wide (DDSketch; Masson, Rim and Lee 2019). Not negative."""

    buckets: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Of raw values. `ValueError` on a negative one or what is no number."""
        counts: dict[int, float] = {}
        for value in values:
            if not (isfinite(value) and value >= 0):
                raise ValueError(f"A sketch holds finite values from 0 upwards, not {value}.")
            key = _ZERO if value == 0 else ceil(log(value) / _LOG_GAMMA)
            counts[key] = counts.get(key, 0.0) + 1.0
        return cls(tuple(sorted(counts.items())))

    def __add__(self, other: Self) -> Self:
        counts = dict(self.buckets)
        for key, times in other.buckets:
            counts[key] = counts.get(key, 0.0) + times
        return type(self)(tuple(sorted(counts.items())))

    @property
    def n(self) -> float:
        """How many values."""
        return sum(times for _, times in self.buckets)

    def value_at(self, rank: float) -> float | None:
        """The value of a rank (from 1), right to half a per cent; `None` where there is none."""
        seen = 0.0
        for key, times in self.buckets:
            seen += times
            if seen >= rank:
                return 0.0 if key == _ZERO else 2 * exp(key * _LOG_GAMMA) / (GAMMA + 1)
        return None


@dataclass(frozen=True, slots=True)
class CellStats:
    """What is known of a cell. Two of them add up, whatever the order.

    `exposed` units were served; of these `matured` are old enough to be judged, `asked` were sampled for a label,
    and `labelled` have one. `masses` lies on the nodes of the metric's scale and sums to the weight of the labelled units;
    it is empty while nothing was labelled. `requests` counts outcomes one by one, for display; `units` counts units.
    """

    exposed: int = 0
    matured: int = 0
    asked: int = 0
    labelled: int = 0
    masses: tuple[float, ...] = ()
    units: Sums = Sums()
    requests: Sums = Sums()
    sketch: Sketch = Sketch()

    def __post_init__(self) -> None:
        if not 0 <= self.labelled <= self.asked <= self.matured <= self.exposed:
            raise ValueError(
                f"A cell counts labelled ≤ asked ≤ matured ≤ exposed, not "
                f"{self.labelled}, {self.asked}, {self.matured}, {self.exposed}."
            )
        if any(mass < 0 or not isfinite(mass) for mass in self.masses):
            raise ValueError("Masses are finite and not negative.")
        if sum(self.masses) > self.labelled * (1 + 1e-9):
            # A weight above 1 would stake more than the bet allows.
            raise ValueError(
                f"A unit weighs at most 1: masses of {sum(self.masses):g} are too many for {self.labelled} labels."
            )

    @property
    def missing(self) -> int:
        """Labels that were asked for and did not come by their age. Units not sampled are not missing."""
        return self.asked - self.labelled

    def __add__(self, other: Self) -> Self:
        if self.masses and other.masses and len(self.masses) != len(other.masses):
            raise ValueError(f"Cells on scales of {len(self.masses)} and {len(other.masses)} nodes cannot be added.")
        if self.masses and other.masses:
            masses = tuple(one + two for one, two in zip(self.masses, other.masses, strict=True))
        else:
            masses = self.masses or other.masses
        return type(self)(
            self.exposed + other.exposed,
            self.matured + other.matured,
            self.asked + other.asked,
            self.labelled + other.labelled,
            masses,
            self.units + other.units,
            self.requests + other.requests,
            self.sketch + other.sketch,
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Of many, added up from the left; quicker than one by one."""
        cells = list(parts)
        filled = [one.masses for one in cells if one.masses]
        sizes = sorted({len(one) for one in filled})
        if len(sizes) > 1:
            raise ValueError(f"Cells on scales of {' and '.join(map(str, sizes))} nodes cannot be added.")
        sketches = [one.sketch for one in cells if one.sketch.buckets]
        return cls(
            sum(one.exposed for one in cells),
            sum(one.matured for one in cells),
            sum(one.asked for one in cells),
            sum(one.labelled for one in cells),
            tuple(map(sum, zip(*filled, strict=True))),
            Sums.total_of([one.units for one in cells]),
            Sums.total_of([one.requests for one in cells]),
            sum(sketches[1:], sketches[0]) if sketches else Sketch(),
        )

    @classmethod
    def of_unit(cls, scale: Scale, values: Iterable[float], *, weight: float = 1.0, sketched: bool = False) -> Self:
        """One mature unit that was asked, with its outcomes in the metric's own units; with none, its label is missing.

        `ValueError` for a weight that is not above 0 and at most 1.
        """
        if not 0.0 < weight <= 1.0:
            raise ValueError(f"A unit's weight lies above 0 and up to 1; {weight} does not.")
        raw = list(values)
        if not raw:
            return cls(1, 1, 1)
        bad = [scale.badness(value) for value in raw]
        mean = sum(bad) / len(bad)
        requests = Sums()
        for one in bad:
            requests = requests + Sums.of(one)
        return cls(
            1,
            1,
            1,
            1,
            scale.masses(mean, weight),
            Sums.of(mean, weight),
            requests,
            Sketch.of(raw) if sketched else Sketch(),
        )

    def as_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "version": VERSION,
            "exposed": self.exposed,
            "matured": self.matured,
            "asked": self.asked,
            "labelled": self.labelled,
            "masses": list(self.masses),
            "units": [self.units.n, self.units.total, self.units.squares],
            "requests": [self.requests.n, self.requests.total, self.requests.squares],
            "sketch": [[key, times] for key, times in self.sketch.buckets],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Back from the stored form. `ValueError` on another version, a key too many or too few, or a value of a wrong type."""
        version = stored.get("version")
        if version != VERSION:
            raise ValueError(f"These cells are of version {version!r}; this program reads version {VERSION}.")
        expected = {"version", *(one.name for one in fields(cls))}
        if set(stored) != expected:
            raise ValueError(f"A cell has the keys {', '.join(sorted(expected))}; check {', '.join(set(stored) ^ expected)}.")
        return cls(
            exposed=_whole(stored, "exposed"),
            matured=_whole(stored, "matured"),
            asked=_whole(stored, "asked"),
            labelled=_whole(stored, "labelled"),
            masses=_numbers(stored, "masses"),
            units=Sums(*_numbers(stored, "units", 3)),
            requests=Sums(*_numbers(stored, "requests", 3)),
            sketch=_sketch(stored),
        )


def _whole(stored: Mapping[str, Any], key: str) -> int:
    value = stored[key]
    if type(value) is not int:
        raise ValueError(f"A cell's {key} is a whole number, not {value!r}.")
    return value


def _numbers(stored: Mapping[str, Any], key: str, size: int | None = None) -> tuple[float, ...]:
    value = stored[key]
    if not isinstance(value, list) or not all(_is_number(one) for one in value) or size not in (None, len(value)):
        raise ValueError(f"A cell's {key} are {size or 'a list of'} finite numbers, not {value!r}.")
    return tuple(float(one) for one in value)


def _sketch(stored: Mapping[str, Any]) -> Sketch:
    value = stored["sketch"]
    pairs = isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value)
    if not pairs or not all(type(key) is int and _is_number(times) and times >= 0 for key, times in value):
        raise ValueError(f"A cell's sketch is a list of [bucket, count], not {value!r}.")
    whole = Sketch()
    for key, times in value:
        whole = whole + Sketch(((key, float(times)),))
    return whole


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]


def merge_cells(parts: Iterable[Mapping[CellKey, CellStats]]) -> dict[CellKey, CellStats]:
    """Cells of several gateways or writers, added up by key.

    No unit may be in two of the parts, for here it would count twice: where a unit can reach two gateways, join their exposures
    and count once (`maturity.count_cells`).
    """
    whole: dict[CellKey, CellStats] = {}
    for part in parts:
        for key, stats in part.items():
            whole[key] = whole[key] + stats if key in whole else stats
    return whole


_LOG_GAMMA = log(GAMMA)
_ZERO = -(10**9)
