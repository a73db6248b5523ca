"""Renamed fields, learned from pairs of a right old output and a wrong new one. Pure.

A rename `total → total_amount` is believed where, in at least two pairs (or the only one), the old name is missing, the
new name was not there before, and the value is the same or the names are near to each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from segue.drift import json_text
from segue.drift.output import output_text
from segue.drift.repairs import Repair, remove_fence
from segue.model import Json, Reply, ToolCall

NEAR_NAMES = 75.0
"""How near two names have to be (rapidfuzz ratio, 0 to 100, case and separators aside) where their values differ."""

_MAX_DEPTH = 12
_MAX_FIELDS = 400


@dataclass(frozen=True, slots=True, order=True)
class Rename:
    """`new` stands where `old` stood, in objects at `path` (keys joined by dots; `*` is any item of an array)."""

    path: str
    new: str
    old: str


def _documents(reply: Reply) -> dict[str, Json]:
    """The JSON values of a reply by where they stand: its text, and the arguments of each tool call."""
    found: dict[str, Json] = {}
    for call in reply.tool_calls:
        found.setdefault(f"{call.name}()", json_text.parse_json(call.arguments))
    text = output_text(reply)
    if text and not reply.tool_calls:
        inner = remove_fence(text) or text
        value = json_text.parse_json(inner)
        if not json_text.is_container(value):
            span = json_text.find_json(inner)
            value = span.value if span else json_text.NOT_JSON
        found[""] = value
    return {place: value for place, value in found.items() if json_text.is_container(value)}


def _objects(value: Json, path: str) -> dict[str, dict[str, Json]]:
    """The first object at each path of a JSON value."""
    found: dict[str, dict[str, Json]] = {}
    stack: list[tuple[Json, str, int]] = [(value, path, 0)]
    while stack and len(found) < _MAX_FIELDS:
        item, place, depth = stack.pop()
        if depth > _MAX_DEPTH:
            continue
        if isinstance(item, dict):
            found.setdefault(place, item)
            stack.extend((inner, f"{place}.{key}" if place else key, depth + 1) for key, inner in item.items())
        elif isinstance(item, list) and item:
            stack.append((item[0], f"{place}.*" if place else "*", depth + 1))
    return found


def _plain(value: Json) -> Json:
    return " ".join(value.casefold().split()) if isinstance(value, str) else value


def _plain_name(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _match(missing: dict[str, Json], added: dict[str, Json]) -> dict[str, str]:
    """New name to old name, the surest matches first, each name used once."""
    ranked: list[tuple[float, str, str]] = []
    for old, old_value in missing.items():
        for new, new_value in added.items():
            nearness = fuzz.ratio(_plain_name(old), _plain_name(new))
            is_same = type(old_value) is type(new_value) and _plain(old_value) == _plain(new_value)
            is_telling = is_same and old_value not in (None, True, False, "", 0, 1) and old_value not in ([], {})
            if is_telling or nearness >= NEAR_NAMES:
                ranked.append(((100.0 if is_telling else 0.0) + nearness, old, new))
    matched: dict[str, str] = {}
    for _, old, new in sorted(ranked, reverse=True):
        if new not in matched and old not in matched.values():
            matched[new] = old
    return matched


def learn_renames(pairs: Iterable[tuple[Reply, Reply]]) -> tuple[Rename, ...]:
    """The renames that pairs of (right old reply, wrong new reply) have in common, in a stable order."""
    support: Counter[Rename] = Counter()
    n_pairs = 0
    for old_reply, new_reply in pairs:
        n_pairs += 1
        old_documents, new_documents = _documents(old_reply), _documents(new_reply)
        for place in old_documents.keys() & new_documents.keys():
            old_objects, new_objects = _objects(old_documents[place], place), _objects(new_documents[place], place)
            for path in old_objects.keys() & new_objects.keys():
                before, after = old_objects[path], new_objects[path]
                missing = {key: value for key, value in before.items() if key not in after}
                added = {key: value for key, value in after.items() if key not in before}
                support.update(Rename(path, new, old) for new, old in _match(missing, added).items())
    kept: dict[tuple[str, str], Rename] = {}
    for rename, count in sorted(support.items(), key=lambda item: (-item[1], item[0])):
        if count >= min(2, n_pairs):
            kept.setdefault((rename.path, rename.new), rename)
    return tuple(sorted(kept.values()))


def _rename(value: Json, path: str, names: Mapping[tuple[str, str], str], depth: int = 0) -> Json:
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        renamed: dict[str, Json] = {}
        for key, inner in value.items():
            old = names.get((path, key))
            target = old if old is not None and old not in value else key
            renamed[target] = _rename(inner, f"{path}.{target}" if path else target, names, depth + 1)
        return renamed
    if isinstance(value, list):
        return [_rename(inner, f"{path}.*" if path else "*", names, depth + 1) for inner in value]
    return value


def _apply(reply: Reply, names: Mapping[tuple[str, str], str]) -> Reply | None:
    if reply.tool_calls:
        called: list[ToolCall] = []
        for call in reply.tool_calls:
            value = json_text.parse_json(call.arguments)
            fixed = _rename(value, f"{call.name}()", names) if isinstance(value, dict) else value
            changed = fixed != value
            called.append(call.model_copy(update={"arguments": json_text.write_json(fixed)}) if changed else call)
        return replace(reply, tool_calls=tuple(called)) if tuple(called) != reply.tool_calls else None
    value = _documents(reply).get("")
    if value is None:
        return None
    fixed = _rename(value, "", names)
    return None if fixed == value else replace(reply, text=json_text.write_json(fixed))


def rename_repair(renames: tuple[Rename, ...]) -> Repair:
    """The repair that gives renamed fields their old names back."""
    names = {(rename.path, rename.new): rename.old for rename in renames}
    shown = ", ".join(f"{rename.old} → {rename.new}" for rename in renames[:3])
    more = f" and {len(renames) - 3} more" if len(renames) > 3 else ""
    noun = "a renamed field" if len(renames) == 1 else "renamed fields"
    return Repair("rename_field", f"{noun} ({shown}{more})", lambda reply: _apply(reply, names))
