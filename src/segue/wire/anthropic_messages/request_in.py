"""A client's Messages request as a neutral one. Raises `RefusedError` with everything that cannot be carried."""

from __future__ import annotations

import base64
from typing import Any

from segue.model import Json
from segue.wire.fields.anthropic import ANTHROPIC
from segue.wire.neutral.conversation import (
    Blob,
    Block,
    ConversationRequest,
    Dialect,
    File,
    Image,
    OutputFormat,
    Reasoning,
    Source,
    Stored,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
    Url,
    joined,
)
from segue.wire.neutral.origin import own_form
from segue.wire.neutral.refusal import Refusals
from segue.wire.neutral.taking import Taken, default_parameters, malformed
from segue.wire.reading import to_json_text

_DIALECT: Dialect = "anthropic_messages"


def decode_request(body: Json, *, assumed: str | None = None) -> ConversationRequest:
    """The request in `body`, parsed JSON. `assumed` is the origin of reasoning without a seal, as a tag, if one is known."""
    refusals = Refusals(_DIALECT)
    with malformed(refusals):
        request = _request(Taken(ANTHROPIC, refusals), body, assumed)
    refusals.raise_if_any()
    return request


def _request(taken: Taken, body: Json, assumed: str | None) -> ConversationRequest:
    value = taken.object("request", body, "")
    output = taken.object("output_config", value.get("output_config") or {}, "output_config")
    effort = taken.optional_text(output.get("effort"), "output_config.effort")
    thinking = _thinking(taken, value.get("thinking"))
    if thinking is not None and thinking.mode == "disabled" and effort is None:
        thinking, effort = None, "none"
    choice, parallel = _tool_choice(taken, value.get("tool_choice"))
    metadata = taken.object("metadata", value.get("metadata") or {}, "metadata")
    return ConversationRequest(
        model=taken.text(value.get("model"), "model"),
        turns=_turns(taken, value, assumed),
        tools=tuple(
            tool
            for at, one in enumerate(taken.optional_list(value.get("tools"), "tools"))
            for tool in _tool(taken, one, f"tools[{at}]")
        ),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        output=_output(taken, output.get("format")),
        max_output_tokens=taken.optional_count(value.get("max_tokens"), "max_tokens"),
        temperature=taken.optional_number(value.get("temperature"), "temperature"),
        top_p=taken.optional_number(value.get("top_p"), "top_p"),
        stop=taken.texts(value.get("stop_sequences"), "stop_sequences"),
        effort=effort,
        thinking=thinking,
        user=taken.optional_text(metadata.get("user_id"), "metadata.user_id"),
        stream=bool(taken.optional_flag(value.get("stream"), "stream")),
        include_usage=True,
    )


def _turns(taken: Taken, value: dict[str, Any], assumed: str | None) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    system = _blocks(taken, value.get("system"), "system", assumed)
    if system:
        turns.append(taken.turn("system", system, "system"))
    for at, one in enumerate(taken.list(value.get("messages"), "messages")):
        turns += _message(taken, one, f"messages[{at}]", assumed)
    if turns and turns[-1].speaker == "assistant":
        taken.refusals.add(
            f"messages[{len(value['messages']) - 1}]",
            "The answer is begun for the model, and other dialects have no such thing.",
            "End with a message of the user.",
        )
    return joined(turns)


def _message(taken: Taken, value: Json, where: str, assumed: str | None) -> list[Turn]:
    """One turn, or two where results of tools stand before what the user says."""
    message = taken.plain_object(value, where)
    role = message.get("role")
    if not taken.kind("message", message, role, where):
        return []
    blocks = _blocks(taken, message.get("content"), f"{where}.content", assumed)
    if role != "user":
        assert role in ("assistant", "system")
        return [taken.turn(role, blocks, where)]
    results = tuple(block for block in blocks if isinstance(block, ToolResult))
    rest = tuple(block for block in blocks if not isinstance(block, ToolResult))
    if results and tuple(blocks[: len(results)]) != results:
        taken.refusals.add(where, "Something stands before the results of tools.", "Put tool_result blocks first.")
    return ([Turn("tool", results)] if results else []) + ([taken.turn("user", rest, where)] if rest or not results else [])


def _blocks(taken: Taken, content: Json, where: str, assumed: str | None, *, in_result: bool = False) -> list[Block]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)] if content else []
    found: list[Block] = []
    for at, one in enumerate(taken.list(content, where)):
        place = f"{where}[{at}]"
        block = taken.plain_object(one, place)
        if not taken.kind("block", block, block.get("type"), place):
            continue
        if in_result and block["type"] == "tool_result":
            taken.refusals.add(place, "A result of a tool cannot stand in another.", "Put it beside the other.")
            continue
        read = _block(taken, block, place, assumed)
        if read is not None and read != Text(""):
            found.append(read)
    return found


def _block(taken: Taken, block: dict[str, Any], where: str, assumed: str | None) -> Block | None:
    kind = block["type"]
    if kind == "text":
        return Text(taken.text(block.get("text"), f"{where}.text"))
    if kind == "tool_use":
        arguments = to_json_text(taken.plain_object(block.get("input"), f"{where}.input"), f"{where}.input")
        return ToolUse(taken.text(block.get("id"), f"{where}.id"), taken.text(block.get("name"), f"{where}.name"), arguments)
    if kind == "tool_result":
        content = _blocks(taken, block.get("content"), f"{where}.content", assumed, in_result=True)
        parts = taken.result_parts(content, f"{where}.content")
        failed = bool(taken.optional_flag(block.get("is_error"), f"{where}.is_error"))
        return ToolResult(taken.text(block.get("tool_use_id"), f"{where}.tool_use_id"), parts, failed)
    if kind in ("thinking", "redacted_thinking"):
        return _reasoning(taken, block, where, assumed)
    source = _source(taken, block.get("source"), f"{where}.source")
    if source is None:
        return None
    if kind == "image":
        return Image(source)
    return File(source, taken.optional_text(block.get("title"), f"{where}.title"))


def _reasoning(taken: Taken, block: dict[str, Any], where: str, assumed: str | None) -> Reasoning:
    field = "signature" if block["type"] == "thinking" else "data"
    taken.text(block.get(field), f"{where}.{field}")
    text = taken.optional_text(block.get("thinking"), f"{where}.thinking") or ""
    return own_form(_DIALECT, block, assumed, text, field)


def _source(taken: Taken, value: Json, where: str) -> Source | None:
    source = taken.plain_object(value, where)
    if not taken.kind("source", source, source.get("type"), where):
        return None
    kind = source["type"]
    if kind == "url":
        return Url(taken.text(source.get("url"), f"{where}.url"))
    if kind == "file":
        return Stored(taken.text(source.get("file_id"), f"{where}.file_id"), "anthropic")
    media_type, data = (
        taken.text(source.get("media_type"), f"{where}.media_type"),
        taken.text(source.get("data"), f"{where}.data"),
    )
    return Blob(media_type, data if kind == "base64" else base64.b64encode(data.encode("utf-8", "replace")).decode())


def _thinking(taken: Taken, value: Json) -> Thinking | None:
    if value is None:
        return None
    thinking = taken.plain_object(value, "thinking")
    if not taken.kind("thinking", thinking, thinking.get("type"), "thinking"):
        return None
    budget = taken.optional_count(thinking.get("budget_tokens"), "thinking.budget_tokens")
    return Thinking(thinking["type"], budget, taken.optional_text(thinking.get("display"), "thinking.display"))


def _tool_choice(taken: Taken, value: Json) -> tuple[ToolChoice | None, bool | None]:
    if value is None:
        return None, None
    choice = taken.plain_object(value, "tool_choice")
    if not taken.kind("tool_choice", choice, choice.get("type"), "tool_choice"):
        return None, None
    single = taken.optional_flag(choice.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use")
    parallel = None if single is None else not single
    kind = choice["type"]
    if kind == "tool":
        return ToolChoice("tool", taken.text(choice.get("name"), "tool_choice.name")), parallel
    return ToolChoice("required" if kind == "any" else kind), parallel


def _tool(taken: Taken, value: Json, where: str) -> list[Tool]:
    tool = taken.plain_object(value, where)
    if not taken.kind("tool", tool, tool.get("type") or "custom", where):
        return []
    return [
        Tool(
            taken.text(tool.get("name"), f"{where}.name"),
            taken.optional_text(tool.get("description"), f"{where}.description") or "",
            default_parameters(taken.plain_object(tool.get("input_schema"), f"{where}.input_schema")),
            bool(taken.optional_flag(tool.get("strict"), f"{where}.strict")),
        )
    ]


def _output(taken: Taken, value: Json) -> OutputFormat | None:
    if value is None:
        return None
    wanted = taken.plain_object(value, "output_config.format")
    if not taken.kind("format", wanted, wanted.get("type"), "output_config.format"):
        return None
    return OutputFormat(taken.plain_object(wanted.get("schema"), "output_config.format.schema"))
