"""Where every breaker is open, and where users give up before a bundle says a word."""

from __future__ import annotations

import asyncio

import openai
import pytest

from segue.gateway import serving
from segue.gateway.breaker import Breaker
from segue.model import Bundle
from segue.standin.settings import StandInSettings, Trouble
from tests.gateway.test_serving import OLD, ask
from tests.gateway.wiring import Wired, a_gateway

BURNS = StandInSettings(text="never seen", troubles=(Trouble(kind="server_error"),))
HANGS = StandInSettings(troubles=(Trouble(kind="hang"),))


def breaker_of(wired: Wired, bundle: Bundle) -> Breaker:
    """The breaker of this bundle."""
    return wired.gateway.plane.workflows["mail"].targets[bundle.digest].breaker


async def test_a_bundle_that_nobody_can_replace_is_asked_although_its_breaker_is_open() -> None:
    """Users of a provider that comes back are answered at once, and not at the end of its breaker's rest."""
    async with a_gateway({"old": BURNS}) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        assert breaker_of(wired, bundles["old"]).state == "open"
        wired.stand_ins["old"].settings = OLD
        assert await ask(wired) == OLD.text
        assert wired.log[-1].record.answered_by == bundles["old"].digest
        assert breaker_of(wired, bundles["old"]).state == "open", "only a call of its own trial closes it"


async def test_with_all_open_the_incumbent_is_asked_and_not_the_candidate() -> None:
    """The candidate's users get the incumbent's answer."""
    async with a_gateway({"old": BURNS, "new": BURNS}, candidate="new", share=1.0) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        assert {breaker_of(wired, one).state for one in bundles.values()} == {"open"}
        wired.stand_ins["old"].settings = wired.stand_ins["new"].settings = OLD
        assert await ask(wired) == OLD.text
        assert wired.log[-1].record.answered_by == bundles["old"].digest
        assert wired.log[-1].record.fallback_reason == "breaker open"


@pytest.mark.parametrize("patience_s", [0.0, 1e6], ids=["long waited", "soon gone"])
async def test_users_who_give_up_open_the_breaker_of_a_bundle_that_hangs(
    monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """A bundle that says nothing for so long that its users leave is cut off; who leaves soon says nothing of it."""
    monkeypatch.setattr(serving, "PATIENCE_S", patience_s)
    async with a_gateway({"old": OLD, "new": HANGS}, candidate="new", share=1.0) as (wired, bundles):
        for number in range(5):
            leaving = asyncio.create_task(ask(wired))
            async with asyncio.timeout(10):
                while wired.stand_ins["new"].ledger.calls <= number:
                    await asyncio.sleep(0)
            leaving.cancel()
            await wired.kept(number + 1)
            assert wired.log[number].record.failure == "client gone"
        is_cut_off = breaker_of(wired, bundles["new"]).state == "open"
        assert is_cut_off == (patience_s == 0.0)
        if is_cut_off:
            assert await ask(wired) == OLD.text
