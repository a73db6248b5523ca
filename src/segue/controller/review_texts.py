"""What a reader is shown of an item: the user's last words, and what was answered, as the exchange log has them now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from segue.controller.review_draw import ReviewItem, ReviewSide
from segue.exchanges.query import ExchangeLog
from segue.gateway.decoded import decode_answer

GONE = "(the log does not have it any more: retention, or sampling)"
_DIALECTS = {"openai", "openai_responses", "anthropic"}


@dataclass(frozen=True, slots=True)
class ItemTexts:
    """The words asked, and one answer for each side, in their order. `None` where nothing of it can be read."""

    asked: str | None
    answers: tuple[str | None, ...]


def read_item(log: ExchangeLog, item: ReviewItem) -> ItemTexts:
    """Never raises for what bodies hold."""
    found = [_read_side(log, one) for one in item.sides]
    # A shadow was asked with the candidate's own prompt, which may be a template around the user's words.
    shadows_last = sorted(zip(item.sides, found, strict=True), key=lambda pair: pair[0].arm == "shadow")
    asked = next((asked for _, (asked, _) in shadows_last if asked is not None), None)
    return ItemTexts(asked, tuple(answer for _, answer in found))


def _read_side(log: ExchangeLog, side: ReviewSide) -> tuple[str | None, str | None]:
    logged = log.find(side.exchange)
    if logged is None:
        return None, None
    dialect = logged.exchange.dialect_out
    answer = None
    if dialect in _DIALECTS and logged.response:
        reply = decode_answer(dialect, logged.response).reply
        if reply is not None:
            calls = [f"[calls {call.name}({call.arguments})]" for call in reply.tool_calls]
            answer = "\n".join(part for part in (reply.text, *calls) if part) or reply.refusal or "(empty)"
    return last_words(logged.request), answer


def last_words(body: bytes) -> str | None:
    """The text of the last user message of a request, in any dialect that the gateway speaks."""
    try:
        request: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    turns = request.get("messages") or request.get("input")
    if isinstance(turns, str):
        return turns
    for turn in reversed(turns if isinstance(turns, list) else []):
        if isinstance(turn, dict) and turn.get("role") == "user" and (text := _text(turn.get("content"))):
            return text
    return None


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(texts)
