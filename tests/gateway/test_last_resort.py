"""Where breakers are open, and nobody else answers."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from segue.gateway.breaker import Breaker
from segue.model import Bundle
from segue.standin.settings import StandInSettings, Trouble
from tests.gateway.test_serving import OLD, ask
from tests.gateway.wiring import Wired, a_gateway

BURNS = StandInSettings(text="never seen", troubles=(Trouble(kind="server_error"),))


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


async def test_an_incumbent_that_rests_is_asked_where_the_candidate_fails() -> None:
    """It is well again, and one failure of the candidate would otherwise be the user's."""
    async with a_gateway({"old": BURNS, "new": OLD}, candidate="new", share=0.0) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        wired.flip(wired.sources.revisions[0].route.model_copy(update={"share": 1.0}))
        assert await ask(wired) == OLD.text
        wired.stand_ins["old"].settings, wired.stand_ins["new"].settings = OLD, BURNS
        assert await ask(wired) == OLD.text
        assert wired.log[-1].record.answered_by == bundles["old"].digest
        assert (breaker_of(wired, bundles["old"]).state, breaker_of(wired, bundles["new"]).state) == ("open", "closed")


@pytest.mark.parametrize("with_fallback", [False, True])
async def test_who_was_cut_off_is_asked_once(with_fallback: bool) -> None:
    """A request asks nobody twice, and its error is the incumbent's."""
    settled = {"old": BURNS, "spare": BURNS} if with_fallback else {"old": BURNS}
    route: dict[str, Any] = {"fallback": "spare"} if with_fallback else {}
    async with a_gateway(settled, **route) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        assert breaker_of(wired, bundles["old"]).state == "open"
        before = wired.stand_ins["old"].ledger.calls
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(wired)
        assert wired.stand_ins["old"].ledger.calls == before + 1
        assert caught.value.response.headers["segue-bundle"] == bundles["old"].digest


async def test_one_that_rests_and_cannot_be_told_gives_way_to_another_that_rests() -> None:
    """Only who can be told the request is a last resort."""
    mute = {"old": {"system": "You are {{nobody}}."}}
    settled = {"old": OLD, "new": BURNS}
    async with a_gateway(settled, parts=mute, candidate="new", share=1.0) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        old, new = (breaker_of(wired, bundles[name]) for name in ("old", "new"))
        for _ in range(5):
            old.tell(0.0, 0, answered=False)
        assert (old.state, new.state) == ("open", "open")
        wired.stand_ins["new"].settings = OLD
        old._rests_until = new._rests_until = float("inf")
        assert await ask(wired) == OLD.text


async def test_who_rests_and_was_not_asked_is_a_reason_to_ask_again() -> None:
    """The incumbent's key is wrong, which does not pass; that the candidate rests does, and is told."""
    async with a_gateway({"old": BURNS, "new": BURNS}, candidate="new", share=1.0) as (wired, bundles):
        for _ in range(5):
            with pytest.raises(openai.APIStatusError):
                await ask(wired)
        for name in bundles:
            breaker_of(wired, bundles[name])._rests_until = float("inf")
        wired.stand_ins["old"].settings = StandInSettings(troubles=(Trouble(kind="auth"),))
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(wired)
        assert caught.value.status_code == 503
        assert wired.log[-1].record.failure == "breaker open"
