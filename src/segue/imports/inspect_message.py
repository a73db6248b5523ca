"""Turns Inspect's chat messages into messages: text parts joined, reasoning left out, attachments put back."""

from __future__ import annotations

from collections.abc import Mapping

from segue.imports.reading_pass import Flaw
from segue.imports.values import as_text, kind_of
from segue.model import ImagePart, Json, Message, TextPart, ToolCall

_ATTACHMENT = "attachment://"
_ROLES = ("system", "user", "assistant", "tool")


def messages_of(turns: Json, sample: Mapping[str, Json], path: str, flaws: list[Flaw]) -> tuple[Message, ...] | None:
    """A list of messages, or `None` with the flaw added."""
    if not isinstance(turns, list):
        flaws.append(Flaw(path, f"It has to be a text or a list of messages, not {kind_of(turns)}.", "Export the log again."))
        return None
    read = []
    for position, turn in enumerate(turns):
        if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
            flaws.append(Flaw(f"{path}[{position}]", "The message has no known role.", "Export the log again."))
            return None
        read.append(message_of(turn, sample))
    return tuple(read)


def message_of(turn: Mapping[str, Json], sample: Mapping[str, Json]) -> Message:
    """One message, of a known role. Content with images keeps its parts; any other becomes one text."""
    name = turn.get("function")
    call_id = turn.get("tool_call_id")
    calls = turn.get("tool_calls")
    return Message(
        role=turn["role"],
        content=_content_of(turn.get("content"), sample),
        tool_calls=tuple(_call_of(call) for call in calls if isinstance(call, dict)) if isinstance(calls, list) else (),
        tool_call_id=call_id if isinstance(call_id, str) else None,
        name=name if isinstance(name, str) and turn["role"] == "tool" else None,
    )


def _content_of(content: Json, sample: Mapping[str, Json]) -> str | tuple[TextPart | ImagePart, ...] | None:
    if content is None:
        return None
    if isinstance(content, str):
        return _resolved(content, sample)
    if not isinstance(content, list):
        return as_text(content)
    parts: list[TextPart | ImagePart] = []
    for part in content:
        if isinstance(part, str):
            parts.append(TextPart(text=_resolved(part, sample)))
        elif isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
            parts.append(TextPart(text=_resolved(part["text"], sample)))
        elif isinstance(part, dict) and part.get("type") == "image" and isinstance(part.get("image"), str):
            parts.append(ImagePart(url=_resolved(part["image"], sample)))
    if any(isinstance(part, ImagePart) for part in parts):
        return tuple(parts)
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def _resolved(text: str, sample: Mapping[str, Json]) -> str:
    """The attachment a text stands for; the text itself where it is none, or the attachment is not in the log."""
    attachments = sample.get("attachments")
    if text.startswith(_ATTACHMENT) and isinstance(attachments, dict):
        found = attachments.get(text.removeprefix(_ATTACHMENT))
        return found if isinstance(found, str) else text
    return text


def _call_of(call: Mapping[str, Json]) -> ToolCall:
    arguments = call.get("arguments")
    call_id = call.get("id")
    function = call.get("function")
    return ToolCall(
        name=function if isinstance(function, str) else "",
        arguments="{}" if arguments is None else as_text(arguments),
        id=call_id if isinstance(call_id, str) else None,
    )
