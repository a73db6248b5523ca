"""What writing a neutral request has in common in several dialects: bounds of parameters, OpenAI's hints, failed tools."""

from __future__ import annotations

from segue.model import Json
from segue.wire.neutral.conversation import ConversationRequest, Part, Text, ToolResult
from segue.wire.neutral.refusal import Refusals
from segue.wire.profiles import WireProfile

AS_TEXT = "Return it as text, or serve the workflow with a bundle of another dialect."
BUNDLE = "Leave it out, or let the bundle set it."
ERROR_LINE = "Error:\n"


def common_parameters(request: ConversationRequest, refusals: Refusals, profile: WireProfile) -> dict[str, Json]:
    """`temperature` and `top_p`, within what the server takes."""
    body: dict[str, Json] = {}
    for name in ("temperature", "top_p"):
        value = getattr(request, name)
        if value is None:
            continue
        if name in profile.refuses:
            refusals.add(name, f"{profile.name} has no {name}.", profile.refuses[name])
        elif name == "temperature" and value > profile.max_temperature:
            refusals.add(name, f"{profile.name} takes 0 to {profile.max_temperature}.", BUNDLE)
        else:
            body[name] = value
    return body


def openai_hints(request: ConversationRequest) -> dict[str, Json]:
    """What OpenAI's two dialects share and Anthropic has no use for, the user and `parallel_tool_calls`."""
    body: dict[str, Json] = dict(request.hints)
    if request.metadata:
        body["metadata"] = dict(request.metadata)
    if request.user is not None:
        body["user"] = request.user
    if request.parallel_tool_calls is not None and request.tools:
        body["parallel_tool_calls"] = request.parallel_tool_calls
    return body


def openai_effort(request: ConversationRequest, refusals: Refusals) -> str | None:
    """OpenAI's one dial, from Anthropic's two."""
    thinking = request.thinking
    if thinking is None or (thinking.mode == "adaptive" and request.effort is not None):
        return request.effort
    if thinking.mode == "disabled" and request.effort is None:
        return "none"
    what = {
        "enabled": "thinking budget",
        "disabled": "effort without thinking",
        "adaptive": "adaptive thinking without an effort",
        "between_tools": "thinking between tools only",
    }[thinking.mode]
    refusals.cannot("thinking", what, "Set output_config.effort without it, or let the bundle set reasoning_effort.")
    return None


def error_line(result: ToolResult) -> tuple[Part, ...]:
    """The parts of a result, with a line that says so where the tool failed: OpenAI's dialects have no field for it."""
    if not result.is_error:
        return result.parts
    first, rest = result.parts[:1], result.parts[1:]
    if first and isinstance(first[0], Text):
        return (Text(ERROR_LINE + first[0].text), *rest)
    return (Text(ERROR_LINE), *result.parts)


def tool_kinds(request: ConversationRequest) -> dict[str, str]:
    """Which kind each tool is."""
    return {tool.name: tool.kind for tool in request.tools}
