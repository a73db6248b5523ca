"""Neutral events as the Responses dialect, whole or as numbered frames. No clock and no ids: both come in with the head.

Reasoning is shown as a summary, its provider's own item sealed in `encrypted_content`, so that the client brings it back.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from segue.model import Failure, Json
from segue.wire.neutral.client_error import ClientError
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
from segue.wire.openai_chat.answer_out import PING, error_json
from segue.wire.openai_responses.body import end_of, item_id, item_json, part_json, response_json, whole_logprobs

__all__ = ["ResponsesAnswerStream", "encode_answer", "error_json"]

_DELTAS = {"text": "output_text.delta", "refusal": "refusal.delta", "reasoning": "reasoning_summary_text.delta"}


def encode_answer(answer: Answer, head: Head) -> dict[str, Json] | Failure:
    """The whole body; a failure where the answer is none that this dialect can tell."""
    if answer.failure is not None:
        return answer.failure
    end = end_of(answer.finish, any(block.kind == "refusal" for block in answer.blocks))
    if end is None:
        return NO_WORD
    output = _output(head, answer.blocks, end[0])
    return {**response_json(head, end[0], output, answer.tokens), "incomplete_details": end[1]}


def _output(head: Head, blocks: tuple[AnswerBlock, ...], status: str) -> list[Json]:
    """The items; where the answer was cut, it was cut in the last one."""
    last = len(blocks) - 1
    return [item_json(head, at, block, status if at == last else "completed") for at, block in enumerate(blocks)]


class ResponsesAnswerStream:
    """Frames for a client, event by event."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._tokens = Tokens()
        self._number = 0
        self._blocks: list[AnswerBlock] = []
        self._texts: list[str] = []
        self._logprobs: list[Json] = []
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
            response = response_json(self._head, "in_progress", [])
            return self._frame("created", response=response) + self._frame("in_progress", response=response)
        if isinstance(event, Ended):
            return self._ended(event)
        if isinstance(event, Failed):
            return self.error(ClientError.from_failure(event.failure))
        assert isinstance(event, Pinged)
        return PING

    def error(self, error: ClientError) -> bytes:
        """The last frames of a stream that is not whole: an error, and the response as failed, for clients that wait for it."""
        said = {"code": error.code or error.kind, "message": error.message, "param": error.param}
        number = self._number
        self._number += 1
        frame = b"event: error\ndata: " + orjson.dumps({"type": "error", "sequence_number": number, **said}) + b"\n\n"
        code = "rate_limit_exceeded" if error.kind == "rate_limit" else "server_error"
        output = _output(self._head, tuple(self._blocks), "incomplete")
        response = {**response_json(self._head, "failed", output), "error": {"code": code, "message": error.message}}
        return frame + self._frame("failed", response=response)

    def _block(self, event: BlockStarted) -> bytes:
        block = AnswerBlock(event.kind, "", event.id, event.name, event.tool)
        self._blocks.append(block)
        self._texts, self._logprobs = [], []
        item = item_json(self._head, self._index, block, "in_progress")
        if event.kind in ("text", "refusal"):
            item["content"] = []
        frames = self._frame("output_item.added", output_index=self._index, item=item)
        if event.kind in ("text", "refusal"):
            frames += self._in_item("content_part.added", content_index=0, part=part_json(block))
        return frames

    def _piece(self, event: Piece) -> bytes:
        kind = self._blocks[-1].kind
        frames = b""
        if kind == "reasoning" and not self._texts:
            part = {"type": "summary_text", "text": ""}
            frames = self._in_item("reasoning_summary_part.added", summary_index=0, part=part)
        self._texts.append(event.text)
        self._logprobs.extend(event.logprobs)
        if kind == "tool_call":
            return self._in_item(f"{self._called}.delta", delta=event.text)
        if kind == "reasoning":
            return frames + self._in_item(_DELTAS[kind], summary_index=0, delta=event.text)
        if kind == "refusal":
            return self._in_item(_DELTAS[kind], content_index=0, delta=event.text)
        return self._in_item(_DELTAS[kind], content_index=0, delta=event.text, logprobs=whole_logprobs(event.logprobs))

    def _block_end(self, event: BlockEnded) -> bytes:
        whole = replace(self._blocks[-1], text="".join(self._texts), logprobs=tuple(self._logprobs), reasoning=event.reasoning)
        self._blocks[-1] = whole
        frames = self._done(whole)
        item = item_json(self._head, self._index, whole, "completed")
        return frames + self._frame("output_item.done", output_index=self._index, item=item)

    def _done(self, whole: AnswerBlock) -> bytes:
        """The events that repeat a block in one piece."""
        if whole.kind == "tool_call":
            field = "arguments" if whole.tool == "function" else "input"
            return self._in_item(f"{self._called}.done", **{field: whole.text, "name": whole.name})
        if whole.kind == "reasoning":
            if not whole.text:
                return b""
            part = {"type": "summary_text", "text": whole.text}
            done = self._in_item("reasoning_summary_text.done", summary_index=0, text=whole.text)
            return done + self._in_item("reasoning_summary_part.done", summary_index=0, part=part)
        if whole.kind == "refusal":
            done = self._in_item("refusal.done", content_index=0, refusal=whole.text)
        else:
            logprobs = whole_logprobs(whole.logprobs)
            done = self._in_item("output_text.done", content_index=0, text=whole.text, logprobs=logprobs)
        return done + self._in_item("content_part.done", content_index=0, part=part_json(whole))

    def _ended(self, event: Ended) -> bytes:
        end = end_of(event.finish, any(block.kind == "refusal" for block in self._blocks))
        if end is None:
            self.failure = NO_WORD
            return self.error(ClientError.from_failure(NO_WORD))
        output = _output(self._head, tuple(self._blocks), end[0])
        response = response_json(self._head, end[0], output, self._tokens.updated(event.tokens))
        return self._frame(end[0], response={**response, "incomplete_details": end[1]})

    @property
    def _index(self) -> int:
        return len(self._blocks) - 1

    @property
    def _called(self) -> str:
        return "function_call_arguments" if self._blocks[-1].tool == "function" else "custom_tool_call_input"

    def _in_item(self, name: str, /, **fields: Json) -> bytes:
        item = item_id(self._head, self._index, self._blocks[-1])
        return self._frame(name, item_id=item, output_index=self._index, **fields)

    def _frame(self, name: str, /, **fields: Json) -> bytes:
        number = self._number
        self._number += 1
        body = {"type": f"response.{name}", "sequence_number": number, **fields}
        return b"event: response." + name.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"
