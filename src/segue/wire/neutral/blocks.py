"""Puts the blocks of an answer in order, one after the other, as its pieces come in. Knows no dialect."""

from __future__ import annotations

from dataclasses import dataclass, field

from segue.model import Json
from segue.wire.neutral.conversation import Reasoning, ToolKind
from segue.wire.neutral.events import BlockEnded, BlockKind, BlockStarted, Event, Piece


@dataclass(slots=True)
class Blocks:
    """Events gather in `events`; `index` is the block that is open, or -1."""

    events: list[Event] = field(default_factory=list)
    index: int = -1
    kind: BlockKind | None = None
    begun: int = 0

    def begin(self, kind: BlockKind, call_id: str = "", name: str = "", tool: ToolKind = "function") -> int:
        """End the open block and begin another."""
        self.end()
        self.index, self.kind = self.begun, kind
        self.begun += 1
        self.events.append(BlockStarted(self.index, kind, call_id, name, tool))
        return self.index

    def add(self, kind: BlockKind, text: str, logprobs: tuple[Json, ...] = ()) -> None:
        """A piece of a block of this kind; the open one, if it is of this kind, else a new one."""
        if self.kind != kind:
            self.begin(kind)
        self.piece(text, logprobs)

    def piece(self, text: str, logprobs: tuple[Json, ...] = ()) -> None:
        """A piece of the open block."""
        if text or logprobs:
            self.events.append(Piece(self.index, text, logprobs))

    def end(self, reasoning: Reasoning | None = None) -> None:
        """End the open block, if there is one."""
        if self.kind is not None:
            self.events.append(BlockEnded(self.index, reasoning))
        self.index, self.kind = -1, None

    def taken(self) -> list[Event]:
        """The events gathered since the last call."""
        found, self.events = self.events, []
        return found
