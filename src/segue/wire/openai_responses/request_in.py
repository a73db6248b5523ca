"""A client's Responses request as a neutral one. Raises `RefusedError` with everything that cannot be carried."""

from __future__ import annotations

from typing import Any

from segue.model import Json
from segue.wire.fields.responses import RESPONSES
from segue.wire.neutral.conversation import (
    Block,
    ConversationRequest,
    Declined,
    File,
    Image,
    OutputFormat,
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
from segue.wire.neutral.origin import own_form
from segue.wire.neutral.refusal import Refusals
from segue.wire.neutral.taking import Taken, default_parameters, malformed
from segue.wire.openai_chat.request_in import custom_format

_HINTS = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier")
_LOGPROBS = "message.output_text.logprobs"
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_RESULTS = ("function_call_output", "custom_tool_call_output")


def decode_request(body: Json, *, assumed: str | None = None) -> ConversationRequest:
    """The request in `body`, parsed JSON. `assumed` is the origin of reasoning without a seal, as a tag, if one is known."""
    refusals = Refusals("openai_responses")
    with malformed(refusals):
        request = _request(Taken(RESPONSES, refusals), body, assumed)
    refusals.raise_if_any()
    return request


def _request(taken: Taken, body: Json, assumed: str | None) -> ConversationRequest:
    value = taken.object("request", body, "")
    reasoning = taken.object("reasoning", value.get("reasoning") or {}, "reasoning")
    text = taken.object("text", value.get("text") or {}, "text")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return ConversationRequest(
        model=taken.text(value.get("model"), "model"),
        turns=_turns(taken, value, assumed),
        tools=tuple(
            tool
            for at, one in enumerate(taken.optional_list(value.get("tools"), "tools"))
            for tool in _tool(taken, one, f"tools[{at}]")
        ),
        tool_choice=_tool_choice(taken, value.get("tool_choice")),
        parallel_tool_calls=taken.optional_flag(value.get("parallel_tool_calls"), "parallel_tool_calls"),
        output=_output(taken, text.get("format")),
        max_output_tokens=taken.optional_count(value.get("max_output_tokens"), "max_output_tokens"),
        temperature=taken.optional_number(value.get("temperature"), "temperature"),
        top_p=taken.optional_number(value.get("top_p"), "top_p"),
        logprobs=_LOGPROBS in taken.texts(value.get("include"), "include"),
        top_logprobs=taken.optional_count(value.get("top_logprobs"), "top_logprobs"),
        effort=taken.optional_text(reasoning.get("effort"), "reasoning.effort"),
        summary=taken.optional_text(summary, "reasoning.summary"),
        verbosity=taken.optional_text(text.get("verbosity"), "text.verbosity"),
        user=taken.optional_text(value.get("user"), "user"),
        metadata=taken.optional_object(value.get("metadata"), "metadata"),
        hints={name: value[name] for name in _HINTS if value.get(name) is not None},
        stream=bool(taken.optional_flag(value.get("stream"), "stream")),
        include_usage=True,
    )


def _turns(taken: Taken, value: dict[str, Any], assumed: str | None) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    instructions = taken.optional_text(value.get("instructions"), "instructions")
    if instructions:
        turns.append(Turn("system", (Text(instructions),)))
    given = value.get("input")
    if isinstance(given, str):
        turns.append(Turn("user", (Text(given),) if given else ()))
    else:
        for at, one in enumerate(taken.optional_list(given, "input")):
            turns += _item(taken, one, f"input[{at}]", assumed)
    return joined(turns)


def _item(taken: Taken, value: Json, where: str, assumed: str | None) -> list[Turn]:
    item = taken.plain_object(value, where)
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if not taken.kind("item", item, kind, where):
        return []
    if kind == "message":
        role = taken.text(item.get("role"), f"{where}.role")
        if role not in ("system", "developer", "user", "assistant"):
            taken.refusals.add(f"{where}.role", "Segue does not know this role.", "Use user, assistant, system or developer.")
            return []
        speaker: Any = role
        return [taken.turn(speaker, _parts(taken, item.get("content"), f"{where}.content"), where)]
    if kind in _CALLS:
        tool, field = _CALLS[kind]
        called = taken.text(item.get(field), f"{where}.{field}")
        name = taken.text(item.get("name"), f"{where}.name")
        any_kind: Any = tool
        return [Turn("assistant", (ToolUse(taken.text(item.get("call_id"), f"{where}.call_id"), name, called, any_kind),))]
    if kind in _RESULTS:
        parts = taken.result_parts(_parts(taken, item.get("output"), f"{where}.output"), f"{where}.output")
        return [Turn("tool", (ToolResult(taken.text(item.get("call_id"), f"{where}.call_id"), parts),))]
    return [Turn("assistant", (_reasoning(taken, item, where, assumed),))]


def _reasoning(taken: Taken, item: dict[str, Any], where: str, assumed: str | None) -> Block:
    texts: list[str] = []
    for holder in ("summary", "content"):
        for at, one in enumerate(taken.optional_list(item.get(holder), f"{where}.{holder}")):
            part = taken.plain_object(one, f"{where}.{holder}[{at}]")
            if taken.kind(holder, part, part.get("type"), f"{where}.{holder}[{at}]"):
                texts.append(taken.text(part.get("text"), f"{where}.{holder}[{at}].text"))
    taken.optional_text(item.get("encrypted_content"), f"{where}.encrypted_content")
    replayed = {name: given for name, given in item.items() if name != "status"}
    return own_form("openai_responses", replayed, assumed, "\n\n".join(texts), "encrypted_content")


def _parts(taken: Taken, content: Json, where: str) -> tuple[Block, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found: list[Block] = []
    for at, one in enumerate(taken.optional_list(content, where)):
        place = f"{where}[{at}]"
        part = taken.plain_object(one, place)
        if not taken.kind("part", part, part.get("type"), place):
            continue
        read = _part(taken, part, place)
        if read != Text(""):
            found.append(read)
    return tuple(found)


def _part(taken: Taken, part: dict[str, Any], where: str) -> Block:
    kind = part["type"]
    if kind == "refusal":
        return Declined(taken.text(part.get("refusal"), f"{where}.refusal"))
    if kind in ("input_text", "output_text"):
        return Text(taken.text(part.get("text"), f"{where}.text"))
    stored = taken.optional_text(part.get("file_id"), f"{where}.file_id")
    if kind == "input_image":
        detail = plain_detail(taken.optional_text(part.get("detail"), f"{where}.detail"))
        if stored is not None:
            return Image(Stored(stored, "openai"), detail)
        return Image(source_from_url(taken.text(part.get("image_url"), f"{where}.image_url")), detail)
    name = taken.optional_text(part.get("filename"), f"{where}.filename")
    if stored is not None:
        return File(Stored(stored, "openai"), name)
    if part.get("file_url") is not None:
        return File(source_from_url(taken.text(part["file_url"], f"{where}.file_url")), name)
    return File(source_from_data(taken.text(part.get("file_data"), f"{where}.file_data")), name)


def _tool(taken: Taken, value: Json, where: str) -> list[Tool]:
    tool = taken.plain_object(value, where)
    if not taken.kind("tool", tool, tool.get("type"), where):
        return []
    name = taken.text(tool.get("name"), f"{where}.name")
    description = taken.optional_text(tool.get("description"), f"{where}.description") or ""
    if tool["type"] == "custom":
        return [Tool(name, description, kind="custom", format=custom_format(taken, tool.get("format"), f"{where}.format"))]
    parameters = default_parameters(taken.optional_object(tool.get("parameters"), f"{where}.parameters"))
    return [Tool(name, description, parameters, bool(taken.optional_flag(tool.get("strict"), f"{where}.strict")))]


def _tool_choice(taken: Taken, value: Json) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str):
        return taken.plain_choice(value)
    choice = taken.plain_object(value, "tool_choice")
    if not taken.kind("tool_choice", choice, choice.get("type"), "tool_choice"):
        return None
    if choice["type"] == "allowed_tools":
        tools = [taken.plain_object(one, "tool_choice.tools[]") for one in taken.optional_list(choice.get("tools"), "tools")]
        return taken.allowed_choice(choice.get("mode"), [one.get("name") for one in tools])
    return ToolChoice("tool", taken.text(choice.get("name"), "tool_choice.name"))


def _output(taken: Taken, value: Json) -> OutputFormat | None:
    if value is None:
        return None
    wanted = taken.plain_object(value, "text.format")
    if not taken.kind("format", wanted, wanted.get("type"), "text.format") or wanted["type"] == "text":
        return None
    return OutputFormat(None) if wanted["type"] == "json_object" else taken.output_format(wanted, "text.format")
