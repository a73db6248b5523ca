"""Whole answers and frames of the two dialects that providers speak, as bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

ProviderDialect = Literal["openai", "anthropic"]

TEXT = "Grüße vom neuen Modell – ✓ and some words."
PIECES = ("Grüße ", "vom neuen ", "Modell – ✓ ", "and some words.")
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def to_json(value: Any) -> bytes:
    """As providers write it: letters beyond ASCII as they are."""
    return json.dumps(value, ensure_ascii=False).encode()


def whole(body: bytes, *, kind: str = "application/json", status: str = "200 OK", extra: str = "") -> bytes:
    """A response whose length is stated."""
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{extra}content-length: {len(body)}\r\n\r\n".encode() + body


def chunk(part: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(part), part)


STREAM_HEAD = HEAD + b"content-type: text/event-stream\r\n" + CHUNKED


@dataclass(frozen=True)
class Words:
    """One dialect. `opening` means nothing yet, `pieces` are the text, `closing` says that it is whole; `mark` is its last."""

    answer: bytes
    error: bytes
    opening: bytes
    pieces: tuple[bytes, ...]
    closing: bytes
    mark: bytes
    failing: bytes
    ping: bytes

    @property
    def stream(self) -> bytes:
        """All frames of a stream that is whole."""
        return b"".join((self.opening, *self.pieces, self.closing, self.mark))


def _chat_frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + to_json({**_CHAT, "object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


def chat_piece(text: str) -> bytes:
    """A frame of text."""
    return _chat_frame({"content": text})


def messages_piece(text: str) -> bytes:
    """A frame of text."""
    return _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + to_json(event) + b"\n\n"


_CHAT = {"id": "c1", "created": 1, "model": "new-1"}
_CHAT_ERROR = to_json({"error": {"message": "The engine has died.", "type": "server_error", "code": None, "param": None}})
_MESSAGES_ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
_MESSAGE = {"id": "m1", "type": "message", "role": "assistant", "model": "new-1", "stop_sequence": None}
_USAGE = {"input_tokens": 3, "output_tokens": 9}

WORDS: dict[ProviderDialect, Words] = {
    "openai": Words(
        answer=to_json(
            {
                **_CHAT,
                "object": "chat.completion",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
            }
        ),
        error=_CHAT_ERROR,
        opening=_chat_frame({"role": "assistant", "content": ""}),
        pieces=tuple(chat_piece(one) for one in PIECES),
        closing=_chat_frame({}, "stop"),
        mark=b"data: [DONE]\n\n",
        failing=b"data: " + _CHAT_ERROR + b"\n\n",
        ping=b": keep-alive\n\n",
    ),
    "anthropic": Words(
        answer=to_json({**_MESSAGE, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "usage": _USAGE}),
        error=to_json(_MESSAGES_ERROR),
        opening=_event({"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None, "usage": _USAGE}})
        + _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        pieces=tuple(messages_piece(one) for one in PIECES),
        closing=_event({"type": "content_block_stop", "index": 0})
        + _event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE}),
        mark=_event({"type": "message_stop"}),
        failing=_event(_MESSAGES_ERROR),
        ping=_event({"type": "ping"}),
    ),
}
