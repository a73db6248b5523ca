"""Frames that differ in their text alone pass without a second look; nothing else does."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.alike import AlikeFrames
from segue.gateway.answer import PassingStream
from segue.gateway.edge import EDGES
from segue.gateway.marked import Marking
from segue.gateway.unasked import Unasked
from segue.wire.neutral.origin import Origin

EDGE = EDGES["/v1/chat/completions"]


def frame(text: str | None, **other: Any) -> bytes:
    """One of Chat Completions."""
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": None, **other}
    return b"data: " + json.dumps({"id": "c1", "choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


def learnt(*frames: bytes) -> AlikeFrames:
    """After these."""
    alike = AlikeFrames("openai_chat")
    for one in frames:
        alike.learn(one)
    return alike


def test_another_text_is_alike() -> None:
    """Whatever it says, also nothing, and in any script."""
    alike = learnt(frame("It"))
    assert all(alike.holds(frame(text)) for text in ("", " is", "on\\n its", "[DONE]", "finish_reason", "ü €"))


@pytest.mark.parametrize(
    "other",
    [
        frame('a "word"'),
        frame(None),
        frame("x", finish_reason="stop"),
        frame("It") + frame("is"),
        frame("It")[:-1],
        frame("It")[5:],
        b"",
        frame("It").replace(b"It", b"I\nt"),
        frame("It").replace(b"It", b"I\rt"),
        frame("It").replace(b"It", b"I\\"),
        frame("").replace(b'"content": ""', b'"content": "'),
    ],
)
def test_anything_else_is_not(other: bytes) -> None:
    """A quotation mark, another field, half a frame, two of them, a line end in it, a mark that is escaped."""
    assert not learnt(frame("It")).holds(other)


def test_a_text_with_quotation_marks_between_costs_nothing() -> None:
    """What was learnt is kept, however many of them there are."""
    alike = learnt(frame("It"), *(frame('"') for _ in range(100)))
    assert alike.holds(frame("is"))


def test_after_something_else_it_holds_again_once_one_has_been_looked_at() -> None:
    """Until then there may be more to see."""
    alike = learnt(frame("It"))
    alike.forget()
    assert not alike.holds(frame("is"))
    alike.learn(frame("is"))
    assert alike.holds(frame("on"))


def test_streams_in_which_nothing_stays_the_same_are_soon_left_alone() -> None:
    """Numbered frames, or padded ones."""
    alike = learnt(*(frame("It", number=number) for number in range(100)))
    assert alike.holds(frame("is", number=15))
    assert not alike.holds(frame("is", number=99))


PIECES = st.sampled_from(
    [
        *(frame(text) for text in ("It", " is", 'a "word"', "error", "[DONE]", "[]", "reasoning_details", "", "\\", "é")),
        frame(None),
        frame("x", finish_reason="stop"),
        frame("x", reasoning_details=[{"data": "abc"}]),
        b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"error":{"message":"no"}}\n\n',
        b"data: [DONE]\n\n",
        b": ping\n\n",
        b"\n",
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=30), st.data(), st.booleans())
def test_what_passes_is_the_same_as_where_each_frame_is_looked_at(
    pieces: list[bytes], data: st.DataObject, unasked: bool
) -> None:
    """Through the stream as the gateway reads it, cut anywhere."""
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=8)))
    bounds = [0, *cuts, len(whole)]
    chunks = pieces if data.draw(st.booleans()) else [whole[a:b] for a, b in itertools.pairwise(bounds)]
    shown = []
    for is_quick in (True, False):
        origin = Origin("openai", "http://there", "", "m", "b")
        stream = PassingStream(EDGE, Marking("openai_chat", origin, Unasked() if unasked else None))
        passed = []
        for at, chunk in enumerate(chunks):
            is_last = at == len(chunks) - 1
            if is_quick and stream.begun and not is_last and stream.passes(chunk):
                passed.append(chunk)
            else:
                passed.append(stream.feed(chunk, is_last=is_last))
        shown.append((b"".join(passed), stream.begun, stream.ended, stream.closed, stream.failure, stream.end()))
    assert shown[0] == shown[1]
