"""Which tools of a request its provider would run with effects: such a request is not made a second time for a shadow.

Tools that the application runs are run by nobody here, and what a provider only reads is there to be read again. Anything else
may act in the world, and a tool that this list does not know is taken to. Pure. Whoever asks: `shadow.py`.
Source: the types of `tools` in the official SDKs (`openai.types.responses`, `anthropic.types.beta`), walked by a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

_RUN_BY_APPLICATION = (
    "function",
    "custom",
    "computer*",
    "local_shell",
    "shell",
    "apply_patch",
    "bash*",
    "text_editor*",
    "memory*",
)
_ONLY_READ = (
    "web_search*",
    "web_fetch*",
    "file_search",
    "code_interpreter",
    "code_execution*",
    "image_generation",
    "tool_search*",
)
_STAR = r"(?:_[a-z0-9_]+)?"
_HARMLESS = re.compile("|".join(name.replace("*", _STAR) for name in (*_RUN_BY_APPLICATION, *_ONLY_READ)))
"""A star stands for a date or a kind behind the name: `web_search_20260318`, `computer_toolset_20260801`."""

_FIELDS = frozenset({"tools", "mcp_servers", "prompt"})
"""Fields of a request that can name tools. Without them, and without such words in its turns, there is nothing to look at."""
_IN_TURNS: Mapping[str, tuple[bytes, ...]] = {
    "openai_responses": (b'"additional_tools"', b'"mcp_approval_response"'),
    "anthropic": (b'"tool_addition"',),
}
"""By dialect: tools that come with a turn of the conversation, and a yes to a call that the provider then makes."""


class _Tool(msgspec.Struct):
    """What of a tool says who runs it, and where. Anthropic's own functions say no type."""

    type: str | None = None
    tools: list[_Tool] = []
    container: Any = None
    environment: Any = None


class _Asked(msgspec.Struct):
    """What of a request can name tools. Responses' `prompt` is a template kept at the provider, with tools of its own."""

    tools: list[_Tool] | None = None
    mcp_servers: Any = None
    prompt: Any = None
    container: Any = None


_read = msgspec.json.Decoder(_Asked).decode


def acts_at_provider(dialect: str, names: Iterable[str], body: bytes) -> bool:
    """Whether the provider may do more than read to answer `body`, whose fields `names` holds. What cannot be told is a yes."""
    for word in _IN_TURNS.get(dialect, ()):
        if word in body:
            return True
    if _FIELDS.isdisjoint(names):
        return False
    try:
        asked = _read(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return True
    if asked.mcp_servers or asked.prompt is not None:
        return True
    tools = asked.tools or []
    return any(_acts(tool) for tool in tools) or (bool(tools) and _is_shared(asked.container))


def _acts(tool: _Tool) -> bool:
    if tool.type == "namespace":
        return any(_acts(one) for one in tool.tools)
    if tool.type is not None and _HARMLESS.fullmatch(tool.type) is None:
        return True
    return _is_shared(tool.container) or _is_shared(tool.environment)


def _is_shared(place: Any) -> bool:
    """Whether code runs where the user's own request runs it, or where it reaches the network, and not in a room of its own."""
    if not isinstance(place, dict):
        return place is not None
    policy = place.get("network_policy")
    if policy is not None and not (isinstance(policy, dict) and policy.get("type") == "disabled"):
        return True
    return place.get("type") == "container_reference" or place.get("id") is not None
