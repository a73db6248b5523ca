"""Shadow: both answers are kept as a pair, and the user notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.gateway.asking import Effects
from segue.gateway.shadow import NS, Bucket, Shadows
from segue.standin.settings import Dialect, StandInSettings, Trouble, TroubleKind
from tests.gateway.test_serving import NEW, OLD, ask, stream
from tests.gateway.wiring import a_gateway

SHADOWED: dict[str, Any] = {"candidate": "new", "shadow": {"share": 1.0}}


async def test_both_answers_to_one_request_are_kept_as_a_pair() -> None:
    """Whole and streamed; the candidate's with its own prompt in the request."""
    async with a_gateway({"old": OLD, "new": NEW}, **SHADOWED) as (wired, bundles):
        assert await ask(wired, user="ada") == OLD.text
        assert await stream(wired, user="ada") == OLD.text
        log = await wired.kept(4)
        served = {one.record.id: one for one in log if one.record.arm == "incumbent"}
        shadows = [one for one in log if one.record.arm == "shadow"]
        assert {one.record.pair for one in shadows} == served.keys() == {one.record.pair for one in served.values()}
        assert {one.record.bundle for one in shadows} == {bundles["new"].digest}
        assert all(b"You are new." in one.request for one in shadows)
        assert any(b"The new one" in one.response for one in shadows)


def test_candidates_are_asked_once_the_requests_at_hand_are_sent() -> None:
    """All of them in one turn, in their order; what comes meanwhile is for the next."""
    turns: list[Callable[[], None]] = []
    asked: list[object] = []
    shadows = Shadows(Effects(lambda: 0, lambda *_: 1, lambda _: None), lambda: "x", turns.append)

    def ask(*told: object) -> None:
        asked.append(told)
        if told == (2, "b"):
            shadows.put_off(ask, 3)

    shadows.put_off(ask, 1)
    shadows.put_off(ask, 2, "b")
    assert (asked, len(turns)) == ([], 1)
    turns.pop()()
    assert (asked, len(turns)) == ([(1,), (2, "b")], 1)
    turns.pop()()
    assert (asked, turns) == ([(1,), (2, "b"), (3,)], [])


def test_a_candidate_that_cannot_be_asked_keeps_no_other_from_it() -> None:
    """Whatever it was: it is reported."""
    turns: list[Callable[[], None]] = []
    asked: list[int] = []
    faults: list[BaseException] = []
    shadows = Shadows(Effects(lambda: 0, lambda *_: 1, lambda _: None), lambda: "x", turns.append, report=faults.append)
    for number in (1, 0, 2):
        shadows.put_off(lambda number: asked.append(2 // number), number)
    turns.pop()()
    assert asked == [2, 1]
    assert [type(fault) for fault in faults] == [ZeroDivisionError]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_streamed_shadow_says_when_its_first_token_came(dialect: Dialect) -> None:
    """In the client's dialect or another: the time is the candidate's own, and no later than its whole answer."""
    pausing = StandInSettings(dialect=dialect, text="The new one.", latency_ms=30)
    async with a_gateway({"old": OLD, "new": pausing}, **SHADOWED) as (wired, _):
        assert await stream(wired) == OLD.text
        (shadow,) = [one.record for one in await wired.kept(2) if one.record.arm == "shadow"]
        assert shadow.ttft_ns is not None
        assert shadow.latency_ns is not None
        assert 0 < shadow.ttft_ns <= shadow.latency_ns


async def test_a_shadow_that_is_no_stream_has_no_first_token() -> None:
    """It is unknown, and neither zero nor the time of the whole answer."""
    async with a_gateway({"old": OLD, "new": NEW}, **SHADOWED) as (wired, _):
        assert await ask(wired) == OLD.text
        assert [one.record.ttft_ns for one in await wired.kept(2)] == [None, None]


@pytest.mark.parametrize("kind", ["server_error", "drop", "html", "malformed", "truncate", "refused"])
async def test_a_streamed_shadow_that_burns_before_it_says_anything_has_no_first_token(kind: TroubleKind) -> None:
    """A status, a page or garbage is no token."""
    burning = StandInSettings(troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, **SHADOWED) as (wired, _):
        assert await stream(wired) == OLD.text
        (shadow,) = [one.record for one in await wired.kept(2) if one.record.arm == "shadow"]
        assert shadow.ttft_ns is None or kind in {"drop", "truncate", "malformed"}  # which break off later


@pytest.mark.parametrize("kind", ["server_error", "drop", "html", "malformed", "truncate", "refused"])
async def test_a_burning_shadow_is_a_finding_and_no_users_failure(kind: TroubleKind) -> None:
    """It opens no breaker either: nobody was served by it."""
    burning = StandInSettings(troubles=(Trouble(kind=kind),))
    async with a_gateway({"old": OLD, "new": burning}, **SHADOWED) as (wired, _):
        for _ in range(6):
            assert await ask(wired) == OLD.text
        log = await wired.kept(12)
        assert sum(one.record.arm == "shadow" for one in log) == 6
        assert not wired.moved


async def test_a_shadow_that_hangs_is_capped_and_what_is_shed_is_counted() -> None:
    """Users are served at their own pace all the while."""
    slow = StandInSettings(troubles=(Trouble(kind="hang"),))
    async with a_gateway({"old": OLD, "new": slow}, candidate="new", shadow={"max_in_flight": 2}) as (wired, _):
        for _ in range(5):
            assert await ask(wired) == OLD.text
        assert (wired.shadows.mirrored["mail"], wired.shadows.shed["mail", "in flight"]) == (2, 3)


async def test_a_slow_shadow_delays_no_user() -> None:
    """The user's answer is there while the candidate still thinks."""
    slow = StandInSettings(text="late", latency_ms=60_000)
    async with a_gateway({"old": OLD, "new": slow}, **SHADOWED) as (wired, _):
        async with asyncio.timeout(10):
            assert await ask(wired) == OLD.text


async def test_units_that_meet_the_candidate_are_not_shadowed() -> None:
    """Of them there is no incumbent's answer to compare with."""
    async with a_gateway({"old": OLD, "new": NEW}, candidate="new", share=1.0, shadow={"share": 1.0}) as (wired, _):
        assert await ask(wired) == NEW.text
        assert (len(wired.log), wired.shadows.mirrored["mail"]) == (1, 0)


@given(st.lists(st.integers(0, NS // 2), min_size=1, max_size=200), st.floats(0.5, 50))
def test_a_bucket_gives_no_more_than_its_rate(waits: list[int], per_second: float) -> None:
    """Over any time: the rate, and one second's worth on top."""
    bucket, now, taken = Bucket(per_second), 0, 0
    for wait in waits:
        now += wait
        taken += bucket.take(now)
    assert taken <= per_second * (now - waits[0]) / NS + max(1.0, per_second) + 1e-6
