"""An upstream's Chat Completions answer as neutral events, whole or streamed. Any bytes end in `Ended` or `Failed`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.errors import describe_error, error_from_json
from segue.wire.neutral.blocks import Blocks
from segue.wire.neutral.conversation import Reasoning
from segue.wire.neutral.events import Ended, Event, Failed, Started, Tokens
from segue.wire.neutral.logprobs import read_logprobs
from segue.wire.neutral.origin import Origin, fit_call_id
from segue.wire.openai_chat.decode import content_text
from segue.wire.openai_chat.decode import finish_reason as read_finish
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

_DONE = b"[DONE]"
_REASONING_FIELDS = ("reasoning_content", "reasoning")
"""Where compatible servers put reasoning; OpenAI itself does not."""


def decode_answer(body: bytes, *, origin: Origin, withheld: Iterable[str] = ()) -> list[Event]:
    """The events of the body of a response with status 200. `withheld` are texts that no error may repeat."""
    reader = _Reader(origin)
    try:
        value = as_object(parse_json(body, "The reply"), "The reply")
        if value.get("error") is not None:
            return [Failed(describe_error(200, error_from_json(value), withheld=withheld))]
        reader.start(value)
        choices = as_list(value.get("choices"), "choices")
        if not choices:
            raise BadReplyError("choices is empty.")
        choice = as_object(choices[0], "choices[0]")
        message = as_object(choice.get("message"), "choices[0].message")
        calls = optional_list(message.get("tool_calls"), "choices[0].message.tool_calls")
        numbered = [{**as_object(call, "tool_calls[]"), "index": at} for at, call in enumerate(calls)]
        reader.delta({**message, "tool_calls": numbered}, choice.get("logprobs"))
        reader.finish_name = optional_text(choice.get("finish_reason"), "finish_reason")
        reader.usage(value.get("usage"))
        if reader.finish_name is None:
            raise BadReplyError("finish_reason is missing.")
        return reader.ended()
    except BadReplyError as error:
        return [*reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), reader.tokens)]


class ChatAnswerDecoder:
    """Feed bytes, then `finish`. The answer is whole once `[DONE]` came, or the stream ended after a finish reason."""

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
        return events + self._end()

    def _take(self, found: list[tuple[str, bytes]]) -> list[Event]:
        events: list[Event] = []
        for _, data in found:
            if self._over:
                break
            if data.strip() == _DONE:
                return events + self._end()
            events += self._chunk(data)
        return events

    def _chunk(self, data: bytes) -> list[Event]:
        reader = self._reader
        try:
            chunk = as_object(parse_json(data, "A piece of the stream"), "A piece of the stream")
            if chunk.get("error") is not None:
                self._over = True
                return [Failed(describe_error(200, error_from_json(chunk), withheld=self._withheld), reader.tokens)]
            reader.start(chunk)
            for item in optional_list(chunk.get("choices"), "choices"):
                choice = as_object(item, "choices[]")
                if choice.get("index") in (None, 0):
                    reader.delta(optional_object(choice.get("delta"), "delta"), choice.get("logprobs"))
                    reader.finish_name = optional_text(choice.get("finish_reason"), "finish_reason") or reader.finish_name
            reader.usage(chunk.get("usage"))
        except BadReplyError as error:
            self._over = True
            return [*reader.blocks.taken(), Failed(Failure("bad_reply", str(error)), reader.tokens)]
        return reader.blocks.taken()

    def _end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        reader = self._reader
        if reader.finish_name is None:
            what = "The stream ended before the reply did." if reader.begun else "The stream ended without a reply."
            return [Failed(Failure("bad_reply", what), reader.tokens)]
        return reader.ended()


@dataclass(slots=True)
class _Reader:
    origin: Origin
    blocks: Blocks = field(default_factory=Blocks)
    tokens: Tokens = field(default_factory=Tokens)
    finish_name: str | None = None
    begun: bool = False
    id: str = ""
    declined: bool = False
    call: int | None = None
    calls: set[int] = field(default_factory=set)

    def start(self, value: dict[str, Any]) -> None:
        if self.begun:
            return
        self.begun = True
        self.id = optional_text(value.get("id"), "id") or ""
        self.blocks.events.append(Started(self.id or None, optional_text(value.get("model"), "model")))

    def delta(self, delta: dict[str, Any], logprobs: Json) -> None:
        for name in _REASONING_FIELDS:
            thought = delta.get(name)
            if isinstance(thought, str) and thought:
                self._switch("reasoning")
                self.blocks.add("reasoning", thought)
                break
        text = content_text(delta.get("content"), "content")
        found = read_logprobs(optional_object(logprobs, "logprobs").get("content"))
        if text or (found and self.blocks.kind == "text"):
            self._switch("text")
            self.blocks.add("text", text or "", found)
        refusal = optional_text(delta.get("refusal"), "refusal")
        if refusal:
            self.declined = True
            self._switch("refusal")
            self.blocks.add("refusal", refusal)
        for item in optional_list(delta.get("tool_calls"), "tool_calls"):
            self._call(as_object(item, "tool_calls[]"))

    def usage(self, value: Json) -> None:
        if value is not None:
            self.tokens = self.tokens.updated(read_tokens(as_object(value, "usage")))

    def ended(self) -> list[Event]:
        self._switch(None)
        self.blocks.end()
        finish: FinishReason | None = read_finish(self.finish_name, "declined" if self.declined else None)
        return [*self.blocks.taken(), Ended(finish or "other", self.tokens)]

    def _switch(self, kind: str | None) -> None:
        """Reasoning of this dialect bears no signature: its block ends with an item that nobody is shown again."""
        if self.blocks.kind == "reasoning" and kind != "reasoning":
            self.blocks.end(Reasoning("openai_chat", {}, self.origin.tag))

    def _call(self, piece: dict[str, Any]) -> None:
        at = as_index(piece.get("index"), "tool_calls[].index")
        kind = "custom" if piece.get("type") == "custom" or piece.get("custom") is not None else "function"
        called = optional_object(piece.get(kind), f"tool_calls[].{kind}")
        text = optional_text(called.get("arguments" if kind == "function" else "input"), "tool_calls[].arguments") or ""
        if at not in self.calls:
            self._switch(None)
            given = optional_text(piece.get("id"), "tool_calls[].id")
            name = as_text(called.get("name"), "tool_calls[].function.name")
            self.blocks.begin("tool_call", given or fit_call_id(f"{self.id} {at}", "openai_chat"), name, kind)  # type: ignore[arg-type]  # one of two words
            self.calls.add(at)
            self.call = at
        elif text and (at != self.call or self.blocks.kind != "tool_call"):
            raise BadReplyError("tool_calls come in turns, and each has to be whole before the next.")
        self.blocks.piece(text)


def read_tokens(usage: dict[str, Any]) -> Tokens:
    """Tokens of an answer. What the server leaves out is `None`."""
    prompt = optional_object(usage.get("prompt_tokens_details"), "usage.prompt_tokens_details")
    completion = optional_object(usage.get("completion_tokens_details"), "usage.completion_tokens_details")
    return Tokens(
        optional_count(usage.get("prompt_tokens"), "usage.prompt_tokens"),
        optional_count(usage.get("completion_tokens"), "usage.completion_tokens"),
        optional_count(completion.get("reasoning_tokens"), "usage.reasoning_tokens"),
        optional_count(prompt.get("cached_tokens"), "usage.cached_tokens"),
        optional_count(prompt.get("cache_write_tokens"), "usage.cache_write_tokens"),
    )
