"""The recorded-label scorer: what people, a rule or a judge outside Segue said about an output, as a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from segue.errors import Fault, InputError
from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.context import ScoringContext
from segue.scoring.label_roles import LabelRole
from segue.scoring.pure import PureScorer
from segue.scoring.reference import ReferenceSettings, accepted_texts, reference_of
from segue.scoring.settings import SettingError, Word, read_settings

if TYPE_CHECKING:
    from segue.scoring.context import LabelLookup

Values = Mapping[str, float]


class RecordedLabelSettings(ReferenceSettings):
    """Settings of `recorded_label`."""

    labeler: str = Field(min_length=1)
    """Who gave the labels, as the records name them."""
    map: dict[Word, float] = Field(default_factory=dict)
    """Label → value. Without `map` and `by_reference`, the label itself is read as a number."""
    by_reference: dict[Word, dict[Word, float]] = Field(default_factory=dict)
    """Reference value → label → value, where it depends on the case what a label is worth."""
    unit: Literal["proportion", "score", "count"] | None = None
    """What the values are. Without it: a `proportion` where they are all 0 or 1, else a `score` from 0 to 1."""
    role: LabelRole | None = Field(default=None, exclude=True)
    """Who the labeler is; without it, by its name (`label_roles`). It changes no score, so it is no part of the identity."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.map and self.by_reference:
            raise SettingError("by_reference", "map and by_reference exclude each other")
        values = self.values()
        if self.unit != "count" and any(not 0 <= value <= 1 for value in values):
            raise SettingError("unit", "values outside 0 to 1 need unit: count")
        if any(value < 0 for value in values):
            raise SettingError("unit", "a count is not negative")
        if self.unit == "proportion" and any(value not in (0, 1) for value in values):
            raise SettingError("unit", "a proportion is 0 or 1 for each output; use unit: score")
        return self

    def values(self) -> list[float]:
        """Every value a label may get."""
        return [*self.map.values(), *(value for inner in self.by_reference.values() for value in inner.values())]

    def metric_unit(self) -> Literal["proportion", "score", "count"]:
        """The unit of the metric."""
        return self.unit or ("proportion" if all(value in (0, 1) for value in self.values()) else "score")


class RecordedLabelScorer(PureScorer[RecordedLabelSettings]):
    """The value of the label an output was given. `Score.label` is the label itself, also where it is worth nothing."""

    type = "recorded_label"
    version = "1"
    settings_model = RecordedLabelSettings

    def __init__(self, spec: ScorerSpec, settings: RecordedLabelSettings, lookup: LabelLookup) -> None:
        super().__init__(spec, settings)
        self._lookup = lookup
        self._unit = settings.metric_unit()

    @classmethod
    def build(cls, spec: ScorerSpec, context: ScoringContext) -> Self:
        settings, faults = read_settings(RecordedLabelSettings, spec)
        if context.labels is None:
            faults.append(
                Fault(
                    what="There are no recorded labels here.",
                    fix="Import recordings with labels for this arm, or take the scorer out.",
                    path="labeler",
                )
            )
        if settings is None or context.labels is None:
            raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
        return cls(spec, settings, context.labels(settings.labeler))

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:
        return (Metric(name=spec.name, unit=settings.metric_unit(), better=spec.better or "higher"),)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        record = self._lookup(exchange.case_id, exchange.repeat)
        if record is None:
            return self.unscored(f"no label by {self.settings.labeler} for this output")
        label = record.label
        values: Values | None = self.settings.map
        if self.settings.by_reference:
            references = accepted_texts(reference_of(case, self.settings))
            values = self.settings.by_reference.get(references[0]) if len(references) == 1 else None
            if values is None:
                return self.unscored("the reference is not among those of by_reference", label=label)
        if values:
            value = values.get(label)
            return (
                self.unscored("the label has no value in the settings", label=label)
                if value is None
                else self._scored(value, label)
            )
        return self._read(label)

    def _read(self, label: str) -> Sequence[Score]:
        try:
            value = float(label)
        except ValueError:
            return self.unscored("the label is no number, and map gives it no value", label=label)
        fits = (
            value in (0, 1) if self._unit == "proportion" else 0 <= value <= 1 or (self._unit == "count" and 0 <= value < 1e300)
        )
        return self._scored(value, label) if fits else self.unscored(f"the label is no {self._unit}", label=label)

    def _scored(self, value: float, label: str) -> tuple[Score]:
        return (Score(self.name, float(value), label),)
