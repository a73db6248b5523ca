"""The Chat Completions API, as seen from outside: what it takes, refuses, answers and streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from segue.model import Json
from segue.standin.said import Asked, Refused, Said, cut_in_pieces
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings

PATH = "/v1/chat/completions"
PROVIDER = "openai"
BASE = "/v1"
OVERLOADED_STATUS = 503
_CREATED = 1_700_000_000
_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_FIELDS = frozenset(
    {
        "messages",
        "model",
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)


def check_key(headers: Mapping[str, str], key: str) -> Refused | None:
    """Refuse a call that does not carry `key`."""
    if headers.get("Authorization") == f"Bearer {key}":
        return None
    return Refused(401, "invalid_request_error", "Incorrect API key provided.", code="invalid_api_key")


def read(body: dict[str, Any], headers: Mapping[str, str]) -> Asked | Refused:  # noqa: ARG001  the port of a front
    """What is asked, or why the API would not take it."""
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return _bad(f"Unrecognized request argument supplied: {unknown[0]}", unknown[0])
    messages = body.get("messages")
    if not isinstance(body.get("model"), str):
        return _bad("you must provide a model parameter", "model")
    if not isinstance(messages, list) or not messages:
        return _bad("'messages' must be a non-empty array.", "messages")
    for at, turn in enumerate(messages):
        if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
            return _bad(f"Invalid value for messages[{at}].role.", f"messages[{at}].role")
        if turn["role"] == "tool" and not isinstance(turn.get("tool_call_id"), str):
            return _bad(f"Missing required parameter: 'messages[{at}].tool_call_id'.", f"messages[{at}].tool_call_id")
    if "max_tokens" in body and "max_completion_tokens" in body:
        return _bad("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    if body.get("tool_choice") is not None and not body.get("tools"):
        return _bad("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    choice = body.get("tool_choice", "auto")
    forced = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    users = [turn for turn in messages if turn["role"] == "user"]
    response_format = body.get("response_format") or {}
    return Asked(
        model=body["model"],
        text=_text(users[-1].get("content")) if users else "",
        after_tool=messages[-1]["role"] == "tool",
        tools={tool["function"]["name"]: tool["function"].get("parameters") for tool in body.get("tools") or ()},
        choice="required" if forced else choice,
        forced=forced,
        schema=(response_format.get("json_schema") or {}).get("schema"),
        limit=body.get("max_completion_tokens", body.get("max_tokens")),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        logprobs=bool(body.get("logprobs")),
        input_characters=sum(len(_text(turn.get("content"))) for turn in messages),
        results=tuple(_text(turn.get("content")) for turn in _behind_last_call(messages)),
        images=sum(
            part.get("type") == "image_url"
            for turn in messages
            if isinstance(turn.get("content"), list)
            for part in turn["content"]
        ),
    )


_SAID = frozenset({"role", "content", "name", "prompt_cache_breakpoint"})
# `annotations` and `parsed` are what the SDK leaves in a message that is said again.
_TURNS: Mapping[str, frozenset[str]] = {
    "assistant": _SAID | {"refusal", "tool_calls", "audio", "function_call", "annotations", "parsed"},
    "tool": frozenset({"role", "content", "tool_call_id"}),
    "function": frozenset({"role", "content", "name"}),
}
_LONGEST_ID = 40


def refuse_turns(body: dict[str, Any], scope: Scope) -> Refused | None:  # noqa: ARG001  the port of a front
    """Why the API would not go on from this conversation: unknown fields, calls without results, results without calls."""
    open_calls: list[str] = []
    for at, turn in enumerate(body["messages"]):
        role = turn["role"]
        unknown = sorted(set(turn) - _TURNS.get(role, _SAID))
        if unknown:
            where = f"messages[{at}].{unknown[0]}"
            return Refused(400, "invalid_request_error", f"Unknown parameter: '{where}'.", where, "unknown_parameter")
        if role == "tool":
            if turn["tool_call_id"] not in open_calls:
                what = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                return _bad(f"Invalid parameter: {what}", f"messages[{at}].role")
            open_calls.remove(turn["tool_call_id"])
            continue
        if open_calls:
            break
        open_calls = [call["id"] for call in turn.get("tool_calls") or ()]
        if any(len(name) > _LONGEST_ID for name in open_calls):
            return _bad(
                "Invalid 'tool_calls[].id': string too long. Expected at most 40 characters.", f"messages[{at}].tool_calls"
            )
    if open_calls:
        what = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        return _bad(f"{what} These did not have response messages: {', '.join(open_calls)}", "messages")
    return None


def error_body(refused: Refused) -> dict[str, Json]:
    """An error as the API words it."""
    return {"error": {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}}


def reply_body(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> dict[str, Json]:
    """The whole reply."""
    message: dict[str, Json] = {"role": "assistant", "content": said.text or None, "refusal": said.refusal, "annotations": []}
    if said.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in said.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": _logprobs(asked, said.text), "finish_reason": _finish(said)}
    return {
        "id": f"chatcmpl-{identifier}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": asked.model,
        "choices": [choice],
        "usage": _usage(said),
        "service_tier": "default",
        "system_fingerprint": "fp_stand_in",
        **settings.extra_fields,
    }


def stream_pieces(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> Iterator[bytes]:
    """The reply as events. The first one opens it, and no later one is needed before `[DONE]` but the last."""
    base: dict[str, Json] = {
        "id": f"chatcmpl-{identifier}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": asked.model,
        "service_tier": "default",
        "system_fingerprint": "fp_stand_in",
    }
    if asked.include_usage:
        base["usage"] = None

    def event(delta: dict[str, Json], finish: str | None = None, logprobs: Json = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return b"data: " + orjson.dumps({**base, "choices": [choice]}) + b"\n\n"

    yield event({"role": "assistant", "content": "" if not said.calls else None, "refusal": None})
    for piece in cut_in_pieces(said.text, settings.pieces):
        yield event({"content": piece}, logprobs=_logprobs(asked, piece))
    for piece in cut_in_pieces(said.refusal or "", settings.pieces):
        yield event({"refusal": piece})
    for index, call in enumerate(said.calls):
        start = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield event({"tool_calls": [start]})
        for piece in cut_in_pieces(call.arguments, settings.pieces):
            yield event({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield event({}, _finish(said))
    if asked.include_usage:
        yield b"data: " + orjson.dumps({**base, "choices": [], "usage": _usage(said)}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def stream_error() -> bytes:
    """An error in the middle of a stream."""
    refused = Refused(500, "server_error", "The server had an error while processing your request.")
    return b"data: " + orjson.dumps(error_body(refused)) + b"\n\n"


def wrong_types() -> dict[str, Json]:
    """JSON that is no reply."""
    return {"id": 7, "object": "chat.completion", "choices": "none", "usage": []}


def wrong_event() -> bytes:
    """An event that is no piece of a reply."""
    return b'data: {"choices": [{"index": 0, "delta": {"content": {"text": 7}}}]}\n\n'


def trouble(status: int) -> Refused:
    """The error that goes with a status."""
    return {
        429: Refused(429, "requests", "Rate limit reached for requests.", code="rate_limit_exceeded"),
        400: Refused(400, "invalid_request_error", "This request is refused.", param="messages"),
        413: Refused(
            400,
            "invalid_request_error",
            "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        ),
        401: Refused(401, "invalid_request_error", "Incorrect API key provided.", code="invalid_api_key"),
        503: Refused(503, "server_error", "The engine is currently overloaded, please try again later."),
    }.get(status, Refused(500, "server_error", "The server had an error while processing your request."))


def _bad(message: str, param: str) -> Refused:
    return Refused(400, "invalid_request_error", message, param=param)


def _text(content: Json) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _behind_last_call(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results that end a conversation."""
    at = len(messages)
    while at and messages[at - 1]["role"] == "tool":
        at -= 1
    return messages[at:]


def _finish(said: Said) -> str:
    return "tool_calls" if said.calls else "length" if said.is_cut else "stop"


def _usage(said: Said) -> dict[str, Json]:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": said.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _logprobs(asked: Asked, text: str) -> Json:
    if not asked.logprobs:
        return None
    words = [word + " " for word in text.split(" ")]
    return {
        "content": [{"token": word, "logprob": -0.25, "bytes": None, "top_logprobs": []} for word in words],
        "refusal": None,
    }
