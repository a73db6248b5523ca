"""A request as the gateway holds it between two dialects: turns made of blocks, tools, and what is asked of the model.

Knows no dialect's shapes and nothing of HTTP, workflows or bundles. Decoders bring every request into one form (`joined`):
results of tools stand in turns of their own, no two assistant turns and no two turns of results follow each other, and empty
texts are left out. So a request that each dialect can hold is the same whichever it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from segue.model import Json

Dialect = Literal["openai_chat", "openai_responses", "anthropic_messages"]
Speaker = Literal["system", "developer", "user", "assistant", "tool"]
ToolKind = Literal["function", "custom"]
Store = Literal["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, never empty after decoding."""

    text: str


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in base64. `media_type` is empty where the client did not say it."""

    media_type: str
    data: str


@dataclass(frozen=True, slots=True)
class Url:
    """Where the provider fetches it."""

    url: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A file kept at a provider. Only that provider can read it."""

    id: str
    store: Store


Source = Blob | Url | Stored


@dataclass(frozen=True, slots=True)
class Image:
    """An image; `detail` is OpenAI's word for how closely to look."""

    source: Source
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A document."""

    source: Source
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The words in which the assistant declined to answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call. `arguments` is JSON text for a function, free text for a custom tool."""

    id: str
    name: str
    arguments: str
    kind: ToolKind = "function"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave back."""

    id: str
    parts: tuple[Text | Image | File, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Reasoning only its provider can read: `item` is the provider's own JSON, `origin` the tag of where it came from.

    `origin` is `None` if nobody knows; such reasoning goes nowhere. `text` is what may be shown of it, never sent to a model.
    """

    dialect: Dialect
    item: dict[str, Json]
    origin: str | None = None
    text: str = ""


Part = Text | Image | File
Block = Text | Image | File | Declined | ToolUse | ToolResult | Reasoning


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's blocks."""

    speaker: Speaker
    blocks: tuple[Block, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the application runs. `format` is the grammar of a custom tool."""

    name: str
    description: str = ""
    parameters: Mapping[str, Json] = field(default_factory=lambda: dict(NO_PARAMETERS))
    strict: bool = False
    kind: ToolKind = "function"
    format: Mapping[str, Json] | None = None


NO_PARAMETERS: Mapping[str, Json] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` `tool` asks for the tool `name`; `allowed` narrows the tools without changing the list."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """Any JSON (`schema` is `None`) or JSON in a schema."""

    schema: Mapping[str, Json] | None = None
    name: str = "output"
    description: str = ""
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Thinking:
    """Anthropic's dial where `effort` does not say it."""

    mode: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationRequest:
    """All that is asked. `hints` are fields that OpenAI's two dialects share and that change no answer."""

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output: OutputFormat | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int | None = None
    effort: str | None = None
    thinking: Thinking | None = None
    summary: str | None = None
    verbosity: str | None = None
    user: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    hints: Mapping[str, Json] = field(default_factory=dict)
    stream: bool = False
    include_usage: bool = False


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns in the one form: neighbours of the assistant, and neighbouring results of tools, become one turn."""
    found: list[Turn] = []
    for turn in turns:
        last = found[-1] if found else None
        if last is not None and last.speaker == turn.speaker in ("assistant", "tool") and last.name == turn.name:
            found[-1] = replace(last, blocks=last.blocks + turn.blocks)
        else:
            found.append(turn)
    return tuple(found)


def leading_system(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
    """The instructions a conversation opens with, and the rest."""
    at = 0
    while at < len(turns) and turns[at].speaker in ("system", "developer"):
        at += 1
    return turns[:at], turns[at:]


def foreign_reasoning(request: ConversationRequest, dialect: Dialect, origin: str) -> int:
    """How many reasoning blocks will not be replayed to `origin`, for the log."""
    return sum(
        isinstance(block, Reasoning) and not is_own(block, dialect, origin) for turn in request.turns for block in turn.blocks
    )


def call_kinds(turns: Iterable[Turn]) -> dict[str, ToolKind]:
    """Which kind of tool each call went to, by the call's id: a result does not say it."""
    return {block.id: block.kind for turn in turns for block in turn.blocks if isinstance(block, ToolUse)}


def is_own(block: Reasoning, dialect: Dialect, origin: str) -> bool:
    """Whether `block` came from just there."""
    return block.dialect == dialect and block.origin == origin
