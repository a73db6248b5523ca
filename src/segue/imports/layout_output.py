"""Reads what a recording says the model gave back: text, tool calls, a whole conversation, or an error."""

from __future__ import annotations

from pydantic import ValidationError

from segue.imports.failures import failure_from
from segue.imports.reading_pass import Flaw
from segue.imports.values import as_text, kind_of
from segue.model import Failure, Json, Message, Reply, ToolCall

_SHAPES = 'Write a string, {"tool_calls": [...]} or {"trajectory": [...]}.'


def read_reply(row: dict[str, Json], flaws: list[Flaw]) -> Reply | None:
    """The reply in `row["output"]`, or `None` with the flaw added."""
    output = row.get("output")
    if isinstance(output, str):
        return Reply(text=output)
    if not isinstance(output, dict):
        what = "There is no output." if output is None else f"It cannot be {kind_of(output)}."
        flaws.append(Flaw("output", what, _SHAPES + ' Where the call failed, write "error" instead.'))
        return None
    text = output.get("text", output.get("content")) or ""
    if not isinstance(text, str):
        flaws.append(Flaw("output.text", f"It has to be a text, not {kind_of(text)}.", "Write a string."))
        return None
    if isinstance(turns := output.get("trajectory"), list):
        return _conversation(turns, text, flaws)
    if isinstance(calls := output.get("tool_calls"), list):
        read = read_tool_calls(calls, "output.tool_calls", flaws)
        return None if read is None else Reply(text=text, tool_calls=read)
    flaws.append(Flaw("output", "The object has neither a list of tool_calls nor a trajectory.", _SHAPES))
    return None


def read_tool_calls(calls: list[Json], path: str, flaws: list[Flaw]) -> tuple[ToolCall, ...] | None:
    """Calls as `{"name", "arguments", "id"}` or wrapped in `"function"`. Arguments that are not text are written as JSON."""
    read = []
    for position, call in enumerate(calls):
        inner = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            flaws.append(Flaw(f"{path}[{position}]", "The call has no name.", 'Write {"name": ..., "arguments": "..."}.'))
            return None
        arguments = inner.get("arguments")
        call_id = call.get("id")
        read.append(
            ToolCall(
                name=inner["name"],
                arguments="{}" if arguments is None else as_text(arguments),
                id=call_id if isinstance(call_id, str) else None,
            )
        )
    return tuple(read)


def read_messages(turns: list[Json], path: str, flaws: list[Flaw]) -> tuple[Message, ...] | None:
    """Messages with their tool calls in any of the two shapes."""
    read = []
    for position, turn in enumerate(turns):
        place = f"{path}[{position}]"
        if not isinstance(turn, dict):
            flaws.append(
                Flaw(place, f"A message has to be an object, not {kind_of(turn)}.", 'Write {"role": ..., "content": ...}.')
            )
            return None
        body = dict(turn)
        if calls := body.pop("tool_calls", None):
            if not isinstance(calls, list):
                flaws.append(Flaw(f"{place}.tool_calls", "It has to be a list.", "Write a list of calls."))
                return None
            body["tool_calls"] = read_tool_calls(calls, f"{place}.tool_calls", flaws)
            if body["tool_calls"] is None:
                return None
        try:
            read.append(Message.model_validate(body))
        except ValidationError as error:
            flaws.extend(flaws_of(error, place))
            return None
    return tuple(read)


def read_failure(value: Json, flaws: list[Flaw]) -> Failure | None:
    """An error as text, or as `{"kind", "detail"}`; nothing for `null`."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return failure_from(value)
    if isinstance(value, dict):
        detail = value.get("detail") or value.get("message") or value.get("kind") or ""
        return failure_from(f"{value.get('kind') or ''} {detail}" if isinstance(detail, str) else "")
    flaws.append(
        Flaw("error", f"It has to be a text or an object, not {kind_of(value)}.", 'Write {"kind": ..., "detail": ...}.')
    )
    return None


def flaws_of(error: ValidationError, prefix: str = "") -> list[Flaw]:
    """The flaws of a value that does not fit its type, without the value."""
    flaws = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in one["loc"] if not str(part).startswith("tuple["))
        place = ".".join(part for part in (prefix, path) if part) or None
        flaws.append(Flaw(place, f"{one['msg']}.", "See docs/suite-format.md for the form."))
    return flaws


def _conversation(turns: list[Json], text: str, flaws: list[Flaw]) -> Reply | None:
    messages = read_messages(turns, "output.trajectory", flaws)
    if messages is None:
        return None
    if not text:
        text = next((turn.text for turn in reversed(messages) if turn.role == "assistant" and turn.text), "")
    return Reply(text=text, trajectory=messages)
