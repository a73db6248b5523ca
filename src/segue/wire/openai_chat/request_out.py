"""A neutral request as a Chat Completions body. Raises `RefusedError` with all that dialect or server have no place for.

Reasoning of earlier turns has no place here; it is left out, whatever its origin (`docs/dialects.md`).
"""

from __future__ import annotations

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
    Stored,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from segue.wire.neutral.giving import (
    AS_TEXT,
    common_parameters,
    error_line,
    openai_effort,
    openai_hints,
    tool_kinds,
)
from segue.wire.neutral.media import data_url
from segue.wire.neutral.origin import Origin, fit_call_id
from segue.wire.neutral.refusal import Refusals
from segue.wire.profiles import OPENAI, WireProfile

PATH = "/chat/completions"
_DIALECT: Dialect = "openai_chat"


def encode_request(request: ConversationRequest, *, to: Origin, profile: WireProfile = OPENAI) -> WireRequest:  # noqa: ARG001  one form for all dialects
    """Path and body. `profile` says what the server takes."""
    refusals = Refusals(_DIALECT)
    body: dict[str, Json] = {"model": request.model, "messages": _messages(request, refusals)}
    body.update(common_parameters(request, refusals, profile))
    body.update(openai_hints(request))
    if body.get("service_tier") == "ultrafast":
        del body["service_tier"]
    if request.max_output_tokens is not None:
        body[profile.output_limit] = request.max_output_tokens
    effort = openai_effort(request, refusals)
    if effort is not None:
        body["reasoning_effort"] = effort
    if request.verbosity is not None:
        body["verbosity"] = request.verbosity
    if request.stop:
        if profile.max_stop is not None and len(request.stop) > profile.max_stop:
            refusals.add("stop", f"{profile.name} takes {profile.max_stop} stop sequences.", "Leave some out.")
        body["stop"] = list(request.stop)
    if request.logprobs:
        body["logprobs"] = True
    if request.top_logprobs is not None:
        body["top_logprobs"] = request.top_logprobs
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    # Without tools there is nothing to choose, and OpenAI takes no choice; one that wants a tool it shall refuse itself.
    if request.tool_choice is not None and (request.tools or request.tool_choice.mode not in ("auto", "none")):
        body["tool_choice"] = _tool_choice(request.tool_choice, tool_kinds(request))
    if request.output is not None:
        body["response_format"] = _response_format(request)
    if request.stream:
        body["stream"] = True
        if profile.stream_usage:
            # Tokens are asked for even where the client does not want them: the log does.
            body["stream_options"] = {"include_usage": True}
    refusals.raise_if_any()
    return WireRequest(PATH, {}, body)


def _response_format(request: ConversationRequest) -> Json:
    output = request.output
    assert output is not None
    if output.schema is None:
        return {"type": "json_object"}
    schema: dict[str, Json] = {"name": output.name, "schema": output.schema, "strict": output.strict}
    if output.description:
        schema["description"] = output.description
    return {"type": "json_schema", "json_schema": schema}


def _messages(request: ConversationRequest, refusals: Refusals) -> list[Json]:
    messages: list[Json] = []
    for at, turn in enumerate(request.turns):
        where = f"messages[{at}]"
        if turn.speaker == "tool":
            messages += [_result(block, where, refusals) for block in turn.blocks if isinstance(block, ToolResult)]
        elif turn.speaker == "assistant":
            messages += _assistant(turn)
        else:
            messages.append(_said(turn, _content(turn.blocks, where, refusals)))
    return messages


def _said(turn: Turn, content: Json) -> dict[str, Json]:
    message: dict[str, Json] = {"role": turn.speaker, "content": content}
    if turn.name is not None:
        message["name"] = turn.name
    return message


def _assistant(turn: Turn) -> list[Json]:
    texts = [block.text for block in turn.blocks if isinstance(block, Text)]
    declined = [block.text for block in turn.blocks if isinstance(block, Declined)]
    calls = [_call(block) for block in turn.blocks if isinstance(block, ToolUse)]
    if turn.blocks and not (texts or declined or calls):
        return []  # nothing but reasoning
    content: Json = _texts(texts) if texts else (None if calls or declined else "")
    message = _said(turn, content)
    if declined:
        message["refusal"] = "".join(declined)
    if calls:
        message["tool_calls"] = calls
    return [message]


def _texts(texts: list[str]) -> Json:
    """Text as it is; a list of parts only where there are several, for not every server takes parts."""
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def _content(blocks: tuple[Block, ...], where: str, refusals: Refusals) -> Json:
    if not blocks:
        return ""
    if all(isinstance(block, Text) for block in blocks):
        return _texts([block.text for block in blocks if isinstance(block, Text)])
    return [_part(block, f"{where}.content[{at}]", refusals) for at, block in enumerate(blocks)]


def _part(block: Block, where: str, refusals: Refusals) -> Json:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Image):
        if isinstance(block.source, Stored):
            refusals.cannot(where, "image by file id", "Send the image itself, or its URL.")
            return None
        url = data_url(block.source) if isinstance(block.source, Blob) else block.source.url
        image = {"url": url} if block.detail is None else {"url": url, "detail": block.detail}
        return {"type": "image_url", "image_url": image}
    assert isinstance(block, File)
    return _file(block, where, refusals)


def _file(block: File, where: str, refusals: Refusals) -> Json:
    file: dict[str, Json] = {} if block.name is None else {"filename": block.name}
    if isinstance(block.source, Blob):
        file["file_data"] = data_url(block.source)
    elif isinstance(block.source, Stored) and block.source.store == "openai":
        file["file_id"] = block.source.id
    else:
        what = "file kept at another provider" if isinstance(block.source, Stored) else "file by URL"
        refusals.cannot(where, what, "Send the file itself.")
    return {"type": "file", "file": file}


def _call(block: ToolUse) -> Json:
    field = "arguments" if block.kind == "function" else "input"
    called = {"name": block.name, field: block.arguments}
    return {"id": fit_call_id(block.id, _DIALECT), "type": block.kind, block.kind: called}


def _result(block: ToolResult, where: str, refusals: Refusals) -> Json:
    texts = [part.text for part in error_line(block) if isinstance(part, Text)]
    if len(texts) < len(error_line(block)):
        refusals.cannot(where, "image or file in a tool's result", AS_TEXT)
    return {"role": "tool", "tool_call_id": fit_call_id(block.id, _DIALECT), "content": _texts(texts) if texts else ""}


def _tool(tool: Tool) -> Json:
    inner: dict[str, Json] = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    if tool.kind == "custom":
        if tool.format is not None:
            inner["format"] = {"type": "grammar", "grammar": dict(tool.format)}
        return {"type": "custom", "custom": inner}
    inner["parameters"] = tool.parameters
    if tool.strict:
        inner["strict"] = True
    return {"type": "function", "function": inner}


def _tool_choice(choice: ToolChoice, kinds: dict[str, str]) -> Json:
    if choice.mode == "tool":
        kind = kinds.get(choice.name or "", "function")
        return {"type": kind, kind: {"name": choice.name}}
    if choice.allowed is None:
        return choice.mode
    tools = [{"type": kinds.get(name, "function"), kinds.get(name, "function"): {"name": name}} for name in choice.allowed]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": tools}}
