"""What the gateway knows of a client's dialect without translating it: its errors, what is an answer, and where a stream begins
and ends to mean something.

An answer in the client's own dialect passes as the bytes it is, so streams are looked at, not decoded: event by event up to
the first that means something, then only where a line may tell the end or a failure. Inside JSON texts quotes and line ends
are escaped, so the words looked for cannot be said by a model. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from segue.wire.dialects import CODECS
from segue.wire.neutral.client_error import ClientError
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.head import Head
from segue.wire.sse import SseDecoder

Sight = Literal["nothing", "meaning", "failure"]
Sign = Literal["", "whole", "over", "failure"]
"""What one `data` line tells: `whole` that the answer is, `over` that nothing follows either."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_BLANK = (b"\n\n", b"\n\r\n")


class _Choice(msgspec.Struct):
    message: dict[str, msgspec.Raw]


# What an answer must not say of itself stands in the types, so that one that is well costs nothing more. How it ended may be
# missing: some servers leave it out, and the bytes are the provider's.


class _ChatAnswer(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    error: None = None


class _ResponsesAnswer(msgspec.Struct):
    output: list[dict[str, msgspec.Raw]]
    status: Literal["completed", "incomplete"] | None = None
    error: None = None


class _MessagesAnswer(msgspec.Struct):
    content: list[dict[str, msgspec.Raw]]
    type: Literal["message"] | None = None
    error: None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """One client dialect. `sees` says of an event's JSON whether a client that has it has something of the answer.

    `signs` says what a `data` line tells, and `may_tell`, quickly, whether one of some lines tells anything. `check_answer`
    raises what msgspec raises where a body is no answer, or one that says that it failed or is not whole.
    """

    codec: Dialect
    path: str
    error_body: Callable[[ClientError], bytes]
    sees: Callable[[dict[str, Any]], Sight] = lambda _: "nothing"
    signs: Callable[[bytes], Sign] = lambda _: ""
    may_tell: Callable[[bytes], bool] = lambda _: False
    check_answer: Callable[[bytes], object] = _decode
    error_frame: Callable[[ClientError], bytes] = lambda _: b""


class StreamWatch:
    """Looks at a stream as it passes, and lets whole lines pass: half a frame before an error event would spoil that, too.

    Of several `choices` each has an end of its own.

    `begun`: something of the answer is there. `ended`: it says itself that it is whole; `closed`: and that nothing follows.
    `failed`: it says that it failed (`failing` is that event), or what came before its beginning is no stream.
    """

    __slots__ = (
        *("_edge", "_may_tell", "_open", "_passed", "_rest", "_sse"),
        *("begun", "closed", "ended", "failed", "failing", "runs"),
    )

    def __init__(self, edge: Edge, choices: int = 1) -> None:
        self._edge = edge
        self._may_tell = edge.may_tell
        self.runs = False  # begun, neither closed nor failed, and not within a line
        self._open = choices
        self._sse = SseDecoder()
        self._rest: list[bytes] = []
        self._passed = b""
        self.begun = self.ended = self.closed = self.failed = False
        self.failing = b""

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """What of it passes: whole lines up to the end, or up to a failure. How the bytes are cut makes no difference."""
        if self.closed or self.failed:
            return b""
        if self._rest:
            self._rest.append(chunk)
            if b"\n" not in chunk and not is_last:
                return b""  # within a line it was before
            chunk = b"".join(self._rest)
            self._rest.clear()
        rest = b""
        if not chunk.endswith(b"\n"):
            cut = chunk.rfind(b"\n") + 1
            chunk, rest = chunk[:cut], chunk[cut:]
        if chunk and (not self.begun or self._may_tell(chunk)):
            chunk = self._look(chunk)
        if is_last:
            chunk += self._last(rest)
        elif rest:
            self._rest.append(rest)
        self.runs = self.begun and not (self.closed or self.failed or self._rest)
        self._passed = chunk[-3:] if len(chunk) > 2 else (self._passed + chunk)[-3:]
        return chunk

    def passes(self, chunk: bytes) -> bool:
        """Whether a chunk is whole lines within the answer that tell nothing: most are, and pass without `feed`."""
        if self.runs and chunk[-2:] == b"\n\n" and not self._may_tell(chunk):
            self._passed = b"\n\n"
            return True
        return False

    def gap(self) -> bytes:
        """What has to stand before another event: the blank line that the last one may lack."""
        return b"" if self._passed.endswith(_BLANK) or not self._passed else b"\n"

    def _last(self, rest: bytes) -> bytes:
        """The line that the stream ended within: of use only where it says that all is whole."""
        if self.closed or self.failed or not rest:
            return b""
        was_whole = self.ended
        line = self._look(rest + b"\n")
        return line if self.closed or self.ended > was_whole else b""

    def _look(self, lines: bytes) -> bytes:
        at = 0
        for line in lines.splitlines(keepends=True):
            if line.startswith(b"data:"):
                data = line[5:].strip()
                sign = self._edge.signs(data)
                if sign == "failure" and self.begun:
                    self.failed, self.ended, self.failing = True, False, data
                    return lines[:at]
                if sign == "whole":
                    self._open -= 1
                self.ended = self.ended or sign == "over" or self._open <= 0
                if sign == "over":
                    self.closed = True
                    return lines[: at + len(line)]
            if not self.begun:
                self._wait(line)
            at += len(line)
            if self.failed:
                break
        return lines[:at]

    def _wait(self, line: bytes) -> None:
        for _, data in self._sse.feed(line):
            try:
                event = _decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                self.failed = True
                return
            sight = self._edge.sees(event) if isinstance(event, dict) else "failure"
            self.begun, self.failed = sight == "meaning", sight == "failure"


def _chat_signs(data: bytes) -> Sign:
    if data == b"[DONE]":
        return "over"
    if b'"error"' in data and _chat_sees(_event(data)) == "failure":
        return "failure"
    return "whole" if _FINISH.search(data) is not None else ""


def _chat_may_tell(lines: bytes) -> bool:
    return b"[DONE]" in lines or b'"error"' in lines or _FINISH.search(lines) is not None


def _messages_signs(data: bytes) -> Sign:
    kind = _event(data).get("type") if b'"error"' in data or b"message_stop" in data else None
    return "failure" if kind == "error" else "over" if kind == "message_stop" else ""


def _messages_may_tell(lines: bytes) -> bool:
    return b"message_stop" in lines or b'"error"' in lines


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


_FINISH = re.compile(rb'"finish_reason" ?: ?"')


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
    return "meaning" if kind in ("content_block_delta", "message_delta") else "nothing"


def _responses_sees(event: dict[str, Any]) -> Sight:
    kind = event.get("type")
    if kind in _RESPONSES_FAIL:
        return "failure"
    if kind == "response.output_item.added":
        item = event.get("item")
        begins_empty = isinstance(item, dict) and item.get("type") in ("message", "reasoning")
        return "nothing" if begins_empty else "meaning"
    return "meaning" if event.get("delta") or kind in _RESPONSES_END else "nothing"


def _responses_signs(data: bytes) -> Sign:
    kind = _event(data).get("type") if _responses_may_tell(data) else None
    return "failure" if kind in _RESPONSES_FAIL else "over" if kind in _RESPONSES_END else ""


def _responses_may_tell(lines: bytes) -> bool:
    return any(word in lines for word in _RESPONSES_WORDS)


_RESPONSES_END = ("response.completed", "response.incomplete")
_RESPONSES_FAIL = ("error", "response.failed", "response.cancelled")
_RESPONSES_WORDS = (b"response.completed", b"response.incomplete", b"response.failed", b"response.cancelled", b'"error"')
_NOBODY = Head("broken", 0, "")


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
            signs=_chat_signs,
            may_tell=_chat_may_tell,
            check_answer=msgspec.json.Decoder(_ChatAnswer).decode,
            error_body=_ERRORS["openai_chat"],
            error_frame=lambda error: b"data: " + _ERRORS["openai_chat"](error) + b"\n\n",
        ),
        Edge(
            codec="openai_responses",
            path="/v1/responses",
            sees=_responses_sees,
            signs=_responses_signs,
            may_tell=_responses_may_tell,
            check_answer=msgspec.json.Decoder(_ResponsesAnswer).decode,
            error_body=_ERRORS["openai_responses"],
            error_frame=lambda error: CODECS["openai_responses"].answer_stream(_NOBODY).error(error),
        ),
        Edge(
            codec="anthropic_messages",
            path="/v1/messages",
            sees=_messages_sees,
            signs=_messages_signs,
            may_tell=_messages_may_tell,
            check_answer=msgspec.json.Decoder(_MessagesAnswer).decode,
            error_body=_ERRORS["anthropic_messages"],
            error_frame=lambda error: b"event: error\ndata: " + _ERRORS["anthropic_messages"](error) + b"\n\n",
        ),
    )
}
"""By the path of the endpoint."""
