"""An upstream's Messages answer as neutral events, whole or streamed. Any bytes end in `Ended` or `Failed`.

A kind of block that is not known, or that a tool of the provider makes, is a `bad_reply`: other dialects could not tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.anthropic_messages.decode import finish_reason, refusal_text
from segue.wire.errors import describe_error, error_from_json
from segue.wire.neutral.blocks import Blocks
from segue.wire.neutral.conversation import Reasoning
from segue.wire.neutral.events import Ended, Event, Failed, Pinged, Started, Tokens
from segue.wire.neutral.origin import Origin
from segue.wire.reading import (
    BadReplyError,
    as_index,
    as_list,
    as_object,
    as_text,
    optional_count,
    optional_object,
    optional_text,
    parse_json,
    to_json_text,
)
from segue.wire.sse import SseDecoder


def decode_answer(body: bytes, *, origin: Origin, withheld: Iterable[str] = ()) -> list[Event]:
    """The events of the body of a response with status 200. `withheld` are texts that no error may repeat."""
    reader = _Reader(origin)
    try:
        value = as_object(parse_json(body, "The reply"), "The reply")
        if value.get("type") == "error":
            return [Failed(describe_error(200, error_from_json(value), withheld=withheld))]
        reader.start(value)
        for at, item in enumerate(as_list(value.get("content"), "content")):
            block = as_object(item, f"content[{at}]")
            reader.block(block)
            reader.block_end()
        reader.stop(value, optional_object(value.get("usage"), "usage"))
        return reader.ended()
    except BadReplyError as error:
        return [*reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), reader.known)]


class MessagesAnswerDecoder:
    """Feed bytes, then `finish`. The answer is whole once `message_stop` came, or the stream ended after a stop reason."""

    def __init__(self, *, origin: Origin, withheld: Iterable[str] = ()) -> None:
        self._sse = SseDecoder()
        self._reader = _Reader(origin)
        self._withheld = withheld
        self._over = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that these bytes complete."""
        return self._take(self._sse.feed(chunk))

    def finish(self) -> list[Event]:
        """What is left when the connection has ended."""
        events = self._take(self._sse.finish())
        if self._over:
            return events
        self._over = True
        reader = self._reader
        if reader.begun and reader.stop_reason is not None:
            return events + self._ended()
        what = "The stream ended before the reply did." if reader.begun else "The stream ended without a reply."
        return [*events, Failed(Failure("bad_reply", what), reader.known)]

    def _take(self, found: list[tuple[str, bytes]]) -> list[Event]:
        events: list[Event] = []
        for name, data in found:
            if self._over:
                break
            events += self._event(name, data)
        return events

    def _event(self, name: str, data: bytes) -> list[Event]:
        reader = self._reader
        try:
            event = as_object(parse_json(data, "An event of the stream"), "An event of the stream")
            kind = as_text(event.get("type", name), "type")
            if kind == "error":
                self._over = True
                return [Failed(describe_error(200, error_from_json(event), withheld=self._withheld), reader.known)]
            if kind == "message_stop":
                self._over = True
                return self._ended()
            if kind == "ping":
                return [Pinged()]
            reader.event(kind, event)
        except BadReplyError as error:
            return self._failed(error)
        return reader.blocks.taken()

    def _ended(self) -> list[Event]:
        try:
            return self._reader.ended()
        except BadReplyError as error:
            return self._failed(error)

    def _failed(self, error: BadReplyError) -> list[Event]:
        self._over = True
        return [*self._reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), self._reader.known)]


@dataclass(slots=True)
class _Reader:
    origin: Origin
    blocks: Blocks = field(default_factory=Blocks)
    usage: dict[str, Json] = field(default_factory=dict)
    known: Tokens = field(default_factory=Tokens)
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Json = None
    begun: bool = False
    index: int | None = None
    block_type: str = ""
    item: dict[str, Json] = field(default_factory=dict)
    thought: list[str] = field(default_factory=list)
    given: bool = False

    def event(self, kind: str, event: dict[str, Any]) -> None:
        """One event that is neither the last nor a ping. Kinds that are not known are passed over, as the API asks."""
        if kind == "message_start":
            self.start(as_object(event.get("message"), "message_start.message"))
        elif kind == "content_block_start":
            self.index = as_index(event.get("index"), "content_block_start.index")
            self.block(as_object(event.get("content_block"), "content_block"))
        elif kind == "content_block_delta":
            self._on_open_block(event, kind)
            self.delta(as_object(event.get("delta"), "content_block_delta.delta"))
        elif kind == "content_block_stop":
            self._on_open_block(event, kind)
            self.block_end()
        elif kind == "message_delta":
            usage = optional_object(event.get("usage"), "message_delta.usage")
            self.stop(optional_object(event.get("delta"), "message_delta.delta"), usage)

    def start(self, message: dict[str, Any]) -> None:
        self.begun = True
        self._use(optional_object(message.get("usage"), "usage"))
        name, model = optional_text(message.get("id"), "id"), optional_text(message.get("model"), "model")
        self.blocks.events.append(Started(name, model, self.known))

    def block(self, start: dict[str, Any]) -> None:
        kind = self.block_type = as_text(start.get("type"), "content_block.type")
        self.item, self.thought, self.given = dict(start), [], False
        if kind == "text":
            self.blocks.begin("text")
            self.blocks.piece(optional_text(start.get("text"), "content_block.text") or "")
        elif kind == "tool_use":
            name = as_text(start.get("name"), "content_block.name")
            self.blocks.begin("tool_call", as_text(start.get("id"), "content_block.id"), name)
        elif kind in ("thinking", "redacted_thinking"):
            self.blocks.begin("reasoning")
            self._think(optional_text(start.get("thinking"), "content_block.thinking") or "")
        else:
            raise BadReplyError("content_block.type is a kind that other dialects cannot tell of.")

    def delta(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "text_delta" and self.block_type == "text":
            self.blocks.piece(as_text(delta.get("text"), "delta.text"))
        elif kind == "input_json_delta" and self.block_type == "tool_use":
            text = as_text(delta.get("partial_json"), "delta.partial_json")
            self.given = self.given or bool(text)
            self.blocks.piece(text)
        elif kind == "thinking_delta" and self.block_type == "thinking":
            self._think(as_text(delta.get("thinking"), "delta.thinking"))
        elif kind == "signature_delta" and self.block_type == "thinking":
            self.item["signature"] = as_text(delta.get("signature"), "delta.signature")

    def block_end(self) -> None:
        reasoning = None
        if self.block_type == "tool_use" and not self.given:
            whole = optional_object(self.item.get("input"), "content_block.input")
            self.blocks.piece(to_json_text(whole, "content_block.input"))
        elif self.block_type in ("thinking", "redacted_thinking"):
            text = "".join(self.thought)
            if self.block_type == "thinking":
                self.item["thinking"] = text
            reasoning = Reasoning("anthropic_messages", self.item, self.origin.tag, text)
        self.blocks.end(reasoning)
        self.index = None

    def stop(self, value: dict[str, Any], usage: dict[str, Any]) -> None:
        self.stop_reason = optional_text(value.get("stop_reason"), "stop_reason") or self.stop_reason
        self.stop_sequence = optional_text(value.get("stop_sequence"), "stop_sequence") or self.stop_sequence
        self.stop_details = value.get("stop_details") or self.stop_details
        self._use(usage)

    def ended(self) -> list[Event]:
        finish: FinishReason | None = finish_reason(self.stop_reason)
        if finish is None:
            raise BadReplyError("stop_reason is missing.")
        declined = refusal_text(finish, self.stop_details)
        if declined:
            self.blocks.add("refusal", declined)
        self.blocks.end()
        return [*self.blocks.taken(), Ended(finish, self.known, self.stop_sequence)]

    def _use(self, usage: dict[str, Any]) -> None:
        self.usage.update({name: value for name, value in usage.items() if value is not None})
        self.known = read_tokens(self.usage)

    def _think(self, text: str) -> None:
        self.thought.append(text)
        self.blocks.piece(text)

    def _on_open_block(self, event: dict[str, Any], kind: str) -> None:
        if self.index is None or as_index(event.get("index"), f"{kind}.index") != self.index:
            raise BadReplyError(f"{kind}.index names a block that is not open.")


def read_tokens(usage: dict[str, Json]) -> Tokens:
    """Tokens of an answer. All input is the sum of fresh, written and cached tokens (Messages API reference, "usage")."""
    fresh = optional_count(usage.get("input_tokens"), "usage.input_tokens")
    written = optional_count(usage.get("cache_creation_input_tokens"), "usage.cache_creation_input_tokens")
    cached = optional_count(usage.get("cache_read_input_tokens"), "usage.cache_read_input_tokens")
    details = optional_object(usage.get("output_tokens_details"), "usage.output_tokens_details")
    return Tokens(
        None if fresh is None else optional_count(fresh + (written or 0) + (cached or 0), "usage.input_tokens"),
        optional_count(usage.get("output_tokens"), "usage.output_tokens"),
        optional_count(details.get("thinking_tokens"), "usage.thinking_tokens"),
        cached,
        written,
    )
