"""A Chat Completions response as a reply. Any bytes end in a reply or a `bad_reply`, never in an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segue.model import Failure, Json, Reply, TokenLogprob, ToolCall, Usage
from segue.model.exchange import FinishReason
from segue.wire.base import Decoded
from segue.wire.errors import describe_error, error_from_json
from segue.wire.reading import (
    BadReplyError,
    as_list,
    as_number,
    as_object,
    as_text,
    optional_count,
    optional_list,
    optional_object,
    optional_text,
    parse_json,
)

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def decode_reply(body: bytes, *, withheld: Iterable[str] = ()) -> Decoded:
    """Decode the body of a response with status 200. `withheld` are the request's texts, which no error may repeat."""
    try:
        value = as_object(parse_json(body, "The reply"), "The reply")
        if value.get("error") is not None:
            return Decoded(failure=describe_error(200, error_from_json(value), withheld=withheld))
        choices = as_list(value.get("choices"), "choices")
        if not choices:
            raise BadReplyError("choices is empty.")
        choice = as_object(choices[0], "choices[0]")
        message = as_object(choice.get("message"), "choices[0].message")
        refusal = optional_text(message.get("refusal"), "choices[0].message.refusal")
        reply = Reply(
            text=content_text(message.get("content"), "choices[0].message.content") or "",
            tool_calls=_tool_calls(message.get("tool_calls")),
            finish_reason=finish_reason(choice.get("finish_reason"), refusal),
            refusal=refusal,
            logprobs=token_logprobs(choice.get("logprobs")),
        )
        usage, written = read_usage(value.get("usage"))
        return Decoded(reply, None, usage, written, optional_text(value.get("model"), "model"))
    except BadReplyError as error:
        return Decoded(failure=Failure("bad_reply", str(error)))


def content_text(value: Json, where: str) -> str | None:
    """Text, or the text of a list of parts as some compatible servers send it."""
    if value is None or isinstance(value, str):
        return value
    parts = [as_object(part, f"{where}[{at}]") for at, part in enumerate(as_list(value, where))]
    return "".join(as_text(part.get("text"), f"{where}.text") for part in parts if part.get("type") == "text")


def finish_reason(value: Json, refusal: str | None) -> FinishReason | None:
    """The neutral reason. A refusal that ended by itself is `refusal`, as in the other dialects."""
    name = optional_text(value, "finish_reason")
    if name is None:
        return None
    if refusal and name == "stop":
        return "refusal"
    return _FINISH.get(name, "other")


def token_logprobs(value: Json) -> tuple[TokenLogprob, ...] | None:
    """Natural logarithms by output token, or `None` where they were not asked for."""
    content = optional_object(value, "logprobs").get("content")
    if content is None:
        return None
    where = "logprobs.content"
    tokens = [as_object(token, where) for token in as_list(content, where)]
    return tuple(
        TokenLogprob(as_text(token.get("token"), f"{where}.token"), as_number(token.get("logprob"), f"{where}.logprob"))
        for token in tokens
    )


def read_usage(value: Json) -> tuple[Usage, int | None]:
    """Usage, and the input tokens written to a cache. What the server leaves out is `None`."""
    if value is None:
        return Usage(), None
    usage = as_object(value, "usage")
    prompt = optional_object(usage.get("prompt_tokens_details"), "usage.prompt_tokens_details")
    completion = optional_object(usage.get("completion_tokens_details"), "usage.completion_tokens_details")
    return (
        Usage(
            input_tokens=optional_count(usage.get("prompt_tokens"), "usage.prompt_tokens"),
            output_tokens=optional_count(usage.get("completion_tokens"), "usage.completion_tokens"),
            reasoning_tokens=optional_count(completion.get("reasoning_tokens"), "usage.reasoning_tokens"),
            cached_tokens=optional_count(prompt.get("cached_tokens"), "usage.cached_tokens"),
        ),
        optional_count(prompt.get("cache_write_tokens"), "usage.cache_write_tokens"),
    )


def _tool_calls(value: Json) -> tuple[ToolCall, ...]:
    calls = []
    for at, item in enumerate(optional_list(value, "tool_calls")):
        where = f"tool_calls[{at}]"
        call: dict[str, Any] = as_object(item, where)
        function = as_object(call.get("function"), f"{where}.function")
        calls.append(
            ToolCall(
                name=as_text(function.get("name"), f"{where}.function.name"),
                arguments=as_text(function.get("arguments"), f"{where}.function.arguments"),
                id=optional_text(call.get("id"), f"{where}.id"),
            )
        )
    return tuple(calls)
