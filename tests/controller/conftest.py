"""What the controller's tests share: a database of its own for each, of both kinds."""

from __future__ import annotations

import pytest

from tests.store.conftest import postgres_server
from tests.store.postgres import PostgresServer

__all__ = ["postgres_server"]


@pytest.fixture
def postgres_address(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.emptied_database()
