"""An answer as events, whichever dialect it came in, and the whole answer folded from them.

Blocks come one after the other: a block is begun, gets pieces, and ends before the next begins. The last event is `Ended` or
`Failed`, and nothing follows it. Knows no dialect's shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.neutral.conversation import Reasoning, ToolKind

BlockKind = Literal["text", "refusal", "reasoning", "tool_call"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one answer. `None` is unknown. `input` holds cached and written ones, `output` the reasoning ones."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None
    cache_written: int | None = None

    def updated(self, later: Tokens) -> Tokens:
        """What `later` knows replaces what is known."""
        known = {name: getattr(later, name) for name in later.__slots__ if getattr(later, name) is not None}
        return replace(self, **known)


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has taken the request. Nothing to show yet."""

    id: str | None = None
    model: str | None = None
    tokens: Tokens = field(default_factory=Tokens)


@dataclass(frozen=True, slots=True)
class Pinged:
    """The connection is alive."""


@dataclass(frozen=True, slots=True)
class BlockStarted:
    """`id` and `name` are a tool call's."""

    index: int
    kind: BlockKind
    id: str = ""
    name: str = ""
    tool: ToolKind = "function"


@dataclass(frozen=True, slots=True)
class Piece:
    """More of a block: text, words of a refusal, reasoning that may be shown, or arguments of a call."""

    index: int
    text: str
    logprobs: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockEnded:
    """The block is whole. `reasoning` is the provider's own item, for a reasoning block."""

    index: int
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole, or cut where `finish` says so."""

    finish: FinishReason
    tokens: Tokens = field(default_factory=Tokens)
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer ends here and is not whole."""

    failure: Failure
    tokens: Tokens = field(default_factory=Tokens)


Event = Started | Pinged | BlockStarted | Piece | BlockEnded | Ended | Failed


def is_meaningful(event: Event) -> bool:
    """Whether a client has seen something of this answer once it has this event: from here on there is no other answer."""
    if isinstance(event, Piece):
        return bool(event.text)
    return isinstance(event, Ended) or (isinstance(event, BlockStarted) and event.kind == "tool_call")


@dataclass(frozen=True, slots=True)
class AnswerBlock:
    """One whole block of an answer."""

    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""
    tool: ToolKind = "function"
    logprobs: tuple[Json, ...] = ()
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, or as much as there was before `failure`."""

    blocks: tuple[AnswerBlock, ...] = ()
    finish: FinishReason | None = None
    tokens: Tokens = field(default_factory=Tokens)
    stop_sequence: str | None = None
    id: str | None = None
    model: str | None = None
    failure: Failure | None = None


class AnswerDecoder(Protocol):
    """Takes the bytes of an upstream's stream as they come, in pieces of any size. Neither method ever raises."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events these bytes complete; none once the answer has ended or failed."""
        ...

    def finish(self) -> list[Event]:
        """What is left. A stream that ends too early gives `Failed`."""
        ...


@dataclass(slots=True)
class _Open:
    start: BlockStarted
    texts: list[str] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)
    reasoning: Reasoning | None = None

    def whole(self) -> AnswerBlock:
        start = self.start
        text, logprobs = "".join(self.texts), tuple(self.logprobs)
        return AnswerBlock(start.kind, text, start.id, start.name, start.tool, logprobs, self.reasoning)


@dataclass(slots=True)
class Fold:
    """Puts an answer together, event by event."""

    answer: Answer = field(default_factory=Answer)
    blocks: dict[int, _Open] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One event more."""
        if isinstance(event, Piece):
            block = self.blocks[event.index]
            block.texts.append(event.text)
            block.logprobs.extend(event.logprobs)
        elif isinstance(event, BlockStarted):
            self.blocks[event.index] = _Open(event)
        elif isinstance(event, BlockEnded):
            self.blocks[event.index].reasoning = event.reasoning
        elif isinstance(event, Started):
            self.answer = replace(self.answer, id=event.id, model=event.model, tokens=event.tokens)
        elif isinstance(event, Ended):
            tokens = self.answer.tokens.updated(event.tokens)
            self.answer = replace(self.answer, finish=event.finish, tokens=tokens, stop_sequence=event.stop_sequence)
        elif isinstance(event, Failed):
            self.answer = replace(self.answer, failure=event.failure, tokens=self.answer.tokens.updated(event.tokens))

    def whole(self) -> Answer:
        """The answer so far."""
        return replace(self.answer, blocks=tuple(block.whole() for _, block in sorted(self.blocks.items())))


def fold(events: Iterable[Event]) -> Answer:
    """The answer that `events` make."""
    found = Fold()
    for event in events:
        found.take(event)
    return found.whole()


def unfold(answer: Answer) -> list[Event]:
    """The events of an answer that came at once."""
    events: list[Event] = [Started(answer.id, answer.model, answer.tokens)]
    for index, block in enumerate(answer.blocks):
        events.append(BlockStarted(index, block.kind, block.id, block.name, block.tool))
        if block.text or block.logprobs:
            events.append(Piece(index, block.text, block.logprobs))
        events.append(BlockEnded(index, block.reasoning))
    if answer.failure is not None:
        events.append(Failed(answer.failure, answer.tokens))
    elif answer.finish is not None:
        events.append(Ended(answer.finish, answer.tokens, answer.stop_sequence))
    return events
