"""The base of the pure scorers: a name, settings, an identity, the metrics they give. No effects of any kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from segue.errors import InputError
from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.base import ScorerIdentity
from segue.scoring.context import ScoringContext
from segue.scoring.settings import Settings, read_settings

S = TypeVar("S", bound=Settings)
SettingsModel = type[Settings]


class PureScorer(ABC, Generic[S]):
    """A scorer that is a function of case and exchange alone.

    `version` is raised whenever the same settings would score an output differently than before.
    """

    type: ClassVar[str]
    version: ClassVar[str]
    settings_model: ClassVar[SettingsModel]

    def __init__(self, spec: ScorerSpec, settings: S) -> None:
        self.name = spec.name
        self.settings = settings
        self.identity = ScorerIdentity(
            name=spec.name, type=self.type, version=self.version, settings=settings.model_dump(mode="json")
        )
        self.metrics: Sequence[Metric] = self.declare(spec, settings)

    @classmethod
    def build(cls, spec: ScorerSpec, context: ScoringContext) -> Self:  # noqa: ARG003  every builder has this shape
        """Build from a declaration; raises `InputError` with all faults of the settings."""
        settings, faults = read_settings(cls.settings_model, spec)
        if settings is None:
            raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")
        return cls(spec, cast(S, settings))

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:  # noqa: ARG003  what the settings ask for decides, for some
        """The metrics a scorer with these settings gives. One proportion, higher is better, unless a type says otherwise."""
        return (Metric(name=spec.name, better=spec.better or "higher"),)

    @abstractmethod
    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        """Score one exchange that has a reply."""

    def passed(self, right: bool, *, label: str | None = None, reason: str = "", detail: Any = None) -> tuple[Score]:
        """The main metric as pass or fail."""
        return (Score(self.name, 1.0 if right else 0.0, label, "scored", reason, detail),)

    def unscored(self, reason: str, *, label: str | None = None) -> tuple[Score]:
        """The main metric as neither right nor wrong, and why."""
        return (Score(self.name, None, label, "unscored", reason),)
