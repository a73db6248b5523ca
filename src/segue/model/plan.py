"""The plan of an upgrade: by which steps the candidate takes the traffic, what is measured, and where it stops.

A file of the workspace (`docs/plan.md`). Here is what the file says; what it means for the evidence is `segue.simulation`'s.
What an upgrade makes of it is `segue.upgrade`'s.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from segue.model.base import Frozen
from segue.model.plan_gate import Limit, PlanGate, Source, Watch, require_order
from segue.model.plan_parts import NoticeSpec, PlanBudgets, ShadowSpec, StagingSpec, Usd
from segue.model.plan_people import ApprovalRule, Person
from segue.model.plan_segment import PlanSegment
from segue.model.plan_text import Days, Part

__all__ = [
    "PRESETS",
    "Limit",
    "NoticeSpec",
    "Plan",
    "PlanBudgets",
    "PlanGate",
    "PlanStep",
    "PlanWeights",
    "Preset",
    "ShadowSpec",
    "Source",
    "StagingSpec",
    "StepLimits",
    "Watch",
    "plan_json",
    "rung_of",
]

Preset = Literal["1-5-25-100", "1-5-20-50-100", "5-20-50-100", "internal-5-50-100", "internal-low-risk-everyone"]


class StepLimits(Frozen):
    """A gate's limits in one step, where they are others than everywhere else."""

    hold: Limit | None = None
    rollback: Limit | None = None


class PlanStep(Frozen):
    """A step of the canary: the candidate serves `share` of `segment` (of everyone, without one) for `hold` or longer.

    It may go on once harm beyond `excludes` times each gate's hold limit is excluded; it extends until `longest`.
    """

    share: Part = Field(gt=0, le=1)
    hold: Days = Field(gt=0)
    segment: str | None = Field(default=None, min_length=1)
    longest: Days | None = None
    excludes: float | None = Field(default=None, ge=1, le=50)
    limits: dict[str, StepLimits] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_somebody(self) -> Self:
        if self.share == 1 and self.segment is None:
            raise ValueError("the share of a step for everyone is less than 1; 100 % follows the last step by itself")
        return self

    @model_validator(mode="after")
    def _longest_is_longer(self) -> Self:
        if self.longest is not None and self.longest < self.hold:
            raise ValueError("longest is shorter than hold")
        return self


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
    segments: dict[str, PlanSegment] = Field(default_factory=dict)
    unit: Literal["request", "user"] = "request"
    requests_per_user: float = Field(default=1.0, ge=1, le=1000)
    likeness: Part = 0.0
    cycle: Days = Field(default=1.0, gt=0)
    shadow: ShadowSpec = ShadowSpec()
    soak: Days = 14.0
    soak_longest: Days | None = None
    holdback: Part = Field(default=0.0, le=0.2)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    weights: PlanWeights = PlanWeights()
    approvals: tuple[ApprovalRule, ...] = ()
    operators: tuple[Person, ...] = ()
    roll_back: tuple[Person, ...] = ()
    staging: StagingSpec = StagingSpec()
    budgets: PlanBudgets = PlanBudgets()
    eval_usd: Usd | None = None
    notify: tuple[NoticeSpec, ...] = ()

    @model_validator(mode="after")
    def _steps_or_preset(self) -> Self:
        if bool(self.steps) == (self.preset is not None):
            raise ValueError(f"a plan has steps or a preset, {'not both' if self.steps else 'and this one has neither'}")
        return self

    @model_validator(mode="after")
    def _shares_grow(self) -> Self:
        last: dict[str | None, float] = {}
        for step in self.steps:
            if step.share <= last.get(step.segment, 0.0):
                raise ValueError(f"the shares of steps grow; {step.share:g} follows {last[step.segment]:g}")
            last[step.segment] = step.share
        return self

    @model_validator(mode="after")
    def _soak_longest_is_longer(self) -> Self:
        if self.soak_longest is not None and self.soak_longest < self.soak:
            raise ValueError("soak_longest is shorter than soak")
        return self

    @model_validator(mode="after")
    def _units_hold_together(self) -> Self:
        if self.unit == "request" and (self.requests_per_user != 1.0 or self.likeness):
            raise ValueError("requests_per_user and likeness belong to unit: user")
        return self

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        for place, step in enumerate(self.steps):
            for gate in self.gates:
                if gate.title in step.limits:
                    try:
                        require_order(*self.limits_of(gate, place))
                    except ValueError as error:
                        raise ValueError(f"of {gate.title} in step {place + 1}, {error}") from None
        return self

    @property
    def canary(self) -> tuple[PlanStep, ...]:
        """The steps, written out or the preset's."""
        return self.steps or PRESETS[self.preset or "1-5-25-100"]

    def rungs(self) -> tuple[float, ...]:
        """By how many times a gate's hold limit harm is to be excluded before each step is left."""
        steps = self.canary
        return tuple(
            step.excludes if step.excludes is not None else 1.0 if index == len(steps) - 1 else rung_of(self._part_of_all(step))
            for index, step in enumerate(steps)
        )

    def _part_of_all(self, step: PlanStep) -> float:
        """The candidate's share of all traffic in this step; of a segment whose size is not known, what is small."""
        spec = self.segments.get(step.segment or "")
        return step.share * (1.0 if step.segment is None else SMALL if spec is None or spec.share is None else spec.share)

    def limits_of(self, gate: PlanGate, step: int | None = None) -> tuple[Limit, Limit]:
        """A gate's hold limit and rollback limit; with `step`, counted from 0, those of that step of the canary."""
        own = None if step is None else self.canary[step].limits.get(gate.title)
        if own is None:
            return gate.hold, gate.rollback
        return own.hold or gate.hold, own.rollback or gate.rollback

    def longest(self, step: PlanStep) -> float:
        """Days after which a step that is not settled needs a named person."""
        return step.longest if step.longest is not None else EXTENSION * step.hold


EXTENSION = 3.0
"""A step, a shadow or a soak that names no longest length extends to three times its own."""


SMALL = 0.02


def rung_of(share: float) -> float:
    """The ladder of excluded harm in hold limits: 10, 5 and 3 points for a limit of 2 (statistics: Method, Two limits)."""
    return 5.0 if share <= 0.01 else 2.5 if share <= 0.05 else 1.5


def _steps(*pairs: tuple[float, float] | tuple[float, float, str]) -> tuple[PlanStep, ...]:
    return tuple(PlanStep(share=share, hold=hold, segment=rest[0] if rest else None) for share, hold, *rest in pairs)


PRESETS: dict[str, tuple[PlanStep, ...]] = {
    "1-5-25-100": _steps((0.01, 2), (0.05, 4), (0.25, 7)),
    "1-5-20-50-100": _steps((0.01, 1), (0.05, 2), (0.2, 4), (0.5, 7)),
    "5-20-50-100": _steps((0.05, 2), (0.2, 3), (0.5, 5)),
    "internal-5-50-100": _steps((0.5, 3, "internal"), (0.05, 3), (0.5, 7)),
    "internal-low-risk-everyone": _steps((0.5, 3, "internal"), (0.5, 7, "low-risk")),
}
"""Of stage 4: the first reaches its shares on days 1, 3, 7 and 14; the third begins with 48 hours at 5 %.

A segment's step serves half of it: the other half is who it is compared with.
"""


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as it could be written again."""
    return plan.model_dump(mode="json", exclude_defaults=True)
