"""A request as the Messages API wants it. Pure; knows nothing of keys and hosts.

Source of the shapes: the Messages API reference, versions 2023-06-01 and 2026-10-21.
"""

from __future__ import annotations

import re

import orjson

from segue.errors import Fault
from segue.model import ImagePart, Json, Message, Parameters, ToolCall, ToolSpec
from segue.model.request import ModelRequest
from segue.wire.base import WireRequest
from segue.wire.faults import extra_faults, raise_faults, refused_parameters, tool_choice_fault
from segue.wire.profiles import ANTHROPIC, WireProfile

PATH = "/v1/messages"
MIN_THINKING_BUDGET = 1024
_DATA_URL = re.compile(r"data:([\w.+/-]+);base64,(.*)", re.DOTALL)
_REFUSED_EXTRA = {
    "model": "The bundle's snapshot says which model answers.",
    "messages": "The bundle's prompt and the case say what the model is shown.",
    "system": "Write it in the bundle's prompt.",
    "tools": "Declare tools in the bundle.",
    "stream": "Whether to stream is a setting of the provider.",
}
_DEFAULT = ANTHROPIC["2023-06-01"]


def parameter_faults(parameters: Parameters, profile: WireProfile = _DEFAULT) -> list[Fault]:
    """What of `parameters` this dialect cannot express or lacks, to be told before anything is sent."""
    faults = refused_parameters(parameters, profile)
    limit, budget = parameters.max_output_tokens, parameters.thinking_budget_tokens
    if limit is None:
        faults.append(
            Fault(
                what="The Messages API needs max_output_tokens.",
                fix="Set it in the bundle; no default is made up, since it decides where replies are cut.",
                path="parameters.max_output_tokens",
            )
        )
    if budget and (budget < MIN_THINKING_BUDGET or (limit is not None and budget >= limit)):
        faults.append(
            Fault(
                what=f"thinking_budget_tokens {budget} is not between {MIN_THINKING_BUDGET} and max_output_tokens.",
                fix="Thinking counts towards max_output_tokens: raise that, or use 0 to turn thinking off.",
                path="parameters.thinking_budget_tokens",
            )
        )
    if budget and parameters.reasoning_effort == "none":
        faults.append(
            Fault(
                what="reasoning_effort none turns thinking off, and thinking_budget_tokens turns it on.",
                fix="Set one of them.",
                path="parameters.reasoning_effort",
            )
        )
    return faults


def encode_request(request: ModelRequest, *, profile: WireProfile = _DEFAULT, stream: bool = False) -> WireRequest:
    """Path, version header and JSON body. Raises `InputError` naming every parameter and message that cannot be sent."""
    parameters = request.parameters
    faults = parameter_faults(parameters, profile)
    body: dict[str, Json] = {
        "model": request.snapshot,
        "max_tokens": parameters.max_output_tokens,
        "messages": _messages(request.messages, faults),
    }
    if request.system:
        body["system"] = request.system
    for name in ("temperature", "top_p"):
        value = getattr(parameters, name)
        if value is not None:
            body[name] = value
    if parameters.stop:
        body["stop_sequences"] = list(parameters.stop)
    if parameters.reasoning_effort == "none" or parameters.thinking_budget_tokens == 0:
        body["thinking"] = {"type": "disabled"}
    elif parameters.thinking_budget_tokens is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": parameters.thinking_budget_tokens}
    output: dict[str, Json] = {}
    if parameters.reasoning_effort not in (None, "none"):
        output["effort"] = parameters.reasoning_effort
    if request.response_schema is not None:
        output["format"] = {"type": "json_schema", "schema": request.response_schema}
    if output:
        body["output_config"] = output
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if parameters.tool_choice is not None:
        body["tool_choice"] = _tool_choice(parameters.tool_choice, request.tools, faults)
    if stream:
        body["stream"] = True
    faults += extra_faults(parameters.extra, body, _REFUSED_EXTRA)
    raise_faults(faults)
    body.update(parameters.extra)
    return WireRequest(PATH, {"anthropic-version": profile.api_version or ""}, body)


def _messages(turns: tuple[Message, ...], faults: list[Fault]) -> list[Json]:
    """The turns; results of tools become blocks of one user message, as one assistant turn may have made several calls."""
    messages: list[dict[str, Json]] = []
    results: list[Json] | None = None
    for index, turn in enumerate(turns):
        where = f"messages[{index}]"
        if turn.name is not None and turn.role != "tool":
            faults.append(
                Fault(what="The Messages API has no name on a message.", fix="Write it in the text.", path=f"{where}.name")
            )
        if turn.tool_calls and turn.role != "assistant":
            faults.append(
                Fault(what=f"A {turn.role} message holds tool calls.", fix="Only the assistant calls tools.", path=where)
            )
        if turn.role == "system":
            faults.append(
                Fault(
                    what="A system message stands among the messages.",
                    fix="Put it in the bundle's system prompt.",
                    path=where,
                )
            )
        elif turn.role == "tool":
            if turn.tool_call_id is None:
                faults.append(Fault(what="A tool's result has no tool_call_id.", fix="Name the call it answers.", path=where))
            if results is None:
                results = []
                messages.append({"role": "user", "content": results})
            results.append({"type": "tool_result", "tool_use_id": turn.tool_call_id, "content": _content(turn, where, faults)})
            continue
        else:
            messages.append({"role": turn.role, "content": _turn(turn, where, faults)})
        results = None
    return list(messages)


def _turn(turn: Message, where: str, faults: list[Fault]) -> str | list[Json]:
    content = _content(turn, where, faults)
    if turn.role == "assistant" and isinstance(content, list):
        faults.append(Fault(what="An assistant message cannot hold an image.", fix="Put it in a user message.", path=where))
    if not turn.tool_calls:
        return content
    blocks: list[Json] = [{"type": "text", "text": turn.text}] if turn.text else []
    return blocks + [_tool_use(call, f"{where}.tool_calls[{at}]", faults) for at, call in enumerate(turn.tool_calls)]


def _content(turn: Message, where: str, faults: list[Fault]) -> str | list[Json]:
    if turn.content is None or isinstance(turn.content, str):
        return turn.content or ""
    if not any(isinstance(part, ImagePart) for part in turn.content):
        return turn.text
    return [
        _image(part, f"{where}.content[{at}]", faults) if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
        for at, part in enumerate(turn.content)
    ]


def _image(part: ImagePart, where: str, faults: list[Fault]) -> dict[str, Json]:
    if not part.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    found = _DATA_URL.fullmatch(part.url)
    if found is None:
        faults.append(Fault(what="The image is a data URL without base64.", fix="Write data:image/png;base64,…", path=where))
        return {}
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": part.media_type or found.group(1), "data": found.group(2)},
    }


def _tool_use(call: ToolCall, where: str, faults: list[Fault]) -> dict[str, Json]:
    if call.id is None:
        faults.append(Fault(what="A tool call has no id.", fix="Give it one, and name it in the tool's result.", path=where))
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        faults.append(
            Fault(
                what="The arguments of a tool call are not a JSON object, and the Messages API takes nothing else.",
                fix="Repair them in the case.",
                path=f"{where}.arguments",
            )
        )
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _tool(tool: ToolSpec) -> dict[str, Json]:
    body: dict[str, Json] = {"name": tool.name, "input_schema": tool.parameters or {"type": "object", "properties": {}}}
    if tool.description:
        body["description"] = tool.description
    return body


def _tool_choice(choice: str, tools: tuple[ToolSpec, ...], faults: list[Fault]) -> Json:
    known = {"auto": "auto", "none": "none", "required": "any"}
    if not tools or (choice not in known and not any(tool.name == choice for tool in tools)):
        faults.append(tool_choice_fault(choice, tools))
    if choice in known:
        return {"type": known[choice]}
    return {"type": "tool", "name": choice}
