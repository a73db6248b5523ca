"""Streams that are looked at, not decoded: where they begin and end to mean something, however the bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.edge import EDGES, StreamWatch
from segue.wire.neutral.client_error import STATUS, ClientError, ErrorKind

CHAT, MESSAGES = EDGES["/v1/chat/completions"], EDGES["/v1/messages"]


def chat(*deltas: dict[str, Any], finish: str | None = None, done: bool = True) -> list[bytes]:
    """The frames of a chat stream."""
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks] + [b"data: [DONE]\n\n"] * done


def messages(*events: dict[str, Any]) -> list[bytes]:
    """The frames of a Messages stream."""
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]


def watched(edge: Any, stream: bytes, cuts: list[int] | None = None) -> StreamWatch:
    """A watch that has seen a stream, cut anywhere."""
    watch = StreamWatch(edge)
    places = sorted({min(cut, len(stream)) for cut in cuts or []} | {0, len(stream)})
    for start, end in pairwise(places):
        watch.feed(stream[start:end])
    return watch


TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
TOOL = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}}
START, PING, STOP = {"type": "message_start", "message": {}}, {"type": "ping"}, {"type": "message_stop"}
BURNT = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}

STREAMS = [
    (CHAT, chat({"role": "assistant", "content": ""}, done=False), (False, False, False)),
    (CHAT, chat({"role": "assistant"}, {"content": "Hi"}, done=False), (True, False, False)),
    (CHAT, chat({"content": "Hi"}, finish="stop"), (True, True, False)),
    (CHAT, chat({"content": "Hi"}, finish="stop", done=False), (True, True, False)),
    (CHAT, chat({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}, done=False), (True, False, False)),
    (CHAT, chat({"content": 'data: [DONE] "finish_reason":"stop"\n\ndata: [DONE]'}, done=False), (True, False, False)),
    (CHAT, [b'data: {"error":{"message":"x"}}\n\n'], (False, False, True)),
    (CHAT, [b": keep-alive\n\n", b"data: not json\n\n"], (False, False, True)),
    (CHAT, [b'data: {"choices":[],"usage":{}}\n\n'], (False, False, False)),
    (MESSAGES, messages(START, PING, BLOCK), (False, False, False)),
    (MESSAGES, messages(START, BLOCK, TEXT), (True, False, False)),
    (MESSAGES, messages(START, TOOL), (True, False, False)),
    (MESSAGES, messages(START, BLOCK, TEXT, STOP), (True, True, False)),
    (MESSAGES, messages(START, BURNT), (False, False, True)),
    (MESSAGES, messages(START, BLOCK, {**TEXT, "delta": {"text": '"type":"message_stop"'}}), (True, False, False)),
]


@pytest.mark.parametrize(("edge", "frames", "seen"), STREAMS, ids=[str(n) for n in range(len(STREAMS))])
@given(cuts=st.lists(st.integers(0, 600), max_size=12))
def test_what_a_stream_shows_does_not_depend_on_how_it_is_cut(
    edge: Any, frames: list[bytes], seen: tuple[bool, bool, bool], cuts: list[int]
) -> None:
    """Begun, ended, failed: nothing a model says is taken for the end, and a ping for no beginning."""
    watch = watched(edge, b"".join(frames), cuts)
    assert (watch.begun, watch.ended, watch.failed) == seen


def test_of_several_choices_each_has_an_end_of_its_own() -> None:
    """A stream cut after the first of two is not whole."""
    first, *_ = chat(finish="stop", done=False)
    watch = StreamWatch(CHAT, choices=2)
    watch.feed(first)
    assert (watch.begun, watch.ended) == (True, False)
    watch.feed(first.replace(b'"index": 0', b'"index": 1'))
    assert watch.ended


@pytest.mark.parametrize(("edge", "frames", "seen"), STREAMS, ids=[str(n) for n in range(len(STREAMS))])
@given(cuts=st.lists(st.integers(0, 600), max_size=12))
def test_the_short_way_shows_the_same(edge: Any, frames: list[bytes], seen: tuple[bool, bool, bool], cuts: list[int]) -> None:
    """Chunks that pass without being fed leave the watch as if they had been."""
    stream = b"".join(frames)
    plain, quick, passed = StreamWatch(edge), StreamWatch(edge), [b"", b""]
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)} | set(_ends(frames)))
    for start, end in pairwise(places):
        chunk = stream[start:end]
        passed[0] += plain.feed(chunk)
        passed[1] += chunk if quick.passes(chunk) else quick.feed(chunk)
        assert passed[0] == passed[1]
        assert (plain.begun, plain.ended, plain.closed, plain.failed) == (quick.begun, quick.ended, quick.closed, quick.failed)
        assert plain.gap() == quick.gap()
    assert (quick.begun, quick.ended, quick.failed) == seen


def _ends(frames: list[bytes]) -> list[int]:
    return [sum(map(len, frames[:number])) for number in range(1, len(frames))]


@pytest.mark.parametrize("kind", sorted(STATUS))
@pytest.mark.parametrize("edge", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_errors_are_in_the_shape_the_dialect_knows(edge: Any, kind: ErrorKind) -> None:
    """Whole and as an event of a stream, with the same words."""
    error = ClientError(kind, "There is no workflow 'mial'. Did you mean 'mail'?", "model", "not_found")
    body = json.loads(edge.error_body(error))
    assert body["error"]["message"] == error.message
    assert body["error"]["type"]
    frame = edge.error_frame(error).decode()
    assert json.loads(frame.split("data: ", 1)[1]) == body
    assert frame.endswith("\n\n")


@given(st.binary(max_size=300), st.sampled_from([CHAT, MESSAGES]))
def test_no_bytes_break_a_watch(stream: bytes, edge: Any) -> None:
    """An upstream may send anything."""
    watched(edge, stream, [7, 50])
    watched(edge, b"data: " + stream + b"\n\n", [9])
