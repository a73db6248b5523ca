"""Users who give up on a bundle that says nothing, or stops in the middle: it is cut off although they are impatient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from segue.gateway import serving
from segue.gateway.target import Target
from tests.gateway.faults import stage
from tests.gateway.faults.heads import goes_on_with, says, waits_after
from tests.gateway.faults.provider import Act, Provider
from tests.gateway.faults.stage import OLD_TEXT
from tests.gateway.faults.words import STREAM_HEAD, TEXT, WORDS, chat_piece, chunk, whole
from tests.gateway.test_ends import asked
from tests.gateway.wiring import Wired

NEVER = 1e9
BEGUN = STREAM_HEAD + chunk(WORDS["openai"].pieces[0])
HANGS, STALLS, FLOWS = waits_after(), waits_after(BEGUN), goes_on_with(chunk(chat_piece("more ")), BEGUN)
SILENT = pytest.mark.parametrize("act", [HANGS, STALLS], ids=["says_nothing", "stops_in_the_middle"])
ANSWERS = says(whole(WORDS["openai"].answer))


@dataclass
class Stage:
    """A gateway whose candidate everyone meets, and the candidate's provider."""

    wired: Wired
    provider: Provider

    def target(self, part: str = "candidate") -> Target:
        """The route's bundle of this part, ready."""
        served = self.wired.gateway.plane.workflows["mail"]
        return served.targets[getattr(served.revision.route, part)]

    @property
    def is_cut_off(self) -> bool:
        """Whether the candidate is."""
        return self.target().breaker.state == "open"

    async def leave(self, provider: Provider | None = None) -> None:
        """A client asks for a stream, and is gone once this provider is at it and, where it begins, some of it is here."""
        provider, kept = provider or self.provider, len(self.wired.log) + 1
        before, begins = provider.asked, provider.act is not HANGS
        reader, writer = await asked(self.wired)
        async with asyncio.timeout(10):
            if begins:
                await reader.readuntil(b"Gr")
            while provider.asked == before:
                await asyncio.sleep(0)
        writer.close()
        assert (await self.wired.kept(kept))[-1].record.failure == "client gone"

    async def ask(self) -> str:
        """What a client gets that waits."""
        return (await stage.ask(self.wired, "chat", stream=False)).text


@asynccontextmanager
async def before(
    monkeypatch: pytest.MonkeyPatch, act: Act, *, haste_s: float = 0.0, patience_s: float = NEVER
) -> AsyncIterator[Stage]:
    """That stage, and what it takes for haste and for patience."""
    monkeypatch.setattr(serving, "HASTE_S", haste_s, raising=False)
    monkeypatch.setattr(serving, "PATIENCE_S", patience_s)
    provider = Provider(act)
    async with stage.before(None, provider=provider, stream_timeout_s=3600.0) as wired:
        yield Stage(wired, provider)


@SILENT
async def test_five_in_a_row_cut_a_bundle_off_however_soon_they_left(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """Four tell nothing; the fifth speaks for all, whoever runs the gateway hears of it, and users are answered."""
    async with before(monkeypatch, act) as at:
        for _ in range(4):
            await at.leave()
        assert not at.is_cut_off
        await at.leave()
        assert at.is_cut_off
        assert [target.digest for target in at.wired.moved] == [at.target().digest]
        assert await at.ask() == OLD_TEXT
        assert at.provider.asked == 5


@pytest.mark.parametrize("act", [HANGS, STALLS, FLOWS], ids=["says_nothing", "stops_in_the_middle", "goes_on"])
async def test_who_leaves_in_haste_says_nothing_of_it(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """Someone who types on, or has read enough: as many as there may be."""
    async with before(monkeypatch, act, haste_s=1e6) as at:
        for _ in range(6):
            await at.leave()
        assert not at.is_cut_off


async def test_any_answer_ends_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four leave, one is answered, four leave: this bundle answers."""
    async with before(monkeypatch, HANGS) as at:
        for act in (*[HANGS] * 4, ANSWERS, *[HANGS] * 4):
            at.provider.act = act
            if act is HANGS:
                await at.leave()
            else:
                assert await at.ask() == TEXT
        assert not at.is_cut_off
        at.provider.act = HANGS
        await at.leave()
        assert at.is_cut_off, "five of six"


async def test_a_stream_that_flows_ends_the_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user has read enough of an answer that came."""
    async with before(monkeypatch, HANGS) as at:
        for act in (*[HANGS] * 4, FLOWS, *[HANGS] * 4):
            at.provider.act = act
            monkeypatch.setattr(serving, "HASTE_S", 1e6 if act is FLOWS else 0.0)
            await at.leave()
        assert not at.is_cut_off


@SILENT
async def test_one_that_waited_long_is_a_failure_by_itself(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """Before a word of it, or in the middle."""
    async with before(monkeypatch, act, patience_s=0.0) as at:
        await at.leave()
        assert at.target().breaker._failed == 1


async def test_who_was_worn_out_by_another_bundle_says_nothing_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidate let everyone wait until its time was over; the incumbent had hardly begun when they left."""
    monkeypatch.setattr(serving, "HASTE_S", 0.0, raising=False)
    old = Provider(HANGS)
    async with old as port, stage.before(HANGS, timeout_s=0.3) as wired:
        at = Stage(wired, old)
        at.target("incumbent").upstream.origin = type(at.target().upstream.origin)("127.0.0.1", port)
        await at.leave()
        assert wired.log[-1].record.fallback_reason in ("first_byte_timeout", "too_long")
        assert at.target("incumbent").breaker._left == 0


async def test_a_client_that_does_not_read_is_no_silence_of_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway had stopped reading because of it."""
    flood = goes_on_with(chunk(chat_piece("x" * 60_000)), BEGUN)
    async with before(monkeypatch, flood, patience_s=0.0) as at:
        _, writer = await asked(at.wired)
        async with asyncio.timeout(10):
            while not any(one._is_paused for one in at.target().upstream._open):
                await asyncio.sleep(0)
        writer.transport.abort()
        await at.wired.kept(1)
        assert (at.target().breaker._failed, at.target().breaker._left) == (0, 0)
