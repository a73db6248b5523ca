"""Requests and answers that stay in their dialect: nothing is translated, and reasoning still belongs to its origin.

On the way out a provider's opaque values are marked with where they came from; on the way in they go back to just there, and
are taken out elsewhere. All the rest of the JSON stays as it is. Chat Completions has no such values of its own, but servers of
it do: `passing_chat.py`.
A Responses upstream sends them only if it is asked to (`include: ["reasoning.encrypted_content"]`); reasoning kept at OpenAI
under an id bears no mark and goes nowhere.
"""

from __future__ import annotations

from typing import Any

from segue.model import Json
from segue.wire.neutral.conversation import Dialect, is_own
from segue.wire.neutral.origin import Origin, mark, own_form
from segue.wire.passing_chat import WORDS, mark_chat, settle_message

_WORDS: dict[Dialect, tuple[bytes, ...]] = {
    "openai_chat": WORDS,
    "openai_responses": (b"encrypted_content",),
    "anthropic_messages": (b"signature", b"redacted_thinking"),
}
_FIELDS = {
    "thinking": "signature",
    "redacted_thinking": "data",
    "signature_delta": "signature",
    "reasoning": "encrypted_content",
}
_DEPTH = 3
"""A frame holds a response, it holds items, and they are what is marked: deeper there is only what others made."""


def may_hold_reasoning(dialect: Dialect, data: bytes) -> bool:
    """Whether these bytes of a body or a frame have to be looked into at all; most have not."""
    for word in _WORDS[dialect]:  # noqa: SIM110 - a generator takes longer than the search
        if word in data:
            return True
    return False


def mark_answer(dialect: Dialect, value: Json, origin: Origin) -> Json:
    """A whole body, or the JSON of one frame, with every opaque value marked. Values are changed in place."""
    if dialect == "openai_chat":
        mark_chat(value, origin.tag)
    else:
        _mark(dialect, value, origin.tag, _DEPTH)
    return value


def _mark(dialect: Dialect, value: Json, tag: str, depth: int) -> None:
    """Walks only where reasoning can stand: tool arguments may hold anything, also what looks like it."""
    if not isinstance(value, dict) or not depth:
        return
    field = _FIELDS.get(value["type"]) if isinstance(value.get("type"), str) else None
    if field is not None:
        given = value.get(field)
        if isinstance(given, str) and given:
            value[field] = mark(dialect, given, tag)
        return
    for name in ("message", "content_block", "delta", "response", "item"):
        _mark(dialect, value.get(name), tag, depth - 1)
    for name in ("content", "output"):
        inside = value.get(name)
        for one in inside if isinstance(inside, list) else ():
            _mark(dialect, one, tag, depth - 1)


def settle_turns(dialect: Dialect, turns: Json, to: Origin, *, assumed: str | None = None) -> Json:
    """`messages` or `input` of a client's body for the upstream `to`: own reasoning as its provider wrote it, none of others.

    `assumed` is the tag of the origin of reasoning that bears no mark, if one is known. What is no list stays as it is.
    """
    if not isinstance(turns, list):
        return turns
    if dialect == "openai_chat":
        return [settle_message(turn, to.tag) for turn in turns]
    if dialect == "openai_responses":
        kept = _settled(dialect, turns, to.tag, assumed)
        return kept if len(kept) == len(turns) else [_nameless(item) for item in kept]
    found: list[Json] = []
    for turn in turns:
        content = turn.get("content") if isinstance(turn, dict) else None
        if not isinstance(content, list):
            found.append(turn)
            continue
        kept = _settled(dialect, content, to.tag, assumed)
        if kept or not content:
            found.append({**turn, "content": kept})
    return found


def _nameless(item: Json) -> Json:
    """OpenAI refuses an item that it knows by its id without the reasoning that it made before it."""
    if not isinstance(item, dict) or item.get("type") == "reasoning":
        return item
    return {name: value for name, value in item.items() if name != "id"}


def _settled(dialect: Dialect, blocks: list[Any], tag: str, assumed: str | None) -> list[Json]:
    found: list[Json] = []
    for block in blocks:
        kind = block.get("type") if isinstance(block, dict) else None
        field = _FIELDS.get(kind) if isinstance(kind, str) else None
        if field is None:
            found.append(block)
            continue
        reasoning = own_form(dialect, block, assumed, "", field)
        if is_own(reasoning, dialect, tag):
            found.append(reasoning.item)
    return found
