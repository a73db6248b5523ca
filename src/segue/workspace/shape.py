"""Checks a document against one of the frozen models, and says what is wrong in the words of the file's author.

Types are strict: `"3"` is no number and `yes` is no boolean, for a guess would change a digest in silence.
Messages repeat names, numbers and words that stand where one of a few is expected; never other texts, for a text may be
a secret or a user's words.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from segue.errors import Fault
from segue.model import Json
from segue.workspace.document import Document, Reading, ValuePath, clipped, has_step, likely_name, listed

M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], document: Document, *, given: tuple[str, ...] = ()) -> Reading[M]:
    """The document as a `model`, or every fault of it.

    Fields in `given` were put in by the caller; nobody is told to write them.
    """
    if not isinstance(document.value, dict):
        what = (
            "The file is empty."
            if document.value is None
            else f"The file holds {_called(document.value)}, not keys and values."
        )
        required = [name for name, info in model.model_fields.items() if info.is_required() and name not in given]
        start = f" It needs at least {listed(required)}." if required else ""
        return Reading(None, (document.fault((), what, f"Write keys and values (`key: value`).{start}"),))
    try:
        raw = orjson.dumps(document.value)
    except orjson.JSONEncodeError:
        return Reading(None, (document.fault((), *_NO_JSON),))
    return parse_json(model, raw, document, given=given)


def parse_json(model: type[M], raw: bytes, document: Document, *, given: tuple[str, ...] = ()) -> Reading[M]:
    """The same from JSON text that is known to be `document`'s value."""
    try:
        return Reading(model.model_validate_json(raw, strict=True))
    except ValidationError as error:
        return Reading(None, tuple(faults_of(model, error, document, given)))


def faults_of(model: type[BaseModel], error: ValidationError, document: Document, given: tuple[str, ...]) -> list[Fault]:
    """Pydantic's complaints as faults at their places, one per place."""
    by_path: dict[ValuePath, list[ErrorDetails]] = {}
    for detail in _details(error, document.value):
        by_path.setdefault(_real_path(detail, document.value), []).append(detail)
    return [_fault(model, path, details, document, given) for path, details in by_path.items()]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Where pydantic objects, and the name of its objection."""

    path: ValuePath
    kind: str


def complaints(error: ValidationError, value: Json) -> list[Complaint]:
    """Pydantic's complaints of `value`, one per place."""
    found = {_real_path(detail, value): detail["type"] for detail in _details(error, value)}
    return [Complaint(path, kind) for path, kind in found.items()]


def _details(error: ValidationError, value: Json) -> Iterator[ErrorDetails]:
    """The complaints its author can use. One that names several entries of a list (`at`) is one for each of them."""
    for detail in _best_branches(error.errors(include_url=False), value):
        if detail["type"] in ("undeclared", "twice"):
            for entry in detail.get("ctx", {})["at"]:
                one = detail.copy()
                one["loc"] = (*detail["loc"], *entry)
                yield one
        else:
            yield detail


def _real_path(detail: ErrorDetails, value: Json) -> ValuePath:
    """The location without the tags pydantic adds for the branches of a union."""
    path: list[str | int] = []
    here = value
    for index, step in enumerate(detail["loc"]):
        if has_step(here, step):
            here = here[step]
        elif not (detail["type"] == "missing" and index == len(detail["loc"]) - 1):
            continue
        path.append(step)
    return tuple(path)


def _best_branches(details: list[ErrorDetails], value: Json) -> list[ErrorDetails]:
    """Of a union, only the branch that came furthest: its complaints are the ones its author can use."""
    unions: dict[tuple[str | int, ...], dict[str, list[ErrorDetails]]] = {}
    for detail in details:
        at = _first_tag(detail, value)
        if at is not None:
            unions.setdefault(detail["loc"][:at], {}).setdefault(str(detail["loc"][at]), []).append(detail)
    dropped: set[int] = set()
    for prefix, branches in unions.items():
        if len(branches) < 2:
            continue
        shallow = {tag for tag, inside in branches.items() if all(len(one["loc"]) == len(prefix) + 1 for one in inside)}
        if len(shallow) == len(branches):
            continue
        deep = {tag: inside for tag, inside in branches.items() if tag not in shallow}
        best = min(deep, key=lambda tag: _misfit(deep[tag]))
        dropped |= {id(one) for tag, inside in branches.items() if tag != best for one in inside}
    kept = [detail for detail in details if id(detail) not in dropped]
    inner = [_without_tag(detail, value) for detail in kept]
    if any(_first_tag(detail, value) is not None for detail in inner) and inner != kept:
        return _best_branches(inner, value)
    return kept


def _misfit(details: list[ErrorDetails]) -> tuple[int, int]:
    """How far a union's branch is from what was written: a wrong `type` word weighs most, then the number of complaints."""
    return sum(detail["type"] == "literal_error" for detail in details), len(details)


def _first_tag(detail: ErrorDetails, value: Json) -> int | None:
    here = value
    for index, step in enumerate(detail["loc"]):
        if has_step(here, step):
            here = here[step]
        elif index == len(detail["loc"]) - 1 and detail["type"] == "missing":
            return None
        else:
            return index
    return None


def _without_tag(detail: ErrorDetails, value: Json) -> ErrorDetails:
    at = _first_tag(detail, value)
    if at is None or at == len(detail["loc"]) - 1:
        return detail
    return {**detail, "loc": detail["loc"][:at] + detail["loc"][at + 1 :]}


_NO_JSON = (
    "The value holds half a character or an endless number, or is nested too deeply.",
    "Write whole characters, finite numbers, and no more than a hundred levels.",
)

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "none_required": "nothing",
}

_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _fault(
    model: type[BaseModel], path: ValuePath, details: list[ErrorDetails], document: Document, given: tuple[str, ...]
) -> Fault:
    detail = details[0]
    kind = detail["type"]
    name = _named(path)
    context = detail.get("ctx", {})
    if kind == "missing":
        return document.fault(path[:-1], f"{name} is missing.", f"Add `{path[-1]}: …`.")
    if kind == "extra_forbidden":
        return _unknown_key(model, path, document, given)
    if kind == "literal_error" and len(details) == 1:
        return _not_one_of(path, name, str(context.get("expected", "")), document)
    if kind in _WANTED or kind == "literal_error":
        return _wrong_type(path, name, details, document)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = f"{float(context[key]):g}"
        written = document.at(path)
        if kind == "less_than_equal" and bound == "1" and isinstance(written, int | float) and 1 < written <= 100:
            return _points_for_share(path, name, written, document)
        what = f"{name} is {_shown(document.at(path))}; it has to be {words} {bound}."
        return document.fault(path, what, f"Write a number {words} {bound}.")
    if kind in ("string_too_short", "too_short"):
        return document.fault(
            path, f"{name} is empty.", "Write at least one entry." if kind == "too_short" else "Write a text."
        )
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        return document.fault(
            path, f"{name} has characters or a form that is not allowed here.", _PATTERNS.get(pattern, pattern)
        )
    if kind == "json_invalid":
        return document.fault(path, *_NO_JSON)
    if kind == "undeclared":
        return _undeclared(path, document)
    if kind == "twice":
        what = f"A scorer before this one is called '{clipped(str(document.at(path)))}', too."
        return document.fault(path, what, "Rename one of the two.")
    if kind == "value_error":
        what = str(context.get("error", detail["msg"]))
        return document.fault(path, what[:1].upper() + what[1:] + ".", f"Correct {_lower(name)}.")
    return document.fault(path, f"{name} is not what it has to be: {detail['msg']}.", "Compare it with docs/workspace.md.")


def _points_for_share(path: ValuePath, name: str, written: float, document: Document) -> Fault:
    """A share written as points or percent, which is how people speak of both."""
    is_margin = any("margin" in str(step) for step in path)
    rule = "margins are shares" if is_margin else "it is a share from 0 to 1"
    meant, unit = f"{written / 100:g}", "points" if is_margin else "%"
    what = f"{name} is {_shown(written)}; it has to be at most 1: {rule}; {meant} is {written:g} {unit}."
    return document.fault(path, what, "Write a number at most 1.", likely=meant)


def _undeclared(path: ValuePath, document: Document) -> Fault:
    """An entry of `critical` that is not among its slice's `values`."""
    written, values = str(document.at(path)), document.at((*path[:-2], "values"))
    declared = [one for one in values if isinstance(one, str)] if isinstance(values, list) else []
    what = f"'{clipped(str(path[-2]))}' names '{clipped(written)}', which `values` does not list."
    return document.fault(path, what, f"Values: {listed(declared)}.", likely=likely_name(written, declared))


def _named(path: ValuePath) -> str:
    if not path:
        return "The file"
    return f"'{clipped(path[-1])}'" if isinstance(path[-1], str) else "This entry"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


_PATTERNS = {
    r"^[a-z0-9][a-z0-9._-]*$": "Use lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit.",
    r"^[a-z][a-z0-9_]*$": "Use lower-case letters, digits and '_', beginning with a letter.",
    r"^[0-9a-f]{64}$": "Write a digest of 64 hex digits.",
}


def _unknown_key(model: type[BaseModel], path: ValuePath, document: Document, given: tuple[str, ...]) -> Fault:
    known = [name for name in known_keys(model, path[:-1]) if len(path) > 1 or name not in given]
    present = document.at(path[:-1])
    free = [name for name in known if not (isinstance(present, dict) and name in present)]
    around = (*document.prefix, *path[:-1])
    where = f" of '{clipped(around[-1])}'" if around and isinstance(around[-1], str) else ""
    fix = f"Keys here: {listed(known, 20)}." if known else "Delete it."
    what = f"'{clipped(str(path[-1]))}' is not a key{where}."
    return document.fault(path, what, fix, likely=likely_name(str(path[-1]), free))


def _not_one_of(path: ValuePath, name: str, expected: str, document: Document) -> Fault:
    choices = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",") if part.strip()]
    written = document.at(path)
    likely = likely_name(written, choices) if isinstance(written, str) else None
    what = f"{name} is {_shown(written)}, which is not one of its values."
    return document.fault(
        path, what, f"Write {' or '.join(choices) if len(choices) < 3 else 'one of ' + ', '.join(choices)}.", likely=likely
    )


def _wrong_type(path: ValuePath, name: str, details: Iterable[ErrorDetails], document: Document) -> Fault:
    wanted: list[str] = []
    for detail in details:
        words = _WANTED.get(detail["type"])
        if detail["type"] == "literal_error":
            words = str(detail.get("ctx", {}).get("expected", ""))
        if words and words not in wanted:
            wanted.append(words)
    written = document.at(path)
    raw = document.place(path).raw
    what = f"{name} is {_called(written)}; it has to be {' or '.join(wanted)}."
    fix = f"Write {' or '.join(wanted)}."
    if "text" in wanted and isinstance(written, bool | int | float):
        typed = raw if raw is not None else _shown(written)
        fix = f'Put it in quotes: "{clipped(typed)}".'
    elif "true or false" in wanted and isinstance(written, str) and written.lower() in _YES_NO:
        fix = f"Write {_YES_NO[written.lower()]}: in YAML 1.2 only true and false are booleans."
    elif "a list" in wanted and isinstance(written, str | int | float):
        fix = "Put it in brackets: [ … ]."
    elif written is None and "text" not in wanted:
        fix = f"Give {_lower(name)} a value, or delete the key."
    return document.fault(path, what, fix)


_YES_NO = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "true": "true",
    "no": "false",
    "off": "false",
    "n": "false",
    "false": "false",
}


def _called(value: Json) -> str:
    """What a value is, without its content where that is text."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_shown(value)}"
        case str():
            return "text"
        case list():
            return "a list"
    return "keys and values"


def _shown(value: Json) -> str:
    if isinstance(value, str):
        return f"'{clipped(value)}'" if len(value) <= 24 else "a text"
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()[:40]
    return _called(value)


def known_keys(model: Any, path: ValuePath) -> list[str]:
    """The keys a mapping at `path` of `model` may have; empty where it may have any."""
    options = _options(model)
    for step in path:
        options = [inner for option in options for inner in _step_into(option, step)]
    keys: dict[str, None] = {}
    for option in options:
        if isinstance(option, type) and issubclass(option, BaseModel):
            keys.update(dict.fromkeys(option.model_fields))
    return list(keys)


def _step_into(option: Any, step: str | int) -> list[Any]:
    if isinstance(option, type) and issubclass(option, BaseModel):
        info = option.model_fields.get(str(step))
        return _options(info.annotation) if info is not None else []
    arguments = get_args(option)
    origin = get_origin(option)
    if origin in (tuple, list) and isinstance(step, int):
        return _options(arguments[0])
    if origin in (dict, Mapping) and isinstance(step, str):
        return _options(arguments[1])
    return []


def _options(annotation: Any) -> list[Any]:
    """The branches of a union, annotations taken off; a single type is its own branch."""
    if hasattr(annotation, "__metadata__"):
        annotation = get_args(annotation)[0]
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return [inner for branch in get_args(annotation) for inner in _options(branch)]
    if origin is Literal:
        return []
    return [annotation]
