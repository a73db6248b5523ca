"""Replays recorded exchanges by recording, case and repeat. Where the recordings come from is the caller's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from segue.model import Exchange, Failure, Frozen
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import Clock
from segue.providers.pacing import RetryPolicy

RecordingLookup = Callable[[str, str, int], Exchange | None]
"""`(recording, case_id, repeat)` → the exchange as it was recorded."""


class RecordedConfig(Frozen):
    """A provider that replays. `latency` scales the recorded latency that is really waited: 0 answers at once, 1 in full.

    Nothing is tried again: a recorded failure stays one.
    """

    type: Literal["recorded"]
    latency: float = Field(default=0.0, ge=0)
    max_concurrency: int = Field(default=64, ge=1, le=10_000)
    retries: RetryPolicy = RetryPolicy(attempts={})


class RecordedProvider:
    """Gives back what was recorded, failures included; what was not is a `not_recorded` failure."""

    def __init__(self, name: str, lookup: RecordingLookup, *, clock: Clock, latency: float = 0.0) -> None:
        self.name = name
        self._lookup = lookup
        self._clock = clock
        self._latency = latency

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """The exchange under the bundle's `recording`, or under its snapshot where it names none."""
        recording = request.recording or request.snapshot
        exchange = self._lookup(recording, request.case_id, request.repeat)
        if exchange is None:
            detail = f"Recording '{recording}' has no case '{request.case_id}', repeat {request.repeat}."
            return ModelOutcome(failure=Failure("not_recorded", detail))
        if self._latency and exchange.latency_ms is not None:
            await self._clock.sleep(exchange.latency_ms / 1000 * self._latency)
        return ModelOutcome(
            reply=exchange.reply,
            failure=exchange.failure,
            usage=exchange.usage,
            latency_ms=exchange.latency_ms,
            ttft_ms=exchange.ttft_ms,
            cost_microusd=exchange.cost_microusd,
            cost_source=exchange.cost_source or ("recording" if exchange.cost_microusd is not None else None),
        )

    async def close(self) -> None:
        """Nothing is held open."""
