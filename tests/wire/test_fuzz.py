"""Nothing a server sends makes a decoder raise: any bytes are a reply or a failure."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from segue.wire import anthropic_messages, openai_chat
from segue.wire.anthropic_messages import MessagesStreamDecoder
from segue.wire.base import Decoded
from segue.wire.errors import describe_error, read_error_body
from segue.wire.openai_chat import ChatStreamDecoder

KEYS = st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "delta",
        "tool_calls",
        "function",
        "arguments",
        "name",
        "index",
        "finish_reason",
        "refusal",
        "logprobs",
        "token",
        "logprob",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "prompt_tokens_details",
        "error",
        "type",
        "code",
        "stop_reason",
        "stop_details",
        "content_block",
        "input",
        "text",
        "partial_json",
        "thinking",
        "model",
        "id",
        "role",
    ]
)
WORDS = st.sampled_from(
    [
        "text",
        "tool_use",
        "thinking",
        "error",
        "message",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "text_delta",
        "input_json_delta",
        "thinking_delta",
        "refusal",
        "end_turn",
        "stop",
        "{}",
        "[DONE]",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=4)
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25)


def is_sound(found: Decoded) -> bool:
    """A reply, or a failure with a sentence."""
    return found.reply is not None or (found.failure is not None and bool(found.failure.detail))


@given(st.binary(max_size=400) | JSON.map(orjson.dumps))
def test_any_body_is_a_reply_or_a_failure(body: bytes) -> None:
    """Both dialects, and the reader of errors."""
    assert is_sound(openai_chat.decode_reply(body))
    assert is_sound(anthropic_messages.decode_reply(body))
    for status in (301, 400, 401, 429, 500, 529):
        assert describe_error(status, read_error_body(body)).detail


@given(st.lists(st.binary(max_size=80) | JSON.map(lambda value: b"data: " + orjson.dumps(value) + b"\n\n"), max_size=8))
def test_any_stream_is_a_reply_or_a_failure(chunks: list[bytes]) -> None:
    """Events of the wrong shape, in the wrong order, or none at all."""
    for decoder in (ChatStreamDecoder(), MessagesStreamDecoder()):
        for chunk in chunks:
            decoder.feed(chunk)
        assert is_sound(decoder.finish())


@given(JSON)
def test_a_choice_of_any_shape_is_a_reply_or_a_failure(value: Any) -> None:
    """Deeper than chance would get."""
    for body in ({"choices": [value]}, {"choices": [{"message": value}]}, {"choices": [{"message": {}}], "usage": value}):
        assert is_sound(openai_chat.decode_reply(orjson.dumps(body)))
    for body in ({"content": value}, {"content": [value]}, {"content": [], "usage": value}):
        assert is_sound(anthropic_messages.decode_reply(orjson.dumps(body)))


@given(st.lists(JSON, max_size=4))
def test_events_of_any_shape_inside_a_begun_stream(values: list[Any]) -> None:
    """After a proper beginning, and with a proper end."""
    chat, messages = ChatStreamDecoder(), MessagesStreamDecoder()
    messages.feed(b'data: {"type": "message_start", "message": {}}\n\n')
    messages.feed(b'data: {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f"}}\n\n')
    for value in values:
        chat.feed(b"data: " + orjson.dumps({"choices": [{"delta": value}]}) + b"\n\n")
        messages.feed(b"data: " + orjson.dumps({"type": "content_block_delta", "index": 0, "delta": value}) + b"\n\n")
        messages.feed(b"data: " + orjson.dumps({"type": "message_delta", "delta": value, "usage": value}) + b"\n\n")
    assert is_sound(chat.finish())
    assert is_sound(messages.finish())
