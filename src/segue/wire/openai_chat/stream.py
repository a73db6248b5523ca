"""A streamed Chat Completions response, put together piece by piece. No clock: the caller stamps the first visible piece."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segue.model import Failure, Json, Reply, TokenLogprob, ToolCall, Usage
from segue.wire.base import Decoded, Delta
from segue.wire.errors import describe_error, error_from_json
from segue.wire.openai_chat.decode import content_text, finish_reason, read_usage, token_logprobs
from segue.wire.reading import (
    BadReplyError,
    as_index,
    as_list,
    as_object,
    as_text,
    optional_list,
    optional_object,
    optional_text,
    parse_json,
)
from segue.wire.sse import SseDecoder

_DONE = b"[DONE]"
_REASONING_FIELDS = ("reasoning_content", "reasoning")
"""Where compatible servers stream reasoning; OpenAI itself does not."""


@dataclass(slots=True)
class _Call:
    name: str = ""
    id: str | None = None
    arguments: list[str] = field(default_factory=list)


class ChatStreamDecoder:
    """Feed bytes, then `finish`. The reply is whole once a finish reason or `[DONE]` was seen; else it is a `bad_reply`."""

    def __init__(self, withheld: Iterable[str] = ()) -> None:
        self._withheld = withheld
        self._sse = SseDecoder()
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[TokenLogprob] | None = None
        self._finish: Json = None
        self._usage: tuple[Usage, int | None] = (Usage(), None)
        self._model: str | None = None
        self._failure: Failure | None = None
        self._done = False
        self._began = False

    def feed(self, chunk: bytes) -> list[Delta]:
        """What these bytes add to the reply."""
        return self._take(self._sse.feed(chunk))

    def finish(self) -> Decoded:
        """The reply, or why there is none."""
        self._take(self._sse.finish())
        usage, written = self._usage
        if self._failure is None and not (self._done and self._began) and self._finish is None:
            what = "The stream ended before the reply did." if self._began else "The stream ended without a reply."
            self._failure = Failure("bad_reply", what)
        if self._failure is None and any(not call.name for call in self._calls.values()):
            self._failure = Failure("bad_reply", "A tool call has no name.")
        if self._failure is not None:
            return Decoded(None, self._failure, usage, written, self._model)
        refusal = "".join(self._refusal) or None
        reply = Reply(
            text="".join(self._text),
            tool_calls=tuple(
                ToolCall(name=call.name, arguments="".join(call.arguments), id=call.id)
                for _, call in sorted(self._calls.items())
            ),
            finish_reason=finish_reason(self._finish, refusal),
            refusal=refusal,
            logprobs=None if self._logprobs is None else tuple(self._logprobs),
        )
        return Decoded(reply, None, usage, written, self._model)

    def _take(self, events: list[tuple[str, bytes]]) -> list[Delta]:
        deltas: list[Delta] = []
        for _, data in events:
            if self._failure is not None or self._done:
                break
            if data.strip() == _DONE:
                self._done = True
                break
            try:
                self._take_chunk(as_object(parse_json(data, "A piece of the stream"), "A piece of the stream"), deltas)
            except BadReplyError as error:
                self._failure = Failure("bad_reply", str(error))
        return deltas

    def _take_chunk(self, chunk: dict[str, Any], deltas: list[Delta]) -> None:
        if chunk.get("error") is not None:
            self._failure = describe_error(200, error_from_json(chunk), withheld=self._withheld)
            return
        if chunk.get("model") is not None:
            self._model = as_text(chunk["model"], "model") or self._model
        if chunk.get("usage") is not None:
            self._usage = read_usage(chunk["usage"])
        for item in optional_list(chunk.get("choices"), "choices"):
            choice = as_object(item, "choices[]")
            if choice.get("index") not in (None, 0):
                continue
            self._began = True
            self._take_delta(optional_object(choice.get("delta"), "delta"), deltas)
            if choice.get("logprobs") is not None:
                self._take_logprobs(choice["logprobs"])
            if choice.get("finish_reason") is not None:
                self._finish = optional_text(choice["finish_reason"], "finish_reason")

    def _take_logprobs(self, value: Json) -> None:
        found = token_logprobs(value)
        if found is not None:
            self._logprobs = self._logprobs if self._logprobs is not None else []
            self._logprobs.extend(found)

    def _take_delta(self, delta: dict[str, Any], deltas: list[Delta]) -> None:
        for key in _REASONING_FIELDS:
            thought = delta.get(key)
            if thought and isinstance(thought, str):
                deltas.append(Delta("reasoning", thought))
        text = content_text(delta.get("content"), "delta.content")
        if text:
            deltas.append(Delta("text", text))
            self._text.append(text)
        refusal = optional_text(delta.get("refusal"), "delta.refusal")
        if refusal:
            deltas.append(Delta("refusal", refusal))
            self._refusal.append(refusal)
        if delta.get("tool_calls") is None:
            return
        for item in as_list(delta["tool_calls"], "delta.tool_calls"):
            piece = as_object(item, "delta.tool_calls[]")
            index = as_index(piece.get("index"), "delta.tool_calls[].index")
            function = optional_object(piece.get("function"), "delta.tool_calls[].function")
            name = optional_text(function.get("name"), "delta.tool_calls[].function.name")
            arguments = optional_text(function.get("arguments"), "delta.tool_calls[].function.arguments") or ""
            call = self._calls.setdefault(index, _Call())
            call.id = optional_text(piece.get("id"), "delta.tool_calls[].id") or call.id
            call.name = call.name or name or ""
            call.arguments.append(arguments)
            deltas.append(Delta("tool_call", arguments, index, name))
