"""Replies in Chat Completions: what is there is read, what is unknown stays unknown, what is wrong is a bad reply."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from segue.model import TokenLogprob, ToolCall, Usage
from segue.wire.base import Decoded
from segue.wire.openai_chat import decode_reply


def decode(message: Any = None, **given: Any) -> Decoded:
    """Decode a reply with one choice; `choice` adds to the choice, the rest to the body."""
    choice = {"index": 0, "message": message or {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}
    choice |= given.pop("choice", {})
    return decode_reply(orjson.dumps({"choices": [choice], **given}))


def test_text_usage_and_the_model_that_answered() -> None:
    """Reasoning and cached tokens are parts of the totals."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    found = decode(usage=usage, model="gpt-x-2026")
    assert found.reply is not None
    assert (found.reply.text, found.reply.finish_reason) == ("Hello.", "stop")
    assert found.usage == Usage(100, 20, 12, 60)
    assert (found.cache_write_tokens, found.served_model) == (8, "gpt-x-2026")


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens_details": None}])
def test_tokens_that_are_not_told_are_unknown_not_zero(usage: Any) -> None:
    """Compatible servers leave usage out."""
    assert decode(usage=usage).usage == Usage(None, None, None, None)


def test_tool_calls_keep_the_models_own_json() -> None:
    """Broken arguments are the model's, and a scorer's business."""
    calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"id": 7'}}]
    found = decode({"content": None, "tool_calls": calls}, choice={"finish_reason": "tool_calls"})
    assert found.reply is not None
    assert found.reply.tool_calls == (ToolCall(name="find", arguments='{"id": 7', id="c1"),)
    assert found.reply.finish_reason == "tool_calls"


def test_a_refusal_is_told_apart_from_text() -> None:
    """Its reason is `refusal`, as in the other dialect."""
    found = decode({"content": None, "refusal": "I can't help with that."})
    assert found.reply is not None
    assert (found.reply.text, found.reply.refusal, found.reply.finish_reason) == ("", "I can't help with that.", "refusal")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("function_call", "tool_calls"),
        ("new", "other"),
        (None, None),
    ],
)
def test_finish_reasons(sent: str | None, read: str | None) -> None:
    """One that is not known yet is `other`."""
    found = decode(choice={"finish_reason": sent})
    assert found.reply is not None
    assert found.reply.finish_reason == read


def test_logprobs_are_natural_logarithms_by_token() -> None:
    """`None` where they were not asked for."""
    tokens = [{"token": "Hel", "logprob": -0.5, "bytes": None, "top_logprobs": []}, {"token": "lo", "logprob": -1}]
    found = decode(choice={"logprobs": {"content": tokens}})
    assert found.reply is not None
    assert found.reply.logprobs == (TokenLogprob("Hel", -0.5), TokenLogprob("lo", -1.0))
    plain = decode(choice={"logprobs": None}).reply
    assert plain is not None
    assert plain.logprobs is None


def test_content_in_parts_is_read_as_text() -> None:
    """As some compatible servers send it."""
    found = decode({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Hi"}]})
    assert found.reply is not None
    assert found.reply.text == "Hi"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"<html>", "not JSON"),
        (b'{"choices": [', "not JSON"),
        (b"[]", "a list, not an object"),
        (b"null", "null, not an object"),
        (b"{}", "choices is null"),
        (b'{"choices": []}', "choices is empty"),
        (b'{"choices": [{"message": "hi"}]}', "message is text, not an object"),
        (b'{"choices": [{"message": {"content": 7}}]}', "content is a number"),
        (
            b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}}]}',
            "arguments is an object",
        ),
        (b'{"choices": [{"message": {}, "finish_reason": 7}]}', "finish_reason is a number"),
        (b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": -1}}', "prompt_tokens"),
        (b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": true}}', "true or false"),
    ],
)
def test_what_is_not_a_reply_is_a_bad_reply(body: bytes, said: str) -> None:
    """The failure says where and what type, not what stood there."""
    found = decode_reply(body)
    assert found.failure is not None
    assert found.failure.kind == "bad_reply"
    assert said in found.failure.detail


def test_an_error_with_status_200_is_an_error() -> None:
    """Some gateways do that."""
    found = decode_reply(b'{"error": {"type": "server_error", "message": "boom"}}')
    assert found.failure is not None
    assert found.failure.kind == "server"
