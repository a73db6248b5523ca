"""Several workers on one stream of work."""

from __future__ import annotations

import asyncio

import pytest

from segue.evals.workers import AHEAD, work_off


async def test_everything_is_done_once_and_never_more_at_once_than_allowed() -> None:
    """More work than is read at a time, seven at once."""
    done: list[int] = []
    running = most = 0

    async def work(piece: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        done.append(piece)

    await work_off(iter(range(AHEAD + 50)), work, concurrency=7)
    assert sorted(done) == list(range(AHEAD + 50))
    assert most == 7


async def test_work_stops_when_it_may_not_go_on() -> None:
    """What is under way is finished."""
    done: list[int] = []

    async def work(piece: int) -> None:
        await asyncio.sleep(0)
        done.append(piece)

    await work_off(iter(range(100)), work, concurrency=3, may_go_on=lambda: len(done) < 10)
    assert 10 <= len(done) <= 12


async def test_an_error_is_raised_once_what_is_under_way_has_come_back() -> None:
    """It may have been paid for; nothing new is begun."""
    begun, done = [], []

    async def work(piece: int) -> None:
        begun.append(piece)
        await asyncio.sleep(0)
        if piece == 2:
            raise ValueError("two")
        for _ in range(5):
            await asyncio.sleep(0)
        done.append(piece)

    with pytest.raises(ValueError, match="two"):
        await work_off(iter(range(100)), work, concurrency=4)
    assert sorted(begun) == sorted([*done, 2])
    assert len(begun) < 12
