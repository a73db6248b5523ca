"""Which scorers cannot score a case without its reference. Pure; follows the settings of `segue.scoring`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from segue.model import Case, Json, ScorerSpec
from segue.scoring.reference import follow_path

_NEEDS: Mapping[str, Callable[[Mapping[str, Json]], bool]] = {
    "exact": lambda _: True,
    "normalised": lambda _: True,
    "number": lambda _: True,
    "fields": lambda _: True,
    "tool_calls": lambda _: True,
    "label": lambda settings: not settings.get("expect") and settings.get("extract") != "survey_answered",
    "regex": lambda settings: settings.get("expect") == "reference",
    "contains": lambda settings: not settings.get("all") and not settings.get("any"),
    "refusal": lambda settings: settings.get("mode", "expected") == "expected",
}


def needs_reference(spec: ScorerSpec) -> bool:
    """Whether the scorer leaves a case without a reference unscored."""
    return spec.type in _NEEDS and _NEEDS[spec.type](spec.settings())


def has_reference(spec: ScorerSpec, case: Case) -> bool:
    """Whether the case has the reference, or the field of it, that the scorer reads."""
    field = spec.settings().get("reference_field")
    value = follow_path(case.reference, field) if isinstance(field, str) else case.reference
    return value is not None
