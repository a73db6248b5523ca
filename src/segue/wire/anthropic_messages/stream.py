"""A streamed Messages response, put together event by event. No clock: the caller stamps the first visible piece.

Events that this version does not know are passed over, as the API reserves the right to add some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.model import Failure, Json, Reply
from segue.wire.anthropic_messages.decode import finish_reason, read_usage, refusal_text, tool_call
from segue.wire.base import Decoded, Delta
from segue.wire.errors import describe_error, error_from_json
from segue.wire.reading import (
    BadReplyError,
    as_index,
    as_object,
    as_text,
    optional_object,
    optional_text,
    parse_json,
    to_json_text,
)
from segue.wire.sse import SseDecoder


@dataclass(slots=True)
class _Block:
    type: str
    start: dict[str, Any]
    pieces: list[str] = field(default_factory=list)


class MessagesStreamDecoder:
    """Feed bytes, then `finish`. The reply is whole once a stop reason or `message_stop` was seen; else it is a `bad_reply`."""

    def __init__(self, withheld: Iterable[str] = ()) -> None:
        self._withheld = withheld
        self._sse = SseDecoder()
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, Json] = {}
        self._stop_reason: Json = None
        self._stop_details: Json = None
        self._model: str | None = None
        self._failure: Failure | None = None
        self._began = False
        self._done = False
        self._handlers: Mapping[str, Callable[[dict[str, Any], list[Delta]], None]] = {
            "message_start": self._message_start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._error,
        }

    def feed(self, chunk: bytes) -> list[Delta]:
        """What these bytes add to the reply."""
        return self._take(self._sse.feed(chunk))

    def finish(self) -> Decoded:
        """The reply, or why there is none."""
        self._take(self._sse.finish())
        if self._failure is None and not (self._began and (self._done or self._stop_reason is not None)):
            what = "The stream ended before the reply did." if self._began else "The stream ended without a reply."
            self._failure = Failure("bad_reply", what)
        usage, written = read_usage({})
        reply = None
        try:
            usage, written = read_usage(self._usage)
            if self._failure is None:
                reply = self._reply()
        except BadReplyError as error:
            self._failure = self._failure or Failure("bad_reply", str(error))
        return Decoded(reply, self._failure, usage, written, self._model)

    def _reply(self) -> Reply:
        blocks = [block for _, block in sorted(self._blocks.items())]
        reason = finish_reason(self._stop_reason)
        return Reply(
            text="".join("".join(block.pieces) for block in blocks if block.type == "text"),
            tool_calls=tuple(
                tool_call(block.start, "content_block", "".join(block.pieces) or _whole_input(block.start))
                for block in blocks
                if block.type == "tool_use"
            ),
            finish_reason=reason,
            refusal=refusal_text(reason, self._stop_details),
        )

    def _take(self, events: list[tuple[str, bytes]]) -> list[Delta]:
        deltas: list[Delta] = []
        for name, data in events:
            if self._failure is not None or self._done:
                break
            try:
                event = as_object(parse_json(data, "An event of the stream"), "An event of the stream")
                handler = self._handlers.get(as_text(event.get("type", name), "type"))
                if handler is not None:
                    handler(event, deltas)
            except BadReplyError as error:
                self._failure = Failure("bad_reply", str(error))
        return deltas

    def _message_start(self, event: dict[str, Any], _: list[Delta]) -> None:
        message = as_object(event.get("message"), "message_start.message")
        self._began = True
        self._model = optional_text(message.get("model"), "message_start.message.model")
        self._usage.update(optional_object(message.get("usage"), "message_start.message.usage"))

    def _block_start(self, event: dict[str, Any], deltas: list[Delta]) -> None:
        index = as_index(event.get("index"), "content_block_start.index")
        start = as_object(event.get("content_block"), "content_block_start.content_block")
        block = _Block(as_text(start.get("type"), "content_block_start.content_block.type"), start)
        self._blocks[index] = block
        if block.type == "tool_use":
            deltas.append(Delta("tool_call", "", index, as_text(start.get("name"), "content_block_start.content_block.name")))
        elif block.type == "text":
            text = optional_text(start.get("text"), "content_block_start.content_block.text")
            if text:
                block.pieces.append(text)
                deltas.append(Delta("text", text))

    def _block_delta(self, event: dict[str, Any], deltas: list[Delta]) -> None:
        index = as_index(event.get("index"), "content_block_delta.index")
        delta = as_object(event.get("delta"), "content_block_delta.delta")
        block = self._blocks.get(index)
        if block is None:
            raise BadReplyError("content_block_delta.index names a block that was not started.")
        kind = delta.get("type")
        if kind == "text_delta":
            piece = as_text(delta.get("text"), "content_block_delta.delta.text")
            deltas.append(Delta("text", piece))
        elif kind == "input_json_delta":
            piece = as_text(delta.get("partial_json"), "content_block_delta.delta.partial_json")
            deltas.append(Delta("tool_call", piece, index))
        elif kind == "thinking_delta":
            deltas.append(Delta("reasoning", as_text(delta.get("thinking"), "content_block_delta.delta.thinking")))
            return
        else:
            return
        block.pieces.append(piece)

    def _message_delta(self, event: dict[str, Any], _: list[Delta]) -> None:
        delta = optional_object(event.get("delta"), "message_delta.delta")
        self._stop_reason = optional_text(delta.get("stop_reason"), "message_delta.delta.stop_reason") or self._stop_reason
        self._stop_details = delta.get("stop_details") or self._stop_details
        usage = optional_object(event.get("usage"), "message_delta.usage")
        self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _message_stop(self, _: dict[str, Any], __: list[Delta]) -> None:
        self._done = True

    def _error(self, event: dict[str, Any], _: list[Delta]) -> None:
        self._failure = describe_error(200, error_from_json(event), withheld=self._withheld)


def _whole_input(start: dict[str, Any]) -> str:
    """The input of a call that was not streamed in pieces: often none at all."""
    return to_json_text(optional_object(start.get("input"), "content_block.input"), "content_block.input")
