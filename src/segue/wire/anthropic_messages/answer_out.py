"""Neutral events as the Messages dialect, whole or as frames. No clock and no ids: both come in with the head.

Reasoning is shown as `thinking`, its provider's own item sealed in `signature`, so that the client brings it back.
"""

from __future__ import annotations

import orjson

from segue.model import Failure, Json
from segue.model.exchange import FinishReason
from segue.wire.neutral.client_error import ClientError, ErrorKind
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

_BROKEN_CALL = Failure("bad_reply", "The arguments of a tool call are not a JSON object.")
_CALLER: dict[str, Json] = {"type": "direct"}
"""Who calls a tool: the model itself, and no tool of the provider's."""
_CUSTOM_CALL = Failure("bad_reply", "The reply calls a custom tool, and the client's dialect has none.")
_TYPES: dict[ErrorKind, str] = {
    "invalid_request": "invalid_request_error",
    "auth": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "server": "api_error",
}


def error_json(error: ClientError) -> dict[str, Json]:
    """An error as Anthropic words it. There is no field for the field that is wrong: the message begins with it."""
    return {"type": "error", "error": {"type": _TYPES[error.kind], "message": error.message}}


def encode_answer(answer: Answer, head: Head) -> dict[str, Json] | Failure:
    """The whole body; a failure where the answer is none that this dialect can tell."""
    if answer.failure is not None:
        return answer.failure
    stop = _stop_reason(answer.finish, answer.stop_sequence)
    if stop is None:
        return NO_WORD
    content: list[Json] = []
    for block in answer.blocks:
        if block.kind == "text":
            content.append({"type": "text", "text": block.text, "citations": None})
        elif block.kind == "reasoning":
            content.append({"type": "thinking", "thinking": block.text, "signature": _signature(block)})
        elif block.kind == "tool_call":
            arguments = _object(block.text)
            if block.tool == "custom" or arguments is None:
                return _CUSTOM_CALL if block.tool == "custom" else _BROKEN_CALL
            content.append({"type": "tool_use", "id": block.id, "name": block.name, "input": arguments, "caller": _CALLER})
    declined = "".join(block.text for block in answer.blocks if block.kind == "refusal")
    return {
        **_message(head),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": answer.stop_sequence,
        "stop_details": _stop_details(stop, declined),
        "usage": _whole_usage(answer.tokens),
    }


class MessagesAnswerStream:
    """Frames for a client, event by event. Blocks are numbered anew: a refusal is no block here."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._tokens = Tokens()
        self._next = 0
        self._kind = ""
        self._arguments: list[str] = []
        self._declined: list[str] = []
        self._broken: Failure | None = None
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
            message = {**_message(self._head), "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
            return _frame("message_start", message={**message, "usage": _whole_usage(event.tokens)})
        if isinstance(event, Ended):
            return self._ended(event)
        if isinstance(event, Failed):
            return self.error(ClientError.from_failure(event.failure))
        assert isinstance(event, Pinged)
        return _frame("ping")

    def error(self, error: ClientError) -> bytes:
        """The last frame of a stream that is not whole."""
        return b"event: error\ndata: " + orjson.dumps(error_json(error)) + b"\n\n"

    def _block(self, event: BlockStarted) -> bytes:
        self._kind = event.kind
        if event.kind == "refusal":
            return b""
        block: dict[str, Json] = {"type": "text", "text": "", "citations": None}
        if event.kind == "reasoning":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        elif event.kind == "tool_call":
            self._arguments = []
            block = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}, "caller": _CALLER}
            if event.tool == "custom":
                self._broken = _CUSTOM_CALL
        return _frame("content_block_start", index=self._next, content_block=block)

    def _piece(self, event: Piece) -> bytes:
        if self._kind == "refusal":
            self._declined.append(event.text)
            return b""
        if not event.text:
            return b""
        if self._kind == "tool_call":
            self._arguments.append(event.text)
            return self._delta({"type": "input_json_delta", "partial_json": event.text})
        if self._kind == "reasoning":
            return self._delta({"type": "thinking_delta", "thinking": event.text})
        return self._delta({"type": "text_delta", "text": event.text})

    def _delta(self, delta: dict[str, Json]) -> bytes:
        return _frame("content_block_delta", index=self._next, delta=delta)

    def _block_end(self, event: BlockEnded) -> bytes:
        if self._kind == "refusal":
            return b""
        frames = b""
        if self._kind == "tool_call" and _object("".join(self._arguments)) is None:
            self._broken = self._broken or _BROKEN_CALL
        signature = None if event.reasoning is None else seal(event.reasoning)
        if signature is not None:
            frames = self._delta({"type": "signature_delta", "signature": signature})
        frames += _frame("content_block_stop", index=self._next)
        self._next += 1
        return frames

    def _ended(self, event: Ended) -> bytes:
        stop = _stop_reason(event.finish, event.stop_sequence)
        # A call that was cut for length is broken, and the client is told that it was cut.
        if stop is None or (self._broken is not None and stop != "max_tokens"):
            self.failure = self._broken or NO_WORD
            return self.error(ClientError.from_failure(self.failure))
        details = _stop_details(stop, "".join(self._declined))
        delta = {"stop_reason": stop, "stop_sequence": event.stop_sequence, "stop_details": details}
        usage = usage_json(self._tokens.updated(event.tokens))
        return _frame("message_delta", delta=delta, usage=usage) + _frame("message_stop")


def _frame(name: str, /, **fields: Json) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **fields}) + b"\n\n"


def _message(head: Head) -> dict[str, Json]:
    return {"id": f"msg_{head.id}", "type": "message", "role": "assistant", "model": head.model, "container": None}


def _signature(block: AnswerBlock) -> str:
    return (seal(block.reasoning) if block.reasoning is not None else None) or ""


def _object(text: str) -> dict[str, Json] | None:
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _stop_reason(finish: FinishReason | None, stop_sequence: str | None) -> str | None:
    if finish == "stop":
        return "end_turn" if stop_sequence is None else "stop_sequence"
    return {"length": "max_tokens", "tool_calls": "tool_use", "refusal": "refusal", "content_filter": "refusal"}.get(
        finish or ""
    )


def _stop_details(stop: str, declined: str) -> Json:
    return {"type": "refusal", "category": None, "explanation": declined or None} if stop == "refusal" else None


def _whole_usage(tokens: Tokens) -> dict[str, Json]:
    """Usage as a message has it: the schema wants every field, and what another dialect's provider does not tell is null."""
    untold = ("cache_creation", "inference_geo", "output_tokens_details", "server_tool_use", "service_tier")
    return {**dict.fromkeys(untold), **usage_json(tokens)}


def usage_json(tokens: Tokens) -> dict[str, Json]:
    """Usage. The SDK wants numbers: what is not known yet, or never, reads 0 (`docs/dialects.md`)."""
    fresh = max(0, (tokens.input or 0) - (tokens.cached or 0) - (tokens.cache_written or 0))
    body: dict[str, Json] = {
        "input_tokens": fresh,
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output or 0,
    }
    if tokens.reasoning is not None:
        body["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    return body
