"""Answers of plain text are read by one typed decoder, and to the same as by the dialect's own; all others are left to that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.gateway.decoded import decode_answer
from segue.gateway.quick_answer import read_text_answer
from segue.providers.dialects import DIALECTS
from segue.wire.base import Decoded

USAGE = {
    "prompt_tokens": 4,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def slowly(body: bytes) -> Decoded:
    """By the dialect's own decoder."""
    return DIALECTS["openai"].decode(body, withheld=())


def answer(message: Any = None, /, **given: Any) -> bytes:
    """A whole answer."""
    choice = {"index": 0, "message": message or {"role": "assistant", "content": "Grüß Gott"}, "finish_reason": "stop"}
    body = {"id": "c", "model": "m-1", "choices": [choice], "usage": USAGE, **given}
    return json.dumps(body, ensure_ascii=False).encode()


ORDINARY = {
    "text": answer(),
    "no-text": answer({"content": None}),
    "no-usage": answer(usage=None),
    "few-tokens-told": answer(usage={"prompt_tokens": 3}),
    "empty-calls": answer({"content": "Hi", "tool_calls": [], "refusal": None}),
    "other-reason": answer(choices=[{"message": {"content": "Hi"}, "finish_reason": "tired"}]),
    "no-reason": answer(choices=[{"message": {"content": "Hi"}}]),
    "two-choices": answer(choices=[{"message": {"content": one}} for one in ("first", "second")]),
    "spaces": b"  " + answer() + b"\n",
    "twice": answer()[:-1] + b', "model": "m-2"}',
}
ODD = {
    "call": answer({"content": None, "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": "{}"}}]}),
    "refusal": answer({"content": None, "refusal": "No."}),
    "empty-refusal": answer({"content": "Hi", "refusal": ""}),
    "logprobs": answer(choices=[{"message": {"content": "Hi"}, "logprobs": {"content": [{"token": "Hi", "logprob": -1.0}]}}]),
    "error": answer(error={"message": "overloaded"}),
    "parts": answer({"content": [{"type": "text", "text": "Hi"}]}),
    "no-choices": answer(choices=[]),
    "choices-are-none": answer(choices=None),
    "tokens-as-text": answer(usage={"prompt_tokens": "many"}),
    "tokens-with-a-point": answer(usage={"prompt_tokens": 4.0}),
    "tokens-below-nought": answer(usage={"prompt_tokens": -1}),
    "tokens-beyond-anything": answer(usage={"prompt_tokens": 2**53 + 1}),
    "details-are-none-of-ours": answer(usage={"prompt_tokens_details": 3}),
    "half": answer()[:-9],
    "list": b"[1]",
    "not-utf8": answer().replace(b'"c"', b'"\xff"'),
    "half-a-character": answer().replace(b'"c"', b'"\\ud800"'),
}


@pytest.mark.parametrize("body", ORDINARY.values(), ids=ORDINARY)
def test_plain_text_is_read_at_once(body: bytes) -> None:
    """To the same reply, tokens and model."""
    found = read_text_answer(body)
    assert found is not None
    assert found == slowly(body)


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_anything_odd_is_left_to_the_dialect(body: bytes) -> None:
    """Which knows of calls, refusals and errors."""
    assert read_text_answer(body) is None
    if body.startswith(b"{"):
        assert decode_answer("openai", body) == slowly(body)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers(2**53 - 1, 2**53 + 1)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "stop", "Hi", "\\", "é"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["content", "x", "refusal"]), inner, max_size=2)
    ),
    max_leaves=4,
)
details = st.dictionaries(st.sampled_from(["reasoning_tokens", "cached_tokens", "cache_write_tokens", "x"]), values) | values
usages = values | st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": values,
        "completion_tokens": values,
        "prompt_tokens_details": details,
        "completion_tokens_details": details,
    },
)
messages = values | st.fixed_dictionaries(
    {}, optional={"content": values, "refusal": values, "tool_calls": values, "x": values}
)
choices = st.fixed_dictionaries(
    {"message": messages}, optional={"index": values, "finish_reason": values, "logprobs": values, "x": values}
)
bodies = st.fixed_dictionaries(
    {"choices": st.lists(choices, max_size=2) | values},
    optional={"model": values, "usage": usages, "error": values, "x": values},
).map(lambda body: json.dumps(body, ensure_ascii=False).encode())


@given(bodies | st.just(answer()), st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=2)), max_size=2))
@example(answer(), [(6, b"\xef")])
def test_where_it_reads_it_reads_the_same(body: bytes, changes: list[tuple[int, bytes]]) -> None:
    """Whatever the fields hold, and whatever happened to their bytes."""
    for at, new in changes:
        body = body[:at] + new + body[at + len(new) :]
    found = read_text_answer(body)
    assert found is None or found == slowly(body)
