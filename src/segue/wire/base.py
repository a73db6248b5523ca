"""What every dialect gives back: a request ready to send, pieces of a stream, and a decoded reply or failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from segue.model import Failure, Json, Reply, Usage

DeltaKind = Literal["text", "reasoning", "refusal", "tool_call"]


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request as a dialect writes it: path below the base URL, headers without secrets, JSON body."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of a streamed reply. For a tool call, `index` says which call, and `name` comes with its first piece."""

    kind: DeltaKind
    text: str = ""
    index: int = 0
    name: str | None = None

    @property
    def is_visible(self) -> bool:
        """Whether the user of the application has something now: text, a refusal or a tool call, but not reasoning.

        The first visible piece is the moment time to first token is measured at.
        """
        return self.kind != "reasoning" and bool(self.text or self.name)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded response: a reply or a failure.

    `cache_write_tokens` is priced apart from other input where a provider charges for it. `served_model` is the model the
    provider says has answered.
    """

    reply: Reply | None = None
    failure: Failure | None = None
    usage: Usage = field(default_factory=Usage)
    cache_write_tokens: int | None = None
    served_model: str | None = None

    def __post_init__(self) -> None:
        assert (self.reply is None) != (self.failure is None), "a decoded response is a reply or a failure"


class StreamDecoder(Protocol):
    """Takes the bytes of a stream as they come, in pieces of any size. Neither method ever raises."""

    def feed(self, chunk: bytes) -> list[Delta]:
        """What these bytes add to the reply; empty once the stream has failed."""
        ...

    def finish(self) -> Decoded:
        """The reply, once the stream has ended. A stream that ends too early is a `bad_reply`."""
        ...
