"""What a replay may cost: it stops before the limit, goes on where it stopped, and takes no unknown price for nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from segue.controller.drift_report import REPLAYED
from segue.controller.replaying import Replaying, SendSettings
from segue.controller.replaying_money import ArmSpent, ReplayMoney, Spent, count_spent
from segue.exchanges import ServedExchange
from segue.exchanges.record import Logged
from tests.controller.test_replaying import Endpoint, a_folder, an_endpoint

CENT = 10_000.0


def a_row(arm: str = "incumbent", cost: float | None = CENT, replay: str = "mail-1", **given: Any) -> Logged:
    """An exchange of a replay, as the log has it."""
    values: dict[str, Any] = {"status": 200, "cost_microusd": cost, "arm": arm, "attributes": {REPLAYED: f"{replay}:3"}}
    return Logged(ServedExchange(id="x", at_ns=1, workflow="mail", environment="staging", **{**values, **given}))


def same(row: Logged) -> Logged:
    """Nothing more is known."""
    return row


def test_both_arms_of_this_replay_are_counted_and_failures_are_billed_by_nobody() -> None:
    """Another replay's exchanges are not; what is not shipped yet is worked out."""
    rows = [a_row(), a_row("shadow", 3 * CENT), a_row(replay="mail-2"), a_row(status=500, cost=None), a_row(cost=None)]
    priced = count_spent(rows, "mail-1", lambda row: Logged(msgspec.structs.replace(row.exchange, cost_microusd=5 * CENT)))
    assert (priced.served, priced.shadow) == (ArmSpent(2, 6 * CENT, failed=1), ArmSpent(1, 3 * CENT))
    assert not priced.is_unpriced
    assert count_spent(rows, "mail-1", same).is_unpriced


def spent_by(endpoint: Endpoint, microusd: float = CENT) -> Spent:
    """As the log would have it: each request that the gateway saw, and its shadow."""
    n = len(endpoint.seen)
    return Spent(ArmSpent(n, n * microusd), ArmSpent(n, n * microusd))


async def test_a_replay_stops_before_its_limit_and_a_larger_one_goes_on_from_there(tmp_path: Path) -> None:
    """Nothing is paid twice, and the same limit asks nothing more."""
    folder = a_folder(tmp_path, 60)
    async with an_endpoint() as endpoint:

        async def run(limit: float) -> ReplayMoney:
            sent = folder.sent()
            money = ReplayMoney(limit, lambda: spent_by(endpoint), begun=len(sent.answered), at_once=4)
            await Replaying(folder, SendSettings(endpoint.url, "k", at_once=4), money=money).send(sent)
            return money

        assert (await run(40 * CENT)).stopped == "limit"
        assert len(endpoint.seen) == 20
        assert (await run(40 * CENT)).stopped == "limit"
        assert len(endpoint.seen) == 20
        await run(1000 * CENT)
    assert Counter(endpoint.seen) == Counter(range(60))


async def test_what_failed_before_says_nothing_of_what_an_answer_costs(tmp_path: Path) -> None:
    """The first thirty are refused for nothing; those that are answered after them keep the limit all the same."""
    folder = a_folder(tmp_path, 60)
    async with an_endpoint(lambda number: 400 if number < 30 else 200) as endpoint:

        def spent() -> Spent:
            failed = min(30, len(endpoint.seen))
            n = len(endpoint.seen) - failed
            return Spent(ArmSpent(n, n * CENT, failed=failed), ArmSpent(n, n * CENT))  # what is refused is not mirrored

        money = ReplayMoney(20 * CENT, spent, begun=0, at_once=4)
        sending = Replaying(folder, SendSettings(endpoint.url, "k", at_once=4), money=money)
        await sending.send(folder.sent())
    assert money.stopped == "limit"
    assert len(endpoint.seen) == 30 + 10


async def test_an_answer_without_a_price_ends_it(tmp_path: Path) -> None:
    """A limit that cannot be kept is none; what was under way is finished."""
    folder = a_folder(tmp_path, 60)
    async with an_endpoint() as endpoint:
        spent = Spent(ArmSpent(2, CENT), ArmSpent(1, CENT, unpriced=1))
        money = ReplayMoney(CENT, lambda: spent, begun=0, at_once=4, patience_s=0.0)
        await Replaying(folder, SendSettings(endpoint.url, "k", at_once=4), money=money).send(folder.sent())
    assert (money.stopped, len(endpoint.seen)) == ("unpriced", 4)


async def test_models_that_cost_nothing_reach_no_limit(tmp_path: Path) -> None:
    """All of it is sent."""
    folder = a_folder(tmp_path, 30)
    async with an_endpoint() as endpoint:
        money = ReplayMoney(1.0, lambda: spent_by(endpoint, 0.0), begun=0, at_once=2)
        await Replaying(folder, SendSettings(endpoint.url, "k", at_once=2), money=money).send(folder.sent())
    assert (money.stopped, len(endpoint.seen)) == ("", 30)


@given(
    costs=st.lists(st.floats(1.0, 100.0), min_size=1, max_size=80),
    limit=st.floats(1.0, 4000.0),
    at_once=st.integers(1, 8),
)
def test_however_costs_vary_it_goes_beyond_by_no_more_than_requests_begun_unseen(
    costs: list[float], limit: float, at_once: int
) -> None:
    """Of requests that cost alike the limit holds but for the first few, which nobody could know the cost of."""
    even = sum(costs) / len(costs)
    begun = 0

    async def send_all() -> None:
        nonlocal begun
        money = ReplayMoney(limit, lambda: Spent(ArmSpent(begun, begun * even), ArmSpent(begun, 0.0)), begun=0, at_once=at_once)
        while begun < len(costs) and await money.may_begin(lambda: False):
            begun += 1

    asyncio.run(send_all())
    assert begun * even <= max(limit, at_once * even) + 1e-6
    assert begun == len(costs) or (begun + 1) * even > limit - 1e-6
