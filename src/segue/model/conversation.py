"""Messages and tool calls in a form every provider's dialect can be made from.

Provider formats stop at `segue.wire`; nothing here knows one.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from segue.model.base import Frozen, Json

Role = Literal["system", "user", "assistant", "tool"]


class ToolSpec(Frozen):
    """A tool the model may call. `parameters` is a JSON Schema; `effects` marks a tool that changes the world."""

    name: str = Field(min_length=1)
    description: str = ""
    parameters: dict[str, Json] = Field(default_factory=dict)
    effects: bool = False


class ToolCall(Frozen):
    """A call as the model made it: `arguments` is the model's own JSON text, unparsed, for it may be broken."""

    name: str
    arguments: str = "{}"
    id: str | None = None


class TextPart(Frozen):
    """Text among the parts of a message."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(Frozen):
    """An image by URL or data URL."""

    type: Literal["image"] = "image"
    url: str
    media_type: str | None = None


class Message(Frozen):
    """One turn. `content` is text or parts; a tool's result names the call it answers in `tool_call_id`."""

    role: Role
    content: str | tuple[TextPart | ImagePart, ...] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The text of the message, parts joined, images left out."""
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))
