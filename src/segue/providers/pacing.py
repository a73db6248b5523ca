"""Manners towards a provider: wait one's turn, try again what may be tried again, and wait as long as one is told to.

The clock and the randomness come in, so that tests never sleep. Nothing here knows HTTP: a provider's own word on waiting
arrives as `ModelOutcome.retry_after_s`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from pydantic import Field

from segue.model import Frozen
from segue.model.exchange import FailureKind
from segue.providers.base import ModelOutcome, ModelRequest, Provider
from segue.providers.clock import Clock
from segue.providers.limiter import AdaptiveLimiter

__all__ = ["AdaptiveLimiter", "RetryPolicy", "Rng", "ask_with_manners", "backoff_s"]

CONGESTION: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})

_ATTEMPTS: dict[FailureKind, int] = {
    "rate_limit": 8,
    "overloaded": 8,
    "server": 5,
    "connection": 5,
    "timeout": 3,
    "bad_reply": 2,
}


class Rng(Protocol):
    """A source of numbers between 0 and 1, such as a seeded numpy Generator."""

    def random(self) -> float: ...


class RetryPolicy(Frozen):
    """`attempts` are the most calls made, by the kind of the latest failure; a kind that is not listed is not tried again.

    The n-th wait is drawn from 0 to `base_s` · 2ⁿ⁻¹, at most `cap_s` ("full jitter"). A provider that asks for more than
    `longest_wait_s` gets its wish in another way: the call is given up.
    """

    attempts: dict[FailureKind, int] = Field(default_factory=lambda: dict(_ATTEMPTS))
    base_s: float = Field(default=0.5, gt=0)
    cap_s: float = Field(default=30.0, gt=0)
    longest_wait_s: float = Field(default=300.0, ge=0)


def backoff_s(attempt: int, retry_after_s: float | None, policy: RetryPolicy, rng: Rng) -> float:
    """Seconds to wait after the failed `attempt`, counted from 1. Never less than the provider asked for."""
    jitter = rng.random() * min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 60))
    if retry_after_s is None:
        return jitter
    return retry_after_s + min(jitter, policy.base_s)


async def ask_with_manners(
    provider: Provider,
    request: ModelRequest,
    limiter: AdaptiveLimiter,
    clock: Clock,
    rng: Rng,
    policy: RetryPolicy | None = None,
) -> ModelOutcome:
    """Ask until there is a reply, or a failure that more asking would not change. A failure says how often was asked.

    Latency, tokens and cost are of the last call alone: waiting in line is not the model's latency.
    """
    policy = policy or RetryPolicy()
    attempt = 0
    while True:
        attempt += 1
        async with limiter.slot(again=attempt > 1) as slot:
            outcome = await provider.ask(request)
            failure = outcome.failure
            wait = outcome.retry_after_s
            if failure is None:
                slot.went_well()
                return outcome
            give_up = wait is not None and wait > policy.longest_wait_s
            if failure.kind in CONGESTION:
                slot.met_congestion(None if give_up else wait)
        if give_up:
            detail = f"{failure.detail} The provider asks to wait {wait:.0f} s, longer than longest_wait_s.".strip()
            return replace(outcome, failure=replace(failure, detail=detail, attempts=attempt))
        if attempt >= policy.attempts.get(failure.kind, 1):
            return replace(outcome, failure=replace(failure, attempts=attempt))
        await clock.sleep(backoff_s(attempt, wait, policy, rng))
