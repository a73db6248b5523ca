"""Streams of plain text are read at once, and to the same as piece by piece; all others are left to the dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.gateway.decoded import decode_answer
from segue.gateway.quick_stream import read_text_stream
from segue.providers.dialects import DIALECTS
from segue.wire.base import Decoded

USAGE = {"prompt_tokens": 4, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 2}}


def slowly(body: bytes) -> Decoded:
    """By the dialect's own decoder."""
    stream = DIALECTS["openai"].stream(())
    stream.feed(body)
    return stream.finish()


def sse(*chunks: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    """Chunks as events."""
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + b"\n\n" for one in chunks) + end


def piece(text: str | None, **given: Any) -> dict[str, Any]:
    """A chunk with a piece of the text."""
    return {"id": "c", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None, **given}]}


LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
ORDINARY = {
    "text": sse(piece("Grüß "), piece("Gott"), LAST, {"choices": [], "usage": USAGE}),
    "no-end": sse(piece("Hi"), LAST, end=b""),
    "no-finish": sse(piece("Hi")),
    "length": sse(piece("Hi", finish_reason="length"), {"choices": None, "usage": None}),
    "other-choice": sse(piece("Hi"), piece("no", index=1), LAST),
    "null": sse(piece(None), piece("Hi"), LAST),
    "last-line": sse(piece("Hi"), LAST, end=b"data: [DONE]"),
    "after-the-end": sse(piece("Hi"), LAST) + b"data: nonsense\n\n",
}
ODD = {
    "nothing": b"",
    "half": sse(piece("Hi"), end=b""),
    "only-done": sse(),
    "call": sse(
        piece(None, delta={"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}]}), LAST
    ),
    "refusal": sse(piece(None, delta={"refusal": "No."}), LAST),
    "logprobs": sse(piece("Hi", logprobs={"content": [{"token": "Hi", "logprob": -1.0}]}), LAST),
    "logprobs-alone": sse({"choices": [{"logprobs": {"content": [{"token": "Hi", "logprob": -1.0}]}}]}, LAST),
    "error": sse(piece("Hi"), {"error": {"message": "overloaded"}}),
    "comment": b": ping\n\n" + sse(piece("Hi"), LAST),
    "named": b"event: x\n" + sse(piece("Hi"), LAST),
    "carriage-returns": sse(piece("Hi"), LAST).replace(b"\n", b"\r\n"),
    "no-json": sse(piece("Hi")).replace(b"{", b"[", 1),
    "parts": sse(piece("x", delta={"content": [{"type": "text", "text": "Hi"}]}), LAST),
    "usage": sse(piece("Hi"), LAST, {"choices": [], "usage": {"prompt_tokens": "many"}}),
    "not-utf8": sse(piece("Hi"), LAST).replace(b'"c"', b'"\xff"'),
    "half-a-character": sse(piece("Hi"), LAST).replace(b'"c"', b'"\\ud800"'),
}


@pytest.mark.parametrize("body", ORDINARY.values(), ids=ORDINARY)
def test_plain_text_is_read_at_once(body: bytes) -> None:
    """To the same reply, tokens and model."""
    found = read_text_stream(body)
    assert found is not None
    assert found == slowly(body)


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_anything_odd_is_left_to_the_dialect(body: bytes) -> None:
    """Which knows of calls, refusals and errors."""
    assert read_text_stream(body) is None
    assert decode_answer("openai", body) == slowly(body)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "stop", "Hi", "\\", "é"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["content", "x", "refusal"]), inner, max_size=2)
    ),
    max_leaves=4,
)
choices = st.fixed_dictionaries(
    {}, optional={"index": values, "delta": values, "finish_reason": values, "logprobs": values, "x": values}
)
chunks = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(choices, max_size=2) | values, "model": values, "usage": values, "error": values}
)
bodies = st.lists(chunks | st.just(piece("Hi")) | st.just(LAST), max_size=4).map(lambda found: sse(*found))


@given(bodies, st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=2)), max_size=2))
@example(sse(piece("Hi"), LAST), [(6, b"\xef")])
def test_where_it_reads_it_reads_the_same(body: bytes, changes: list[tuple[int, bytes]]) -> None:
    """Whatever the pieces hold, and whatever happened to their bytes."""
    for at, new in changes:
        body = body[:at] + new + body[at + len(new) :]
    found = read_text_stream(body)
    assert found is None or found == slowly(body)
