"""A Responses answer as a reply, whole or streamed. Any bytes end in a reply or a `bad_reply`, never in an exception.

Read by the same reader as at the gateway (`answer_in`); here its events become one reply.
"""

from __future__ import annotations

from collections.abc import Iterable

from segue.model import Json, Reply, TokenLogprob, ToolCall, Usage
from segue.wire.base import Decoded, Delta, DeltaKind
from segue.wire.neutral.events import Answer, BlockStarted, Event, Fold, Piece, fold
from segue.wire.neutral.origin import Origin
from segue.wire.openai_responses.answer_in import ResponsesAnswerDecoder, decode_answer

_NOWHERE = Origin("", "", "", "")
"""Nobody is shown this reasoning again."""


def decode_reply(body: bytes, *, withheld: Iterable[str] = ()) -> Decoded:
    """Decode the body of a response with status 200. `withheld` are the request's texts, which no error may repeat."""
    return _decoded(fold(decode_answer(body, origin=_NOWHERE, withheld=withheld)))


class ResponsesStreamDecoder:
    """Feed bytes, then `finish`. The reply is whole once `response.completed` or `response.incomplete` was seen."""

    def __init__(self, withheld: Iterable[str] = ()) -> None:
        self._decoder = ResponsesAnswerDecoder(origin=_NOWHERE, withheld=withheld)
        self._fold = Fold()
        self._kinds: dict[int, DeltaKind] = {}
        self._calls: dict[int, int] = {}

    def feed(self, chunk: bytes) -> list[Delta]:
        """What these bytes add to the reply."""
        return [delta for event in self._decoder.feed(chunk) for delta in self._take(event)]

    def finish(self) -> Decoded:
        """The reply, or why there is none."""
        for event in self._decoder.finish():
            self._take(event)
        return _decoded(self._fold.whole())

    def _take(self, event: Event) -> list[Delta]:
        self._fold.take(event)
        if isinstance(event, BlockStarted):
            self._kinds[event.index] = event.kind
            if event.kind != "tool_call":
                return []
            at = self._calls[event.index] = len(self._calls)
            return [Delta("tool_call", "", at, event.name)]
        if isinstance(event, Piece):
            return [Delta(self._kinds[event.index], event.text, self._calls.get(event.index, 0))]
        return []


def _decoded(answer: Answer) -> Decoded:
    tokens = answer.tokens
    usage = Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
        cached_tokens=tokens.cached,
    )
    if answer.failure is not None:
        return Decoded(None, answer.failure, usage, tokens.cache_written, answer.model)
    refused = [block.text for block in answer.blocks if block.kind == "refusal"]
    logprobs = [one for block in answer.blocks for one in block.logprobs]
    reply = Reply(
        text="".join(block.text for block in answer.blocks if block.kind == "text"),
        tool_calls=tuple(
            ToolCall(name=one.name, arguments=one.text, id=one.id) for one in answer.blocks if one.kind == "tool_call"
        ),
        finish_reason=answer.finish,
        refusal="".join(refused) if refused else None,
        logprobs=_logprobs(logprobs),
    )
    return Decoded(reply, None, usage, tokens.cache_written, answer.model)


def _logprobs(found: list[Json]) -> tuple[TokenLogprob, ...] | None:
    """`None` where they were not asked for."""
    return tuple(TokenLogprob(one["token"], one["logprob"]) for one in found) if found else None
