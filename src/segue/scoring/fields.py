"""The fields scorer, for extraction: how many fields of the reference the answer's JSON gets right.

How two values are compared is in `segue.scoring.field_values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from segue.errors import Fault, InputError
from segue.model import Case, Exchange, Json, Metric, Score, ScorerSpec
from segue.scoring.answer import final_text
from segue.scoring.context import ScoringContext
from segue.scoring.field_values import FieldRule, Steps, ValueSettings, at_steps, is_same_value, leaves
from segue.scoring.json_output import Find, read_json
from segue.scoring.json_schema import SchemaCheck
from segue.scoring.pure import PureScorer
from segue.scoring.reference import NO_REFERENCE, ReferenceSettings, follow_path, reference_of
from segue.scoring.settings import SettingError, read_settings

FROM_CONTRACT = "contract"


class FieldsSettings(ReferenceSettings, ValueSettings):
    """Settings of `fields`; those of `ValueSettings` hold for every field that has none of its own."""

    fields: dict[str, FieldRule] = Field(default_factory=dict)
    """Dotted path in the reference → how that field is compared. Where set, only these fields count; else all of them do."""
    find: Find = "whole"
    """Where the JSON may stand: the `whole` answer, one `fenced` block, or `anywhere` in prose."""
    json_schema: dict[str, Json] | bool | Literal["contract"] | None = None
    """A JSON Schema the answer has to fulfil, or it scores 0; `contract` takes the bundle's own."""
    extra: Literal["ignored", "wrong"] = "ignored"
    """Whether a field the reference does not have counts as one that is wrong."""

    @model_validator(mode="after")
    def _schema_compiles(self) -> Self:
        if self.json_schema is not None and self.json_schema != FROM_CONTRACT:
            try:
                SchemaCheck(self.json_schema)
            except ValueError as error:
                raise SettingError("json_schema", str(error)) from error
        return self


class FieldsScorer(PureScorer[FieldsSettings]):
    """The share of fields that are right, and `<name>.all`, whether all are. The detail is 0 or 1 per field."""

    type = "fields"
    version = "1"
    settings_model = FieldsSettings

    def __init__(self, spec: ScorerSpec, settings: FieldsSettings) -> None:
        super().__init__(spec, settings)
        self._schema = None if settings.json_schema is None else SchemaCheck(settings.json_schema)
        self._all = f"{spec.name}.all"

    @classmethod
    def build(cls, spec: ScorerSpec, context: ScoringContext) -> Self:
        settings, faults = read_settings(FieldsSettings, spec)
        if settings is not None and settings.json_schema == FROM_CONTRACT:
            schema = context.contract.json_schema if context.contract else None
            if schema is None:
                faults.append(
                    Fault(
                        what="The bundle's contract has no JSON Schema.",
                        fix="Add one to the contract, or write the schema under json_schema.",
                        path="json_schema",
                    )
                )
            settings = settings.model_copy(update={"json_schema": schema})
        if settings is None or faults:
            raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
        return cls(spec, settings)

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:  # noqa: ARG003  the same two whatever the settings
        better = spec.better or "higher"
        return (Metric(name=spec.name, unit="score", better=better), Metric(name=f"{spec.name}.all", better=better))

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        try:
            return self._score(case, exchange)
        except RecursionError:
            reason = "the values are nested too deeply to be compared"
            return (*self.unscored(reason), Score(self._all, None, None, "unscored", reason))

    def _score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        wanted = self._wanted(reference_of(case, self.settings))
        if not wanted:
            return (*self.unscored(NO_REFERENCE), Score(self._all, None, None, "unscored", NO_REFERENCE))
        found, reason = read_json(final_text(exchange), self.settings.find)
        if not reason and not isinstance(found, dict):
            reason = "the answer's JSON is no object"
        if not reason and self._schema is not None:
            reason = self._schema.fault(found)
        if reason:
            detail = {".".join(steps): 0 for steps, _ in wanted}
            return (
                Score(self.name, 0.0, None, "scored", reason, detail),
                Score(self._all, 0.0, None, "scored", reason),
            )
        right = self._judge(found, wanted)
        n_right = sum(is_right for _, is_right in right)
        detail = {path: int(is_right) for path, is_right in right}
        return (
            Score(self.name, n_right / len(right), None, "scored", "", detail),
            Score(self._all, float(n_right == len(right))),
        )

    def _wanted(self, reference: Json) -> list[tuple[Steps, Json]]:
        """The fields that count, each with the reference's value."""
        if not isinstance(reference, dict) or not reference:
            return []
        if self.settings.fields:
            return [((path,), follow_path(reference, path)) for path in self.settings.fields]
        return list(leaves(reference))

    def _judge(self, found: Json, wanted: list[tuple[Steps, Json]]) -> list[tuple[str, bool]]:
        """Each field with whether it is right; those the reference does not have too, where they count."""
        right = [(".".join(steps), self._is_right(found, steps, value)) for steps, value in wanted]
        if self.settings.extra == "wrong":
            places = self._places(wanted)
            right += [(".".join(steps), False) for steps, _ in leaves(found) if not _is_within(steps, places)]
        return right

    def _is_right(self, found: Json, steps: Steps, wanted: Json) -> bool:
        if not self.settings.fields:
            return is_same_value(at_steps(found, steps), wanted, self.settings)
        rule = self.settings.fields[steps[0]]
        return is_same_value(follow_path(found, rule.at or steps[0]), wanted, rule)

    def _places(self, wanted: list[tuple[Steps, Json]]) -> set[Steps]:
        """Where in the answer the fields that count stand."""
        if self.settings.fields:
            return {tuple((rule.at or path).split(".")) for path, rule in self.settings.fields.items()}
        return {steps for steps, _ in wanted}


def _is_within(steps: Steps, places: set[Steps]) -> bool:
    return any(steps[:length] in places for length in range(1, len(steps) + 1))
