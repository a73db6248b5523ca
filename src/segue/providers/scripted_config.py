"""What a simulated model does, as it is declared in segue.yaml. Every number is open to view: a simulation hides nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from segue.model import Frozen
from segue.model.exchange import FailureKind
from segue.providers.pacing import RetryPolicy
from segue.providers.pricing import ModelPrice

Share = Annotated[float, Field(ge=0, le=1)]


class SliceShare(Frozen):
    """A share from 0 to 1, by slice. Written as a number, or as `{default: 0.9, task=refund: 0.7}`.

    The first slice in the list that a case belongs to decides. `kind=red-team` and `critical=true` can be named, too.
    """

    default: Share = 0.0
    slices: dict[str, Share] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"default": value}
        if isinstance(value, Mapping) and "slices" not in value:
            slices = {key: share for key, share in value.items() if key != "default"}
            wrong = sorted(str(key) for key in slices if "=" not in str(key))
            if wrong:
                raise ValueError(f"'{wrong[0]}' is no slice: write name=value, or default")
            return {"default": value.get("default", 0.0), "slices": slices}
        return value

    def of(self, labels: Mapping[str, str]) -> float:
        """The share for a case with these labels."""
        for selector, share in self.slices.items():
            name, _, value = selector.partition("=")
            if labels.get(name) == value:
                return share
        return self.default


class Latency(Frozen):
    """Log-normal, with a share of extreme outliers, as real ones have. `ttft_share` of it passes before the first token."""

    median_ms: float = Field(default=900.0, gt=0)
    sigma: float = Field(default=0.35, ge=0, le=3)
    ttft_share: Share = 0.35
    outlier_share: Share = 0.0
    outlier_ms: float = Field(default=60_000.0, gt=0)


class Failures(Frozen):
    """How often a call fails, by kind, and how many times in a row before it goes through (0: always)."""

    shares: dict[FailureKind, Share] = Field(default_factory=dict)
    attempts: int = Field(default=1, ge=0)
    retry_after_s: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _at_most_all(self) -> Failures:
        if sum(self.shares.values()) > 1.0 + 1e-9:
            raise ValueError("the shares of failures add up to more than 1")
        return self


class Changed(Frozen):
    """What a simulated model does otherwise while a file is there: a provider that changes a model under its users' hands.

    `while_file` is a path below the workspace. Only live traffic through the gateway meets it; what is left out stays as it is.
    """

    while_file: str = Field(min_length=1)
    accuracy: SliceShare | None = None
    fence_share: SliceShare | None = None
    refuse_share: SliceShare | None = None
    prose_before_share: SliceShare | None = None
    truncate_share: SliceShare | None = None
    latency: Latency | None = None
    failures: Failures | None = None


class ScriptedModel(Frozen):
    """One simulated model.

    `accuracy` is the share of cases it settles right. With `shared_difficulty` 1 two models of the same accuracy are right on
    the same cases, and a less accurate one loses the harder of them; with 0 each has its own hard cases. `flip_probability` is
    the chance that a single repeat comes out the other way, one number or a range that each case draws its own from.

    `right` and `wrong` are paths into what is known of a case: `reference`, `metadata.…`. Text is answered as it is, an
    object as JSON, tool calls as calls. Without a wrong answer of the case, one of `wrong_answers` is given, else a field of
    the right object is spoilt. `templates` put text around the answer: `{{answer}}`, `{{input}}`, variables of the case,
    `{{metadata.name}}`, `{{slice.name}}`.

    Fences, prose, refusals and truncation are settled per case, so that a repeat shows them again.

    With a `thought` it reasons before it answers, as far as the dialect shows reasoning: a stand-in seals it as providers do.

    `likes` makes it a judge as well: asked for a verdict, it prefers answers in which this pattern is found, and turns the
    verdict round in 1 − `accuracy` of its questions.
    """

    accuracy: SliceShare = SliceShare(default=1.0)
    flip_probability: Share | tuple[Share, Share] = 0.0
    shared_difficulty: Share = 1.0
    right: str = Field(default="reference", min_length=1)
    wrong: str = Field(default="metadata.wrong", min_length=1)
    wrong_answers: tuple[str, ...] = ()
    templates: tuple[str, ...] = Field(default=("{{answer}}",), min_length=1)
    refuse_share: SliceShare = SliceShare()
    refusals: tuple[str, ...] = Field(default=("I'm sorry, but I can't help with that request.",), min_length=1)
    fence_share: SliceShare = SliceShare()
    fence_language: str = "json"
    prose_before_share: SliceShare = SliceShare()
    prose_before: tuple[str, ...] = Field(default=("Here is the answer you asked for:",), min_length=1)
    truncate_share: SliceShare = SliceShare()
    latency: Latency = Latency()
    characters_per_token: float = Field(default=4.0, gt=0)
    reasoning_tokens_median: float = Field(default=0.0, ge=0)
    thought: str | None = Field(default=None, min_length=1)
    reasoning_tokens_sigma: float = Field(default=0.5, ge=0, le=3)
    likes: str | None = None
    price: ModelPrice | None = None
    failures: Failures = Failures()
    changed: Changed | None = None

    def as_changed(self) -> ScriptedModel:
        """As it is while its file is there."""
        if self.changed is None:
            return self
        given = {name: getattr(self.changed, name) for name in type(self.changed).model_fields if name != "while_file"}
        return self.model_copy(update={name: value for name, value in given.items() if value is not None})

    @field_validator("likes")
    @classmethod
    def _likes_is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"likes is no pattern: {error}") from None
        return value

    @model_validator(mode="after")
    def _range_runs_up(self) -> ScriptedModel:
        if isinstance(self.flip_probability, tuple) and self.flip_probability[0] > self.flip_probability[1]:
            raise ValueError("flip_probability runs from the smaller number to the larger")
        return self


class ScriptedConfig(Frozen):
    """A provider whose models are simulated, by snapshot. `realtime` scales the latency that is really waited; 0 is none."""

    type: Literal["scripted"]
    seed: int = 0
    realtime: float = Field(default=0.0, ge=0)
    models: dict[str, ScriptedModel] = Field(min_length=1)
    max_concurrency: int = Field(default=64, ge=1, le=10_000)
    retries: RetryPolicy = RetryPolicy()
