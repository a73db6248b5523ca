"""A candidate that misbehaves in every way we know, in three dialects, whole and streamed: the incumbent's answer is there.

And where something of the candidate's had reached the user, a clean error, and never what looks like a whole answer.
"""

from __future__ import annotations

import pytest

from tests.gateway.faults import heads, streams
from tests.gateway.faults.provider import Act
from tests.gateway.faults.stage import OLD_TEXT, PAIRS, ClientDialect, Got, ask, before
from tests.gateway.faults.words import (
    CHUNKED,
    HEAD,
    LAST_CHUNK,
    TEXT,
    WORDS,
    ProviderDialect,
    Words,
    chat_piece,
    chunk,
    messages_piece,
    whole,
)

ASLEEP = heads.ASLEEP | streams.ASLEEP
FAULTS = list(heads.faults(WORDS["openai"]))
IDS = [f"{client}-{provider}" for client, provider in PAIRS]


def patience(name: str) -> float:
    """Seconds a candidate has: few where the test is about their end, many where it is not."""
    return 0.4 if name in ASLEEP else 30.0


async def served(act: Act, name: str, client: ClientDialect, provider: ProviderDialect, *, stream: bool) -> Got:
    """The one answer, and that there is one record of it that tells the same."""
    async with before(act, provider, timeout_s=patience(name)) as wired:
        got = await ask(wired, client, stream=stream)
        (kept,) = await wired.kept(1)
        record = kept.record
        assert record.arm == "candidate"
        if got.text == OLD_TEXT:
            assert record.fallback_from == record.bundle != record.answered_by
            assert (record.status, record.failure) == (200, None)
            assert record.fallback_reason
        else:
            assert record.answered_by == record.bundle
            assert bool(record.failure) != got.is_whole
    return got


@pytest.mark.parametrize(
    ("client", "provider", "stream"),
    [(*pair, False) for pair in PAIRS] + [(*pair, True) for pair in PAIRS[::2]],
    ids=[f"{one}-whole" for one in IDS] + [f"{one}-stream" for one in IDS[::2]],
)
@pytest.mark.parametrize("name", FAULTS)
async def test_the_incumbent_answers(name: str, client: ClientDialect, provider: ProviderDialect, stream: bool) -> None:
    """All of it, and nothing of the candidate's."""
    got = await served(heads.faults(WORDS[provider])[name], name, client, provider, stream=stream)
    assert got == Got(OLD_TEXT, is_whole=True)


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
@pytest.mark.parametrize("name", list(streams.unbegun(WORDS["openai"])))
async def test_the_incumbent_answers_where_a_stream_never_began(
    name: str, client: ClientDialect, provider: ProviderDialect
) -> None:
    """Whatever came meant nothing to anybody."""
    got = await served(streams.unbegun(WORDS[provider])[name], name, client, provider, stream=True)
    assert got == Got(OLD_TEXT, is_whole=True)


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
@pytest.mark.parametrize("name", list(streams.broken(WORDS["openai"])))
async def test_a_stream_that_breaks_never_looks_whole(name: str, client: ClientDialect, provider: ProviderDialect) -> None:
    """The SDK raises its own error, or for Responses shows the event; what was read is the beginning of one answer."""
    got = await served(streams.broken(WORDS[provider])[name], name, client, provider, stream=True)
    assert got.text.startswith("Grüße vom neuen ")
    assert name == "talks_for_ever" or TEXT.startswith(got.text)
    assert not got.is_whole
    assert got.is_flagged if client == "responses" else got.error is not None


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
@pytest.mark.parametrize("name", list(streams.odd(WORDS["openai"])))
async def test_an_odd_stream_is_served_whole(name: str, client: ClientDialect, provider: ProviderDialect) -> None:
    """It says itself that it is whole, and so does what the client gets."""
    got = await served(streams.odd(WORDS[provider])[name], name, client, provider, stream=True)
    assert got == Got(TEXT, is_whole=True)


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
async def test_a_stream_that_nobody_asked_for_is_no_answer(client: ClientDialect, provider: ProviderDialect) -> None:
    """An SDK that asked for a whole answer cannot read it."""
    act = heads.says(streams.streams(WORDS[provider].stream))
    got = await served(act, "a_stream_instead", client, provider, stream=False)
    assert got == Got(OLD_TEXT, is_whole=True)


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
async def test_a_very_long_frame_passes(client: ClientDialect, provider: ProviderDialect) -> None:
    """Two million characters in one line, first of the stream and again: an image, or a file written by a tool."""
    long, piece = "x" * 2_000_000, chat_piece if provider == "openai" else messages_piece
    words = WORDS[provider]
    act = heads.says(streams.streams(words.opening, piece(long), piece(long), words.closing, words.mark))
    got = await served(act, "very_long", client, provider, stream=True)
    assert (len(got.text), got.is_whole, got.error) == (4_000_000, True, None)


def _says_it_whole(words: Words) -> dict[str, Act]:
    answer = whole(words.answer)
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    return {
        "plain": heads.says(answer),
        "after_interim_heads": heads.says(interim + answer),
        "by_the_byte": heads.says(*(answer[at : at + 1] for at in range(len(answer)))),
        "in_chunks": heads.says(
            HEAD + CHUNKED + b"".join(chunk(words.answer[at : at + 5]) for at in range(0, len(words.answer), 5)) + LAST_CHUNK
        ),
        "until_closed": heads.says(HEAD + b"content-type: application/json\r\nconnection: close\r\n\r\n" + words.answer),
        "followed_by_noise": heads.says(answer + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        "type_of_text": heads.says(whole(words.answer, kind="text/plain")),
        "no_type": heads.says(whole(words.answer).replace(b"content-type: application/json\r\n", b"")),
        "reset_behind_it": heads.resets_after(answer),
    }


@pytest.mark.parametrize(("client", "provider"), PAIRS, ids=IDS)
@pytest.mark.parametrize("name", list(_says_it_whole(WORDS["openai"])))
async def test_an_answer_sent_oddly_is_served_whole(name: str, client: ClientDialect, provider: ProviderDialect) -> None:
    """Interim heads, any cut, and a type the SDK would not read as JSON."""
    got = await served(_says_it_whole(WORDS[provider])[name], name, client, provider, stream=False)
    assert got == Got(TEXT, is_whole=True)
