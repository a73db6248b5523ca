"""The smallest bundles, cases and requests that a test of providers needs, and a provider that does what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from segue.model import Bundle, Case, Message, ModelRef, Parameters, Prompt
from segue.providers.base import ModelOutcome, ModelRequest
from segue.providers.clock import ManualClock


def build_request(**given: Any) -> ModelRequest:
    """A request with one user message; anything may be set."""
    defaults: dict[str, Any] = {
        "snapshot": "some-model",
        "messages": (Message(role="user", content="Where is my order?"),),
        "system": "",
        "parameters": Parameters(max_output_tokens=500),
        "tools": (),
        "idempotency_key": "0" * 64,
        "case_id": "c1",
    }
    return ModelRequest(**(defaults | given))


def build_bundle(**given: Any) -> Bundle:
    """A bundle without a prompt of its own; anything may be set, prompt parts by name."""
    prompt = Prompt(system=given.pop("system", ""), template=given.pop("template", ""))
    defaults: dict[str, Any] = {"workflow": "replies", "model": ModelRef(provider="p", snapshot="some-model"), "prompt": prompt}
    return Bundle(**(defaults | given))


def build_case(text: str = "Where is my order?", **given: Any) -> Case:
    """A case with one user message; anything may be set."""
    defaults: dict[str, Any] = {"case_id": "c1", "messages": (Message(role="user", content=text),)}
    return Case(**(defaults | given))


class ToldProvider:
    """Gives the outcomes it was told, one after the other, the last one for ever. Notes when it was asked."""

    def __init__(self, outcomes: Iterable[ModelOutcome], clock: ManualClock) -> None:
        self.name = "told"
        self.asked_at: list[float] = []
        self._outcomes = list(outcomes)
        self._clock = clock

    async def ask(self, request: ModelRequest) -> ModelOutcome:
        """The next outcome."""
        self.asked_at.append(self._clock.monotonic())
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    async def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def a_request() -> Callable[..., ModelRequest]:
    """Builds requests."""
    return build_request


@pytest.fixture
def a_bundle() -> Callable[..., Bundle]:
    """Builds bundles."""
    return build_bundle


@pytest.fixture
def a_case() -> Callable[..., Case]:
    """Builds cases."""
    return build_case


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture
def told(clock: ManualClock) -> Callable[..., ToldProvider]:
    """Builds providers that give these outcomes."""
    return lambda *outcomes: ToldProvider(outcomes, clock)
