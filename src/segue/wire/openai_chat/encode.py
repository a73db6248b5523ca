"""A request as Chat Completions wants it. Pure; knows nothing of keys and hosts."""

from __future__ import annotations

from segue.errors import Fault
from segue.model import ImagePart, Json, Message, Parameters, TextPart, ToolSpec
from segue.model.request import ModelRequest
from segue.wire.base import WireRequest
from segue.wire.faults import extra_faults, raise_faults, refused_parameters, tool_choice_fault
from segue.wire.profiles import OPENAI, WireProfile

PATH = "/chat/completions"
SCHEMA_NAME = "output"
_REFUSED_EXTRA = {
    "model": "The bundle's snapshot says which model answers.",
    "messages": "The bundle's prompt and the case say what the model is shown.",
    "tools": "Declare tools in the bundle.",
    "stream": "Whether to stream is a setting of the provider.",
    "stream_options": "Whether to stream is a setting of the provider.",
}
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
)


def parameter_faults(parameters: Parameters, profile: WireProfile = OPENAI) -> list[Fault]:
    """What of `parameters` this dialect cannot express, to be told before anything is sent."""
    faults = refused_parameters(parameters, profile)
    if parameters.top_logprobs is not None and not parameters.logprobs:
        faults.append(Fault(what="top_logprobs needs logprobs.", fix="Set logprobs: true.", path="parameters.top_logprobs"))
    count = parameters.extra.get("n")
    if count is not None and count != 1:
        faults.append(
            Fault(what="extra.n asks for several replies, and one is measured.", fix="Use repeats.", path="parameters.extra.n")
        )
    return faults


def encode_request(request: ModelRequest, *, profile: WireProfile = OPENAI, stream: bool = False) -> WireRequest:
    """Path and JSON body of `request`. Raises `InputError` naming every parameter and message that cannot be sent."""
    parameters = request.parameters
    faults = parameter_faults(parameters, profile)
    messages: list[Json] = [{"role": "system", "content": request.system}] if request.system else []
    messages += [_message(turn, index, faults) for index, turn in enumerate(request.messages)]
    body: dict[str, Json] = {"model": request.snapshot, "messages": messages}
    for name in _AS_THEY_ARE:
        value = getattr(parameters, name)
        if value is not None:
            body[name] = value
    if parameters.max_output_tokens is not None:
        body[profile.output_limit] = parameters.max_output_tokens
    if parameters.stop:
        body["stop"] = list(parameters.stop)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if parameters.tool_choice is not None:
        body["tool_choice"] = _tool_choice(parameters.tool_choice, request.tools, faults)
    if request.response_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": SCHEMA_NAME, "schema": request.response_schema},
        }
    if stream:
        body["stream"] = True
        if profile.stream_usage:
            body["stream_options"] = {"include_usage": True}
    faults += extra_faults(parameters.extra, body, _REFUSED_EXTRA)
    raise_faults(faults)
    body.update(parameters.extra)
    return WireRequest(PATH, {}, body)


def _message(turn: Message, index: int, faults: list[Fault]) -> dict[str, Json]:
    where = f"messages[{index}]"
    body: dict[str, Json] = {"role": turn.role}
    content = _content(turn)
    if isinstance(content, list) and turn.role != "user":
        faults.append(Fault(what=f"A {turn.role} message cannot hold an image.", fix="Put it in a user message.", path=where))
    if content or not turn.tool_calls:
        body["content"] = content
    else:
        body["content"] = None
    if turn.name is not None and turn.role != "tool":
        body["name"] = turn.name
    if turn.tool_calls:
        if turn.role != "assistant":
            faults.append(
                Fault(what=f"A {turn.role} message holds tool calls.", fix="Only the assistant calls tools.", path=where)
            )
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.tool_calls
        ]
        if any(call.id is None for call in turn.tool_calls):
            faults.append(
                Fault(what="A tool call has no id.", fix="Give it one, and name it in the tool's result.", path=where)
            )
    if turn.role == "tool":
        if turn.tool_call_id is None:
            faults.append(Fault(what="A tool's result has no tool_call_id.", fix="Name the call it answers.", path=where))
        body["tool_call_id"] = turn.tool_call_id
    return body


def _content(turn: Message) -> str | list[Json]:
    """Text as it is; parts only where there is an image, for not every server takes parts."""
    if turn.content is None or isinstance(turn.content, str):
        return turn.content or ""
    if not any(isinstance(part, ImagePart) for part in turn.content):
        return turn.text
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in turn.content
    ]


def _tool(tool: ToolSpec) -> dict[str, Json]:
    function: dict[str, Json] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    return {"type": "function", "function": function}


def _tool_choice(choice: str, tools: tuple[ToolSpec, ...], faults: list[Fault]) -> Json:
    if choice in ("auto", "none", "required"):
        if not tools:
            faults.append(tool_choice_fault(choice, tools))
        return choice
    if not any(tool.name == choice for tool in tools):
        faults.append(tool_choice_fault(choice, tools))
    return {"type": "function", "function": {"name": choice}}
