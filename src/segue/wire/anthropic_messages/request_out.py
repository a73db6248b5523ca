"""A neutral request as a Messages body. Raises `RefusedError` with everything the dialect or the server has no place for.

Reasoning goes only where it came from (`to`); elsewhere it is left out, and so is a turn that held nothing else.
"""

from __future__ import annotations

import base64

import orjson

from segue.model import Json
from segue.wire.anthropic_messages.encode import MIN_THINKING_BUDGET, PATH
from segue.wire.base import WireRequest
from segue.wire.neutral.conversation import (
    Blob,
    Block,
    ConversationRequest,
    Declined,
    Dialect,
    File,
    Image,
    Reasoning,
    Source,
    Stored,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
    Url,
    is_own,
    leading_system,
)
from segue.wire.neutral.giving import BUNDLE, common_parameters
from segue.wire.neutral.origin import Origin, fit_call_id
from segue.wire.neutral.refusal import Refusals
from segue.wire.profiles import ANTHROPIC, WireProfile

_DIALECT: Dialect = "anthropic_messages"
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "user"}
_BYTES = {"image": ("image/jpeg", "image/png", "image/gif", "image/webp"), "document": ("application/pdf",)}


def encode_request(request: ConversationRequest, *, to: Origin, profile: WireProfile = ANTHROPIC["2023-06-01"]) -> WireRequest:
    """Path, version header and body. `profile` says which version the server speaks."""
    refusals = Refusals(_DIALECT)
    system, turns = leading_system(request.turns)
    body: dict[str, Json] = {"model": request.model, "max_tokens": request.max_output_tokens}
    if request.max_output_tokens is None:
        refusals.add("max_tokens", "Anthropic Messages needs it.", "Send max_tokens, or let the bundle set max_output_tokens.")
    if system:
        body["system"] = _texts([block for turn in system for block in turn.blocks], "system", refusals)
    body["messages"] = _messages(turns, to.tag, refusals)
    body.update(common_parameters(request, refusals, profile))
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    body.update(_thinking(request, refusals, profile))
    if body.get("thinking", {}).get("type") == "enabled" and lacks_own_thinking(body["messages"]):
        body["thinking"] = {"type": "disabled"}
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    _refuse_the_rest(request, refusals)
    tools = request.tools
    choice = request.tool_choice
    if choice is not None and choice.allowed is not None:
        tools = tuple(tool for tool in tools if tool.name in choice.allowed)
    if tools:
        body["tools"] = [_tool(tool, f"tools[{at}]", refusals) for at, tool in enumerate(tools)]
        found = _tool_choice(choice, request.parallel_tool_calls)
        if found is not None:
            body["tool_choice"] = found
    elif choice is not None and choice.mode in ("required", "tool"):
        refusals.add(
            "tool_choice", "It wants a tool, and there is none to call.", "Declare the tool, or leave tool_choice out."
        )
    if request.stream:
        body["stream"] = True
    refusals.raise_if_any()
    return WireRequest(PATH, {"anthropic-version": profile.api_version or ""}, body)


def lacks_own_thinking(messages: list[Json]) -> bool:
    """Whether the last calls of tools stand there without the thinking before them, for it was another's.

    With a thinking budget the API refuses such a request and says to turn thinking off; adaptive thinking may be absent.
    """
    last = next((one for one in reversed(messages) if isinstance(one, dict) and one.get("role") == "assistant"), {})
    content = last.get("content")
    kinds = [block.get("type") for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking")


def _refuse_the_rest(request: ConversationRequest, refusals: Refusals) -> None:
    if request.logprobs or request.top_logprobs is not None:
        refusals.cannot("logprobs", "log-probabilities", "Leave it out; ask the model for a stated confidence.")
    if request.verbosity not in (None, "medium"):
        refusals.cannot("verbosity", "verbosity", "Say in the prompt how long answers are to be.")


def _thinking(request: ConversationRequest, refusals: Refusals, profile: WireProfile) -> dict[str, Json]:
    """`thinking` and `output_config`."""
    body: dict[str, Json] = {}
    thinking, effort = request.thinking, request.effort
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif thinking is not None:
        body["thinking"] = {"type": thinking.mode}
        if thinking.display is not None:
            body["thinking"]["display"] = thinking.display
        if thinking.budget_tokens is not None:
            body["thinking"]["budget_tokens"] = thinking.budget_tokens
            if thinking.budget_tokens < MIN_THINKING_BUDGET:
                refusals.add("thinking.budget_tokens", f"It is below {MIN_THINKING_BUDGET}.", BUNDLE)
    output: dict[str, Json] = {}
    if effort is not None and effort != "none":
        if effort not in profile.efforts:
            known = ", ".join(sorted(profile.efforts))
            refusals.add("reasoning_effort", f"{profile.name} does not have this effort.", f"Use one of {known}.")
        output["effort"] = effort
    if request.output is not None:
        if request.output.schema is None:
            refusals.cannot("response_format", "JSON mode without a schema", "Send a JSON schema.")
        if request.output.description:
            refusals.cannot("response_format", "description of a schema", "Write it in the schema itself.")
        output["format"] = {"type": "json_schema", "schema": request.output.schema}
    if output:
        body["output_config"] = output
    return body


def _texts(blocks: list[Block], where: str, refusals: Refusals) -> Json:
    texts = [block.text for block in blocks if isinstance(block, Text)]
    if len(texts) < len(blocks):
        refusals.cannot(where, "image or file in instructions", "Put it in a message of the user.")
    return texts[0] if len(texts) == 1 else [{"type": "text", "text": text} for text in texts]


def _messages(turns: tuple[Turn, ...], tag: str, refusals: Refusals) -> list[Json]:
    """The turns; results of tools and what the user says next are one message, as the API wants it."""
    messages: list[dict[str, Json]] = []
    after_results = False
    for at, turn in enumerate(turns):
        where = f"messages[{at}]"
        if turn.name is not None:
            refusals.cannot(f"{where}.name", "name of a speaker", "Write it in the text.")
        kept = [block for block in turn.blocks if not isinstance(block, Reasoning) or is_own(block, _DIALECT, tag)]
        while kept and isinstance(kept[-1], Reasoning):
            kept.pop()  # an answer that was cut while it thought: Anthropic takes no message that ends with thinking
        if turn.blocks and not kept:
            continue  # nothing but reasoning
        blocks = [_block(block, f"{where}.content[{place}]", refusals) for place, block in enumerate(kept)]
        if turn.speaker in ("system", "developer"):
            messages.append({"role": "system", "content": _texts(kept, where, refusals)})
        elif after_results and turn.speaker == "user":
            messages[-1]["content"] = [*messages[-1]["content"], *blocks]
        elif len(kept) == 1 and isinstance(kept[0], Text):
            messages.append({"role": _ROLES[turn.speaker], "content": kept[0].text})
        else:
            messages.append({"role": _ROLES[turn.speaker], "content": blocks})
        after_results = turn.speaker == "tool"
    if messages and messages[-1]["role"] == "assistant":
        refusals.add(
            f"messages[{len(turns) - 1}]",
            "The conversation ends with the assistant, and Anthropic would go on in that very message.",
            "End with a message of the user.",
        )
    return list(messages)


def _block(block: Block, where: str, refusals: Refusals) -> Json:
    if isinstance(block, Text | Declined):
        return {"type": "text", "text": block.text}
    if isinstance(block, Reasoning):
        return block.item
    if isinstance(block, ToolUse):
        return _tool_use(block, where, refusals)
    if isinstance(block, ToolResult):
        return _tool_result(block, where, refusals)
    if isinstance(block, Image):
        if block.detail == "low":
            refusals.cannot(where, "choice to look less closely at an image", "Leave detail out, or send a smaller image.")
        return {"type": "image", "source": _source(block.source, "image", where, refusals)}
    assert isinstance(block, File)
    document: dict[str, Json] = {"type": "document", "source": _source(block.source, "document", where, refusals)}
    if block.name is not None:
        document["title"] = block.name
    return document


def _source(source: Source, kind: str, where: str, refusals: Refusals) -> Json:
    if isinstance(source, Stored):
        if source.store != "anthropic":
            refusals.cannot(where, "file kept at another provider", "Send the file itself.")
        return {"type": "file", "file_id": source.id}
    if isinstance(source, Url):
        if source.url.startswith("data:"):
            refusals.cannot(where, "data URL without base64", "Write data:image/png;base64,…")
        return {"type": "url", "url": source.url}
    if kind == "document" and source.media_type == "text/plain":
        return _plain_text(source, where, refusals)
    if source.media_type not in _BYTES[kind]:
        refusals.cannot(where, f"{kind} of this media type", f"Send one of {', '.join(_BYTES[kind])} as a data URL.")
    return {"type": "base64", "media_type": source.media_type, "data": source.data}


def _plain_text(source: Blob, where: str, refusals: Refusals) -> Json:
    try:
        text = base64.b64decode(source.data, validate=True).decode()
    except ValueError:
        refusals.add(where, "The file is not text in UTF-8 and base64.", "Encode it so.")
        text = ""
    return {"type": "text", "media_type": "text/plain", "data": text}


def _tool_use(block: ToolUse, where: str, refusals: Refusals) -> Json:
    if block.kind == "custom":
        refusals.cannot(where, "custom tool", "Make it a function.")
        return None
    try:
        arguments = orjson.loads(block.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        refusals.add(
            f"{where}.arguments", "Anthropic takes a JSON object and nothing else.", "Repair the call before it is sent."
        )
    return {"type": "tool_use", "id": fit_call_id(block.id, _DIALECT), "name": block.name, "input": arguments}


def _tool_result(block: ToolResult, where: str, refusals: Refusals) -> Json:
    parts = [_block(part, f"{where}.content[{at}]", refusals) for at, part in enumerate(block.parts)]
    only = block.parts[0] if len(block.parts) == 1 else None
    content: Json = only.text if isinstance(only, Text) else parts
    body = {"type": "tool_result", "tool_use_id": fit_call_id(block.id, _DIALECT), "content": content}
    return {**body, "is_error": True} if block.is_error else body


def _tool(tool: Tool, where: str, refusals: Refusals) -> Json:
    if tool.kind == "custom":
        refusals.cannot(where, "custom tool", "Make it a function.")
        return None
    body: dict[str, Json] = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        body["description"] = tool.description
    return {**body, "strict": True} if tool.strict else body


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> Json:
    if choice is None and parallel is None:
        return None
    mode = "auto" if choice is None else choice.mode
    body: dict[str, Json] = {"type": "any" if mode == "required" else mode}
    if choice is not None and mode == "tool":
        body["name"] = choice.name
    if parallel is not None and mode != "none":
        body["disable_parallel_tool_use"] = not parallel
    return body
