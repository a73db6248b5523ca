"""What a simulated model says when it is right and when it is wrong. Pure: luck comes in as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from segue.model import Json, ToolCall, ToolSpec
from segue.providers.draws import pick

NO_CALL_TEXT = "None of the tools I have fits this request."


@dataclass(frozen=True, slots=True)
class Answer:
    """Text, or tool calls."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def look_up(attributes: Mapping[str, object], path: str) -> Json:
    """The value at a dotted path, such as `metadata.wrong`; `None` where there is none."""
    value: Any = attributes
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value


def right_answer(reference: Json, tools: Sequence[ToolSpec]) -> Answer | None:
    """What the case wants: its text, its object as JSON, its calls, or no call. `None` without a reference."""
    if reference is None:
        return None
    if isinstance(reference, Mapping):
        if reference.get("expect") == "no_call":
            return Answer(NO_CALL_TEXT)
        calls = _calls(reference, tools)
        if calls:
            return Answer(calls=calls)
    return Answer(_as_text(reference))


def wrong_answer(
    right: Answer, reference: Json, listed: Json, common: Sequence[str], tools: Sequence[ToolSpec], luck: float
) -> Answer:
    """Something else than `right`: listed with the case, common to all cases, or the right one spoilt."""
    if right.calls:
        return _wrong_calls(right.calls, tools, luck)
    if isinstance(reference, Mapping) and reference.get("expect") == "no_call" and tools:
        return Answer(calls=(_call(tools[0].name, {}, 0),))
    own = listed if isinstance(listed, list) else [] if listed is None else [listed]
    choices = [text for text in (*map(_as_text, own), *common) if text != right.text]
    if choices:
        return Answer(pick(choices, luck))
    if isinstance(reference, dict | list) and reference:
        return Answer(_as_text(_spoil(reference, luck)))
    return Answer("I am not sure about that.")


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _calls(reference: Mapping[str, Any], tools: Sequence[ToolSpec]) -> tuple[ToolCall, ...]:
    """From `{"tool_calls": [{"name", "arguments"}]}`, or the first values of `{"accepted": {name: {argument: [values]}}}`."""
    listed = reference.get("tool_calls")
    if isinstance(listed, list):
        return tuple(_call(str(one.get("name", "")), one.get("arguments") or {}, at) for at, one in enumerate(listed))
    accepted = reference.get("accepted")
    if not isinstance(accepted, Mapping):
        return ()
    calls = []
    for at, (name, arguments) in enumerate(accepted.items()):
        given = {key: values[0] for key, values in arguments.items() if values and values[0] != ""}
        calls.append(_call(_known_name(name, tools), given, at))
    return tuple(calls)


def _known_name(name: str, tools: Sequence[ToolSpec]) -> str:
    """Several accepted calls of one tool are told apart by a number after its name."""
    names = {tool.name for tool in tools}
    bare = re.sub(r"_\d+$", "", name)
    return bare if name not in names and bare in names else name


def _call(name: str, arguments: Json, at: int) -> ToolCall:
    return ToolCall(name=name, arguments=_as_text(arguments), id=f"call_{at}")


def _wrong_calls(calls: tuple[ToolCall, ...], tools: Sequence[ToolSpec], luck: float) -> Answer:
    first, rest = calls[0], calls[1:]
    others = [tool.name for tool in tools if tool.name != first.name]
    arguments = orjson.loads(first.arguments)
    ways: list[Answer] = [Answer("I can answer that without a tool.")]
    if arguments:
        ways.append(Answer(calls=(first.model_copy(update={"arguments": _as_text(_spoil(arguments, luck))}), *rest)))
    if others:
        ways.append(Answer(calls=(first.model_copy(update={"name": pick(others, luck)}), *rest)))
    return pick(ways, luck)


def _spoil(value: Json, luck: float) -> Json:
    """The same shape with one value changed."""
    if isinstance(value, dict) and value:
        key = pick(sorted(value), luck)
        return {**value, key: _spoil(value[key], luck)}
    if isinstance(value, list) and value:
        at = int(luck * len(value))
        return [*value[:at], _spoil(value[at], luck), *value[at + 1 :]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value} (?)" if value else "?"
    return "?"
