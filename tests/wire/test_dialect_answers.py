"""Answers from dialect to dialect: whole and streamed, read back the same, and readable for the official SDKs' own types."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter
from tests.wire.dialect_values import DIALECTS, ELSEWHERE, HEAD, HERE, answers, thought

from segue.model import Failure
from segue.wire.dialects import CODECS
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import Answer, AnswerBlock, Ended, Event, Failed, Piece, Pinged, Started, Tokens, fold, unfold
from segue.wire.sse import SseDecoder

WHOLE: dict[Dialect, type[BaseModel]] = {
    "openai_chat": ChatCompletion,
    "openai_responses": Response,
    "anthropic_messages": AnthropicMessage,
}
FRAMES: dict[Dialect, TypeAdapter[Any]] = {
    "openai_chat": TypeAdapter(ChatCompletionChunk),
    "openai_responses": TypeAdapter(ResponseStreamEvent),
    "anthropic_messages": TypeAdapter(RawMessageStreamEvent),
}
LAST: dict[Dialect, bytes] = {
    "openai_chat": b'"finish_reason":"',
    "openai_responses": b"event: response.",
    "anthropic_messages": b'"stop_reason":"',
}
FAILURE = Failure("overloaded", "The provider is overloaded.")


def frames(dialect: Dialect, events: list[Event]) -> bytes:
    """What a client is sent."""
    stream = CODECS[dialect].answer_stream(HEAD)
    return b"".join(stream.encode(event) for event in events)


def cut(events: list[Event], size: int = 3) -> list[Event]:
    """The same events, with their texts in several pieces."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Piece) and not event.logprobs:
            texts = [event.text[at : at + size] for at in range(0, len(event.text), size)]
            found += [replace(event, text=text) for text in texts]
        else:
            found.append(event)
    return found


def said(dialect: Dialect, data: bytes) -> list[dict[str, Any]]:
    """The JSON of each frame but `[DONE]` and pings."""
    decoder = SseDecoder()
    found = [data for _, data in decoder.feed(data) + decoder.finish() if data != b"[DONE]"]
    return [value for value in map(orjson.loads, found) if value != {"type": "ping"}]


def read(dialect: Dialect, *chunks: bytes) -> list[Event]:
    """What the gateway makes of an upstream's stream."""
    decoder = CODECS[dialect].answer_decoder(origin=HERE)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def bare(answer: Answer) -> Answer:
    """Without the id and the model, which the gateway gives anew."""
    return replace(answer, id=None, model=None)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(answer=answers())
def test_a_whole_answer_is_read_back_the_same(dialect: Dialect, answer: Answer) -> None:
    """Told to a client, read as an upstream's, and read by the SDK."""
    body = CODECS[dialect].encode_answer(answer, HEAD)
    assert isinstance(body, dict)
    data = orjson.dumps(body)
    assert bare(fold(CODECS[dialect].decode_answer(data, origin=HERE))) == answer
    WHOLE[dialect].model_validate_json(data, strict=True)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(answer=answers())
def test_a_streamed_answer_is_read_back_the_same(dialect: Dialect, answer: Answer) -> None:
    """Frame by frame, and each frame is one the SDK knows."""
    data = frames(dialect, cut(unfold(answer)))
    assert bare(fold(read(dialect, data))) == answer
    for frame in said(dialect, data):
        FRAMES[dialect].validate_json(orjson.dumps(frame), strict=True)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(answer=answers(), places=st.lists(st.integers(0, 9000), max_size=12))
def test_how_a_stream_is_cut_changes_no_event(dialect: Dialect, answer: Answer, places: list[int]) -> None:
    """The network may cut inside a character, a line or an event."""
    data = frames(dialect, [*unfold(answer)[:1], Pinged(), *cut(unfold(answer)[1:])])
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    assert read(dialect, *(data[a:b] for a, b in pairwise(marks))) == read(dialect, data)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(answer=answers(), share=st.floats(0, 1, exclude_max=True))
def test_an_answer_cut_short_never_passes_for_a_whole_one(dialect: Dialect, answer: Answer, share: float) -> None:
    """Wherever the connection ends: before the word that ends the answer, what there is is a failure."""
    data = frames(dialect, cut(unfold(answer)))
    last = {
        "openai_chat": b'"finish_reason":"',
        "openai_responses": b"event: response.",
        "anthropic_messages": b'"stop_reason":"',
    }
    end = data.rindex(last[dialect])
    events = read(dialect, data[: int(end * share)])
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, Ended) for event in events)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_failure_in_the_middle_is_told_in_the_dialect_and_read_as_a_failure(dialect: Dialect) -> None:
    """No frame that ends an answer stands in the stream."""
    answer = Answer((AnswerBlock("text", "As I was say"),), failure=FAILURE)
    data = frames(dialect, unfold(answer))
    assert b"As I was say" in data
    for word in (b"[DONE]", b"message_stop", b"response.completed", b'"finish_reason":"'):
        assert word not in data
    last = read(dialect, data)[-1]
    assert isinstance(last, Failed)
    assert last.failure.kind in ("overloaded", "server")
    assert "The provider is overloaded." in last.failure.detail
    if dialect == "openai_responses":
        for frame in said(dialect, data):
            FRAMES[dialect].validate_json(orjson.dumps(frame), strict=True)


def test_frames_of_responses_are_numbered_without_a_gap() -> None:
    """From 0, one by one."""
    answer = Answer((AnswerBlock("text", "Yes."), AnswerBlock("tool_call", "{}", "call_1", "find")), "tool_calls")
    numbers = [frame["sequence_number"] for frame in said("openai_responses", frames("openai_responses", unfold(answer)))]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("finish", ["other", None])
def test_an_end_that_the_dialect_has_no_word_for_is_a_failure(dialect: Dialect, finish: Any) -> None:
    """A pause, or a reason that came up after this was written, must not look like an answer."""
    answer = Answer((AnswerBlock("text", "Wait"),), finish)
    assert isinstance(CODECS[dialect].encode_answer(answer, HEAD), Failure)
    if finish is not None:
        assert isinstance(read(dialect, frames(dialect, unfold(answer)))[-1], Failed)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_without_words_is_no_ordinary_end(dialect: Dialect) -> None:
    """Anthropic's refusals may have no explanation; the client still sees that there was one."""
    answer = Answer((AnswerBlock("text", "First, take"),), "refusal")
    found = fold(read(dialect, frames(dialect, unfold(answer))))
    assert found.finish in ("refusal", "content_filter")


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
def test_log_probabilities_are_told_in_both_of_openais_dialects(dialect: Dialect) -> None:
    """Whole and streamed."""
    token = {
        "token": "Ü",
        "logprob": -0.25,
        "bytes": [195, 156],
        "top_logprobs": [{"token": "Ü", "logprob": -0.25, "bytes": None}],
    }
    answer = Answer((AnswerBlock("text", "Ü", logprobs=(token,)),), "stop")
    body = CODECS[dialect].encode_answer(answer, HEAD)
    WHOLE[dialect].model_validate_json(orjson.dumps(body), strict=True)
    found = fold(read(dialect, frames(dialect, unfold(answer))))
    assert found.blocks[0].logprobs[0]["logprob"] == -0.25


@pytest.mark.parametrize("upstream", DIALECTS)
def test_reasoning_is_shown_by_dialects_that_have_it_and_never_as_text(upstream: Dialect) -> None:
    """Chat shows none at all."""
    reasoning = thought(ELSEWHERE, upstream)
    answer = Answer((AnswerBlock("reasoning", reasoning.text, reasoning=reasoning), AnswerBlock("text", "Yes.")), "stop")
    for dialect in DIALECTS:
        body, data = CODECS[dialect].encode_answer(answer, HEAD), frames(dialect, unfold(answer))
        for shown in (orjson.dumps(body), data):
            assert (b"Let me see." in shown) == (dialect != "openai_chat")
        WHOLE[dialect].model_validate_json(orjson.dumps(body), strict=True)
        for frame in said(dialect, data):
            FRAMES[dialect].validate_json(orjson.dumps(frame), strict=True)
        texts = [block.text for block in fold(read(dialect, data)).blocks if block.kind == "text"]
        assert texts == ["Yes."]


def test_a_broken_call_is_no_answer_for_anthropic() -> None:
    """Its arguments are an object or nothing; cut for length, the client is told that."""
    broken = Answer((AnswerBlock("tool_call", '{"id":', "call_1", "find"),), "tool_calls")
    assert isinstance(CODECS["anthropic_messages"].encode_answer(broken, HEAD), Failure)
    assert isinstance(read("anthropic_messages", frames("anthropic_messages", unfold(broken)))[-1], Failed)
    cut_off = frames("anthropic_messages", unfold(replace(broken, finish="length")))
    assert b'"stop_reason":"max_tokens"' in cut_off


def test_tokens_that_came_late_replace_those_that_came_early() -> None:
    """Chat Completions says at the end what was put in; Anthropic's client reads it in the last event."""
    events: list[Event] = [Started("1", "m"), Ended("stop", Tokens(9, 4))]
    last = said("anthropic_messages", frames("anthropic_messages", events))[-2]
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"]) == (9, 4)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("given_", [HEAD, replace(HEAD, include_usage=False)], ids=["asked", "not asked"])
def test_a_client_that_did_not_ask_for_tokens_is_not_sent_a_chunk_of_them(dialect: Dialect, given_: Any) -> None:
    """Only Chat Completions asks; the others always say."""
    stream = CODECS[dialect].answer_stream(given_)
    data = b"".join(map(stream.encode, unfold(Answer((), "stop", Tokens(9, 4)))))
    is_told = b"_tokens" in data.replace(b"max_output_tokens", b"")
    assert is_told == (given_.include_usage or dialect != "openai_chat")
