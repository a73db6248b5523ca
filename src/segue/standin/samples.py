"""The smallest value a JSON Schema describes, for tool arguments and structured output. Covers what such schemas use."""

from __future__ import annotations

from typing import Any

from segue.model import Json

_DEEPEST = 20


def sample_of(schema: Json, depth: int = 0) -> Json:
    """A value for `schema`: its constant, default or first choice, else something small of its type."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample_of(schema[key][0], depth + 1)
    return _of_type(schema, depth)


def _of_type(schema: dict[str, Any], depth: int) -> Json:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        properties = schema.get("properties") or {}
        names = schema.get("required", list(properties))
        return {name: sample_of(properties.get(name, {}), depth + 1) for name in names}
    if kind == "array":
        return [sample_of(schema.get("items", {}), depth + 1) for _ in range(min(int(schema.get("minItems", 1)), 10))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return "x" * min(int(schema.get("minLength", 0)), 1000) or "text"
