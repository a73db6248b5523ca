"""Hypothesis strategies of neutral requests and answers that every dialect can hold, and what the dialects' tests share."""

from __future__ import annotations

import base64
import itertools
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import strategies as st

from segue.wire.neutral.conversation import (
    Blob,
    ConversationRequest,
    Dialect,
    File,
    Image,
    OutputFormat,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
    Url,
    joined,
)
from segue.wire.neutral.events import Answer, AnswerBlock, Tokens
from segue.wire.neutral.head import Head
from segue.wire.neutral.origin import Origin

DIALECTS: tuple[Dialect, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
HERE = Origin("openai", "https://api.example/v1", "account-1", "model-a")
ELSEWHERE = Origin("anthropic", "https://other.example", "account-2", "model-b")
HEAD = Head("7", 1_700_000_000, "support-answers", include_usage=True)
PIXEL = base64.b64encode(b"a pixel").decode()

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | WORDS
OBJECTS = st.dictionaries(WORDS, st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2), max_leaves=4), max_size=3)
ARGUMENTS = OBJECTS.map(lambda value: orjson.dumps(value).decode())
SCHEMAS = st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(NAMES, st.just({"type": "string"}))})
TEXTS = WORDS.map(Text)
IMAGES = st.sampled_from([Image(Blob("image/png", PIXEL)), Image(Url("https://example.test/cat.png"))])
FILES = st.just(File(Blob("application/pdf", PIXEL), "order.pdf"))
TOOLS = st.lists(
    st.builds(Tool, NAMES, st.just("") | WORDS, SCHEMAS, st.booleans()), max_size=2, unique_by=lambda tool: tool.name
)
LIMITS = st.integers(1, 9000)
SHARES = st.floats(0, 1)


@st.composite
def exchanges(draw: st.DrawFn, number: int) -> list[Turn]:
    """The user speaks; perhaps the assistant calls tools, gets their results, and answers."""
    said = draw(st.lists(TEXTS | IMAGES | FILES, min_size=1, max_size=3))
    turns = [Turn("user", tuple(said))]
    uses = [
        ToolUse(f"{number}-{at}", name, arguments)
        for at, (name, arguments) in enumerate(draw(st.lists(st.tuples(NAMES, ARGUMENTS), max_size=2)))
    ]
    if uses:
        before = draw(st.lists(TEXTS, max_size=1))
        turns.append(Turn("assistant", (*before, *uses)))
        turns.append(Turn("tool", tuple(ToolResult(use.id, tuple(draw(st.lists(TEXTS, max_size=2)))) for use in uses)))
    if draw(st.booleans()) or uses:
        turns.append(Turn("assistant", tuple(draw(st.lists(TEXTS, min_size=1, max_size=2)))))
    return turns


@st.composite
def requests(draw: st.DrawFn) -> ConversationRequest:
    """A request that each of the three dialects can hold. It ends with the user."""
    turns = [Turn("system", (text,)) for text in draw(st.lists(TEXTS, max_size=1))]
    for number in range(draw(st.integers(0, 2))):
        turns += draw(exchanges(number))
    turns.append(Turn("user", tuple(draw(st.lists(TEXTS | IMAGES, min_size=1, max_size=2)))))
    tools = tuple(draw(TOOLS))
    modes = [ToolChoice("auto"), ToolChoice("required"), *(ToolChoice("tool", tool.name) for tool in tools)]
    choice = draw(st.sampled_from(modes)) if tools else None
    return ConversationRequest(
        model=draw(NAMES),
        turns=joined(turns),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=draw(st.none() | st.booleans()) if tools else None,
        output=draw(st.none() | st.builds(OutputFormat, SCHEMAS)),
        max_output_tokens=draw(LIMITS),
        temperature=draw(st.none() | SHARES),
        top_p=draw(st.none() | SHARES),
        effort=draw(st.sampled_from([None, "none", "low", "medium", "high", "xhigh", "max"])),
        user=draw(st.none() | NAMES),
        stream=draw(st.booleans()),
    )


def plain(request: ConversationRequest) -> ConversationRequest:
    """Without what each dialect says its own way: ids of calls are numbered, and whether tokens are asked for is left out."""
    numbers: dict[str, str] = {}
    counter = itertools.count()

    def renamed(block: Any) -> Any:
        if not isinstance(block, ToolUse | ToolResult):
            return block
        if block.id not in numbers:
            numbers[block.id] = str(next(counter))
        return replace(block, id=numbers[block.id])

    turns = tuple(replace(turn, blocks=tuple(renamed(block) for block in turn.blocks)) for turn in request.turns)
    return replace(request, turns=turns, include_usage=False)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """An answer that each of the three dialects can tell whole, and read back the same."""
    blocks = draw(st.lists(WORDS.map(lambda text: AnswerBlock("text", text)), max_size=1))
    calls = draw(st.lists(st.tuples(NAMES, ARGUMENTS), max_size=2))
    blocks += [AnswerBlock("tool_call", arguments, f"call_{at}", name) for at, (name, arguments) in enumerate(calls)]
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length"]))
    if not blocks:
        blocks, finish = [AnswerBlock("refusal", draw(WORDS))], "refusal"
    counts = st.integers(0, 500)
    cached, written, fresh = draw(counts), draw(counts), draw(counts)
    tokens = Tokens(fresh + cached + written, draw(counts), draw(counts), cached, written)
    return Answer(tuple(blocks), finish, tokens)  # type: ignore[arg-type]  # one of the words


def thought(origin: Origin, dialect: Dialect, text: str = "Let me see.") -> Reasoning:
    """A provider's own reasoning, in the form of its dialect."""
    items: dict[str, dict[str, Any]] = {
        "anthropic_messages": {"type": "thinking", "thinking": text, "signature": "signed"},
        "openai_responses": {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": "hidden",
        },
        "openai_chat": {},
    }
    return Reasoning(dialect, items[dialect], origin.tag, text)
