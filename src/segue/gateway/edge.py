"""What the gateway knows of a client's dialect without translating it: its errors, and where a stream begins and ends to mean
something.

An answer in the client's own dialect passes as the bytes it is, so streams are looked at, not decoded: event by event up to
the first that means something, then only for the mark of their end. Inside JSON texts quotes and line ends are escaped, so the
marks looked for cannot be said by a model. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from segue.wire.dialects import CODECS
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.conversation import Dialect
from segue.wire.sse import SseDecoder

Sight = Literal["nothing", "meaning", "failure"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TAIL = 96
"""Bytes of a chunk that are looked at again with the next one: the longest mark, and some."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One client dialect. `sees` says of an event's JSON whether a client that has it has something of the answer.

    A dialect that no provider here speaks is always translated, and needs no looking at.
    """

    codec: Dialect
    path: str
    error_body: Callable[[ClientError], bytes]
    sees: Callable[[dict[str, Any]], Sight] = lambda _: "nothing"
    end: re.Pattern[bytes] = re.compile(rb"(?!)")
    error_frame: Callable[[ClientError], bytes] = lambda _: b""


class StreamWatch:
    """Looks at a stream as it passes. `begun`: something of the answer is there. `ended`: it says itself that it is whole."""

    __slots__ = ("_edge", "_sse", "_tail", "begun", "ended", "failed")

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._sse: SseDecoder | None = SseDecoder()
        self._tail = b""
        self.begun = self.ended = self.failed = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes, in pieces of any size."""
        if not self.ended:
            seen = self._tail + chunk
            self.ended = self._edge.end.search(seen) is not None
            self._tail = seen[-_TAIL:]
        if not self.begun and self._sse is not None:
            for _, data in self._sse.feed(chunk):
                self._look(data)
                if self.begun or self.failed:
                    self._sse = None
                    break

    def _look(self, data: bytes) -> None:
        if data == b"[DONE]":
            return
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self.failed = True
            return
        sight = self._edge.sees(event) if isinstance(event, dict) else "failure"
        self.begun, self.failed = sight == "meaning", sight == "failure"


def _chat_sees(event: dict[str, Any]) -> Sight:
    if event.get("error") is not None:
        return "failure"
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else []:
        if not isinstance(choice, dict):
            return "failure"
        delta = choice.get("delta")
        said = isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")
        if said or choice.get("finish_reason") is not None:
            return "meaning"
    return "nothing"


def _messages_sees(event: dict[str, Any]) -> Sight:
    kind = event.get("type")
    if kind == "error":
        return "failure"
    if kind == "content_block_start":
        block = event.get("content_block")
        begins_empty = isinstance(block, dict) and block.get("type") in ("text", "thinking")
        return "nothing" if begins_empty else "meaning"
    return "meaning" if kind in ("content_block_delta", "message_delta", "message_stop") else "nothing"


def _error_body(codec: Dialect) -> Callable[[ClientError], bytes]:
    return lambda error: _encode(CODECS[codec].error_json(error))


_ERRORS = {codec: _error_body(codec) for codec in CODECS}

EDGES: Mapping[str, Edge] = {
    edge.path: edge
    for edge in (
        Edge(
            codec="openai_chat",
            path="/v1/chat/completions",
            sees=_chat_sees,
            end=re.compile(rb'(?:^|[\r\n])data: ?\[DONE\]|"finish_reason" ?: ?"'),
            error_body=_ERRORS["openai_chat"],
            error_frame=lambda error: b"data: " + _ERRORS["openai_chat"](error) + b"\n\n",
        ),
        Edge(
            codec="openai_responses",
            path="/v1/responses",
            error_body=_ERRORS["openai_responses"],
        ),
        Edge(
            codec="anthropic_messages",
            path="/v1/messages",
            sees=_messages_sees,
            end=re.compile(rb'"type" ?: ?"message_stop"'),
            error_body=_ERRORS["anthropic_messages"],
            error_frame=lambda error: b"event: error\ndata: " + _ERRORS["anthropic_messages"](error) + b"\n\n",
        ),
    )
}
"""By the path of the endpoint."""
