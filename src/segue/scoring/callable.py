"""The callable scorer: a Python function of the team's own, `(case, reply) -> bool | float | Score | list of Score`.

This is the one scorer that runs code from the workflow's folder: it is imported when the scorer is built, never when a workflow
is only checked. Its source is part of the identity, so that scores of an edited function are not compared with older ones;
what it imports in turn is not. Nothing bounds its time: a check that may hang belongs in a `command` scorer.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Self

from pydantic import Field, field_validator

from segue.errors import Fault, InputError
from segue.model import Case, Exchange, Metric, Score, ScorerSpec
from segue.scoring.answer import reply_of
from segue.scoring.base import ScorerIdentity
from segue.scoring.context import ScoringContext
from segue.scoring.pure import PureScorer
from segue.scoring.settings import Settings, read_settings


class CallableSettings(Settings):
    """Settings of `callable`."""

    function: str = Field(min_length=3)
    """`module:function`, or `path.py:function` with a path from the workflow's folder."""
    unit: Literal["proportion", "score", "count", "characters", "tokens", "ms", "microusd"] = "proportion"
    """What its numbers are. A `proportion` is 0 or 1, or a truth value; a `score` lies between 0 and 1; none is negative."""
    metrics: tuple[str, ...] = ()
    """Further metrics it gives as `Score`s, named `<name>.<metric>`, of the same unit."""

    @field_validator("function")
    @classmethod
    def _names_a_function(cls, function: str) -> str:
        module, colon, name = function.rpartition(":")
        if not colon or not module or not name.isidentifier():
            raise ValueError("function is written module:function or path.py:function")
        return function

    @field_validator("metrics")
    @classmethod
    def _names_metrics(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in metrics if not name.isidentifier()]:
            raise ValueError(f"a metric's name is letters, digits and _: {', '.join(wrong)}")
        return metrics


class CallableScorer(PureScorer[CallableSettings]):
    """What the function returns. An exception inside it is an `error` score with the exception's type, never a wrong answer."""

    type = "callable"
    version = "2"
    settings_model = CallableSettings

    def __init__(self, spec: ScorerSpec, settings: CallableSettings, function: Callable[..., Any], source_digest: str) -> None:
        super().__init__(spec, settings)
        self._function = function
        self._metrics = {metric.name: metric for metric in self.metrics}
        self.identity = ScorerIdentity(
            name=spec.name,
            type=self.type,
            version=self.version,
            settings={**settings.model_dump(mode="json"), "source": source_digest},
        )

    @classmethod
    def build(cls, spec: ScorerSpec, context: ScoringContext) -> Self:
        settings, faults = read_settings(CallableSettings, spec)
        if settings is not None:
            try:
                function, digest = _load(settings.function, context.workflow_dir)
                return cls(spec, settings, function, digest)
            except _LoadError as error:
                faults.append(Fault(what=str(error), fix=error.fix, path="function"))
        raise InputError.from_faults(faults, subject=f"the scorer '{spec.name}'")

    @classmethod
    def declare(cls, spec: ScorerSpec, settings: Any) -> tuple[Metric, ...]:
        names = (spec.name, *(f"{spec.name}.{metric}" for metric in settings.metrics))
        return tuple(Metric(name=name, unit=settings.unit, better=spec.better or "higher") for name in names)

    def score(self, case: Case, exchange: Exchange) -> Sequence[Score]:
        try:
            result = self._function(case, reply_of(exchange))
        except (Exception, SystemExit) as error:
            return self._failed(f"the function raised {type(error).__name__}")
        if isinstance(result, Score):
            return self._checked((result,))
        if isinstance(result, list | tuple):
            return self._checked(result)
        return self._checked((self._number(result),))

    def _number(self, result: Any) -> Score:
        if isinstance(result, bool | int | float):
            try:
                return Score(self.name, float(result))
            except OverflowError:
                pass
        return self._failed(f"the function returned {type(result).__name__}, not a truth value, number or Score")[0]

    def _checked(self, scores: Sequence[Any]) -> Sequence[Score]:
        """The scores, if each is a declared metric with a value that fits its unit; else one error."""
        for score in scores:
            if not isinstance(score, Score):
                return self._failed(f"the function returned a list with {type(score).__name__} in it, not only Scores")
            metric = self._metrics.get(score.name)
            if metric is None:
                return self._failed("the function returned a Score under a name that metrics does not list")
            if score.value is not None and not _fits(score.value, metric):
                return self._failed(f"the function returned {_misfit(score.value)}; its unit is {metric.unit}")
        if len({score.name for score in scores}) < len(scores):
            return self._failed("the function returned two Scores of one name")
        return tuple(scores)

    def _failed(self, reason: str) -> tuple[Score]:
        return (Score(self.name, None, None, "error", reason),)


def _fits(value: Any, metric: Metric) -> bool:
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        return False
    if metric.unit == "proportion":
        return value in (0, 1)
    return 0 <= value <= 1 if metric.unit == "score" else value >= 0


def _misfit(value: Any) -> str:
    """What is wrong with a value, without the value."""
    if isinstance(value, int | float) and math.isfinite(value):
        return "a negative number" if value < 0 else "a number that does not fit"
    return "no finite number"


class _LoadError(Exception):
    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def _load(function: str, workflow_dir: Path | None) -> tuple[Callable[..., Any], str]:
    """The function, and the SHA-256 of its source file (or of its name, where it has none)."""
    place, _, name = function.rpartition(":")
    module, path = _load_file(place, workflow_dir) if place.endswith(".py") else _load_module(place)
    found = getattr(module, name, None)
    if not callable(found):
        near = sorted(one for one, value in vars(module).items() if inspect.isfunction(value) and not one.startswith("_"))
        raise _LoadError(f"{place} has no function '{name}'.", f"It has: {', '.join(near) or 'none'}.")
    if inspect.iscoroutinefunction(found):
        raise _LoadError(f"{name} is an async function.", "Write it as a plain one; what waits belongs in a command scorer.")
    source = path.read_bytes() if path is not None and path.is_file() else function.encode()
    return found, hashlib.sha256(source).hexdigest()


def _load_file(place: str, workflow_dir: Path | None) -> tuple[ModuleType, Path]:
    if workflow_dir is None:
        raise _LoadError(f"{place} is a path, and there is no workflow folder here.", "Run this from the workspace.")
    path = workflow_dir / place
    if not path.is_file():
        raise _LoadError(f"There is no file {place} in the workflow's folder.", "Write the path from the workflow's folder.")
    unique = f"segue_callable_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # dataclasses and pickling look a module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[unique]
        raise _LoadError(f"{place} cannot be imported: {type(error).__name__}.", "Run it with python to see why.") from error
    return module, path


def _load_module(place: str) -> tuple[ModuleType, Path | None]:
    try:
        module = importlib.import_module(place)
    except (Exception, SystemExit) as error:
        raise _LoadError(
            f"The module {place} cannot be imported: {type(error).__name__}.",
            "Install it beside Segue, or write path.py:function for a file in the workflow's folder.",
        ) from error
    file = getattr(module, "__file__", None)
    return module, Path(file) if file else None
