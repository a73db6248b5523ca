"""Reading JSON nobody vouches for.

A wrong type becomes `BadReplyError`, which names the place and the type, never the value.
"""

from __future__ import annotations

from typing import Any

import orjson

from segue.model import Json

_MOST = 2**53


class BadReplyError(Exception):
    """A response that is not what the dialect says. Caught inside `segue.wire`, where it becomes a `bad_reply` failure."""


def parse_json(data: bytes | str, what: str) -> Json:
    """Parse JSON; `what` names it in the error."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        size = len(data)
        raise BadReplyError(f"{what} is not JSON ({size} bytes)." if size else f"{what} is empty.") from None


def to_json_text(value: Json, where: str) -> str:
    """Write parsed JSON back as text. What was nested too deep to be written is a bad reply, too."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise BadReplyError(f"{where} is nested too deep.") from None


def as_object(value: Json, where: str) -> dict[str, Any]:
    """`value`, if it is a JSON object."""
    if isinstance(value, dict):
        return value
    raise wrong_type(value, where, "an object")


def as_list(value: Json, where: str) -> list[Any]:
    """`value`, if it is a JSON array."""
    if isinstance(value, list):
        return value
    raise wrong_type(value, where, "a list")


def as_text(value: Json, where: str) -> str:
    """`value`, if it is text."""
    if isinstance(value, str):
        return value
    raise wrong_type(value, where, "text")


def as_number(value: Json, where: str) -> float:
    """`value`, if it is a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise wrong_type(value, where, "a number")


def as_index(value: Json, where: str) -> int:
    """`value`, if it is a whole number from 0."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise wrong_type(value, where, "a whole number from 0")


def optional_object(value: Json, where: str) -> dict[str, Any]:
    """`value`; `null` and absent read as an empty object."""
    return {} if value is None else as_object(value, where)


def optional_list(value: Json, where: str) -> list[Any]:
    """`value`; `null` and absent read as an empty list."""
    return [] if value is None else as_list(value, where)


def optional_text(value: Json, where: str) -> str | None:
    """`value`; `null` and absent stay `None`."""
    return None if value is None else as_text(value, where)


def optional_count(value: Json, where: str) -> int | None:
    """A number of tokens; `null` and absent stay `None`, for unknown is not zero. Beyond 2⁵³ it is no number of anything."""
    if value is None or (type(value) is int and 0 <= value <= _MOST):  # nearly always: no more is asked then
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if as_index(value, where) > _MOST:
        raise wrong_type(value, where, "a number of tokens")
    return as_index(value, where)


_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def wrong_type(value: Json, where: str, wanted: str) -> BadReplyError:
    """The error that says so."""
    return BadReplyError(f"{where} is {_NAMES.get(type(value), 'something else')}, not {wanted}.")
