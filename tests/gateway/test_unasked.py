"""Tokens of streams whose client did not ask for them: in the log, and not in the answer."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.applied import read_fields
from segue.gateway.decoded import decode_answer
from segue.gateway.edge import EDGES, StreamWatch
from segue.gateway.unasked import Unasked, usage_wanted
from segue.providers.config import OpenAIConfig, parse_provider, wire_profile
from segue.standin.settings import StandInSettings
from tests.gateway.test_serving import HELLO, NEW, OLD, chat, messages
from tests.gateway.wiring import Wired, a_gateway

SAID = b'data: {"choices":[{"index":0,"delta":{"content":"\\"choices\\":[] usage"},"finish_reason":null}],"usage":null}\n\n'
FILTER = b'data: {"choices":[],"prompt_filter_results":[{}],"usage":null}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({}, None),
        ({"stream": False}, None),
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        ({"stream": True, "stream_options": {"include_usage": False}}, {"include_usage": True}),
        (
            {"stream": True, "stream_options": {"include_obfuscation": False}},
            {"include_obfuscation": False, "include_usage": True},
        ),
        ({"stream": True, "stream_options": {"include_usage": True}}, None),
        ({"stream": True, "stream_options": 7}, None),
    ],
    ids=str,
)
def test_usage_is_asked_for_where_a_stream_does_not_ask_itself(body: dict[str, Any], wanted: Any) -> None:
    """What else the client wants of its stream stays; what is no object is the provider's to refuse."""
    found = usage_wanted(read_fields(json.dumps(body).encode()))
    assert (None if found is None else json.loads(bytes(found))) == wanted


@given(st.lists(st.integers(1, 200), max_size=30), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_however_the_bytes_are_cut_that_one_chunk_is_missing(cuts: list[int], line_end: bytes, is_spaced: bool) -> None:
    """And every other byte is there, also what only looks like it."""
    stream = FILTER + SAID + END + USAGE + DONE
    wanted = FILTER + SAID + END + DONE
    if is_spaced:
        stream, wanted = (one.replace(b'"choices":[],', b'"choices": [],') for one in (stream, wanted))
    stream, wanted = (one.replace(b"\n", line_end) for one in (stream, wanted))
    watch, unasked, shown, at = StreamWatch(EDGES["/v1/chat/completions"]), Unasked(), b"", 0
    for cut in [*cuts, len(stream)]:
        piece, at = stream[at : at + cut], at + cut
        shown += unasked.mark_lines(watch.feed(piece, is_last=at >= len(stream)))
        if at >= len(stream):
            break
    assert shown.rstrip() == wanted.rstrip()


async def streamed(wired: Wired, **given: Any) -> list[Any]:
    """The chunks that OpenAI's client sees."""
    async with chat(wired) as client:
        found: Any = await client.chat.completions.create(model="mail", messages=HELLO, stream=True, **given)
        return [one async for one in found]


async def test_the_log_knows_the_tokens_of_a_stream_and_the_client_sees_what_it_asked_for() -> None:
    """Every chunk has a choice, as without; a client that asks gets its chunk of tokens."""
    async with a_gateway({"old": OLD}) as (wired, _):
        plain = await streamed(wired)
        assert plain
        assert all(one.choices and one.usage is None for one in plain)
        asked = await streamed(wired, stream_options={"include_usage": True})
        assert [bool(one.choices) for one in asked] == [True] * len(plain) + [False]
        tokens = [decode_answer("openai", one.response).usage.output_tokens for one in wired.log]
        assert tokens[0] == tokens[1] == asked[-1].usage.completion_tokens


async def test_a_shadow_of_a_stream_tells_its_tokens_too() -> None:
    """Nobody sees it, so nothing is taken out."""
    async with a_gateway({"old": OLD, "new": NEW}, candidate="new", shadow={"share": 1.0}) as (wired, _):
        await streamed(wired)
        for one in await wired.kept(2):
            assert decode_answer("openai", one.response).usage.output_tokens


@pytest.mark.parametrize("told", [True, False])
async def test_a_server_that_refuses_to_be_asked_is_not_asked(told: bool) -> None:
    """In its own dialect and translated: `stream_usage: false`."""
    seen: list[Any] = []
    async with a_gateway({"old": StandInSettings()}, entries={"old": {"stream_usage": told}}) as (wired, _):
        wired.stand_ins["old"].on_body = seen.append
        await streamed(wired)
        async with messages(wired) as client, client.messages.stream(model="mail", max_tokens=9, messages=HELLO) as pieces:
            assert await pieces.get_final_text()
    assert [one.get("stream_options") for one in seen] == ([{"include_usage": True}] * 2 if told else [None, None])


@pytest.mark.parametrize(
    ("entry", "asks"),
    [
        ({}, True),
        ({"base_url": "http://localhost:8000/v1"}, True),
        ({"base_url": "https://api.mistral.ai/v1"}, False),
        ({"base_url": "https://api.mistral.ai/v1", "stream_usage": True}, True),
        ({"stream_usage": False}, False),
    ],
    ids=["openai", "own", "mistral", "mistral-after-all", "told"],
)
def test_who_may_be_asked(entry: dict[str, Any], asks: bool) -> None:
    """All but those known to refuse; the entry has the last word."""
    config = parse_provider("p", {"type": "openai", **entry})
    assert isinstance(config, OpenAIConfig)
    assert wire_profile(config).stream_usage is asks


async def test_a_whole_answer_is_as_it_was() -> None:
    """Its tokens are in it anyway."""
    async with a_gateway({"old": OLD}) as (wired, _), chat(wired) as client:
        found = await client.chat.completions.create(model="mail", messages=HELLO)
        assert isinstance(found, openai.types.chat.ChatCompletion)
        assert found.usage is not None
