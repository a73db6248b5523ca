"""The smallest requests and replies that a test of the wire needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from segue.model import Message, Parameters
from segue.model.request import ModelRequest


def build_request(**given: Any) -> ModelRequest:
    """A request with one user message; anything may be set."""
    defaults: dict[str, Any] = {
        "snapshot": "some-model-2026-01-01",
        "messages": (Message(role="user", content="Where is my order?"),),
        "system": "",
        "parameters": Parameters(),
        "tools": (),
        "idempotency_key": "0" * 64,
    }
    return ModelRequest(**(defaults | given))


@pytest.fixture
def a_request() -> Callable[..., ModelRequest]:
    """Builds requests."""
    return build_request
