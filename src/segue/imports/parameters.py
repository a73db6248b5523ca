"""Maps the parameters another tool recorded to those of a bundle.

What has no place there is kept under `extra`; secrets never are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError

from segue.errors import InputError
from segue.model import Json, Parameters, canonical_json

_FIELDS = {
    **{name: name for name in Parameters.model_fields if name != "extra"},
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_new_tokens": "max_output_tokens",
    "maxOutputTokens": "max_output_tokens",
    "topP": "top_p",
    "stop_sequences": "stop",
    "stop_seqs": "stop",
    "stopSequences": "stop",
    "reasoning_tokens": "thinking_budget_tokens",
    "budget_tokens": "thinking_budget_tokens",
}
_SECRET_NAME = re.compile(
    r"api[_-]?key|secret|passw|authori[sz]ation|credential|bearer|cookie|(access|auth|refresh|session)[_-]?token|headers?$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"(sk|pk|rk|gsk|xai)-[\w-]{6,}|AIza[\w-]{10,}|(?i:bearer)\s")


def map_parameters(params: Mapping[str, Json]) -> tuple[Parameters, tuple[str, ...]]:
    """`(parameters, names left out)`.

    A known name with a value of the right kind becomes a parameter (`max_tokens` is `max_output_tokens`); everything else
    goes to `extra` as it is. Left out are names and values that look like secrets, and what canonical JSON cannot carry.
    """
    known: dict[str, Json] = {}
    extra: dict[str, Json] = {}
    left_out: list[str] = []
    for name in sorted(params):
        value = params[name]
        if value is None:
            continue
        if _SECRET_NAME.search(name) or not _is_canonical(value):
            left_out.append(name)
            continue
        if (cleaned := _without_secrets(value)) != value:
            left_out.append(name)
        if cleaned is None:
            continue
        field = _FIELDS.get(name)
        if field is not None and field not in known and (parsed := _parsed(field, cleaned)) is not None:
            known[field] = parsed
        else:
            extra[name] = cleaned
    return Parameters(**known, extra=extra), tuple(left_out)


def _parsed(field: str, value: Json) -> Json:
    """The value as the field's type, or `None` where it does not fit."""
    if field == "stop" and isinstance(value, str):
        value = (value,)
    try:
        return getattr(Parameters.model_validate({field: value}), field)
    except ValidationError:
        return None


def _without_secrets(value: Json) -> Json:
    """The value without the parts that look like secrets; `None` if it is one."""
    if isinstance(value, str):
        return None if _SECRET_VALUE.match(value) else value
    if isinstance(value, dict):
        parts = {name: _without_secrets(part) for name, part in value.items() if not _SECRET_NAME.search(name)}
        return {name: part for name, part in parts.items() if part is not None or value[name] is None}
    if isinstance(value, list):
        return [cleaned for part in value if (cleaned := _without_secrets(part)) is not None or part is None]
    return value


def _is_canonical(value: Json) -> bool:
    try:
        canonical_json(value)
    except InputError:
        return False
    return True
