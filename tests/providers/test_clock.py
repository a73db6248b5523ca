"""The manual clock moves only when it is told to, and wakes sleepers in order."""

from __future__ import annotations

import asyncio

import pytest

from segue.providers.clock import ManualClock, SystemClock


async def test_sleepers_wake_in_the_order_of_their_time(clock: ManualClock) -> None:
    """At their own moment, not at the end of the move."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(name, seconds)) for name, seconds in (("b", 2), ("a", 1), ("c", 5))]
    await clock.advance(3)
    assert woken == [("a", 1.0), ("b", 2.0)]
    assert clock.monotonic() == 3
    await clock.advance(2)
    assert woken[-1] == ("c", 5.0)
    await asyncio.gather(*tasks)


async def test_work_runs_to_its_end_without_waiting(clock: ManualClock) -> None:
    """Six weeks take no time."""

    async def work() -> str:
        for _ in range(42):
            await clock.sleep(86_400)
        return "done"

    assert await clock.run(work()) == "done"
    assert clock.monotonic() == 42 * 86_400


async def test_work_that_no_timer_wakes_is_told(clock: ManualClock) -> None:
    """Rather than waiting for ever."""
    with pytest.raises(RuntimeError, match="no timer"):
        await clock.run(asyncio.Event().wait())


async def test_a_cancelled_timer_does_nothing(clock: ManualClock) -> None:
    """As with the real loop."""
    called: list[int] = []
    clock.call_later(1, lambda: called.append(1)).cancel()
    clock.call_later(1, lambda: called.append(2))
    await clock.advance(2)
    assert called == [2]


async def test_wall_time_moves_along(clock: ManualClock) -> None:
    """Both times tell the same story."""
    before = clock.wall()
    await clock.advance(60)
    assert clock.wall() == before + 60


async def test_the_system_clock_does_the_same_for_real() -> None:
    """Monotonic, wall, a sleep of nothing and a callback."""
    clock = SystemClock()
    before = clock.monotonic()
    done = asyncio.Event()
    clock.call_later(0, done.set)
    await clock.sleep(-1)
    await done.wait()
    assert clock.monotonic() >= before
    assert clock.wall() > 1_700_000_000
