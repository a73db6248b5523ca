"""Says in words how two JSON values, or two JSON Schemas, differ. Schemas are read property by property."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from segue.model.base import Json

LONGEST_SHOWN = 48


def show_value(value: Json) -> str:
    """A value for a sentence: words bare, texts with spaces in quotes, everything shortened."""
    if isinstance(value, str) and value and all(char.isalnum() or char in "._-/:" for char in value):
        shown = value
    else:
        shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…"


def diff_values(old: Json, new: Json, path: str = "") -> Iterator[str]:
    """`top_k 5 → 8`, `filter.lang added (de)`, `rerank removed`: one sentence for each leaf that differs."""
    if _same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            inner = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"{inner} removed"
            elif key not in old:
                yield f"{inner} added ({show_value(new[key])})"
            else:
                yield from diff_values(old[key], new[key], inner)
    else:
        yield f"{path} {show_value(old)} → {show_value(new)}".strip()


def _same(old: Json, new: Json) -> bool:
    """Equality as JSON has it: true is not 1, but 1.0 is 1."""
    if isinstance(old, bool) != isinstance(new, bool) or (isinstance(old, bool) and old is not new):
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def diff_schemas(old: Json, new: Json, *, noun: str, path: str = "") -> Iterator[str]:
    """The differences of two JSON Schemas of objects. `noun` is what their properties are called: parameter, field."""
    if _same(old, new):
        return
    found = False
    for sentence in _differences(old, new, noun, path):
        found = True
        yield sentence
    if not found:
        yield f"{_subject(noun, path)}the schema is written differently (order of its lists)"


def _differences(old: Json, new: Json, noun: str, path: str) -> Iterator[str]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield f"{_subject(noun, path)}schema {show_value(old)} → {show_value(new)}"
        return
    yield from _properties(old, new, noun, path)
    if not _same(old.get("items"), new.get("items")):
        yield from diff_schemas(old.get("items", {}), new.get("items", {}), noun=noun, path=f"{path}[]")
    for key in dict.fromkeys((*old, *new)):
        if key not in ("properties", "required", "items") and not _same(old.get(key), new.get(key)):
            yield from _keyword(str(key), key in old, key in new, old.get(key), new.get(key), _subject(noun, path))
    for kind in ("properties", "required"):
        if _is_odd(old.get(kind), kind) or _is_odd(new.get(kind), kind):
            yield from _keyword(kind, kind in old, kind in new, old.get(kind), new.get(kind), _subject(noun, path))


def _is_odd(value: Json, kind: str) -> bool:
    if value is None:
        return False
    return not (isinstance(value, dict) if kind == "properties" else isinstance(value, list))


def _properties(old: Mapping[str, Json], new: Mapping[str, Json], noun: str, path: str) -> Iterator[str]:
    before, after = _mapping(old.get("properties")), _mapping(new.get("properties"))
    was_required, is_required = _names(old.get("required")), _names(new.get("required"))
    for name in dict.fromkeys((*before, *after)):
        inner = f"{path}.{name}" if path else str(name)
        if name not in after:
            yield f"{noun} {inner} removed"
        elif name not in before:
            yield f"{noun} {inner} added" + (", required" if name in is_required else "")
        else:
            if (name in was_required) != (name in is_required):
                yield f"{noun} {inner} became {'required' if name in is_required else 'optional'}"
            yield from diff_schemas(before[name], after[name], noun=noun, path=inner)
    for name in sorted((was_required ^ is_required) - {*before, *after}):
        yield f"{noun} {path + '.' if path else ''}{name} {'now' if name in is_required else 'no longer'} required"


def _keyword(key: str, was: bool, is_there: bool, before: Json, after: Json, subject: str) -> Iterator[str]:
    if key == "description":
        yield f"{subject}description {'added' if not was else 'removed' if not is_there else 'changed'}"
    elif key == "enum" and isinstance(before, list) and isinstance(after, list):
        fresh = [value for value in after if not any(_same(value, one) for one in before)]
        gone = [value for value in before if not any(_same(value, one) for one in after)]
        if not fresh and not gone:
            yield f"{subject}allowed values in another order"
        for word, values in (("added", fresh), ("removed", gone)):
            if values:
                yield f"{subject}allowed values {word}: {', '.join(show_value(value) for value in values)}"
    elif was and is_there:
        yield f"{subject}{key} {show_value(before)} → {show_value(after)}"
    else:
        yield f"{subject}{key} {'added (' + show_value(after) + ')' if is_there else 'removed'}"


def _subject(noun: str, path: str) -> str:
    return f"{noun} {path}: " if path else ""


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _names(value: Json) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()
