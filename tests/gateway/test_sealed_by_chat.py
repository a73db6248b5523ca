"""What servers of Chat Completions seal passes the gateway marked, whole and streamed, and comes back as it was."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.answer import PassingStream
from segue.gateway.edge import EDGES
from segue.gateway.marked import Marking
from segue.gateway.unasked import Unasked
from segue.wire.neutral.origin import Origin
from segue.wire.passing import settle_turns

EDGE = EDGES["/v1/chat/completions"]
HERE = Origin("a", "https://a.example", "k", "m-1")
SEALED: dict[str, Any] = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "hidden", "index": 0}]}


def frame(delta: Any, finish: str | None = None) -> bytes:
    """One chunk of a stream."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


STREAM = frame({"content": "Hi"}) + frame(SEALED) + frame({"content": " there"}) + frame({}, "stop")
TOKENS = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


@given(st.lists(st.integers(1, 120), max_size=20))
def test_a_stream_is_marked_however_it_is_cut(cuts: list[int]) -> None:
    """And the chunk of tokens that the client did not ask for is missing, as before."""
    stream, shown, at = PassingStream(EDGE, Marking("openai_chat", HERE, Unasked())), b"", 0
    body = STREAM + TOKENS + DONE
    for cut in [*cuts, len(body)]:
        piece, at = body[at : at + cut], at + cut
        shown += piece if stream.begun and stream.passes(piece) else stream.feed(piece, is_last=at >= len(body))
        if at >= len(body):
            break
    said = [json.loads(line[6:]) for line in shown.splitlines() if line.startswith(b"data: {")]
    assert TOKENS not in shown
    assert (shown + stream.end()).endswith(DONE)
    (details,) = [one["choices"][0]["delta"]["reasoning_details"] for one in said if "reasoning_details" in str(one)]
    assert details[0]["data"] == f"segue1.{HERE.tag}.c~hidden"
    turns = [{"role": "assistant", "content": "Hi there", "reasoning_details": details}]
    assert settle_turns("openai_chat", turns, HERE) == [{**turns[0], **SEALED}]


def test_a_whole_answer_is_marked_and_one_without_seals_is_the_bytes_it_was() -> None:
    """Nearly all answers have none."""
    marking = Marking("openai_chat", HERE)
    plain = b'{"choices": [{"message":  {"content": "data signature"}}]}'
    assert marking.mark_body(plain) is plain
    sealed = json.dumps({"choices": [{"message": SEALED}]}).encode()
    assert f"segue1.{HERE.tag}.c~hidden".encode() in marking.mark_body(sealed)
