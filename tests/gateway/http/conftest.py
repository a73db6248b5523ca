"""Tests of the connection layer that run on an event loop run on both: uvloop's, which production has, and the standard one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.gateway.http.stage import Theatre, theatre


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both loops."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def stage() -> AsyncIterator[Theatre]:
    """Servers and upstreams on real sockets, taken down after the test."""
    async with theatre() as made:
        yield made
