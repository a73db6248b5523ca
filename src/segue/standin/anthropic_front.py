"""The Messages API, as seen from outside: what it takes, refuses, answers and streams, in both its versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from segue.model import Json
from segue.standin.said import Asked, Call, Choice, Refused, Said, cut_in_pieces
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings

PATH = "/v1/messages"
PROVIDER = "anthropic"
BASE = ""
OVERLOADED_STATUS = 529
_VERSIONS = ("2023-06-01", "2026-10-21")
_FIELDS = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "stream",
    }
)
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_HIDDEN = "redacted"
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_CHOICES: Mapping[str, Choice] = {"auto": "auto", "none": "none", "any": "required", "tool": "required"}


def check_key(headers: Mapping[str, str], key: str) -> Refused | None:
    """Refuse a call that does not carry `key`."""
    if headers.get("x-api-key") == key or headers.get("Authorization") == f"Bearer {key}":
        return None
    return Refused(401, "authentication_error", "invalid x-api-key")


def read(body: dict[str, Any], headers: Mapping[str, str]) -> Asked | Refused:
    """What is asked, or why the API would not take it."""
    version = headers.get("anthropic-version")
    if version not in _VERSIONS:
        return _bad("anthropic-version: header is required")
    allowed = _FIELDS if version == "2026-10-21" else _FIELDS | _SAMPLING
    unknown = sorted(set(body) - allowed)
    if unknown:
        return _bad(f"{unknown[0]}: Extra inputs are not permitted")
    missing = [name for name in ("model", "max_tokens", "messages") if body.get(name) is None]
    if missing:
        return _bad(f"{missing[0]}: Field required")
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        return _bad("messages: at least one message is required")
    for at, turn in enumerate(messages):
        if not isinstance(turn, dict) or turn.get("role") not in ("user", "assistant", "system"):
            return _bad(f"messages.{at}.role: Input should be 'user' or 'assistant'")
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]:
        return _bad("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    choice = body.get("tool_choice") or {"type": "auto"}
    users = [turn for turn in messages if turn["role"] == "user"]
    last = users[-1].get("content") if users else ""
    output_format = (body.get("output_config") or {}).get("format") or {}
    return Asked(
        model=body["model"],
        text=_text(last),
        after_tool=isinstance(last, list) and any(part.get("type") == "tool_result" for part in last),
        tools={tool["name"]: tool.get("input_schema") for tool in body.get("tools") or ()},
        choice=_CHOICES.get(choice["type"], "auto"),
        forced=choice.get("name"),
        schema=output_format.get("schema"),
        limit=body["max_tokens"],
        stream=bool(body.get("stream")),
        include_usage=True,
        logprobs=False,
        input_characters=len(_text(body.get("system"))) + sum(len(_text(turn.get("content"))) for turn in messages),
        results=tuple(_text(part.get("content")) for part in _parts(last) if part.get("type") == "tool_result"),
        images=sum(part.get("type") == "image" for turn in messages for part in _parts(turn.get("content"))),
        thinks=thinking.get("type") != "disabled",
    )


def refuse_turns(body: dict[str, Any], scope: Scope) -> Refused | None:
    """Why the API would not go on from this conversation: seals of others, and calls and results that do not match."""
    open_calls: list[str] = []
    last: tuple[int, list[dict[str, Any]]] = (0, [])
    for at, turn in enumerate(body["messages"]):
        parts = _parts(turn.get("content"))
        for place, part in enumerate(parts):
            refused = _refuse_thinking(part, f"messages.{at}.content.{place}", scope)
            if refused is not None:
                return refused
        results = [part["tool_use_id"] for part in parts if part.get("type") == "tool_result"]
        if open_calls and not _is_first(parts, len(results)):
            after = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(open_calls)}."
            return _bad(f"messages.{at}: {after} Each `tool_use` block must have a `tool_result` block in the next message.")
        unknown = [name for name in results if name not in open_calls]
        if unknown:
            return _bad(f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(unknown)}.")
        missing = [name for name in open_calls if name not in results]
        if missing:
            return _bad(f"messages.{at}: `tool_use` ids were found without `tool_result` blocks after: {', '.join(missing)}.")
        open_calls = [part["id"] for part in parts if part.get("type") == "tool_use"]
        if not all(_ID.fullmatch(name) for name in open_calls):
            return _bad(f"messages.{at}.content.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        if turn["role"] == "assistant":
            last = (at, parts)
    if open_calls:
        return _bad(f"messages: `tool_use` ids were found without `tool_result` blocks after: {', '.join(open_calls)}.")
    kinds = [part.get("type") for part in last[1]]
    is_on = (body.get("thinking") or {}).get("type") == "enabled"
    if is_on and "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"):
        what = f"messages.{last[0]}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kinds[0]}`."
        return _bad(f"{what} To avoid this requirement, disable `thinking`.")
    return None


def _is_first(parts: list[dict[str, Any]], results: int) -> bool:
    """Whether the results of tools stand before all else."""
    return all(part.get("type") == "tool_result" for part in parts[:results])


def _refuse_thinking(part: dict[str, Any], where: str, scope: Scope) -> Refused | None:
    if part.get("type") == "thinking" and not scope.holds(part.get("signature"), part.get("thinking", "")):
        return _bad(f"{where}: Invalid `signature` in `thinking` block")
    if part.get("type") == "redacted_thinking" and not scope.holds(part.get("data"), _HIDDEN):
        return _bad(f"{where}: Invalid `data` in `redacted_thinking` block")
    return None


def error_body(refused: Refused) -> dict[str, Json]:
    """An error as the API words it."""
    return {"type": "error", "error": {"type": refused.type, "message": refused.message}, "request_id": "req_stand_in"}


def reply_body(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> dict[str, Json]:
    """The whole reply."""
    content: list[Json] = []
    if said.reasoning_tokens:
        content.append(_thought(settings, asked, said))
    if said.text:
        content.append({"type": "text", "text": said.text, "citations": None})
    content += [{**_call(call), "input": orjson.loads(call.arguments)} for call in said.calls]
    return {
        **_message(asked, identifier),
        "content": content,
        **_stop(said),
        "usage": _usage(said),
        **settings.extra_fields,
    }


def stream_pieces(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> Iterator[bytes]:
    """The reply as named events."""
    unknown_yet: dict[str, Json] = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
    opening = {**_message(asked, identifier), "content": [], **unknown_yet}
    yield _event("message_start", message={**opening, "usage": {**_usage(said), "output_tokens": 1}})
    yield _event("ping")
    index = 0
    if said.reasoning_tokens:
        whole, deltas = _thought(settings, asked, said), []
        if whole["type"] == "thinking":
            deltas = [
                {"type": "thinking_delta", "thinking": piece} for piece in cut_in_pieces(whole["thinking"], settings.pieces)
            ]
            deltas.append({"type": "signature_delta", "signature": whole["signature"]})
            whole = {"type": "thinking", "thinking": "", "signature": ""}
        yield from _block(index, whole, deltas)
        index += 1
    if said.text:
        pieces = cut_in_pieces(said.text, settings.pieces)
        yield from _block(index, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])
        index += 1
    for call in said.calls:
        pieces = [] if call.arguments == "{}" else cut_in_pieces(call.arguments, settings.pieces)
        yield from _block(index, _call(call), [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)])
        index += 1
    yield _event("message_delta", delta=_stop(said), usage={"output_tokens": said.output_tokens, **_thinking(said)})
    yield _event("message_stop")


def _thought(settings: StandInSettings, asked: Asked, said: Said) -> dict[str, Json]:
    if settings.hides_thought:
        return {"type": "redacted_thinking", "data": asked.scope.seal(_HIDDEN)}
    return {"type": "thinking", "thinking": said.thought, "signature": asked.scope.seal(said.thought)}


def stream_error() -> bytes:
    """An error in the middle of a stream."""
    return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def wrong_types() -> dict[str, Json]:
    """JSON that is no reply."""
    return {"id": 7, "type": "message", "role": "assistant", "content": "none", "usage": []}


def wrong_event() -> bytes:
    """An event that is no piece of a reply."""
    return _event("content_block_delta", index="first", delta={"type": "text_delta", "text": 7})


def trouble(status: int) -> Refused:
    """The error that goes with a status."""
    return {
        429: Refused(429, "rate_limit_error", "This request would exceed your rate limit."),
        400: Refused(400, "invalid_request_error", "messages: This request is refused."),
        413: Refused(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        401: Refused(401, "authentication_error", "invalid x-api-key"),
        529: Refused(529, "overloaded_error", "Overloaded"),
    }.get(status, Refused(500, "api_error", "Internal server error"))


def _event(name: str, **fields: Json) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **fields}) + b"\n\n"


def _block(index: int, start: dict[str, Json], deltas: list[dict[str, Json]]) -> Iterator[bytes]:
    yield _event("content_block_start", index=index, content_block=start)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _message(asked: Asked, identifier: str) -> dict[str, Json]:
    return {"id": f"msg_{identifier}", "type": "message", "role": "assistant", "model": asked.model, "container": None}


def _call(call: Call) -> dict[str, Json]:
    return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}, "caller": {"type": "direct"}}


def _stop(said: Said) -> dict[str, Json]:
    if said.refusal is not None:
        details = {"type": "refusal", "category": "general_harms", "explanation": said.refusal}
        return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    reason = "tool_use" if said.calls else "max_tokens" if said.is_cut else "end_turn"
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": None}


def _usage(said: Said) -> dict[str, Json]:
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": None,
        "inference_geo": "global",
        "output_tokens": said.output_tokens,
        "output_tokens_details": None,
        "server_tool_use": None,
        "service_tier": "standard",
        **_thinking(said),
    }


def _thinking(said: Said) -> dict[str, Json]:
    return {"output_tokens_details": {"thinking_tokens": said.reasoning_tokens}} if said.reasoning_tokens else {}


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


def _parts(content: Json) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text(content: Json) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
