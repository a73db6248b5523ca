"""One gateway for all clients of these tests: started once, asked by every SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.clients.shop import Shop, a_shop, answers


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Workflows that answer, think, and fail in the ways clients have to know."""
    retry = {"when": {"attempts": 1, "retry_after_s": 0}}
    told_to_wait = {"when": {"retry_after_s": 7}}
    settings = {
        "gpt": answers("openai"),
        "claude": answers("anthropic"),
        "gpt-responses": answers("openai"),
        "gpt-responses-thinks": answers("openai", reasoning_tokens=16),
        "gpt-5-thinks": answers("openai", reasoning_tokens=16),
        "claude-opus-thinks": answers("anthropic", reasoning_tokens=16),
        "gpt-busy-once": answers("openai", "rate_limit", **retry),
        "claude-busy-once": answers("anthropic", "overloaded", **retry),
        "gpt-busy": answers("openai", "rate_limit", **told_to_wait),
        "claude-busy": answers("anthropic", "rate_limit", **told_to_wait),
        "gpt-overloaded": answers("openai", "overloaded"),
        "claude-overloaded": answers("anthropic", "overloaded"),
        "gpt-too-long": answers("openai", "too_long"),
        "claude-too-long": answers("anthropic", "too_long"),
        "gpt-hangs": answers("openai", "hang"),
        "claude-hangs": answers("anthropic", "hang"),
        "gpt-slow": answers("openai", latency_ms=4_000, ttft_share=0.01),
        "claude-slow": answers("anthropic", latency_ms=4_000, ttft_share=0.01),
        "gpt-breaks": answers("openai", "drop", text="Some words of an answer that will not end"),
        "claude-breaks": answers("anthropic", "drop", text="Some words of an answer that will not end"),
    }
    with a_shop(tmp_path_factory.mktemp("shop"), settings) as made:
        yield made
