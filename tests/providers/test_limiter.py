"""Concurrency gives way to rate limits and comes back, and nobody is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from segue.providers.clock import ManualClock
from segue.providers.limiter import AdaptiveLimiter


async def hold(limiter: AdaptiveLimiter, count: int) -> Callable[[], None]:
    """Take `count` slots; returns what gives them back."""
    slots = [limiter.slot() for _ in range(count)]
    for slot in slots:
        await slot.__aenter__()
    return lambda: [limiter._release() for _ in range(count)] and None


async def test_it_starts_at_the_users_own_ceiling(clock: ManualClock) -> None:
    """No slow start: the ceiling is what the user said."""
    limiter = AdaptiveLimiter(200, clock)
    await hold(limiter, 200)
    assert (limiter.limit, limiter.in_flight) == (200, 200)


async def test_calls_beyond_the_bound_wait_in_line(clock: ManualClock) -> None:
    """First come, first served."""
    limiter = AdaptiveLimiter(1, clock)
    order: list[int] = []

    async def call(number: int) -> None:
        async with limiter.slot():
            order.append(number)
            await clock.sleep(1)

    await clock.run(asyncio.gather(*(call(number) for number in range(5))))
    assert order == [0, 1, 2, 3, 4]
    assert clock.monotonic() == 5


async def test_a_call_made_again_goes_before_calls_not_made_yet(clock: ManualClock) -> None:
    """It has waited longest."""
    limiter = AdaptiveLimiter(1, clock)
    give_back = await hold(limiter, 1)
    order: list[str] = []

    async def call(name: str, again: bool) -> None:
        async with limiter.slot(again=again):
            order.append(name)

    tasks = [asyncio.create_task(call("fresh", False)), asyncio.create_task(call("again", True))]
    await clock.advance(0)
    give_back()
    await asyncio.gather(*tasks)
    assert order == ["again", "fresh"]


async def test_congestion_halves_the_bound_once_per_round(clock: ManualClock) -> None:
    """Ten failures of one burst are one piece of news."""
    limiter = AdaptiveLimiter(64, clock)
    slots = [limiter.slot() for _ in range(64)]
    for slot in slots:
        await slot.__aenter__()
    for slot in slots[:10]:
        slot.met_congestion()
    assert limiter.limit == 32


async def test_the_bound_is_halved_from_what_was_in_use(clock: ManualClock) -> None:
    """A high ceiling that nobody reached says nothing about the provider."""
    limiter = AdaptiveLimiter(1000, clock)
    slots = [limiter.slot() for _ in range(8)]
    for slot in slots:
        await slot.__aenter__()
    slots[0].met_congestion()
    assert limiter.limit == 4


async def test_it_never_falls_below_the_floor_and_recovers_by_addition(clock: ManualClock) -> None:
    """One call at a time remains, and success brings back the rest."""
    limiter = AdaptiveLimiter(32, clock)
    for _ in range(20):
        async with limiter.slot() as slot:
            slot.met_congestion()
    assert limiter.limit == 1
    grown = []
    for _ in range(600):
        async with limiter.slot() as slot:
            slot.went_well()
        grown.append(limiter.limit)
    assert grown == sorted(grown)
    assert grown[-1] == 32
    assert grown[50] < 32


async def test_a_pause_stops_everyone_until_it_is_over(clock: ManualClock) -> None:
    """`Retry-After` is for all calls, not only for the one that was told."""
    limiter = AdaptiveLimiter(10, clock)
    started: list[float] = []

    async def call() -> None:
        async with limiter.slot():
            started.append(clock.monotonic())

    async with limiter.slot() as slot:
        slot.met_congestion(retry_after_s=7)
    assert limiter.paused_for_s == 7
    limiter.pause(3)
    await clock.run(asyncio.gather(*(call() for _ in range(4))))
    assert started == [7.0] * 4
    assert limiter.paused_for_s == 0


async def test_whoever_gives_up_waiting_blocks_nobody(clock: ManualClock) -> None:
    """Cancelled in line, or in the very moment of being let in."""
    limiter = AdaptiveLimiter(1, clock)
    give_back = await hold(limiter, 1)
    waiting = [asyncio.create_task(limiter.slot().__aenter__()) for _ in range(3)]
    await clock.advance(0)
    waiting[0].cancel()
    give_back()
    waiting[1].cancel()
    await clock.advance(0)
    assert waiting[2].done()
    assert not waiting[2].cancelled()
    assert limiter.in_flight == 1


@given(st.lists(st.sampled_from(["well", "congestion", "pause", "error"]), min_size=1, max_size=60), st.integers(1, 9))
def test_the_bound_holds_whatever_happens(steps: list[str], ceiling: int) -> None:
    """Never more calls under way than the ceiling, never a bound below one, and all calls get through."""

    async def play() -> None:
        clock = ManualClock()
        limiter = AdaptiveLimiter(ceiling, clock)
        done = 0

        async def call(step: str) -> None:
            nonlocal done
            try:
                async with limiter.slot() as slot:
                    assert 1 <= limiter.in_flight <= ceiling
                    await clock.sleep(1)
                    if step == "error":
                        raise ValueError
                    if step == "well":
                        slot.went_well()
                    else:
                        slot.met_congestion(2 if step == "pause" else None)
                    assert 1 <= limiter.limit <= ceiling
            except ValueError:
                pass
            done += 1

        await clock.run(asyncio.gather(*map(call, steps)))
        assert (done, limiter.in_flight) == (len(steps), 0)

    asyncio.run(play())
