"""A gate of a plan: a metric under guard, with its two limits, and what is usual where the plan does not say.

What the metrics mean in numbers is `segue.simulation.setting`'s, and the live evidence's.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_serializer, model_validator

from segue.model.base import Frozen, Json
from segue.model.plan_text import Days, Part, read_limit
from segue.model.workflow import Direction

Source = Literal["scorer", "outcome", "served"]
Watch = Literal["total", "slices", "both"]
SLOW = ("slow", "slow_start")
FACTOR = 1.2
LEAST = 50
"""Labels of the candidate before a required gate lets a step be left."""

SERVED: dict[str, dict[str, Json]] = {
    "error": {"hold": "1 point", "rollback": "3 points"},
    "fallback": {"hold": "1 point", "rollback": "3 points"},
    "refusal": {"hold": "1 point", "rollback": "3 points"},
    "contract_broken": {"hold": "1 point", "rollback": "3 points"},
    "slow": {"hold": "1 point", "rollback": "4 points", "baseline": 0.01},
    "slow_start": {"hold": "1 point", "rollback": "4 points", "baseline": 0.01},
    "cost": {"hold": "20%", "rollback": "100%", "baseline": 0.1},
}
"""What the gateway itself sees of each exchange, with the limits that hold unless a plan has its own. Of all, less is better.

Of the incumbent's own replies one in a hundred is beyond its p99. Cost is a share of ten times the incumbent's mean, so that
the incumbent's own is a tenth by definition.
"""
OUTCOMES: dict[str, dict[str, Json]] = {
    "negative_feedback": {"better": "lower", "hold": "10%", "rollback": "20%"},
    "satisfaction": {"better": "higher", "hold": "0.5 points"},
}
"""Outcomes whose usual limits and direction are known by their name (stage 4)."""


class Limit(Frozen):
    """So much worse: an absolute difference of rates, or a share of the incumbent's own rate. Written `2 points` or `20%`."""

    amount: float = Field(gt=0, lt=10)
    is_relative: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Json) -> Json:
        if isinstance(value, dict | Limit):
            return value
        amount, is_relative = read_limit(value)
        return {"amount": amount, "is_relative": is_relative}

    @model_validator(mode="after")
    def _is_a_difference(self) -> Self:
        if not self.is_relative and self.amount >= 1:
            raise ValueError("a limit in points is below 100 points")
        return self

    @model_serializer
    def _as_text(self) -> str:
        return f"{self.amount * 100:.12g}{'%' if self.is_relative else ' points'}"

    def times(self, factor: float) -> Limit:
        """A rung of the ladder: the limit, so many times; below the whole range."""
        most = max(self.amount, 9.0 if self.is_relative else 0.9)
        return Limit(amount=min(self.amount * factor, most), is_relative=self.is_relative)

    @property
    def words(self) -> str:
        """`2 points`, `20 %`."""
        if self.is_relative:
            return f"{self.amount * 100:.3g} %"
        return f"{self.amount * 100:.3g} {'point' if abs(self.amount - 0.01) < 1e-12 else 'points'}"


def require_order(hold: Limit, rollback: Limit) -> None:
    """`ValueError` where people would look only after it went back; limits of two kinds cannot be compared."""
    if hold.is_relative == rollback.is_relative and hold.amount > rollback.amount:
        raise ValueError("the hold limit lies beyond the rollback limit")


class PlanGate(Frozen):
    """A metric under guard: beyond `hold` people look, beyond `rollback` it goes back by itself.

    `baseline` is the incumbent's rate in the metric's own direction. Outcomes count `age` after exposure; of the units served
    `sampled` are asked for a label, and `answered` of these give one. One that is not `required` can stop an upgrade and does
    not keep it waiting: where few people answer, silence at its worst could never be shown to be safe.
    """

    metric: str = Field(min_length=1)
    source: Source = "scorer"
    better: Direction | None = None
    hold: Limit = Limit(amount=0.02)
    rollback: Limit = Limit(amount=0.05)
    watch: Watch = "both"
    only: tuple[str, ...] = ()
    baseline: Part | None = Field(default=None, gt=0, lt=1)
    age: Days = Field(default=1 / 24, le=60)
    sampled: Part = Field(default=1.0, gt=0)
    answered: Part = 1.0
    min_exposed: int | None = Field(default=None, ge=0)
    required: bool = True
    factor: float = Field(default=FACTOR, ge=1, le=100)

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, value: Json) -> Json:
        """What is usual of metrics that are known by name; what the plan says stays."""
        if not isinstance(value, dict):
            return value
        source, metric = value.get("source"), value.get("metric")
        usual: dict[str, Any] = {}
        if source == "served":
            usual = {"better": "lower", "age": 0.0, **SERVED.get(str(metric), {})}
        elif source == "outcome":
            usual = OUTCOMES.get(str(metric), {})
        # Past a validator of its own a JSON list is a list like any other, and a strict model wants tuples.
        return {**usual, **{key: tuple(one) if isinstance(one, list) else one for key, one in value.items()}}

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        require_order(self.hold, self.rollback)
        if self.watch == "total" and self.only:
            raise ValueError("only names slices, and watch: total looks at none")
        return self

    @model_validator(mode="after")
    def _served_is_known(self) -> Self:
        is_slow = self.source == "served" and self.metric in SLOW
        if self.source == "served" and self.metric not in SERVED:
            raise ValueError(f"source: served knows {', '.join(SERVED)}; '{self.metric[:80]}' is none of them")
        if self.source == "served" and self.better != "lower":
            raise ValueError(f"of {self.metric}, lower is better")
        if self.factor != FACTOR and not is_slow:
            raise ValueError(f"factor belongs to {' and '.join(SLOW)} of source: served")
        if self.source == "served" and self.metric == "cost" and not (self.hold.is_relative and self.rollback.is_relative):
            raise ValueError("limits of cost are relative to the incumbent's own, such as 20%")
        return self

    @property
    def least_exposed(self) -> int:
        """Labels of the candidate that are waited for. A gate that is not required waits for those that are written alone."""
        if self.min_exposed is not None:
            return self.min_exposed
        return LEAST if self.required else 0

    @property
    def title(self) -> str:
        """The metric, and the slices if it is on these alone."""
        return f"{self.metric} on {', '.join(self.only)}" if self.only else self.metric
