"""Settings of a scorer: the keys of `workflow.yaml` that belong to its type, parsed once, every fault with its path.

A settings model lists everything that can change a score, so that the identity of a scorer is complete.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, ValidationError

from segue.errors import Fault
from segue.model import Frozen, ScorerSpec

SHARED_KEYS = ("name", "type", "better", "when", "calibrate", "repaired")
"""Keys every scorer has, whatever its type."""


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Word = Annotated[str, BeforeValidator(_as_text)]
"""A text that YAML may have read as a number or a truth value, such as the label `1`."""


class SettingError(ValueError):
    """A fault of one setting that shows only beside others: raised by validators of a whole model."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


class Settings(Frozen):
    """The base of every settings model: unknown keys are faults, NaN and infinities too."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=(), allow_inf_nan=False)


S = TypeVar("S", bound=Settings)


def read_settings(model: type[S], spec: ScorerSpec, *, path: str = "") -> tuple[S | None, list[Fault]]:
    """Parse the settings of `spec`: the settings, or `None` and all faults. `path` is where the scorer stands."""
    try:
        return model.model_validate(spec.settings()), []
    except ValidationError as error:
        return None, [_fault(one, model, spec, path) for one in error.errors(include_url=False)]


def join_path(path: str, key: str) -> str:
    """`scorers[2]` and `pattern` → `scorers[2].pattern`; either may be empty."""
    return f"{path}.{key}" if path and key else path or key


def _fault(error: Any, model: type[Settings], spec: ScorerSpec, path: str) -> Fault:
    location = tuple(error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SettingError):
        location = (*location, cause.key)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    where = join_path(path, key)
    known = [*model.model_fields, *SHARED_KEYS]
    if error["type"] == "extra_forbidden":
        unknown = str(location[-1])
        candidates = known if len(location) == 1 else _fields_at(model, location[:-1])
        near = get_close_matches(unknown, candidates, n=1, cutoff=0.5)
        there = ", ".join(sorted(set(candidates) - set(SHARED_KEYS))) or "none"
        return Fault(
            what=f"A scorer of type '{spec.type}' has no setting '{unknown}'.",
            fix=f"Its settings are: {there}.",
            path=where,
            likely=f"'{near[0]}'" if near else None,
        )
    if error["type"] == "missing":
        return Fault(
            what=f"A scorer of type '{spec.type}' needs '{location[-1]}'.",
            fix="Add it (docs/scorers.md shows how).",
            path=where,
        )
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    sentence = message[:1].upper() + message[1:]
    return Fault(what=sentence.rstrip(".") + ".", fix="See docs/scorers.md for the setting's values.", path=where)


def _fields_at(model: type[Settings], location: tuple[Any, ...]) -> list[str]:
    """Field names of the nested settings model that `location` leads into, as far as it can be told."""
    nested = model.model_fields.get(str(location[0]))
    if nested is None:
        return []
    pending: list[Any] = [nested.annotation]
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            return list(annotation.model_fields)
        pending.extend(getattr(annotation, "__args__", ()))
    return []
