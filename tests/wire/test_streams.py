"""Streams: whole replies from pieces, the moment of the first token, and a streamed reply equal to one that came at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model import ToolCall, Usage
from segue.standin import StandInSettings, anthropic_front, openai_front
from segue.standin.said import Asked, Call, Said
from segue.wire import anthropic_messages, openai_chat
from segue.wire.anthropic_messages import MessagesStreamDecoder
from segue.wire.base import Decoded, Delta, StreamDecoder
from segue.wire.openai_chat import ChatStreamDecoder

ASKED = Asked("m", "", False, {}, "auto", None, None, None, True, True, False, 0)
ANSWERS = {
    "text": Said("Grüße, your refund is on its way — 20 €.", input_tokens=9, output_tokens=8),
    "thinking": Said("Yes.", input_tokens=9, reasoning_tokens=30, output_tokens=31),
    "cut": Said("As I was say", is_cut=True, input_tokens=9, output_tokens=3),
    "refusal": Said("", refusal="I cannot help with that.", input_tokens=9, output_tokens=3),
    "tools": Said("", (Call("1", "find", '{"id":"ü7"}'), Call("2", "stop", "{}")), input_tokens=9, output_tokens=8),
}
SETTINGS = StandInSettings(pieces=5)


def openai_stream(said: Said) -> bytes:
    """The stream of an answer."""
    return b"".join(openai_front.stream_pieces(SETTINGS, ASKED, said, "1"))


def anthropic_stream(said: Said) -> bytes:
    """The stream of an answer."""
    return b"".join(anthropic_front.stream_pieces(SETTINGS, ASKED, said, "1"))


def run(decoder: StreamDecoder, *chunks: bytes) -> tuple[Decoded, list[Delta]]:
    """The reply and the pieces on the way to it."""
    deltas = [delta for chunk in chunks for delta in decoder.feed(chunk)]
    return decoder.finish(), deltas


def chat(*chunks: dict[str, Any] | str) -> bytes:
    """Chat Completions events; text stands as it is."""
    return b"".join(
        b"data: " + (chunk.encode() if isinstance(chunk, str) else orjson.dumps(chunk)) + b"\n\n" for chunk in chunks
    )


def piece(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"choices": [{"index": 0, "delta": delta, **choice}]}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_streamed_reply_equals_the_one_that_came_at_once(name: str) -> None:
    """In both dialects, for every kind of answer."""
    said = ANSWERS[name]
    streamed, _ = run(ChatStreamDecoder(), openai_stream(said))
    assert streamed == openai_chat.decode_reply(orjson.dumps(openai_front.reply_body(SETTINGS, ASKED, said, "1")))
    streamed, _ = run(MessagesStreamDecoder(), anthropic_stream(said))
    assert streamed == anthropic_messages.decode_reply(orjson.dumps(anthropic_front.reply_body(SETTINGS, ASKED, said, "1")))


@given(st.sampled_from(sorted(ANSWERS)), st.booleans(), st.lists(st.integers(min_value=0, max_value=5000)))
def test_how_the_bytes_are_cut_changes_neither_reply_nor_pieces(name: str, is_chat: bool, places: list[int]) -> None:
    """The network may cut inside a character, a line or an event."""
    data = openai_stream(ANSWERS[name]) if is_chat else anthropic_stream(ANSWERS[name])
    make = ChatStreamDecoder if is_chat else MessagesStreamDecoder
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    assert run(make(), *(data[a:b] for a, b in pairwise(marks))) == run(make(), data)


@given(st.sampled_from(sorted(ANSWERS)), st.booleans(), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_stream_that_ends_too_early_never_passes_for_a_whole_reply(name: str, is_chat: bool, share: float) -> None:
    """Either nothing essential was lost, or it is a bad reply."""
    data = openai_stream(ANSWERS[name]) if is_chat else anthropic_stream(ANSWERS[name])
    make = ChatStreamDecoder if is_chat else MessagesStreamDecoder
    whole, _ = run(make(), data)
    cut, _ = run(make(), data[: int(len(data) * share)])
    if cut.reply is None:
        assert cut.failure is not None
        assert cut.failure.kind == "bad_reply"
    else:
        assert cut.reply == whole.reply


def test_the_first_visible_piece_is_not_reasoning() -> None:
    """Time to first token is when the user has something."""
    _, deltas = run(ChatStreamDecoder(), chat(piece({"role": "assistant", "content": ""}), piece({"reasoning_content": "hm"})))
    assert [delta.kind for delta in deltas] == ["reasoning"]
    assert not any(delta.is_visible for delta in deltas)
    _, deltas = run(MessagesStreamDecoder(), anthropic_stream(ANSWERS["thinking"]))
    assert next(delta.kind for delta in deltas if delta.is_visible) == "text"
    assert deltas[0].kind == "reasoning"


def test_the_name_of_a_tool_is_visible_at_once() -> None:
    """Its arguments follow piece by piece, each with the number of its call."""
    _, deltas = run(ChatStreamDecoder(), openai_stream(ANSWERS["tools"]))
    assert deltas[0] == Delta("tool_call", "", 0, "find")
    assert deltas[0].is_visible
    assert "".join(delta.text for delta in deltas if delta.index == 0) == '{"id":"ü7"}'


def test_parallel_calls_may_come_interleaved() -> None:
    """The index says which call a piece belongs to."""
    found, _ = run(
        ChatStreamDecoder(),
        chat(
            piece({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": ""}}]}),
            piece({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": '{"x":'}}]}),
            piece(
                {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}, {"index": 0, "function": {"arguments": "1}"}}]}
            ),
            piece({}, finish_reason="tool_calls"),
            "[DONE]",
        ),
    )
    assert found.reply is not None
    assert found.reply.tool_calls == (
        ToolCall(name="one", arguments='{"x":1}', id="a"),
        ToolCall(name="two", arguments="{}", id="b"),
    )


def test_usage_comes_in_a_last_chunk_without_choices() -> None:
    """As asked for with `include_usage`."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    found, _ = run(
        ChatStreamDecoder(), chat(piece({"content": "a"}, finish_reason="stop"), {"choices": [], "usage": usage}, "[DONE]")
    )
    assert found.usage == Usage(3, 4)


def test_logprobs_are_collected_over_the_stream() -> None:
    """Token by token, as they come."""
    token = {"content": [{"token": "a", "logprob": -1.0}]}
    chunks = [piece({"content": "a"}, logprobs=token), piece({"content": "a"}, logprobs=token), piece({}, finish_reason="stop")]
    found, _ = run(ChatStreamDecoder(), chat(*chunks))
    assert found.reply is not None
    assert found.reply.logprobs is not None
    assert len(found.reply.logprobs) == 2


def test_other_choices_are_not_mixed_into_the_first() -> None:
    """One reply is measured."""
    other = {"choices": [{"index": 1, "delta": {"content": "other"}}]}
    found, _ = run(ChatStreamDecoder(), chat(piece({"content": "one"}), other, piece({}, finish_reason="stop")))
    assert found.reply is not None
    assert found.reply.text == "one"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "bad_reply"),
        (chat("[DONE]"), "bad_reply"),
        (chat("{broken", "[DONE]"), "bad_reply"),
        (chat(piece({"content": "half"})), "bad_reply"),
        (chat(piece({"content": {"text": 7}}), "[DONE]"), "bad_reply"),
        (chat(piece({"tool_calls": [{"function": {"name": "f"}}]}), "[DONE]"), "bad_reply"),
        (chat(piece({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), "[DONE]"), "bad_reply"),
        (chat(piece({"content": "half"}), {"error": {"code": 500, "message": "boom", "type": "server_error"}}), "server"),
        (chat({"error": {"type": "insufficient_quota", "message": "x"}}), "auth"),
    ],
)
def test_a_chat_stream_that_went_wrong(data: bytes, kind: str) -> None:
    """Half a reply is no reply."""
    found, _ = run(ChatStreamDecoder(), data)
    assert found.failure is not None
    assert found.failure.kind == kind


def message(*events: dict[str, Any]) -> bytes:
    """Messages events."""
    return b"".join(b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n" for event in events)


START = {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}}
STOP = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "bad_reply"),
        (message(START), "bad_reply"),
        (message(STOP, {"type": "message_stop"}), "bad_reply"),
        (
            message(START, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}),
            "bad_reply",
        ),
        (message(START, {"type": "content_block_start", "index": "0", "content_block": {}}), "bad_reply"),
        (message(START, {"type": "message_delta", "usage": 7}, STOP), "bad_reply"),
        (b"data: {\n\n", "bad_reply"),
        (message(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), "overloaded"),
        (message(START, {"type": "error", "error": {"type": "rate_limit_error"}}), "rate_limit"),
        (message({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}), "refused_request"),
        (message({"type": "error", "error": {"type": "something_new", "message": "no"}}), "server"),
    ],
)
def test_a_messages_stream_that_went_wrong(data: bytes, kind: str) -> None:
    """Half a reply is no reply, and an error event says what kind."""
    found, _ = run(MessagesStreamDecoder(), data)
    assert found.failure is not None
    assert found.failure.kind == kind


def test_usage_of_a_messages_stream_is_cumulative() -> None:
    """The last word on output tokens counts; input tokens come first."""
    found, _ = run(MessagesStreamDecoder(), message(START, STOP, {"type": "message_stop"}))
    assert found.usage == Usage(5, 9)


def test_events_that_are_not_known_yet_are_passed_over() -> None:
    """The API says it may add some."""
    later = [{"type": "content_block_start", "index": 0, "content_block": {"type": "hologram"}}, {"type": "weather"}]
    later.append({"type": "content_block_delta", "index": 0, "delta": {"type": "hologram_delta"}})
    found, deltas = run(MessagesStreamDecoder(), message(START, *later, {"type": "ping"}, STOP))
    assert found.reply is not None
    assert (found.reply.text, deltas) == ("", [])
