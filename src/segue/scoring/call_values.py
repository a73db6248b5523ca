"""Whether one argument of a tool call is among the accepted values, and of the type its tool declares.

Types are JSON Schema's, and the words other dialects use for them (`dict`, `float`, `tuple`, `String`, `long`, ...).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from segue.model import Json

Texts = Literal["loose", "folded", "exact"]
Problem = Literal["wrong_type", "wrong_value"]

_KINDS = {
    "string": "string", "str": "string", "char": "string",
    "integer": "integer", "int": "integer", "long": "integer", "short": "integer", "byte": "integer", "bigint": "integer",
    "number": "number", "float": "number", "double": "number",
    "boolean": "boolean", "bool": "boolean",
    "array": "array", "list": "array", "tuple": "array", "arraylist": "array",
    "object": "object", "dict": "object", "hashmap": "object",
    "null": "null",
}  # fmt: skip
"""Type words, in lower case → kind of JSON value. A word that is not here says nothing about the type."""

_LOOSE = re.compile(r"[\s,./\-_*^]")


@dataclass(frozen=True, slots=True)
class ValueRules:
    """How values are compared: texts, the strictness of types, the allowed distance of numbers."""

    texts: Texts = "loose"
    strict_types: bool = True
    abs_tolerance: float = 0.0

    def problem(self, value: Json, accepted: Sequence[Json], schema: Json) -> Problem | None:
        """What is wrong with `value`, or `None` where it is one of the `accepted` values and of the declared type."""
        if self.strict_types and not fits_type(value, schema) and kind_of(value) not in {kind_of(one) for one in accepted}:
            return "wrong_type"
        if any(self.is_same(value, one) for one in accepted):
            return None
        if not self.strict_types and isinstance(value, str) and (spelled := _spelled(value)) is not None:
            return self.problem(spelled, accepted, None)
        kinds = {_loose_kind(one) for one in accepted if one != ""}
        return "wrong_type" if kinds and _loose_kind(value) not in kinds else "wrong_value"

    def is_same(self, value: Json, accepted: Json) -> bool:
        """Whether `value` is what `accepted` says. Inside an accepted object, a list names the accepted values of its key."""
        if isinstance(value, str) and isinstance(accepted, str):
            return self._text(value) == self._text(accepted)
        if isinstance(value, bool) or isinstance(accepted, bool):
            return value is accepted
        if isinstance(value, int | float) and isinstance(accepted, int | float):
            return value == accepted or abs(value - accepted) <= self.abs_tolerance
        if isinstance(value, list) and isinstance(accepted, list | tuple):
            return len(value) == len(accepted) and all(map(self.is_same, value, accepted))
        if isinstance(value, dict) and isinstance(accepted, dict):
            return self._same_object(value, accepted)
        return value is None and accepted is None

    def _same_object(self, value: Mapping[str, Json], accepted: Mapping[str, Json]) -> bool:
        if not value.keys() <= accepted.keys():
            return False
        for key, wanted in accepted.items():
            choices = wanted if isinstance(wanted, list) else [wanted]
            if key not in value:
                if "" not in choices:
                    return False
            elif not any(self.is_same(value[key], one) for one in choices):
                return False
        return True

    def _text(self, text: str) -> str:
        if self.texts == "exact":
            return text
        if self.texts == "folded":
            return " ".join(text.casefold().split())
        return _LOOSE.sub("", text).casefold().replace("'", '"')


def kind_of(value: Json) -> str:
    """The kind of a JSON value: string, integer, number, boolean, array, object, null."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, dict) else "null"


def fits_type(value: Json, schema: Json) -> bool:
    """Whether `value` has the type its schema declares, elements and fields of it too. What is not declared fits."""
    if not isinstance(schema, dict):
        return True
    declared = schema.get("type")
    words = declared if isinstance(declared, list) else [declared]
    kinds = {_KINDS.get(word.lower(), "any") if isinstance(word, str) else "any" for word in words}
    kind = kind_of(value)
    if "any" not in kinds and kind not in kinds and not (kind == "integer" and "number" in kinds):
        return False
    if isinstance(value, list):
        return all(fits_type(element, schema.get("items")) for element in value)
    if isinstance(value, dict) and isinstance(fields := schema.get("properties"), dict):
        return all(fits_type(element, fields.get(key)) for key, element in value.items())
    return True


def _spelled(text: str) -> Json:
    """The number, truth value, list or object that `text` spells in JSON; `None` where it spells none of these."""
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return None if isinstance(value, str) else value


def _loose_kind(value: Json) -> str:
    kind = kind_of(value)
    return "number" if kind == "integer" else kind
