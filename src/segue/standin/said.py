"""What was asked and what is said, before either is put in a dialect's words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from segue.model import Json
from segue.standin.samples import sample_of
from segue.standin.seals import Scope
from segue.standin.settings import StandInSettings

Choice = Literal["auto", "none", "required"]
HUGE_CHARACTERS = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request an answer depends on. `tools` maps names to schemas; `forced` names the tool to call.

    `results` is what tools have answered since the last call, `images` how many images the conversation holds. `thinks` is
    whether it may reason, `scope` whose reasoning it would be.
    """

    model: str
    text: str
    after_tool: bool
    tools: Mapping[str, Json]
    choice: Choice
    forced: str | None
    schema: Json
    limit: int | None
    stream: bool
    include_usage: bool
    logprobs: bool
    input_characters: int
    results: tuple[str, ...] = ()
    images: int = 0
    thinks: bool = True
    scope: Scope = field(default_factory=lambda: Scope("", "", "", ""))


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its arguments as JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """The answer: text, a refusal or calls, the reasoning before it, and the tokens it took, four characters each."""

    text: str
    calls: tuple[Call, ...] = ()
    refusal: str | None = None
    is_cut: bool = False
    input_tokens: int = 1
    reasoning_tokens: int = 0
    output_tokens: int = 0
    thought: str = "Let me see."


@dataclass(frozen=True, slots=True)
class Refused:
    """A request the real API would not take: its status, error type and message."""

    status: int
    type: str
    message: str
    param: str | None = None
    code: str | None = None


def say(settings: StandInSettings, asked: Asked) -> Said:
    """A tool is called where one has to be, and where there are tools and none has answered yet."""
    said = _said(settings, asked)
    if not asked.thinks:
        return replace(said, reasoning_tokens=0, output_tokens=said.output_tokens - said.reasoning_tokens)
    return replace(said, thought=settings.thought)


def _said(settings: StandInSettings, asked: Asked) -> Said:
    input_tokens = max(1, asked.input_characters // 4)
    calls = () if asked.choice == "none" else _calls(asked)
    if settings.refusal is not None:
        said = Said("", refusal=settings.refusal, input_tokens=input_tokens)
        return counted(said, len(settings.refusal), settings.reasoning_tokens)
    if calls:
        said = Said("", calls, input_tokens=input_tokens)
        return counted(said, sum(len(call.arguments) for call in calls), settings.reasoning_tokens)
    text = settings.answers.get(asked.text, settings.text)
    text = text.replace("{results}", ", ".join(asked.results)).replace("{images}", str(asked.images))
    if asked.schema is not None:
        text = orjson.dumps(sample_of(asked.schema)).decode()
    room = None if asked.limit is None else asked.limit * 4
    is_cut = room is not None and len(text) > room
    said = Said(text[:room], is_cut=is_cut, input_tokens=input_tokens)
    return counted(said, len(said.text), settings.reasoning_tokens)


def _calls(asked: Asked) -> tuple[Call, ...]:
    if not asked.tools or (asked.after_tool and asked.choice != "required" and asked.forced is None):
        return ()
    name = asked.forced or next(iter(asked.tools))
    arguments: Any = sample_of(asked.tools.get(name))
    return (Call("call_0", name, orjson.dumps(arguments if isinstance(arguments, dict) else {}).decode()),)


def named_calls(said: Said, name: str) -> Said:
    """`said` with ids of calls that no other answer has."""
    own = hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
    return replace(said, calls=tuple(replace(call, id=f"{call.id}{own}") for call in said.calls))


def counted(said: Said, characters: int, reasoning_tokens: int = 0) -> Said:
    """`said` with its output tokens."""
    return replace(said, reasoning_tokens=reasoning_tokens, output_tokens=max(1, characters // 4) + reasoning_tokens)


def cut_in_pieces(text: str, count: int) -> list[str]:
    """`text` in at most `count` pieces of about the same length."""
    size = max(1, -(-len(text) // count))
    return [text[at : at + size] for at in range(0, len(text), size)]
