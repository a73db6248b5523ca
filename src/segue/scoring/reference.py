"""Reading a case's reference: the whole of it or one field, as texts that are accepted."""

from __future__ import annotations

from segue.model import Case, Json
from segue.scoring.settings import Settings

NO_REFERENCE = "the case has no reference this scorer can read"


class ReferenceSettings(Settings):
    """Settings of scorers that compare with the reference."""

    reference_field: str | None = None
    """Dotted path into the reference where it is an object, such as `answer.value`; without it, the whole reference."""


def follow_path(value: Json, path: str) -> Json:
    """Follow a dotted path through objects and, by number, lists. `None` where it leads nowhere.

    A key that itself holds dots is found under its whole name.
    """
    steps = path.split(".")
    for position, step in enumerate(steps):
        if isinstance(value, dict):
            rest = ".".join(steps[position:])
            if rest in value:
                return value[rest]
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isascii() and step.isdigit() and len(step) < 10:
            index = int(step)
            value = value[index] if index < len(value) else None
        else:
            return None
    return value


def reference_of(case: Case, settings: ReferenceSettings) -> Json:
    """The reference, or the field of it that the settings name; `None` where there is none."""
    if settings.reference_field is None:
        return case.reference
    return follow_path(case.reference, settings.reference_field)


def scalar_text(value: Json) -> str | None:
    """A text, number or truth value as text (`true`, `42`); `None` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None


def accepted_texts(value: Json) -> tuple[str, ...]:
    """The texts a reference accepts: itself, or each entry of a list. Empty where it cannot be read as text."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple):
        texts = tuple(scalar_text(entry) for entry in value)
        return () if None in texts else tuple(text for text in texts if text is not None)
    single = scalar_text(value)
    return () if single is None else (single,)
