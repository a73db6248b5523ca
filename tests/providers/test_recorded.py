"""Recordings are replayed as they were, and what was not recorded is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from segue.model import Exchange, Failure, Reply, Usage
from segue.providers.clock import ManualClock
from segue.providers.recorded import RecordedProvider

RECORDED = Exchange(
    behaviour="b",
    case_id="c1",
    input_digest="d",
    reply=Reply(text="yes"),
    usage=Usage(10, 2),
    latency_ms=1500.0,
    ttft_ms=300.0,
    cost_microusd=12.0,
)


def look_up(recording: str, case_id: str, repeat: int) -> Exchange | None:
    """One exchange, and one that failed."""
    if (recording, case_id) == ("gpt-4-0314", "failed"):
        return Exchange(behaviour="b", case_id="failed", input_digest="d", failure=Failure("timeout", "slow", 3))
    return RECORDED if (recording, case_id, repeat) == ("gpt-4-0314", "c1", 0) else None


async def test_an_exchange_comes_back_as_it_was(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """Reply, tokens, times and cost, at once."""
    found = await RecordedProvider("r", look_up, clock=clock).ask(a_request(recording="gpt-4-0314"))
    assert found.reply == Reply(text="yes")
    assert (found.usage, found.latency_ms, found.ttft_ms) == (Usage(10, 2), 1500.0, 300.0)
    assert (found.cost_microusd, found.cost_source) == (12.0, "recording")


async def test_without_a_recordings_name_the_snapshot_is_one(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """The commonest case: a recording is called after its snapshot."""
    found = await RecordedProvider("r", look_up, clock=clock).ask(a_request(snapshot="gpt-4-0314"))
    assert found.reply is not None


async def test_a_recorded_failure_stays_one(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """It is part of what happened."""
    found = await RecordedProvider("r", look_up, clock=clock).ask(a_request(recording="gpt-4-0314", case_id="failed"))
    assert found.failure == Failure("timeout", "slow", 3)


async def test_what_was_not_recorded_is_a_failure_that_names_it(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """Recording, case and repeat."""
    found = await RecordedProvider("r", look_up, clock=clock).ask(a_request(recording="gpt-4-0314", repeat=1))
    assert found.failure is not None
    assert found.failure.kind == "not_recorded"
    assert "'gpt-4-0314' has no case 'c1', repeat 1" in found.failure.detail


async def test_latency_is_waited_only_where_asked(clock: ManualClock, a_request: Callable[..., Any]) -> None:
    """Scaled, so that a day of traffic fits an hour."""
    provider = RecordedProvider("r", look_up, clock=clock, latency=0.5)
    asked = asyncio.create_task(provider.ask(a_request(recording="gpt-4-0314")))
    await clock.advance(0.74)
    assert not asked.done()
    await clock.advance(0.02)
    assert (await asked).latency_ms == 1500.0
    await provider.close()
