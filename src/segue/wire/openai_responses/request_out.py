"""A neutral request as a Responses body. Raises `RefusedError` with everything the dialect or the server has no place for.

Nothing is stored at the provider (`store: false`): the conversation is sent whole, and reasoning is asked for in the encrypted
form, which goes back only to where it came from (`to`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from segue.model import Json
from segue.wire.base import WireRequest
from segue.wire.neutral.conversation import (
    Blob,
    Block,
    ConversationRequest,
    Declined,
    Dialect,
    File,
    Image,
    Part,
    Reasoning,
    Stored,
    Text,
    Tool,
    ToolChoice,
    ToolKind,
    ToolResult,
    ToolUse,
    Turn,
    call_kinds,
    is_own,
)
from segue.wire.neutral.giving import common_parameters, error_line, openai_effort, openai_hints, tool_kinds
from segue.wire.neutral.media import data_url
from segue.wire.neutral.origin import Origin, fit_call_id
from segue.wire.neutral.refusal import Refusals
from segue.wire.profiles import OPENAI, WireProfile

PATH = "/responses"
_DIALECT: Dialect = "openai_responses"


def encode_request(request: ConversationRequest, *, to: Origin, profile: WireProfile = OPENAI) -> WireRequest:
    """Path and body. `profile` says what the server takes."""
    refusals = Refusals(_DIALECT)
    instructions, turns = _instructions(request.turns)
    body: dict[str, Json] = {"model": request.model, "input": _input(turns, to.tag, refusals), "store": False}
    if instructions is not None:
        body["instructions"] = instructions
    include = ["reasoning.encrypted_content"]
    if request.logprobs:
        include.append("message.output_text.logprobs")
    body["include"] = include
    body.update(common_parameters(request, refusals, profile))
    body.update(openai_hints(request))
    for name in ("max_output_tokens", "top_logprobs"):
        if getattr(request, name) is not None:
            body[name] = getattr(request, name)
    if request.stop:
        refusals.cannot("stop", "stop sequences", "Leave them out, or serve the workflow with a bundle of another dialect.")
    effort = openai_effort(request, refusals)
    reasoning = {"effort": effort, "summary": request.summary}
    if effort is not None or request.summary is not None:
        body["reasoning"] = {name: value for name, value in reasoning.items() if value is not None}
    text = text_json(request)
    if text:
        body["text"] = text
    if request.tools:
        body["tools"] = [tool_json(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = tool_choice_json(request.tool_choice, tool_kinds(request))
    if request.stream:
        body["stream"] = True
    refusals.raise_if_any()
    return WireRequest(PATH, {}, body)


def text_json(request: ConversationRequest) -> dict[str, Json]:
    """The form of the output, as requests say it and answers echo it."""
    text: dict[str, Json] = {}
    output = request.output
    if output is not None and output.schema is None:
        text["format"] = {"type": "json_object"}
    elif output is not None:
        text["format"] = {"type": "json_schema", "name": output.name, "schema": output.schema, "strict": output.strict}
        if output.description:
            text["format"]["description"] = output.description
    if request.verbosity is not None:
        text["verbosity"] = request.verbosity
    return text


def _instructions(turns: tuple[Turn, ...]) -> tuple[str | None, tuple[Turn, ...]]:
    """A first turn of plain instructions, which have a field of their own."""
    first = turns[0] if turns else None
    if first is None or first.speaker != "system" or first.name is not None or len(first.blocks) != 1:
        return None, turns
    only = first.blocks[0]
    return (only.text, turns[1:]) if isinstance(only, Text) else (None, turns)


def _input(turns: tuple[Turn, ...], tag: str, refusals: Refusals) -> list[Json]:
    items: list[Json] = []
    kinds = call_kinds(turns)
    for at, turn in enumerate(turns):
        where = f"messages[{at}]"
        if turn.name is not None:
            refusals.cannot(f"{where}.name", "name of a speaker", "Write it in the text.")
        if turn.speaker == "assistant":
            items += _assistant(turn, tag)
        elif turn.speaker == "tool":
            items += [_result(block, kinds, where, refusals) for block in turn.blocks if isinstance(block, ToolResult)]
        else:
            items.append({"type": "message", "role": turn.speaker, "content": _content(turn.blocks, where, refusals)})
    return items


def _assistant(turn: Turn, tag: str) -> list[Json]:
    items: list[Json] = []
    for block in turn.blocks:
        if isinstance(block, Text):
            items.append({"type": "message", "role": "assistant", "content": block.text})
        elif isinstance(block, Declined):
            items.append(_declined(block))
        elif isinstance(block, Reasoning) and is_own(block, _DIALECT, tag):
            items.append(block.item)
        elif isinstance(block, ToolUse):
            items.append(_call(block))
    while items and items[-1]["type"] == "reasoning":
        items.pop()  # OpenAI refuses reasoning without the item that it was for
    return items if turn.blocks else [{"type": "message", "role": "assistant", "content": ""}]


def _declined(block: Declined) -> Json:
    """Only an item of the assistant's own can hold a refusal, and such an item has an id: one made from the text."""
    name = hashlib.blake2b(block.text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    content = [{"type": "refusal", "refusal": block.text}]
    return {"type": "message", "id": f"msg_{name}", "role": "assistant", "status": "completed", "content": content}


def _content(blocks: tuple[Block, ...], where: str, refusals: Refusals) -> Json:
    if len(blocks) == 1 and isinstance(blocks[0], Text):
        return blocks[0].text
    if not blocks:
        return ""
    parts = [block for block in blocks if isinstance(block, Text | Image | File)]
    return [_part(part, f"{where}.content[{at}]", refusals) for at, part in enumerate(parts)]


def _part(part: Part, where: str, refusals: Refusals) -> Json:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    source = part.source
    if isinstance(source, Stored) and source.store != "openai":
        refusals.cannot(where, "file kept at another provider", "Send the file itself.")
    if isinstance(part, Image):
        image: dict[str, Json] = {"type": "input_image", "detail": part.detail or "auto"}
        if isinstance(source, Stored):
            return {**image, "file_id": source.id}
        return {**image, "image_url": data_url(source) if isinstance(source, Blob) else source.url}
    file: dict[str, Json] = {"type": "input_file"} if part.name is None else {"type": "input_file", "filename": part.name}
    if isinstance(source, Stored):
        return {**file, "file_id": source.id}
    return {**file, "file_data": data_url(source)} if isinstance(source, Blob) else {**file, "file_url": source.url}


def _call(block: ToolUse) -> Json:
    if block.kind == "custom":
        call_id = fit_call_id(block.id, _DIALECT)
        return {"type": "custom_tool_call", "call_id": call_id, "name": block.name, "input": block.arguments}
    call = {"type": "function_call", "call_id": fit_call_id(block.id, _DIALECT), "name": block.name}
    return {**call, "arguments": block.arguments}


def _result(block: ToolResult, kinds: Mapping[str, ToolKind], where: str, refusals: Refusals) -> Json:
    kind = "custom_tool_call_output" if kinds.get(block.id) == "custom" else "function_call_output"
    output = _content(error_line(block), where, refusals)
    return {"type": kind, "call_id": fit_call_id(block.id, _DIALECT), "output": output}


def tool_json(tool: Tool) -> dict[str, Json]:
    """A tool, as requests say it and answers echo it. Strictness is always said: OpenAI's default differs by dialect."""
    body: dict[str, Json] = {"type": tool.kind, "name": tool.name}
    if tool.description:
        body["description"] = tool.description
    if tool.kind == "custom":
        return body if tool.format is None else {**body, "format": {"type": "grammar", **tool.format}}
    return {**body, "parameters": tool.parameters, "strict": tool.strict}


def tool_choice_json(choice: ToolChoice, kinds: dict[str, str]) -> Json:
    """The choice, as requests say it and answers echo it."""
    if choice.mode == "tool":
        return {"type": kinds.get(choice.name or "", "function"), "name": choice.name}
    if choice.allowed is None:
        return choice.mode
    tools = [{"type": kinds.get(name, "function"), "name": name} for name in choice.allowed]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
