"""The workflow: one job an application asks an LLM to do, and how its upgrades are judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from segue.model.base import Frozen, Json
from segue.model.serving import Serving

WorkflowKind = Literal["classification", "extraction", "tool-use", "generation", "retrieval"]
Direction = Literal["higher", "lower"]
Unit = Literal["proportion", "score", "ms", "tokens", "microusd", "characters", "count"]
Share = Annotated[float, Field(ge=0, le=1)]


class Metric(Frozen):
    """A named number that scorers produce. A `proportion` is 0 or 1 per exchange; a `score` lies between 0 and 1."""

    name: str
    unit: Unit = "proportion"
    better: Direction = "higher"

    @property
    def is_bounded(self) -> bool:
        """Whether values lie between 0 and 1, so that a margin in points means something."""
        return self.unit in ("proportion", "score")


class SliceSpec(Frozen):
    """A declared slice dimension. Without `values`, any value is allowed. `critical` values fail the gate outright."""

    values: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()

    @field_validator("critical")
    @classmethod
    def _critical_is_declared(cls, critical: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        values = info.data.get("values") or critical
        unknown = [index for index, one in enumerate(critical) if one not in values]
        if unknown:
            names = ", ".join(sorted({critical[index] for index in unknown}))
            message = "critical names {names}, which values does not list"
            raise PydanticCustomError("undeclared", message, {"names": names, "at": [(index,) for index in unknown]})
        return critical


class JudgeCalibrationSpec(Frozen):
    """What a judge is calibrated against: a labeler of people, and what each of the labels means (1 yes, 0 no)."""

    against: str = Field(min_length=1)
    map: dict[str, int] = Field(default_factory=lambda: {"1": 1, "0": 0})


class ScorerSpec(Frozen):
    """A scorer as the workflow declares it. The keys besides these belong to the scorer's type (`segue.scoring`).

    `when` limits it to cases whose slices (or `case_kind`, `critical`) have these values. `calibrate` is for judges: without
    it a judge is advisory. `repaired` maps a repair (`remove_fence`) to the labeler of labels recorded on repaired outputs.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True, protected_namespaces=())

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    type: str
    better: Direction | None = None
    when: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    calibrate: JudgeCalibrationSpec | None = None
    repaired: dict[str, str] = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _truth_values_as_text(cls, when: Json) -> Json:
        """YAML reads `critical: true` as a truth value; slices are texts. Strict reading wants tuples."""
        if not isinstance(when, dict):
            return when
        texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in when.items()}
        return {key: tuple(value) if isinstance(value, list) else value for key, value in texts.items()}

    def settings(self) -> dict[str, Json]:
        """The keys that belong to the scorer's type."""
        return dict(self.model_extra or {})


class Budgets(Frozen):
    """Absolute budgets of the workflow, whatever the incumbent costs. `None` is no budget."""

    cost_usd_per_request: float | None = Field(default=None, gt=0)
    latency_p50_ms: float | None = Field(default=None, gt=0)
    latency_p95_ms: float | None = Field(default=None, gt=0)
    latency_p99_ms: float | None = Field(default=None, gt=0)
    ttft_p95_ms: float | None = Field(default=None, gt=0)
    output_tokens_mean: float | None = Field(default=None, gt=0)


class GateSettings(Frozen):
    """How the regression gate judges. Margins are shares: 0.02 is two points.

    `margin` holds for the whole suite, `slice_margin` for one slice, `critical_margin` for a critical one; `margins` overrides
    either for a named slice (`task=refund`) or metric. `alpha` is spent once over all slices and gated metrics.
    """

    primary: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    margin: Share = 0.02
    slice_margin: Share = 0.05
    critical_margin: Share = 0.05
    margins: dict[str, Share] = Field(default_factory=dict)
    min_cases: int = Field(default=100, ge=1)
    min_slice_cases: int = Field(default=20, ge=1)
    max_unusable_share: Share = 0.05
    repeats: int | Literal["auto"] = "auto"
    max_repeats: int = Field(default=5, ge=1, le=100)
    cost_ratio_sign_off: float = Field(default=2.0, gt=1)
    latency_ratio_caution: float = Field(default=1.5, gt=1)

    @field_validator("repeats")
    @classmethod
    def _repeats_positive(cls, repeats: int | Literal["auto"]) -> int | Literal["auto"]:
        if isinstance(repeats, int) and repeats < 1:
            raise ValueError("repeats is a number from 1, or auto")
        return repeats


class Workflow(Frozen):
    """One job, its slices, its scorers, its budgets and its gate."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    kind: WorkflowKind = "generation"
    description: str = ""
    suite: str = "main"
    incumbent: str | None = None
    slices: dict[str, SliceSpec] = Field(default_factory=dict)
    scorers: tuple[ScorerSpec, ...] = Field(default=(), min_length=0)
    gate: GateSettings = GateSettings()
    budgets: Budgets = Budgets()
    serving: Serving = Serving()

    @field_validator("scorers")
    @classmethod
    def _scorer_names_differ(cls, scorers: tuple[ScorerSpec, ...]) -> tuple[ScorerSpec, ...]:
        names = [scorer.name for scorer in scorers]
        again = [index for index, name in enumerate(names) if name in names[:index]]
        if again:
            twice = ", ".join(sorted({names[index] for index in again}))
            message = "two scorers are called {names}"
            raise PydanticCustomError("twice", message, {"names": twice, "at": [(index, "name") for index in again]})
        return scorers
