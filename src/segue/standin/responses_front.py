"""The Responses API, as seen from outside: what it takes, refuses, answers and streams. Nothing is kept under an id.

A reasoning item comes with `encrypted_content` if that is included. On the way back it has to be its own, unchanged, with the
item after it that it was made for; and an item made after reasoning has to have that before it, if it is named by its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from segue.model import Json
from segue.standin.openai_front import BASE, OVERLOADED_STATUS, PROVIDER, check_key, error_body, trouble
from segue.standin.said import Asked, Refused, Said, cut_in_pieces
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings

__all__ = [
    "BASE",
    "OVERLOADED_STATUS",
    "PATH",
    "PROVIDER",
    "check_key",
    "error_body",
    "read",
    "refuse_turns",
    "reply_body",
    "stream_error",
    "stream_pieces",
    "trouble",
    "wrong_event",
    "wrong_types",
]

PATH = "/v1/responses"
_CREATED = 1_700_000_000
_ENCRYPTED = "reasoning.encrypted_content"
_FIELDS = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
_MADE_AFTER = re.compile(r"(?:fc|msg)_(\w+)_\d+r")
"""Ids of items made after reasoning say so, and which: the server knows, though nothing is kept."""


def read(body: dict[str, Any], headers: Mapping[str, str]) -> Asked | Refused:  # noqa: ARG001  the port of a front
    """What is asked, or why the API would not take it."""
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return Refused(400, "invalid_request_error", f"Unknown parameter: '{unknown[0]}'.", unknown[0], "unknown_parameter")
    if not isinstance(body.get("model"), str):
        return _bad("you must provide a model parameter", "model")
    if body.get("previous_response_id") is not None:
        return _bad("Previous response with this id not found.", "previous_response_id")
    items = _items(body.get("input"))
    if not items:
        return _bad("One of 'input' or 'previous_response_id' or 'prompt' must be provided.", "input")
    choice: Any = body.get("tool_choice") or "auto"
    forced = choice.get("name") if isinstance(choice, dict) else None
    users = [item for item in items if item.get("role") == "user"]
    results = _behind_last_call(items)
    output = (body.get("text") or {}).get("format") or {}
    parts = [part for item in items for part in _parts(item.get("content"))]
    return Asked(
        model=body["model"],
        text=_text(users[-1].get("content")) if users else "",
        after_tool=bool(results),
        tools={tool["name"]: tool.get("parameters") for tool in body.get("tools") or ()},
        choice="required" if forced else choice,
        forced=forced,
        schema=output.get("schema"),
        limit=body.get("max_output_tokens"),
        stream=bool(body.get("stream")),
        include_usage=_ENCRYPTED in (body.get("include") or ()),
        logprobs=False,
        input_characters=len(body.get("instructions") or "") + sum(len(_text(item.get("content"))) for item in items),
        results=tuple(_text(item.get("output")) for item in results),
        images=sum(part.get("type") == "input_image" for part in parts),
        thinks=(body.get("reasoning") or {}).get("effort") != "none",
    )


def refuse_turns(body: dict[str, Any], scope: Scope) -> Refused | None:
    """Why the API would not go on from this conversation."""
    items = _items(body.get("input"))
    called: dict[str, bool] = {}
    reasoned: set[str] = set()
    for at, item in enumerate(items):
        kind, name = item.get("type", "message"), item.get("id")
        if kind == "reasoning":
            refused = _refuse_reasoning(items, at, scope)
            if refused is not None:
                return refused
            reasoned.add(item["id"])
        elif kind == "item_reference":
            return Refused(404, "invalid_request_error", f"Item with id '{name}' not found.", "input")
        made_after = _MADE_AFTER.fullmatch(name) if isinstance(name, str) else None
        if made_after is not None and f"rs_{made_after[1]}" not in reasoned:
            what = f"Item '{name}' of type '{kind}' was provided without its required 'reasoning' item: 'rs_{made_after[1]}'."
            return _bad(what, "input")
        if kind in ("function_call", "custom_tool_call"):
            called[item["call_id"]] = False
        elif kind in ("function_call_output", "custom_tool_call_output"):
            if item["call_id"] not in called:
                return _bad(f"No tool call found for function call output with call_id {item['call_id']}.", "input")
            called[item["call_id"]] = True
    unanswered = next((name for name, is_answered in called.items() if not is_answered), None)
    return None if unanswered is None else _bad(f"No tool output found for function call {unanswered}.", "input")


def _refuse_reasoning(items: list[dict[str, Any]], at: int, scope: Scope) -> Refused | None:
    item = items[at]
    name = item["id"]
    if item.get("encrypted_content") is None:
        return Refused(404, "invalid_request_error", f"Item with id '{name}' not found. Items are not persisted.", "input")
    if not scope.holds(item["encrypted_content"], name, _text(item["summary"])):
        what = f"The encrypted content for item {name} could not be verified."
        return Refused(400, "invalid_request_error", what, None, "invalid_encrypted_content")
    after = items[at + 1] if at + 1 < len(items) else {}
    is_followed = after.get("type") in ("function_call", "custom_tool_call", "reasoning") or after.get("role") == "assistant"
    if not is_followed:
        return _bad(f"Item '{name}' of type 'reasoning' was provided without its required following item.", "input")
    return None


def reply_body(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> dict[str, Json]:
    """The whole reply."""
    output = [item for item, _ in _output(settings, asked, said, identifier)]
    status = "incomplete" if said.is_cut else "completed"
    return {**_response(asked, said, identifier, status), "output": output, "usage": _usage(said), **settings.extra_fields}


def stream_pieces(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> Iterator[bytes]:
    """The reply as numbered events."""
    number = 0

    def event(name: str, /, **fields: Json) -> bytes:
        nonlocal number
        body = orjson.dumps({"type": f"response.{name}", "sequence_number": number, **fields})
        number += 1
        return b"event: response." + name.encode() + b"\ndata: " + body + b"\n\n"

    opening = {**_response(asked, said, identifier, "in_progress"), "output": []}
    yield event("created", response=opening)
    yield event("in_progress", response=opening)
    output = _output(settings, asked, said, identifier)
    for at, (item, kind) in enumerate(output):
        yield event("output_item.added", output_index=at, item=_begun(item, kind))
        for name, fields in _pieces(settings, item, kind):
            yield event(name, item_id=item["id"], output_index=at, **fields)
        yield event("output_item.done", output_index=at, item=item)
    body = reply_body(settings, asked, said, identifier)
    yield event(body["status"], response=body)


def _pieces(settings: StandInSettings, item: dict[str, Json], kind: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """The events between the beginning of an item and its end."""
    if kind == "reasoning":
        for part in item["summary"]:
            empty = {**part, "text": ""}
            yield "reasoning_summary_part.added", {"summary_index": 0, "part": empty}
            for piece in cut_in_pieces(part["text"], settings.pieces):
                yield "reasoning_summary_text.delta", {"summary_index": 0, "delta": piece}
            yield "reasoning_summary_text.done", {"summary_index": 0, "text": part["text"]}
            yield "reasoning_summary_part.done", {"summary_index": 0, "part": part}
    elif kind == "function_call":
        for piece in cut_in_pieces(item["arguments"], settings.pieces):
            yield "function_call_arguments.delta", {"delta": piece}
        yield "function_call_arguments.done", {"arguments": item["arguments"], "name": item["name"]}
    else:
        part = item["content"][0]
        is_text = kind == "output_text"
        field = "text" if is_text else "refusal"
        more: dict[str, Json] = {"logprobs": []} if is_text else {}
        yield "content_part.added", {"content_index": 0, "part": {**part, field: ""}}
        for piece in cut_in_pieces(part[field], settings.pieces):
            yield f"{kind}.delta", {"content_index": 0, "delta": piece, **more}
        yield f"{kind}.done", {"content_index": 0, field: part[field], **more}
        yield "content_part.done", {"content_index": 0, "part": part}


def _output(settings: StandInSettings, asked: Asked, said: Said, identifier: str) -> list[tuple[dict[str, Json], str]]:
    """The items with the kind of what is in them."""
    found: list[tuple[dict[str, Json], str]] = []
    after = ""
    if said.reasoning_tokens:
        name = f"rs_{identifier}"
        shown = "" if settings.hides_thought else said.thought
        item: dict[str, Json] = {"id": name, "type": "reasoning", "summary": [_summary(shown)] if shown else []}
        if asked.include_usage:
            item["encrypted_content"] = asked.scope.seal(name, shown)
        found.append((item, "reasoning"))
        after = "r"
    if said.text or said.refusal is not None:
        part: dict[str, Json] = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        if said.refusal is not None:
            part = {"type": "refusal", "refusal": said.refusal}
        status = "incomplete" if said.is_cut else "completed"
        whole = {
            "id": f"msg_{identifier}_0{after}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [part],
        }
        found.append((whole, str(part["type"])))
    for at, call in enumerate(said.calls, 1):
        made = {"id": f"fc_{identifier}_{at}{after}", "type": "function_call", "status": "completed"}
        found.append(({**made, "call_id": call.id, "name": call.name, "arguments": call.arguments}, "function_call"))
    return found


def _begun(item: dict[str, Json], kind: str) -> dict[str, Json]:
    if kind == "reasoning":
        return {**item, "summary": []}
    if kind == "function_call":
        return {**item, "status": "in_progress", "arguments": ""}
    return {**item, "status": "in_progress", "content": []}


def _summary(text: str) -> dict[str, Json]:
    return {"type": "summary_text", "text": text}


def stream_error() -> bytes:
    """An error in the middle of a stream."""
    said = {"code": "server_error", "message": "The server had an error while processing your request.", "param": None}
    return b"event: error\ndata: " + orjson.dumps({"type": "error", "sequence_number": 9, **said}) + b"\n\n"


def wrong_types() -> dict[str, Json]:
    """JSON that is no reply."""
    return {"id": 7, "object": "response", "output": "none", "usage": []}


def wrong_event() -> bytes:
    """An event that is no piece of a reply."""
    return b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "output_index": "first"}\n\n'


def _response(asked: Asked, said: Said, identifier: str, status: str) -> dict[str, Json]:
    return {
        "id": f"resp_{identifier}",
        "object": "response",
        "created_at": _CREATED,
        "completed_at": _CREATED if status == "completed" else None,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if said.is_cut and status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "max_output_tokens": asked.limit,
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def _usage(said: Said) -> dict[str, Json]:
    return {
        "input_tokens": said.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said.output_tokens,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": said.input_tokens + said.output_tokens,
    }


def _items(given: Json) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}] if given else []
    return list(given or ())


def _behind_last_call(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results that end a conversation."""
    at = len(items)
    while at and str(items[at - 1].get("type")).endswith("_call_output"):
        at -= 1
    return items[at:]


def _bad(message: str, param: str) -> Refused:
    return Refused(400, "invalid_request_error", message, param=param)


def _parts(content: Json) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text(content: Json) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in _parts(content))
