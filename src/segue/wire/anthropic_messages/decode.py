"""A Messages response as a reply. Any bytes end in a reply or a `bad_reply`, never in an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segue.model import Failure, Json, Reply, ToolCall, Usage
from segue.model.exchange import FinishReason
from segue.wire.base import Decoded
from segue.wire.errors import describe_error, error_from_json
from segue.wire.reading import (
    BadReplyError,
    as_list,
    as_object,
    as_text,
    optional_count,
    optional_object,
    optional_text,
    parse_json,
    to_json_text,
)

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refusal",
}


def decode_reply(body: bytes, *, withheld: Iterable[str] = ()) -> Decoded:
    """Decode the body of a response with status 200. `withheld` are the request's texts, which no error may repeat."""
    try:
        value = as_object(parse_json(body, "The reply"), "The reply")
        if value.get("type") == "error":
            return Decoded(failure=describe_error(200, error_from_json(value), withheld=withheld))
        texts: list[str] = []
        calls: list[ToolCall] = []
        for at, item in enumerate(as_list(value.get("content"), "content")):
            where = f"content[{at}]"
            block = as_object(item, where)
            if block.get("type") == "text":
                texts.append(as_text(block.get("text"), f"{where}.text"))
            elif block.get("type") == "tool_use":
                calls.append(tool_call(block, where, to_json_text(as_object(block.get("input"), f"{where}.input"), where)))
        usage, written = read_usage(optional_object(value.get("usage"), "usage"))
        reason = finish_reason(value.get("stop_reason"))
        reply = Reply(
            text="".join(texts),
            tool_calls=tuple(calls),
            finish_reason=reason,
            refusal=refusal_text(reason, value.get("stop_details")),
        )
        return Decoded(reply, None, usage, written, optional_text(value.get("model"), "model"))
    except BadReplyError as error:
        return Decoded(failure=Failure("bad_reply", str(error)))


def tool_call(block: dict[str, Any], where: str, arguments: str) -> ToolCall:
    """A `tool_use` block with `arguments` as JSON text."""
    return ToolCall(
        name=as_text(block.get("name"), f"{where}.name"),
        arguments=arguments,
        id=optional_text(block.get("id"), f"{where}.id"),
    )


def finish_reason(value: Json) -> FinishReason | None:
    """The neutral reason; one that the API adds later is `other`."""
    name = optional_text(value, "stop_reason")
    return None if name is None else _FINISH.get(name, "other")


def refusal_text(reason: FinishReason | None, details: Json) -> str | None:
    """What is said about a refusal: its explanation, else its category, else nothing; `None` if it is no refusal."""
    if reason != "refusal":
        return None
    found = optional_object(details, "stop_details")
    return (
        optional_text(found.get("explanation"), "stop_details.explanation")
        or optional_text(found.get("category"), "stop_details.category")
        or ""
    )


def read_usage(usage: Mapping[str, Json]) -> tuple[Usage, int | None]:
    """Usage, and the input tokens written to a cache.

    All input tokens are the sum of `input_tokens`, `cache_creation_input_tokens` and `cache_read_input_tokens`
    (Messages API reference, "usage").
    """
    fresh = optional_count(usage.get("input_tokens"), "usage.input_tokens")
    written = optional_count(usage.get("cache_creation_input_tokens"), "usage.cache_creation_input_tokens")
    cached = optional_count(usage.get("cache_read_input_tokens"), "usage.cache_read_input_tokens")
    details = optional_object(usage.get("output_tokens_details"), "usage.output_tokens_details")
    return (
        Usage(
            input_tokens=None if fresh is None else fresh + (written or 0) + (cached or 0),
            output_tokens=optional_count(usage.get("output_tokens"), "usage.output_tokens"),
            reasoning_tokens=optional_count(details.get("thinking_tokens"), "usage.output_tokens_details.thinking_tokens"),
            cached_tokens=cached,
        ),
        written,
    )
