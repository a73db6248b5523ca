"""Neutral events as the Chat Completions dialect, whole or as frames. No clock and no ids: both come in with the head.

Reasoning has no place in this dialect; clients are not shown it. What its provider wants back is sealed in a field of its own,
`reasoning_details`, which the SDK brings back with the message it stands in.
"""

from __future__ import annotations

import orjson

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.neutral.client_error import ClientError, ErrorKind
from segue.wire.neutral.conversation import Reasoning
from segue.wire.neutral.events import (
    Answer,
    AnswerBlock,
    BlockEnded,
    BlockStarted,
    Ended,
    Event,
    Failed,
    Piece,
    Pinged,
    Started,
    Tokens,
)
from segue.wire.neutral.head import NO_WORD, Head
from segue.wire.neutral.origin import seal
from segue.wire.openai_chat.request_in import DETAILS

PING = b": ping\n\n"
_TYPES: dict[ErrorKind, str] = {
    "invalid_request": "invalid_request_error",
    "auth": "invalid_request_error",
    "permission": "invalid_request_error",
    "not_found": "invalid_request_error",
    "too_large": "invalid_request_error",
    "rate_limit": "requests",
    "overloaded": "server_error",
    "timeout": "server_error",
    "server": "server_error",
}


def error_json(error: ClientError) -> dict[str, Json]:
    """An error as OpenAI words it, for both of its dialects."""
    return {
        "error": {"message": error.message, "type": _TYPES[error.kind], "param": error.param, "code": error.code or error.kind}
    }


def encode_answer(answer: Answer, head: Head) -> dict[str, Json] | Failure:
    """The whole body; a failure where the answer is none that this dialect can tell."""
    if answer.failure is not None:
        return answer.failure
    finish = _finish(answer.finish, _has(answer, "refusal"), _has(answer, "text"))
    if finish is None:
        return NO_WORD
    texts = [block.text for block in answer.blocks if block.kind == "text"]
    declined = [block.text for block in answer.blocks if block.kind == "refusal"]
    message: dict[str, Json] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(declined) if declined else None,
        "annotations": [],
    }
    calls = [_whole_call(block) for block in answer.blocks if block.kind == "tool_call"]
    if calls:
        message["tool_calls"] = calls
    details = [detail for block in answer.blocks if (detail := _detail(block.reasoning)) is not None]
    if details:
        message[DETAILS] = [{"index": at, **detail} for at, detail in enumerate(details)]
    logprobs = [one for block in answer.blocks if block.kind == "text" for one in block.logprobs]
    choice = {"index": 0, "message": message, "logprobs": _logprobs(logprobs), "finish_reason": finish}
    body = {**_base(head, "chat.completion"), "choices": [choice]}
    usage = usage_json(answer.tokens)
    return body if usage is None else {**body, "usage": usage}


class ChatAnswerStream:
    """Frames for a client, event by event."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._base = _base(head, "chat.completion.chunk")
        if head.include_usage:
            self._base["usage"] = None
        self._tokens = Tokens()
        self._calls: dict[int, int] = {}
        self._kinds: dict[int, str] = {}
        self._tools: dict[int, str] = {}
        self._details = 0
        self.failure: Failure | None = None

    def encode(self, event: Event) -> bytes:
        """The frames that tell of `event`; often none."""
        if isinstance(event, Piece):
            return self._piece(event)
        if isinstance(event, BlockStarted):
            return self._block(event)
        if isinstance(event, BlockEnded):
            return self._block_end(event)
        if isinstance(event, Started):
            self._tokens = event.tokens
            return self._chunk({"role": "assistant", "content": "", "refusal": None})
        if isinstance(event, Ended):
            return self._ended(event)
        if isinstance(event, Failed):
            return self.error(ClientError.from_failure(event.failure))
        return PING if isinstance(event, Pinged) else b""

    def error(self, error: ClientError) -> bytes:
        """The last frame of a stream that is not whole; no `[DONE]` follows."""
        return b"data: " + orjson.dumps(error_json(error)) + b"\n\n"

    def _block(self, event: BlockStarted) -> bytes:
        self._kinds[event.index] = event.kind
        if event.kind != "tool_call":
            return b""
        at = self._calls[event.index] = len(self._calls)
        self._tools[event.index] = event.tool
        field = "arguments" if event.tool == "function" else "input"
        called = {"name": event.name, field: ""}
        return self._chunk({"tool_calls": [{"index": at, "id": event.id, "type": event.tool, event.tool: called}]})

    def _block_end(self, event: BlockEnded) -> bytes:
        detail = _detail(event.reasoning)
        if detail is None:
            return b""
        at = self._details
        self._details += 1
        return self._chunk({DETAILS: [{"index": at, **detail}]})

    def _piece(self, event: Piece) -> bytes:
        kind = self._kinds[event.index]
        if kind == "text":
            return self._chunk({"content": event.text}, logprobs=_logprobs(list(event.logprobs)))
        if kind == "refusal":
            return self._chunk({"refusal": event.text})
        if kind == "tool_call":
            tool = self._tools[event.index]
            called = {"arguments" if tool == "function" else "input": event.text}
            return self._chunk({"tool_calls": [{"index": self._calls[event.index], tool: called}]})
        return b""

    def _ended(self, event: Ended) -> bytes:
        kinds = self._kinds.values()
        finish = _finish(event.finish, "refusal" in kinds, "text" in kinds)
        if finish is None:
            self.failure = NO_WORD
            return self.error(ClientError.from_failure(NO_WORD))
        frames = self._chunk({}, finish)
        usage = usage_json(self._tokens.updated(event.tokens))
        if self._head.include_usage and usage is not None:
            frames += b"data: " + orjson.dumps({**self._base, "choices": [], "usage": usage}) + b"\n\n"
        return frames + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Json], finish: str | None = None, logprobs: Json = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return b"data: " + orjson.dumps({**self._base, "choices": [choice]}) + b"\n\n"


def _base(head: Head, kind: str) -> dict[str, Json]:
    return {"id": f"chatcmpl-{head.id}", "object": kind, "created": head.created_s, "model": head.model}


def _has(answer: Answer, kind: str) -> bool:
    return any(block.kind == kind for block in answer.blocks)


def _detail(reasoning: Reasoning | None) -> dict[str, Json] | None:
    """Reasoning that its provider wants back; that of servers of this dialect nobody does."""
    sealed = None if reasoning is None or reasoning.dialect == "openai_chat" else seal(reasoning)
    return None if sealed is None else {"type": "reasoning.encrypted", "data": sealed}


def _finish(finish: FinishReason | None, declined: bool, said: bool) -> str | None:
    if finish == "refusal":
        return "stop" if declined and not said else "content_filter"
    return finish if finish in ("stop", "length", "tool_calls", "content_filter") else None


def _whole_call(block: AnswerBlock) -> Json:
    field = "arguments" if block.tool == "function" else "input"
    return {"id": block.id, "type": block.tool, block.tool: {"name": block.name, field: block.text}}


def _logprobs(found: list[Json]) -> Json:
    """`bytes` and `top_logprobs` may be missing where another dialect has none."""
    if not found:
        return None
    return {"content": [{"bytes": None, "top_logprobs": [], **one} for one in found], "refusal": None}


def usage_json(tokens: Tokens) -> dict[str, Json] | None:
    """Usage; nothing where the provider did not say what it took. Details it left out are left out: the schema has no null."""
    if tokens.input is None or tokens.output is None:
        return None
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": _told(cached_tokens=tokens.cached, cache_write_tokens=tokens.cache_written),
        "completion_tokens_details": _told(reasoning_tokens=tokens.reasoning),
    }


def _told(**counts: int | None) -> dict[str, Json]:
    return {name: count for name, count in counts.items() if count is not None}
