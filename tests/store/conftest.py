"""The three stores, each as a place that can be opened again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from segue.store import Store, open_store
from tests.store.postgres import PostgresServer, find_programs, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the session; the test is skipped where the machine has none."""
    programs = find_programs()
    if programs is None:
        pytest.skip("There is no PostgreSQL server program on this machine (initdb and postgres).")
    with running_server(programs) as server:
        yield server


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with nothing in it, to copy: cheaper than migrating a new one for each test."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    open_store(path).close()
    return path


@dataclass
class Place:
    """Where a store is. `open` opens it once more; all that were opened are closed after the test."""

    kind: str
    address: str
    opened: list[Store] = field(default_factory=list)

    def open(self) -> Store:
        self.opened.append(open_store(self.address))
        return self.opened[-1]


BACKENDS = [
    pytest.param("memory"),
    pytest.param("sqlite"),
    pytest.param("postgresql", marks=pytest.mark.postgres),
]
DATABASES = BACKENDS[1:]


def _place(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    if kind == "memory":
        address = "memory:"
    elif kind == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "state.db")
        address = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        address = request.getfixturevalue("postgres_server").emptied_database()
    place = Place(kind, address)
    yield place
    for store in place.opened:
        store.close()


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, of each kind in turn."""
    for place in _place(request.param, tmp_path, request):
        yield place.open()


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database, of each kind in turn: what is stored in it can be opened again."""
    yield from _place(request.param, tmp_path, request)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where a SQLite store can be."""
    return tmp_path / "state.db"
