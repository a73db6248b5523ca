"""Manners: what is tried again, how long one waits, and what a failure says in the end. Nobody sleeps in these tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.model import Failure, Reply
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import ManualClock
from segue.providers.pacing import AdaptiveLimiter, RetryPolicy, ask_with_manners, backoff_s

OK = ModelOutcome(reply=Reply(text="yes"), latency_ms=1000.0)


class Luck:
    """Always the same number."""

    def __init__(self, number: float = 1.0) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


def failed(kind: Any, retry_after_s: float | None = None) -> ModelOutcome:
    """A failure of this kind."""
    return ModelOutcome(failure=Failure(kind, "told"), retry_after_s=retry_after_s)


async def ask(clock: ManualClock, provider: Any, request: ModelRequest, **given: Any) -> ModelOutcome:
    """Ask with time moving by itself."""
    limiter = given.pop("limiter", None) or AdaptiveLimiter(4, clock)
    rng = given.pop("rng", Luck())
    return await clock.run(ask_with_manners(provider, request, limiter, clock, rng, **given))


async def test_a_reply_is_asked_for_once(clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any]) -> None:
    """The common case has no overhead."""
    provider = told(OK)
    assert await ask(clock, provider, a_request()) == OK
    assert provider.asked_at == [0.0]


async def test_trouble_that_passes_is_waited_out(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any]
) -> None:
    """Waits double, and the reply carries its own latency alone."""
    provider = told(failed("server"), failed("connection"), failed("overloaded"), OK)
    found = await ask(clock, provider, a_request())
    assert found == OK
    assert provider.asked_at == [0.0, 0.5, 1.5, 3.5]


@pytest.mark.parametrize("kind", ["refused_request", "auth", "not_recorded"])
async def test_what_asking_again_would_not_change_is_not_asked_again(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any], kind: str
) -> None:
    """A wrong key stays wrong."""
    found = await ask(clock, told(failed(kind)), a_request())
    assert found.failure == Failure(kind, "told", attempts=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "attempts"), [("rate_limit", 8), ("server", 5), ("timeout", 3), ("bad_reply", 2)])
async def test_a_failure_says_how_often_was_asked(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any], kind: str, attempts: int
) -> None:
    """The number depends on the kind: a bad reply was paid for."""
    provider = told(failed(kind))
    found = await ask(clock, provider, a_request())
    assert found.failure is not None
    assert found.failure.attempts == attempts == len(provider.asked_at)


async def test_retry_after_is_honoured_and_holds_for_all(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any]
) -> None:
    """Never earlier than asked, and other calls wait as well."""
    limiter = AdaptiveLimiter(4, clock)
    first, second = told(failed("rate_limit", 20), OK), told(OK)

    async def later() -> ModelOutcome:
        await clock.sleep(1)
        return await ask_with_manners(second, a_request(), limiter, clock, Luck())

    await clock.run(asyncio.gather(ask_with_manners(first, a_request(), limiter, clock, Luck()), later()))
    assert first.asked_at == [0.0, 20.5]
    assert second.asked_at == [20.0]


async def test_a_wish_to_wait_for_an_hour_ends_the_call(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any]
) -> None:
    """It is neither ignored nor obeyed by sleeping: the failure tells it."""
    limiter = AdaptiveLimiter(4, clock)
    found = await ask(clock, told(failed("rate_limit", 3600)), a_request(), limiter=limiter)
    assert found.failure is not None
    assert "3600 s" in found.failure.detail
    assert (clock.monotonic(), limiter.paused_for_s, limiter.limit) == (0.0, 0.0, 1)


async def test_a_policy_may_forbid_every_second_try(
    clock: ManualClock, told: Callable[..., Any], a_request: Callable[..., Any]
) -> None:
    """As for recordings, whose failures are what was recorded."""
    provider = told(failed("rate_limit"))
    await ask(clock, provider, a_request(), policy=RetryPolicy(attempts={}))
    assert len(provider.asked_at) == 1


@given(st.integers(1, 500), st.floats(0, 1), st.none() | st.floats(0, 100))
def test_waits_are_bounded_and_never_shorter_than_asked(attempt: int, luck: float, wish: float | None) -> None:
    """Whatever the attempt and the luck."""
    policy = RetryPolicy(base_s=0.5, cap_s=10)
    wait = backoff_s(attempt, wish, policy, Luck(luck))
    assert (wish or 0) <= wait <= (wish or 0) + 10


async def test_waits_are_spread_so_that_calls_do_not_come_back_as_one(clock: ManualClock) -> None:
    """Full jitter, from a seeded generator."""
    rng = np.random.default_rng(7)
    waits = {round(backoff_s(3, None, RetryPolicy(), rng), 6) for _ in range(50)}
    assert len(waits) == 50
    assert 0 < min(waits) < 0.3
    assert 1.7 < max(waits) < 2.0


class LimitedProvider:
    """Takes `capacity` calls at once, a second each, and answers 429 to the rest."""

    def __init__(self, clock: ManualClock, capacity: int) -> None:
        self.name = "limited"
        self.refused = 0
        self._clock = clock
        self._capacity = capacity
        self._in_flight = 0

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """A reply after a second, or a rate limit at once."""
        if self._in_flight >= self._capacity:
            self.refused += 1
            return failed("rate_limit", 1)
        self._in_flight += 1
        try:
            await self._clock.sleep(1)
        finally:
            self._in_flight -= 1
        return OK

    async def close(self) -> None:
        """Nothing is held open."""


async def test_it_settles_near_what_the_provider_takes(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """A ceiling four times too high costs a few refusals, no failed call, and most of the throughput is kept."""
    provider = LimitedProvider(clock, capacity=10)
    limiter = AdaptiveLimiter(40, clock)
    rng = np.random.default_rng(1)
    calls = [ask_with_manners(provider, a_request(), limiter, clock, rng) for _ in range(400)]
    outcomes = await clock.run(asyncio.gather(*calls))
    assert all(outcome.reply is not None for outcome in outcomes)
    assert provider.refused < 120
    assert clock.monotonic() < 400 / 10 * 2.5
