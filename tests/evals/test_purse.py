"""Keeping a budget by looking ahead."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.evals.purse import Purse
from tests.evals.builders import failure, reply


async def test_without_a_budget_every_call_may_go() -> None:
    """A hundred at once."""
    purse = Purse()
    assert [await purse.reserve("candidate") for _ in range(100)] == [None] * 100


async def test_a_price_not_known_yet_is_found_out_with_one_call() -> None:
    """The second call of an arm waits for the first; the other arm has its own."""
    purse = Purse(1000.0)
    assert await purse.reserve("incumbent") is None
    assert await purse.reserve("candidate") is None
    waiting = asyncio.create_task(purse.reserve("incumbent"))
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.settle("incumbent", reply(cost=10.0))
    assert await waiting is None


async def test_calls_under_way_are_counted_at_the_dearest_so_far() -> None:
    """Of 100 there is room for a call of 40 and two more like it only if each of them is counted; a third has to wait."""
    purse = Purse(100.0)
    await purse.reserve("candidate")
    purse.settle("candidate", reply(cost=40.0))
    assert await purse.reserve("candidate") is None
    waiting = asyncio.create_task(purse.reserve("candidate"))
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.settle("candidate", reply(cost=5.0))
    assert await waiting is None
    purse.settle("candidate", reply(cost=40.0))
    assert await purse.reserve("candidate") == "budget"


async def test_once_refused_it_stays_refused_for_both_arms() -> None:
    """Cheap calls of one arm alone would buy halves of pairs."""
    purse = Purse(100.0)
    await purse.reserve("candidate")
    purse.settle("candidate", reply(cost=60.0))
    assert await purse.reserve("candidate") == "budget"
    assert await purse.reserve("incumbent") == "budget"


async def test_failures_tell_no_price_and_open_the_door_a_little() -> None:
    """A provider that answers nothing is not asked one by one for ever."""
    purse = Purse(100.0)
    for n in range(4):
        for _ in range(n + 1):
            assert await asyncio.wait_for(purse.reserve("candidate"), 1) is None
        for _ in range(n + 1):
            purse.settle("candidate", failure())


async def test_a_reply_without_a_price_cannot_be_kept_in_a_budget() -> None:
    """Unknown is not zero."""
    purse = Purse(100.0)
    await purse.reserve("candidate")
    purse.settle("candidate", reply(cost=None))
    assert await purse.reserve("candidate") == "unpriced"


async def test_a_later_reply_without_a_price_counts_as_the_dearest() -> None:
    """The price of the arm is known by then."""
    purse = Purse(100.0)
    for cost in (30.0, None, None):
        assert await purse.reserve("candidate") is None
        purse.settle("candidate", reply(cost=cost))
    assert purse.spent_microusd == pytest.approx(90.0)
    assert await purse.reserve("candidate") == "budget"


async def test_a_call_that_was_never_made_gives_its_share_back() -> None:
    """Reserved and not sent."""
    purse = Purse(100.0)
    await purse.reserve("candidate")
    purse.settle("candidate", reply(cost=50.0))
    await purse.reserve("candidate")
    purse.settle("candidate", None)
    assert await purse.reserve("candidate") is None


@given(
    costs=st.lists(st.floats(0.01, 50.0), min_size=1, max_size=60),
    budget=st.floats(50.0, 900.0),
    workers=st.integers(1, 12),
)
def test_a_budget_is_never_exceeded_once_the_dearest_call_is_known(costs: list[float], budget: float, workers: int) -> None:
    """Whatever the prices and the concurrency, and it stops only when the dearest call would not fit any more."""
    dearest = max(costs)
    costs.remove(dearest)
    waiting = [dearest, *costs][::-1]
    purse = Purse(budget)
    refused: list[str] = []

    async def work() -> None:
        while waiting:
            reason = await purse.reserve("candidate")
            if reason is not None:
                refused.append(reason)
                return None
            if not waiting:
                return purse.settle("candidate", None)
            cost = waiting.pop()
            await asyncio.sleep(0)
            purse.settle("candidate", reply(cost=cost))
        return None

    async def spend() -> None:
        await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(spend())
    assert purse.spent_microusd <= budget + 1e-6
    if refused:
        assert set(refused) == {"budget"}
        assert purse.spent_microusd + dearest > budget - 1e-6
    else:
        assert not waiting
