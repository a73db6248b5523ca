"""Answers of upstreams that this package did not write: the stand-in's, and frames in the order OpenAI documents."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.dialect_values import DIALECTS, HEAD, HERE, answers
from tests.wire.test_fuzz import JSON
from tests.wire.test_streams import ANSWERS, anthropic_stream, openai_stream

from segue.wire.anthropic_messages import MessagesStreamDecoder
from segue.wire.base import StreamDecoder
from segue.wire.dialects import CODECS, answer_bytes
from segue.wire.neutral.conversation import Dialect
from segue.wire.neutral.events import Answer, Failed, Pinged, fold, is_meaningful, unfold
from segue.wire.openai_chat import ChatStreamDecoder

ITEM = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "hidden"}
SUMMARY = [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Second."}]
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "find", "arguments": "", "status": "in_progress"}
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 17,
}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-x", "status": "in_progress", "output": []}},
    {"type": "response.in_progress", "response": {"id": "resp_1", "model": "gpt-x", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
    {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "First."},
    {"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "First."},
    {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1, "part": {}},
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "Second."},
    {"type": "response.output_item.done", "output_index": 0, "item": {**ITEM, "summary": SUMMARY, "status": "completed"}},
    {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1", "content": []}},
    {"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": ""}},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Let me ", "logprobs": []},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "look.", "logprobs": []},
    {"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "Let me look.", "logprobs": []},
    {
        "type": "response.output_item.done",
        "output_index": 1,
        "item": {"type": "message", "content": [{"type": "output_text", "text": "Let me look."}]},
    },
    {"type": "response.output_item.added", "output_index": 2, "item": CALL},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": '{"id"'},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": ":7}"},
    {"type": "response.function_call_arguments.done", "output_index": 2, "item_id": "fc_1", "arguments": '{"id":7}'},
    {"type": "response.output_item.done", "output_index": 2, "item": {**CALL, "arguments": '{"id":7}'}},
    {"type": "response.something_new", "output_index": 2, "whatever": True},
    {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "usage": USAGE, "output": []}},
]


def responses_stream(events: list[dict[str, Any]]) -> bytes:
    """As OpenAI frames them."""
    return b"".join(b"event: " + one["type"].encode() + b"\ndata: " + orjson.dumps(one) + b"\n\n" for one in events)


def read(dialect: Dialect, data: bytes) -> Answer:
    """The answer in these frames."""
    decoder = CODECS[dialect].answer_decoder(origin=HERE)
    return fold([*decoder.feed(data), *decoder.finish()])


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
def test_the_gateway_reads_an_upstream_as_an_eval_does(dialect: Dialect, name: str) -> None:
    """Two decoders written apart agree on text, calls, reason, refusal and tokens."""
    is_chat = dialect == "openai_chat"
    data = openai_stream(ANSWERS[name]) if is_chat else anthropic_stream(ANSWERS[name])
    other: StreamDecoder = ChatStreamDecoder() if is_chat else MessagesStreamDecoder()
    other.feed(data)
    decoded = other.finish()
    found, reply = read(dialect, data), decoded.reply
    assert reply is not None
    assert found.finish == reply.finish_reason
    assert "".join(block.text for block in found.blocks if block.kind == "text") == reply.text
    assert ("".join(block.text for block in found.blocks if block.kind == "refusal") or None) == reply.refusal
    calls = [(block.id, block.name, block.text) for block in found.blocks if block.kind == "tool_call"]
    assert calls == [(call.id, call.name, call.arguments) for call in reply.tool_calls]
    usage = decoded.usage
    told = (found.tokens.input, found.tokens.output, found.tokens.reasoning, found.tokens.cached)
    assert told == (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cached_tokens)


def test_a_stream_of_responses_is_read_in_the_order_openai_documents() -> None:
    """Reasoning in two parts, text, a call; events that came up later are passed over."""
    found = read("openai_responses", responses_stream(EVENTS))
    assert [block.kind for block in found.blocks] == ["reasoning", "text", "tool_call"]
    reasoning, text, call = found.blocks
    assert reasoning.text == "First.\n\nSecond."
    assert reasoning.reasoning is not None
    assert reasoning.reasoning.item == {**ITEM, "summary": SUMMARY}
    assert text.text == "Let me look."
    assert (call.id, call.name, call.text) == ("call_1", "find", '{"id":7}')
    assert (found.finish, found.tokens.input, found.tokens.reasoning) == ("tool_calls", 9, 3)


def test_a_whole_response_is_read_as_its_stream_is() -> None:
    """The same blocks from the items as they stand at the end."""
    output = [event["item"] for event in EVENTS if event["type"] == "response.output_item.done"]
    body = {**EVENTS[-1]["response"], "object": "response", "model": "gpt-x", "output": output}
    whole = fold(CODECS["openai_responses"].decode_answer(orjson.dumps(body), origin=HERE))
    assert whole == read("openai_responses", responses_stream(EVENTS))


@given(st.lists(st.integers(0, 6000), max_size=8))
def test_how_openais_frames_are_cut_changes_nothing(places: list[int]) -> None:
    """Inside a name, a number or a line."""
    data = responses_stream(EVENTS)
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    decoder = CODECS["openai_responses"].answer_decoder(origin=HERE)
    events = [event for a, b in pairwise(marks) for event in decoder.feed(data[a:b])]
    assert fold([*events, *decoder.finish()]) == read("openai_responses", data)


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None}, "rate_limit"),
        (
            {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "x"}}},
            "server",
        ),
        ({"type": "response.output_item.added", "output_index": 3, "item": {"type": "web_search_call"}}, "bad_reply"),
    ],
    ids=["error", "failed", "hosted tool"],
)
def test_a_failure_of_responses_is_read_as_one(last: dict[str, Any], kind: str) -> None:
    """After any part of the answer."""
    found = read("openai_responses", responses_stream([*EVENTS[:-1], last]))
    assert found.failure is not None
    assert found.failure.kind == kind
    assert found.finish is None


def test_a_response_that_was_cut_says_so() -> None:
    """For length, or by a filter."""
    for reason, finish in (("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "other")):
        last = {"incomplete_details": {"reason": reason}}
        events = [*EVENTS[:15], {"type": "response.incomplete", "response": last}]
        assert read("openai_responses", responses_stream(events)).finish == finish


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("upstream", DIALECTS)
@given(answer=answers())
def test_an_answer_is_told_in_another_dialect_as_it_was_given(upstream: Dialect, client: Dialect, answer: Answer) -> None:
    """From an upstream's frames to a client's, event by event."""
    given_, told = CODECS[upstream].answer_stream(HEAD), CODECS[client].answer_stream(HEAD)
    decoder = CODECS[upstream].answer_decoder(origin=HERE)
    data = b""
    for event in unfold(answer):
        data += b"".join(told.encode(one) for one in decoder.feed(given_.encode(event)))
    found = read(client, data + b"".join(told.encode(one) for one in decoder.finish()))
    assert (found.blocks, found.finish, found.tokens) == (answer.blocks, answer.finish, answer.tokens)


def test_a_ping_and_the_beginning_are_no_meaningful_events() -> None:
    """Until the first that is, another bundle may still answer."""
    decoder = CODECS["anthropic_messages"].answer_decoder(origin=HERE)
    events = decoder.feed(anthropic_stream(ANSWERS["text"]))
    first = next(at for at, event in enumerate(events) if is_meaningful(event))
    assert [type(event).__name__ for event in events[: first + 1]] == ["Started", "Pinged", "BlockStarted", "Piece"]
    assert Pinged() in events
    assert not any(isinstance(event, Failed) for event in events)


@pytest.mark.parametrize("count", [10**30, 2**63])
def test_a_number_of_tokens_beyond_all_reason_is_a_bad_reply(count: int) -> None:
    """It could not be told on."""
    body = {"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": count, "output_tokens": 1}}
    found = fold(CODECS["anthropic_messages"].decode_answer(json.dumps(body).encode(), origin=HERE))
    assert found.failure is not None
    assert found.failure.kind == "bad_reply"


def test_pieces_of_calls_that_come_in_turns_are_a_failure() -> None:
    """No dialect but one could tell of them, and no official server sends them so."""
    pieces = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}},
        {"index": 0, "function": {"arguments": "}"}},
    ]
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
    found = read("openai_chat", b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks))
    assert found.failure is not None
    assert found.failure.kind == "bad_reply"


@given(st.lists(JSON, max_size=5), st.sampled_from(DIALECTS))
def test_whatever_an_upstream_says_can_be_told_to_every_client(values: list[Any], upstream: Dialect) -> None:
    """Odd values in proper places: what the decoder lets through, every encoder can write."""
    frames: list[Any] = []
    for value in values:
        if upstream == "openai_chat":
            frames += [{"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [value]}}]}]
            frames += [{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "function": value}]}}]}]
            frames += [{"choices": [], "usage": value}]
        elif upstream == "openai_responses":
            frames += [*EVENTS[:9], {"type": "response.output_item.added", "output_index": 1, "item": value}]
            frames += [{"type": "response.output_text.delta", "output_index": 1, "delta": "Hi", "logprobs": [value]}]
            frames += [{"type": "response.output_item.done", "output_index": 1, "item": value}]
        else:
            block = value if isinstance(value, dict) else {"type": "text", "text": value}
            frames += [{"type": "message_start", "message": {"id": value, "usage": value}}]
            frames += [{"type": "content_block_start", "index": 0, "content_block": {**block, "type": "thinking"}}]
            frames += [{"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": value}}]
            frames += [{"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": value, "usage": value}]
    decoder = CODECS[upstream].answer_decoder(origin=HERE)
    events = decoder.feed(b"".join(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames)) + decoder.finish()
    for client in DIALECTS:
        stream = CODECS[client].answer_stream(HEAD)
        assert isinstance(b"".join(stream.encode(event) for event in events), bytes)
        assert answer_bytes(client, fold(events), HEAD)
