"""What servers of Chat Completions seal, though the dialect has no word for it, and where it stands.

`reasoning_details` of a message: items with a value that only their maker reads (`data`, `signature`). And
`extra_content.google.thought_signature`, of a message or of a tool call, which Gemini wants back with the call it made.
Both are marked on the way out, and go back to just where they came from. An item without such a value is plain: it stays.
https://openrouter.ai/docs/use-cases/reasoning-tokens, https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from typing import Any, Final

from segue.model import Json
from segue.wire.neutral.conversation import is_own
from segue.wire.neutral.origin import mark, own_form

WORDS = (b"reasoning_details", b"thought_signature")
"""Bytes without one of these hold nothing of it."""
_DIALECT: Final = "openai_chat"
_SEALED = ("data", "signature")


def mark_chat(value: Json, tag: str) -> None:
    """A whole answer or the JSON of one frame, changed in place."""
    choices = value.get("choices") if isinstance(value, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        for name in ("message", "delta"):
            message = choice.get(name) if isinstance(choice, dict) else None
            if isinstance(message, dict):
                _mark_message(message, tag)


def _mark_message(message: dict[str, Any], tag: str) -> None:
    for item in _items(message.get("reasoning_details")):
        for field in _SEALED:
            if isinstance(item.get(field), str) and item[field]:
                item[field] = mark(_DIALECT, item[field], tag)
    for holder in (message, *_items(message.get("tool_calls"))):
        google = _google(holder)
        if google is not None and isinstance(google.get("thought_signature"), str) and google["thought_signature"]:
            google["thought_signature"] = mark(_DIALECT, google["thought_signature"], tag)


def settle_message(turn: Json, tag: str) -> Json:
    """A message of a request for the upstream of this tag: what it sealed as it was, nothing of others, all else untouched."""
    if not isinstance(turn, dict):
        return turn
    settled = _settle_signature(turn, tag)
    details = turn.get("reasoning_details")
    if isinstance(details, list):
        kept = [found for one in details if (found := _settle_item(one, tag)) is not None]
        if kept != details:
            settled = {name: value for name, value in settled.items() if name != "reasoning_details"}
            settled |= {"reasoning_details": kept} if kept else {}
    calls = turn.get("tool_calls")
    if isinstance(calls, list):
        found = [_settle_signature(one, tag) if isinstance(one, dict) else one for one in calls]
        if found != calls:
            settled = {**settled, "tool_calls": found}
    return settled


def _settle_item(item: Json, tag: str) -> Json | None:
    """`None` for what another made, or nobody knows who."""
    if not isinstance(item, dict):
        return item
    for field in _SEALED:
        if isinstance(item.get(field), str) and item[field]:
            reasoning = own_form(_DIALECT, item, None, "", field)
            if not is_own(reasoning, _DIALECT, tag):
                return None
            item = reasoning.item
    return item


def _settle_signature(holder: dict[str, Any], tag: str) -> dict[str, Any]:
    google = _google(holder)
    if google is None or not isinstance(google.get("thought_signature"), str):
        return holder
    own = own_form(_DIALECT, google, None, "", "thought_signature")
    if is_own(own, _DIALECT, tag):
        return {**holder, "extra_content": {**holder["extra_content"], "google": own.item}}
    rest = {name: value for name, value in google.items() if name != "thought_signature"}
    extra = {name: value for name, value in holder["extra_content"].items() if name != "google"}
    extra |= {"google": rest} if rest else {}
    left = {name: value for name, value in holder.items() if name != "extra_content"}
    return {**left, "extra_content": extra} if extra else left


def _google(holder: dict[str, Any]) -> dict[str, Any] | None:
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return google if isinstance(google, dict) else None


def _items(value: Json) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
