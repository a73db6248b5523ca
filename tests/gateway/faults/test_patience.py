"""How long a bundle is waited for: until its answer is whole or its stream says something, and from there by other times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest

from tests.gateway.faults import heads
from tests.gateway.faults.provider import Line
from tests.gateway.faults.stage import HELLO, OLD_TEXT, Got, ask, before
from tests.gateway.faults.words import HEAD, LAST_CHUNK, PIECES, STREAM_HEAD, TEXT, WORDS, chunk
from tests.gateway.wiring import KEY, Wired

WORD = WORDS["openai"]


class Speaker:
    """A provider that sends what a test gives it, when the test gives it."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.asked = asyncio.Event()

    async def __call__(self, line: Line) -> None:
        self.asked.set()
        while (part := await self.parts.get()) is not None:
            await line.send(part)

    def say(self, *parts: bytes) -> None:
        """In one piece each."""
        for part in parts:
            self.parts.put_nowait(part)


@asynccontextmanager
async def reading(wired: Wired) -> AsyncIterator[AsyncIterator[str]]:
    """The words of a streamed answer, one by one."""
    async with openai.AsyncOpenAI(base_url=f"{wired.origin}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        stream = await client.chat.completions.create(model="mail", messages=HELLO, stream=True)

        async def words() -> AsyncIterator[str]:
            async for event in stream:
                if event.choices and event.choices[0].delta.content:
                    yield event.choices[0].delta.content

        yield words()


async def test_a_stream_that_goes_on_saying_something_is_never_too_late() -> None:
    """It takes three times as long as a whole answer may, and is whole."""
    provider = Speaker()
    async with before(provider, timeout_s=60, stream_timeout_s=3600) as wired:
        provider.say(STREAM_HEAD, chunk(WORD.opening), chunk(WORD.pieces[0]))
        async with reading(wired) as words:
            got = await anext(words)
            for piece in WORD.pieces[1:]:
                wired.pass_time(59)
                provider.say(chunk(piece))
                got += await anext(words)
            provider.say(chunk(WORD.closing + WORD.mark), LAST_CHUNK)
            assert [word async for word in words] == []
        assert got == TEXT
        (kept,) = await wired.kept(1)
        assert kept.record.failure is None


@pytest.mark.parametrize(
    ("skipped", "word"),
    [(61, "Nothing more of the answer came within 60 s."), (301, "The answer was not finished within 300 s.")],
    ids=["silence", "the whole"],
)
async def test_a_stream_that_takes_too_long_is_told_why(skipped: float, word: str) -> None:
    """By its silence, and by its own bound where it is never silent: what the client is told is true."""
    provider = Speaker()
    async with before(provider, timeout_s=60, stream_timeout_s=300) as wired:
        provider.say(STREAM_HEAD, chunk(WORD.opening), chunk(WORD.pieces[0]))
        async with reading(wired) as words:
            assert await anext(words) == PIECES[0]
            while skipped > 61:
                wired.pass_time(59)
                skipped -= 59
                provider.say(chunk(WORD.pieces[1]))
                await anext(words)
            wired.pass_time(skipped)
            with pytest.raises(openai.APIError, match=word):
                await anext(words)


@pytest.mark.parametrize("kind", ["pings", "a body"])
async def test_what_says_nothing_is_left_at_its_time(kind: str) -> None:
    """A stream that only pings, and an answer that comes drop by drop: a byte now and then prolongs nothing."""
    provider = Speaker()
    async with before(provider, timeout_s=60, stream_timeout_s=3600) as wired:
        is_stream = kind == "pings"
        head = STREAM_HEAD if is_stream else HEAD + b"content-length: 99\r\n\r\n"
        drop = chunk(WORD.ping) if is_stream else b" "
        asked = asyncio.create_task(ask(wired, "chat", stream=is_stream))
        provider.say(head + drop)
        await provider.asked.wait()
        for _ in range(3):
            assert not asked.done()
            wired.pass_time(21)
            provider.say(drop)
            await asyncio.sleep(0)
        assert await asked == Got(OLD_TEXT, is_whole=True)
        assert wired.log[0].record.fallback_reason == "too_long"


async def test_an_answer_that_was_not_finished_is_told_so() -> None:
    """Where nobody else is left to ask: it had begun to answer."""
    act = heads.waits_after(HEAD + b"content-length: 99\r\n\r\n{")
    async with before(act, timeout_s=0.2, alone=True) as wired:
        got = await ask(wired, "chat", stream=False)
    assert isinstance(got.error, openai.APIStatusError)
    assert got.error.status_code == 504
    assert "The answer was not finished within 0.2 s." in got.error.message
