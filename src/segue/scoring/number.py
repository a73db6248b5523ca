"""The number scorer: the number the answer ends on is the reference, within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from pydantic import Field, field_validator

from segue.model import Case, Exchange, Json, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.number_reading import NumberReader
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, reference_of


class NumberSettings(ReferenceSettings):
    """Settings of `number`."""

    where: Literal["boxed_or_last", "boxed", "last", "first", "whole"] = "boxed_or_last"
    """Which number counts: the one in the last `\\boxed{}`, the last or first in the text, or the text as a whole."""
    abs_tolerance: float = Field(default=0.0, ge=0)
    """Allowed distance from the reference."""
    rel_tolerance: float = Field(default=0.0, ge=0)
    """Allowed distance as a share of the reference's size. The larger of the two allowances holds."""
    decimal: Literal[".", ","] = "."
    """The decimal mark; the other one groups thousands, as do apostrophes, underscores and narrow blanks."""
    percent: Literal["ignored", "share"] = "ignored"
    """Whether `5 %` is 5 or 0.05."""
    units: dict[str, float] = Field(default_factory=dict)
    """Units and what a number followed by one is multiplied by, such as `{km: 1000, m: 1}`."""

    @field_validator("units")
    @classmethod
    def _units_have_names(cls, units: dict[str, float]) -> dict[str, float]:
        if any(not unit.strip() for unit in units):
            raise ValueError("a unit has a name")
        return units


class NumberScorer(PureScorer[NumberSettings]):
    """1 where the number read out of the answer is the reference, or one entry of it. The detail holds what was read."""

    type = "number"
    version = "1"
    settings_model = NumberSettings

    def __init__(self, spec: ScorerSpec, settings: NumberSettings) -> None:
        super().__init__(spec, settings)
        self._reader = NumberReader(decimal=settings.decimal, percent=settings.percent, units=settings.units)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        reference = reference_of(case, self.settings)
        wanted = [self._reference(one) for one in (reference if isinstance(reference, list | tuple) else (reference,))]
        if not wanted or None in wanted:
            return self.unscored(NO_REFERENCE)
        found = self._reader.read(final_text(exchange), self.settings.where)
        if found is None:
            return self.passed(False, reason="no number could be read")
        right = any(
            is_close(found, one, self.settings.abs_tolerance, self.settings.rel_tolerance) for one in wanted if one is not None
        )
        return self.passed(right, detail={"read": str(found)})

    def _reference(self, value: Json) -> Decimal | None:
        if isinstance(value, str):
            return self._reader.read(value, "boxed_or_last")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        number = Decimal(str(value))
        return number if number.is_finite() else None


def is_close(found: Decimal, wanted: Decimal, abs_tolerance: float, rel_tolerance: float) -> bool:
    """Whether |found − wanted| ≤ max(abs_tolerance, rel_tolerance · |wanted|); equal to the last digit without tolerances."""
    if found == wanted:
        return True
    if not abs_tolerance and not rel_tolerance:
        return False
    distance = abs(float(found) - float(wanted))
    # a rounding error of the subtraction must not decide at the edge of the tolerance
    return distance <= max(abs_tolerance, rel_tolerance * abs(float(wanted))) * (1 + 1e-12)
