"""Replies in the Messages API: what is there is read, what is unknown stays unknown, what is wrong is a bad reply."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from segue.model import ToolCall, Usage
from segue.wire.anthropic_messages import decode_reply
from segue.wire.base import Decoded


def decode(*blocks: dict[str, Any], **given: Any) -> Decoded:
    """Decode a message of these blocks."""
    return decode_reply(orjson.dumps({"type": "message", "content": list(blocks), "stop_reason": "end_turn", **given}))


def test_text_and_thinking_are_kept_apart() -> None:
    """Thinking is no part of the answer."""
    found = decode(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Hello, "},
        {"type": "text", "text": "you."},
        {"type": "some_later_block"},
    )
    assert found.reply is not None
    assert (found.reply.text, found.reply.finish_reason) == ("Hello, you.", "stop")


def test_all_input_tokens_are_the_sum_of_three() -> None:
    """What was read from a cache and written to it comes on top of `input_tokens`."""
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 85,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 20},
    }
    found = decode(usage=usage)
    assert found.usage == Usage(input_tokens=100, output_tokens=30, reasoning_tokens=20, cached_tokens=85)
    assert found.cache_write_tokens == 5


def test_tokens_that_are_not_told_are_unknown_not_zero() -> None:
    """A proxy may leave usage out."""
    assert decode().usage == Usage()


def test_tool_calls_come_as_json_text() -> None:
    """The API sends an object; the neutral form is text."""
    found = decode({"type": "tool_use", "id": "t1", "name": "find", "input": {"id": 7}}, stop_reason="tool_use")
    assert found.reply is not None
    assert found.reply.tool_calls == (ToolCall(name="find", arguments='{"id":7}', id="t1"),)
    assert found.reply.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("details", "said"),
    [(None, ""), ({"category": "bio", "explanation": None}, "bio"), ({"category": "bio", "explanation": "No."}, "No.")],
)
def test_a_refusal_says_what_is_known_of_it(details: Any, said: str) -> None:
    """Explanation, else category, else nothing."""
    found = decode(stop_reason="refusal", stop_details=details)
    assert found.reply is not None
    assert (found.reply.finish_reason, found.reply.refusal) == ("refusal", said)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "other"),
        (None, None),
    ],
)
def test_finish_reasons(sent: str | None, read: str | None) -> None:
    """One that is not known yet is `other`."""
    found = decode(stop_reason=sent)
    assert found.reply is not None
    assert found.reply.finish_reason == read
    assert found.reply.refusal is None


DEEP = b'{"content": [{"type": "tool_use", "name": "f", "input": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}]}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"nope", "not JSON"),
        (b"{}", "content is null"),
        (b'{"content": "hi"}', "content is text"),
        (b'{"content": [7]}', "content[0] is a number"),
        (b'{"content": [{"type": "text"}]}', "content[0].text is null"),
        (b'{"content": [{"type": "tool_use", "name": "f", "input": "x"}]}', "input is text"),
        (b'{"content": [], "usage": {"output_tokens": "many"}}', "output_tokens is text"),
        (DEEP, "nested too deep"),
    ],
)
def test_what_is_not_a_reply_is_a_bad_reply(body: bytes, said: str) -> None:
    """The failure says where and what type, not what stood there."""
    found = decode_reply(body)
    assert found.failure is not None
    assert found.failure.kind == "bad_reply"
    assert said in found.failure.detail


def test_an_error_with_status_200_is_an_error() -> None:
    """As a proxy may send it."""
    found = decode_reply(b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}')
    assert found.failure is not None
    assert found.failure.kind == "overloaded"
