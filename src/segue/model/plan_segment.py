"""A segment as a plan names it: who belongs to it, and how much of the traffic they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from segue.model.base import Frozen, Json
from segue.model.plan_text import Part


def _as_values(value: Json) -> Json:
    # A list is no tuple for a strict model once a validator has had it.
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Values = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_values), Field(min_length=1)]
"""One value or several; a request has one of them."""


class PlanSegment(Frozen):
    """`where` is the predicate: each attribute of a request has one of its values. `share` is its part of the traffic.

    `internal: 2%` is short for the share alone: enough for a simulation, and not for an upgrade.
    """

    share: Part | None = Field(default=None, gt=0)
    where: dict[Annotated[str, Field(min_length=1)], Values] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_share(cls, value: Json) -> Json:
        return {"share": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value

    @model_serializer
    def _as_written(self) -> Json:
        if not self.where:
            return self.share if self.share is not None else {}
        share = {} if self.share is None else {"share": self.share}
        return {**share, "where": {name: list(values) for name, values in self.where.items()}}
