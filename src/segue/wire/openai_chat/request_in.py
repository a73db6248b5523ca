"""A client's Chat Completions request as a neutral one. Raises `RefusedError` with everything that cannot be carried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.model import Json
from segue.wire.fields.chat import CHAT
from segue.wire.neutral.conversation import (
    Block,
    ConversationRequest,
    Declined,
    File,
    Image,
    OutputFormat,
    Part,
    Stored,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
    joined,
)
from segue.wire.neutral.media import plain_detail, source_from_data, source_from_url
from segue.wire.neutral.origin import unseal
from segue.wire.neutral.refusal import Refusals
from segue.wire.neutral.taking import Taken, default_parameters, malformed

DETAILS = "reasoning_details"
"""Where clients of this dialect carry what they cannot read: the field's name is a habit among servers that speak it."""
_HINTS = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier")


def decode_request(body: Json, *, assumed: str | None = None) -> ConversationRequest:  # noqa: ARG001  one form for all dialects
    """The request in `body`, parsed JSON. Only sealed reasoning has a place in this dialect: there is no origin to assume."""
    refusals = Refusals("openai_chat")
    with malformed(refusals):
        request = _request(Taken(CHAT, refusals), body)
    refusals.raise_if_any()
    return request


def _request(taken: Taken, body: Json) -> ConversationRequest:
    value = taken.object("request", body, "")
    limit = value.get("max_completion_tokens")
    stop = value.get("stop")
    return ConversationRequest(
        model=taken.text(value.get("model"), "model"),
        turns=joined(
            _turn(taken, one, f"messages[{at}]") for at, one in enumerate(taken.list(value.get("messages"), "messages"))
        ),
        tools=tuple(
            tool
            for at, one in enumerate(taken.optional_list(value.get("tools"), "tools"))
            for tool in _tool(taken, one, f"tools[{at}]")
        ),
        tool_choice=_tool_choice(taken, value.get("tool_choice")),
        parallel_tool_calls=taken.optional_flag(value.get("parallel_tool_calls"), "parallel_tool_calls"),
        output=_output(taken, value.get("response_format")),
        max_output_tokens=taken.optional_count(value.get("max_tokens") if limit is None else limit, "max_completion_tokens"),
        temperature=taken.optional_number(value.get("temperature"), "temperature"),
        top_p=taken.optional_number(value.get("top_p"), "top_p"),
        stop=(stop,) if isinstance(stop, str) else taken.texts(stop, "stop"),
        logprobs=bool(taken.optional_flag(value.get("logprobs"), "logprobs")),
        top_logprobs=taken.optional_count(value.get("top_logprobs"), "top_logprobs"),
        effort=taken.optional_text(value.get("reasoning_effort"), "reasoning_effort"),
        verbosity=taken.optional_text(value.get("verbosity"), "verbosity"),
        user=taken.optional_text(value.get("user"), "user"),
        metadata=taken.optional_object(value.get("metadata"), "metadata"),
        hints={name: value[name] for name in _HINTS if value.get(name) is not None},
        stream=bool(taken.optional_flag(value.get("stream"), "stream")),
        include_usage=_include_usage(taken, value.get("stream_options")),
    )


def _include_usage(taken: Taken, value: Json) -> bool:
    if value is None:
        return False
    found = taken.object("stream_options", value, "stream_options").get("include_usage")
    return bool(taken.optional_flag(found, "stream_options.include_usage"))


def _turn(taken: Taken, value: Json, where: str) -> Turn:
    turn = taken.plain_object(value, where)
    role = turn.get("role")
    if not taken.kind("message", turn, role, where):
        return Turn("user")
    content = turn.get("content")
    if role == "tool":
        parts = taken.result_parts(_blocks(taken, content, f"{where}.content"), f"{where}.content")
        return Turn("tool", (ToolResult(taken.text(turn.get("tool_call_id"), f"{where}.tool_call_id"), parts),))
    blocks = _sealed(taken, turn, where) if role == "assistant" else []
    blocks += _blocks(taken, content, f"{where}.content")
    if role == "assistant":
        refusal = taken.optional_text(turn.get("refusal"), f"{where}.refusal")
        if refusal:
            blocks.append(Declined(refusal))
        calls = taken.optional_list(turn.get("tool_calls"), f"{where}.tool_calls")
        for at, one in enumerate(calls):
            blocks += _call(taken, one, f"{where}.tool_calls[{at}]")
    name = taken.optional_text(turn.get("name"), f"{where}.name")
    assert role in ("system", "developer", "user", "assistant")
    return taken.turn(role, blocks, where, name)


def _sealed(taken: Taken, turn: Mapping[str, Json], where: str) -> list[Block]:
    """Reasoning that a bundle of another dialect made, as the client was given it."""
    found: list[Block] = []
    for one in taken.optional_list(turn.get(DETAILS), f"{where}.{DETAILS}"):
        data = one.get("data") if isinstance(one, dict) else None
        reasoning = unseal(data) if isinstance(data, str) else None
        if reasoning is not None:
            found.append(reasoning)
    return found


def _blocks(taken: Taken, content: Json, where: str) -> list[Block]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    return [
        block
        for at, one in enumerate(taken.list(content, where))
        for block in _part(taken, one, f"{where}[{at}]")
        if block != Text("")
    ]


def _part(taken: Taken, value: Json, where: str) -> list[Part | Declined]:
    part = taken.plain_object(value, where)
    if not taken.kind("part", part, part.get("type"), where):
        return []
    if part["type"] == "text":
        return [Text(taken.text(part.get("text"), f"{where}.text"))]
    if part["type"] == "refusal":
        return [Declined(taken.text(part.get("refusal"), f"{where}.refusal"))]
    if part["type"] == "image_url":
        image = taken.object("image_url", part.get("image_url"), f"{where}.image_url")
        url = taken.text(image.get("url"), f"{where}.image_url.url")
        detail = taken.optional_text(image.get("detail"), f"{where}.image_url.detail")
        return [Image(source_from_url(url), plain_detail(detail))]
    file = taken.object("file", part.get("file"), f"{where}.file")
    name = taken.optional_text(file.get("filename"), f"{where}.file.filename")
    if file.get("file_id") is not None:
        return [File(Stored(taken.text(file["file_id"], f"{where}.file.file_id"), "openai"), name)]
    return [File(source_from_data(taken.text(file.get("file_data"), f"{where}.file.file_data")), name)]


def _call(taken: Taken, value: Json, where: str) -> list[Block]:
    call = taken.plain_object(value, where)
    if not taken.kind("call", call, call.get("type", "function"), where):
        return []
    kind = call.get("type", "function")
    called = taken.object("called", call.get(kind), f"{where}.{kind}")
    field = "arguments" if kind == "function" else "input"
    return [
        ToolUse(
            taken.text(call.get("id"), f"{where}.id"),
            taken.text(called.get("name"), f"{where}.{kind}.name"),
            taken.text(called.get(field), f"{where}.{kind}.{field}"),
            kind,
        )
    ]


def _tool(taken: Taken, value: Json, where: str) -> list[Tool]:
    tool = taken.plain_object(value, where)
    if not taken.kind("tool", tool, tool.get("type"), where):
        return []
    kind: Any = tool["type"]
    inner = taken.object(kind, tool.get(kind), f"{where}.{kind}")
    name = taken.text(inner.get("name"), f"{where}.{kind}.name")
    description = taken.optional_text(inner.get("description"), f"{where}.{kind}.description") or ""
    if kind == "custom":
        return [
            Tool(name, description, kind="custom", format=custom_format(taken, inner.get("format"), f"{where}.custom.format"))
        ]
    strict = bool(taken.optional_flag(inner.get("strict"), f"{where}.function.strict"))
    parameters = default_parameters(taken.optional_object(inner.get("parameters"), f"{where}.function.parameters"))
    return [Tool(name, description, parameters, strict)]


def custom_format(taken: Taken, value: Json, where: str) -> Mapping[str, Json] | None:
    """A grammar as `{definition, syntax}`; `None` for free text. Chat wraps it once more than Responses does."""
    given = taken.optional_object(value, where)
    if not given or not taken.kind("custom_format", given, given.get("type"), where) or given["type"] == "text":
        return None
    grammar = taken.object("grammar", given.get("grammar"), f"{where}.grammar") if "grammar" in taken.fields.places else given
    return {name: taken.text(grammar.get(name), f"{where}.{name}") for name in ("definition", "syntax")}


def _tool_choice(taken: Taken, value: Json) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str):
        return taken.plain_choice(value)
    choice = taken.plain_object(value, "tool_choice")
    if not taken.kind("tool_choice", choice, choice.get("type"), "tool_choice"):
        return None
    if choice["type"] == "allowed_tools":
        allowed = taken.object("allowed", choice.get("allowed_tools"), "tool_choice.allowed_tools")
        tools = [
            taken.plain_object(one, "tool_choice.allowed_tools.tools")
            for one in taken.optional_list(allowed.get("tools"), "tools")
        ]
        named = [taken.optional_object(one.get(one.get("type", "")), "tool_choice.allowed_tools.tools[]") for one in tools]
        return taken.allowed_choice(allowed.get("mode"), [one.get("name") for one in named])
    named_tool = taken.object("named", choice.get(choice["type"]), f"tool_choice.{choice['type']}")
    return ToolChoice("tool", taken.text(named_tool.get("name"), f"tool_choice.{choice['type']}.name"))


def _output(taken: Taken, value: Json) -> OutputFormat | None:
    if value is None:
        return None
    wanted = taken.plain_object(value, "response_format")
    if not taken.kind("response_format", wanted, wanted.get("type"), "response_format") or wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return OutputFormat(None)
    schema = taken.object("json_schema", wanted.get("json_schema"), "response_format.json_schema")
    return taken.output_format(schema, "response_format.json_schema")
