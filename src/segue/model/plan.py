"""The plan of an upgrade: by which steps the candidate takes the traffic, what is measured, and where it stops.

A file of the workspace (`docs/plan.md`). Here is what the file says; what it means for the evidence is `segue.simulation`'s.
Approvers, notification and budgets are not here yet: they come with the upgrade that acts on them.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_serializer, model_validator

from segue.model.base import Frozen, Json
from segue.model.plan_text import Days, Part, read_limit
from segue.model.workflow import Direction

Source = Literal["scorer", "outcome"]
Watch = Literal["total", "slices", "both"]
Preset = Literal["1-5-25-100", "1-5-20-50-100", "5-20-50-100"]


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


class PlanStep(Frozen):
    """A step of the canary: the candidate serves `share` of `segment` (of everyone, without one) for `hold` or longer.

    It may go on once harm beyond `excludes` times each gate's hold limit is excluded; it extends until `longest`.
    """

    share: Part = Field(gt=0, lt=1)
    hold: Days = Field(gt=0)
    segment: str | None = Field(default=None, min_length=1)
    longest: Days | None = None
    excludes: float | None = Field(default=None, ge=1, le=50)

    @model_validator(mode="after")
    def _longest_is_longer(self) -> Self:
        if self.longest is not None and self.longest < self.hold:
            raise ValueError("longest is shorter than hold")
        return self


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
    min_exposed: int = Field(default=50, ge=0)
    required: bool = True

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.hold.is_relative == self.rollback.is_relative and self.hold.amount > self.rollback.amount:
            raise ValueError("the hold limit lies beyond the rollback limit")
        if self.watch == "total" and self.only:
            raise ValueError("only names slices, and watch: total looks at none")
        return self

    @property
    def title(self) -> str:
        """The metric, and the slices if it is on these alone."""
        return f"{self.metric} on {', '.join(self.only)}" if self.only else self.metric


class ShadowSpec(Frozen):
    """How long requests are mirrored to the candidate before any user sees it, and how many of them."""

    length: Days = 7.0
    share: Part = 1.0
    churn: Part = 0.15


class PlanWeights(Frozen):
    """How α is spread: `pooled_share` on the totals of the metrics under `pooled`, the rest evenly on all other cells."""

    pooled_share: Part = 0.5
    pooled: dict[str, Part] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.pooled and abs(sum(self.pooled.values()) - 1) > 1e-9:
            raise ValueError(f"the shares under pooled add up to 1, not to {sum(self.pooled.values()):g}")
        return self


class Plan(Frozen):
    """A plan as it is written. `steps` or a `preset`, one of the two; after the last step the candidate serves everyone."""

    preset: Preset | None = None
    steps: tuple[PlanStep, ...] = ()
    gates: tuple[PlanGate, ...] = Field(min_length=1)
    slices: dict[str, Part] = Field(default_factory=dict)
    segments: dict[str, Part] = Field(default_factory=dict)
    unit: Literal["request", "user"] = "request"
    requests_per_user: float = Field(default=1.0, ge=1, le=1000)
    likeness: Part = 0.0
    cycle: Days = Field(default=1.0, gt=0)
    shadow: ShadowSpec = ShadowSpec()
    soak: Days = 14.0
    holdback: Part = Field(default=0.0, le=0.2)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    weights: PlanWeights = PlanWeights()

    @model_validator(mode="after")
    def _steps_or_preset(self) -> Self:
        if bool(self.steps) == (self.preset is not None):
            raise ValueError(f"a plan has steps or a preset, {'not both' if self.steps else 'and this one has neither'}")
        return self

    @model_validator(mode="after")
    def _shares_grow(self) -> Self:
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if before.segment == after.segment and after.share <= before.share:
                raise ValueError(f"the shares of steps grow; {after.share:g} follows {before.share:g}")
        return self

    @model_validator(mode="after")
    def _units_hold_together(self) -> Self:
        if self.unit == "request" and (self.requests_per_user != 1.0 or self.likeness):
            raise ValueError("requests_per_user and likeness belong to unit: user")
        return self

    @property
    def canary(self) -> tuple[PlanStep, ...]:
        """The steps, written out or the preset's."""
        return self.steps or PRESETS[self.preset or "1-5-25-100"]

    def rungs(self) -> tuple[float, ...]:
        """By how many times a gate's hold limit harm is to be excluded before each step is left."""
        steps = self.canary
        return tuple(
            step.excludes if step.excludes is not None else 1.0 if index == len(steps) - 1 else rung_of(step.share)
            for index, step in enumerate(steps)
        )

    def longest(self, step: PlanStep) -> float:
        """Days after which a step that is not settled needs a named person."""
        return step.longest if step.longest is not None else EXTENSION * step.hold


EXTENSION = 3.0
"""A step that names no longest length extends to three times its hold."""


def rung_of(share: float) -> float:
    """The ladder of excluded harm in hold limits: 10, 5 and 3 points for a limit of 2 (statistics: Method, Two limits)."""
    return 5.0 if share <= 0.01 else 2.5 if share <= 0.05 else 1.5


def _steps(*pairs: tuple[float, float]) -> tuple[PlanStep, ...]:
    return tuple(PlanStep(share=share, hold=hold) for share, hold in pairs)


PRESETS: dict[str, tuple[PlanStep, ...]] = {
    "1-5-25-100": _steps((0.01, 2), (0.05, 4), (0.25, 7)),
    "1-5-20-50-100": _steps((0.01, 1), (0.05, 2), (0.2, 4), (0.5, 7)),
    "5-20-50-100": _steps((0.05, 2), (0.2, 3), (0.5, 5)),
}
"""Of stage 4: the first reaches its shares on days 1, 3, 7 and 14; the last begins with 48 hours at 5 %."""


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as it could be written again."""
    return plan.model_dump(mode="json", exclude_defaults=True)
