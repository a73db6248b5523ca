"""An upstream's Responses answer as neutral events, whole or streamed. Any bytes end in `Ended` or `Failed`.

Items come one after the other. An item of a tool of the provider is a `bad_reply`: other dialects could not tell of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.errors import describe_error, error_from_json
from segue.wire.neutral.blocks import Blocks
from segue.wire.neutral.conversation import Reasoning
from segue.wire.neutral.events import Ended, Event, Failed, Started, Tokens
from segue.wire.neutral.logprobs import read_logprobs
from segue.wire.neutral.origin import Origin
from segue.wire.reading import (
    BadReplyError,
    as_index,
    as_list,
    as_object,
    as_text,
    optional_count,
    optional_list,
    optional_object,
    optional_text,
    parse_json,
)
from segue.wire.sse import SseDecoder

_CALLS: Mapping[str, tuple[str, str]] = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_OVER = frozenset({"completed", "incomplete", "failed", "cancelled"})


def decode_answer(body: bytes, *, origin: Origin, withheld: Iterable[str] = ()) -> list[Event]:
    """The events of the body of a response with status 200. `withheld` are texts that no error may repeat."""
    reader = _Reader(origin, tuple(withheld))
    try:
        value = as_object(parse_json(body, "The reply"), "The reply")
        if value.get("object") != "response" and value.get("error") is not None:
            return [reader.failed(value)]
        reader.start(value)
        for at, item in enumerate(as_list(value.get("output"), "output")):
            reader.item = at
            reader.item_done(as_object(item, f"output[{at}]"))
        status = optional_text(value.get("status"), "status")
        if status not in _OVER:
            raise BadReplyError("status says that the reply is not whole.")
        return reader.ended(value, status)
    except BadReplyError as error:
        return [*reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), reader.tokens)]


class ResponsesAnswerDecoder:
    """Feed bytes, then `finish`. The answer is whole once `response.completed` or `response.incomplete` came."""

    def __init__(self, *, origin: Origin, withheld: Iterable[str] = ()) -> None:
        self._sse = SseDecoder()
        self._reader = _Reader(origin, tuple(withheld))
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
        what = "The stream ended before the reply did." if self._reader.begun else "The stream ended without a reply."
        return [*events, Failed(Failure("bad_reply", what), self._reader.tokens)]

    def _take(self, found: list[tuple[str, bytes]]) -> list[Event]:
        events: list[Event] = []
        for name, data in found:
            if self._over:
                break
            if data.strip() == b"[DONE]":
                continue  # some servers send it, as in Chat; here it says nothing
            events += self._event(name, data)
        return events

    def _event(self, name: str, data: bytes) -> list[Event]:
        reader = self._reader
        try:
            event = as_object(parse_json(data, "An event of the stream"), "An event of the stream")
            kind = as_text(event.get("type", name), "type")
            if kind == "error":
                self._over = True
                return [*reader.blocks.taken(), reader.failed(event)]
            status = kind.removeprefix("response.")
            if status in _OVER:
                self._over = True
                return reader.ended(as_object(event.get("response"), "response"), status)
            reader.event(kind, event)
        except BadReplyError as error:
            self._over = True
            return [*reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), reader.tokens)]
        return reader.blocks.taken()


@dataclass(slots=True)
class _Reader:
    origin: Origin
    withheld: tuple[str, ...] = ()
    blocks: Blocks = field(default_factory=Blocks)
    tokens: Tokens = field(default_factory=Tokens)
    begun: bool = False
    item: int | None = None
    given: bool = False
    thought: list[str] = field(default_factory=list)
    called: bool = False
    declined: bool = False

    def event(self, kind: str, event: dict[str, Any]) -> None:
        """One event that is not the last. Kinds that are not known are passed over."""
        if kind in ("response.created", "response.in_progress", "response.queued"):
            self.start(as_object(event.get("response"), "response"))
            return
        handler = _HANDLERS.get(kind)
        if handler is None:
            return
        at = as_index(event.get("output_index"), f"{kind}.output_index")
        if kind == "response.output_item.added":
            self.item, self.given, self.thought = at, False, []
        elif at != self.item:
            raise BadReplyError(f"{kind}.output_index names an item that is not open.")
        handler(self, event)

    def start(self, response: dict[str, Any]) -> None:
        if self.begun:
            return
        self.begun = True
        name, model = optional_text(response.get("id"), "response.id"), optional_text(response.get("model"), "response.model")
        self.blocks.events.append(Started(name, model))

    def item_added(self, event: dict[str, Any]) -> None:
        self.begin(as_object(event.get("item"), "item"))

    def begin(self, item: dict[str, Any]) -> None:
        kind = as_text(item.get("type"), "item.type")
        self.blocks.end()
        if kind in _CALLS:
            self.called = True
            call_id, name = as_text(item.get("call_id"), "item.call_id"), as_text(item.get("name"), "item.name")
            self.blocks.begin("tool_call", call_id, name, _CALLS[kind][0])  # type: ignore[arg-type]  # one of two words
        elif kind == "reasoning":
            self.blocks.begin("reasoning")
        elif kind != "message":
            raise BadReplyError("item.type is a kind that other dialects cannot tell of.")

    def item_done(self, item: dict[str, Any]) -> None:
        """The whole item: what did not come in pieces is taken from here."""
        kind = as_text(item.get("type"), "item.type")
        if self.blocks.kind is None and not self.given:
            self.begin(item)
        if kind == "message" and not self.given:
            for part in optional_list(item.get("content"), "item.content"):
                self._part(as_object(part, "item.content[]"))
        elif kind in _CALLS and not self.given:
            field_name = _CALLS[kind][1]
            self.blocks.piece(as_text(item.get(field_name), f"item.{field_name}"))
        elif kind == "reasoning":
            self._reasoning(item)
        self.blocks.end()
        self.item, self.given, self.thought = None, False, []

    def _part(self, part: dict[str, Any]) -> None:
        if part.get("type") == "refusal":
            self.declined = True
            self.blocks.add("refusal", as_text(part.get("refusal"), "item.content[].refusal"))
        elif part.get("type") == "output_text":
            self.blocks.end()
            self.blocks.add("text", as_text(part.get("text"), "item.content[].text"), read_logprobs(part.get("logprobs")))

    def _reasoning(self, item: dict[str, Any]) -> None:
        if not self.given:
            texts = [
                as_text(as_object(one, "item.summary[]").get("text"), "item.summary[].text")
                for name in ("summary", "content")
                for one in optional_list(item.get(name), f"item.{name}")
            ]
            self.think("\n\n".join(texts))
        replayed = {name: value for name, value in item.items() if name != "status"}
        self.blocks.end(Reasoning("openai_responses", replayed, self.origin.tag, "".join(self.thought)))

    def think(self, text: str) -> None:
        if text:
            self.given = True
            self.thought.append(text)
            self.blocks.piece(text)

    def ended(self, response: dict[str, Any], status: str) -> list[Event]:
        """The last events, from the response as it stands at the end. `status` is what it ended as."""
        self.start(response)
        usage = response.get("usage")
        if usage is not None:
            self.tokens = self.tokens.updated(read_tokens(as_object(usage, "usage")))
        self.blocks.end()
        if status in ("failed", "cancelled"):
            error = response.get("error") or {"message": f"The response was {status}."}
            return [*self.blocks.taken(), self.failed(error)]
        finish: FinishReason = "tool_calls" if self.called else "refusal" if self.declined else "stop"
        if status == "incomplete":
            reason = optional_object(response.get("incomplete_details"), "incomplete_details").get("reason")
            finish = "length" if reason == "max_output_tokens" else "content_filter" if reason == "content_filter" else "other"
        return [*self.blocks.taken(), Ended(finish, self.tokens)]

    def failed(self, error: Json) -> Failed:
        return Failed(describe_error(200, error_from_json(error), withheld=self.withheld), self.tokens)


def _text(reader: _Reader, event: dict[str, Any]) -> None:
    reader.given = True
    reader.blocks.add("text", as_text(event.get("delta"), "delta"), read_logprobs(event.get("logprobs")))


def _refusal(reader: _Reader, event: dict[str, Any]) -> None:
    reader.given = reader.declined = True
    reader.blocks.add("refusal", as_text(event.get("delta"), "delta"))


def _arguments(reader: _Reader, event: dict[str, Any]) -> None:
    text = as_text(event.get("delta"), "delta")
    if reader.blocks.kind != "tool_call":
        raise BadReplyError("A piece of arguments belongs to no call.")
    reader.given = reader.given or bool(text)
    reader.blocks.piece(text)


def _thought(reader: _Reader, event: dict[str, Any]) -> None:
    if reader.blocks.kind != "reasoning":
        raise BadReplyError("A piece of reasoning belongs to no item.")
    reader.think(as_text(event.get("delta"), "delta"))


def _summary_part(reader: _Reader, _: dict[str, Any]) -> None:
    if reader.thought and reader.blocks.kind == "reasoning":
        reader.think("\n\n")


def _content_part(reader: _Reader, _: dict[str, Any]) -> None:
    """A new part is a new block. It begins with its first piece: an empty part is none."""
    if reader.blocks.kind == "text":
        reader.blocks.end()


def _item_done(reader: _Reader, event: dict[str, Any]) -> None:
    reader.item_done(as_object(event.get("item"), "item"))


_HANDLERS: Mapping[str, Callable[[_Reader, dict[str, Any]], None]] = {
    "response.output_item.added": _Reader.item_added,
    "response.output_item.done": _item_done,
    "response.content_part.added": _content_part,
    "response.output_text.delta": _text,
    "response.refusal.delta": _refusal,
    "response.function_call_arguments.delta": _arguments,
    "response.custom_tool_call_input.delta": _arguments,
    "response.reasoning_summary_text.delta": _thought,
    "response.reasoning_text.delta": _thought,
    "response.reasoning_summary_part.added": _summary_part,
}


def read_tokens(usage: dict[str, Any]) -> Tokens:
    """Tokens of an answer. What the server leaves out is `None`."""
    taken = optional_object(usage.get("input_tokens_details"), "usage.input_tokens_details")
    given = optional_object(usage.get("output_tokens_details"), "usage.output_tokens_details")
    return Tokens(
        optional_count(usage.get("input_tokens"), "usage.input_tokens"),
        optional_count(usage.get("output_tokens"), "usage.output_tokens"),
        optional_count(given.get("reasoning_tokens"), "usage.reasoning_tokens"),
        optional_count(taken.get("cached_tokens"), "usage.cached_tokens"),
        optional_count(taken.get("cache_write_tokens"), "usage.cache_write_tokens"),
    )
