"""Holds a JSON value against the SDKs' own types, strictly: pydantic looks into iterables late and passes over unknown keys."""

from __future__ import annotations

import collections.abc
import types
import typing
from functools import cache
from typing import Any

import typing_extensions

_WRAPPERS = (typing.Required, typing.NotRequired, typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated)
_REQUIRED = (typing.Required, typing_extensions.Required)
_MANY = (list, collections.abc.Iterable, collections.abc.Sequence)


@cache
def fields_of(kind: Any) -> dict[str, Any]:
    """A TypedDict's fields with their types."""
    return typing_extensions.get_type_hints(kind, include_extras=True)


def bare(hint: Any) -> Any:
    """A type without `Required` and the like."""
    while typing.get_origin(hint) in _WRAPPERS:
        hint = typing.get_args(hint)[0]
    return hint


def choices(hint: Any) -> list[Any]:
    """The alternatives of a union, flat; for lists of them, what is in the list."""
    hint = bare(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return [one for part in typing.get_args(hint) for one in choices(part)]
    return [hint]


def typed_dicts(hint: Any) -> list[Any]:
    """Every kind of object that may stand in a field, in a list or not."""
    found = []
    for one in choices(hint):
        if typing_extensions.is_typeddict(one):
            found.append(one)
        elif typing.get_origin(one) in _MANY:
            found += typed_dicts(typing.get_args(one)[0])
    return found


def misfit(value: Any, hint: Any, where: str = "body") -> str | None:
    """Why `value` is none of this type; nothing if it is."""
    reasons = []
    for one in choices(hint):
        reason = _misfit(value, one, where)
        if reason is None:
            return None
        reasons.append(reason)
    return max(reasons, key=len)


def _misfit(value: Any, hint: Any, where: str) -> str | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return None
    if typing_extensions.is_typeddict(hint):
        return _misfit_object(value, hint, where)
    if origin in (typing.Literal, typing_extensions.Literal):
        return None if value in arguments else f"{where} is not one of {arguments}"
    if origin in _MANY or getattr(hint, "__name__", "") == "SequenceNotStr":
        if not isinstance(value, list | tuple):
            return f"{where} is no list"
        wrong = (misfit(one, arguments[0], f"{where}[{at}]") for at, one in enumerate(value))
        return next((reason for reason in wrong if reason is not None), None)
    if origin is not None:
        return None if isinstance(value, dict) else f"{where} is no object"
    if hint is float:
        return None if isinstance(value, int | float) else f"{where} is no number"
    return None if isinstance(hint, type) and isinstance(value, hint) else f"{where} is no {hint}"


def _misfit_object(value: Any, kind: Any, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} is no object"
    known = fields_of(kind)
    # The SDKs write their types as text, and `__required_keys__` does not look into text.
    missing = {name for name, hint in known.items() if typing.get_origin(hint) in _REQUIRED} - set(value)
    unknown = set(value) - set(known)
    if missing or unknown:
        return f"{where} as {kind.__name__} lacks {sorted(missing)} or has {sorted(unknown)}"
    wrong = (misfit(one, known[name], f"{where}.{name}") for name, one in value.items())
    return next((reason for reason in wrong if reason is not None), None)
