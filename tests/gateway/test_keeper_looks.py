"""How often a keeper reads its routes: once for a flip, however many tell it of that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from segue.errors import StoreError
from segue.gateway.keeper import Keeper, KeeperSettings
from segue.gateway.last_known import KnownRevision, LastKnown
from segue.gateway.orders import RollbackOrder
from segue.gateway.worker import WorkerSettings
from segue.model.route import Route
from segue.store.gateways import GatewaySaid


class Routes:
    """A source whose route is on `revision`; reading waits while `gate` is closed."""

    def __init__(self) -> None:
        self.revision, self.reads = 1, 0
        self.gate = threading.Event()
        self.gate.set()
        self.reading = threading.Event()
        self.is_gone = False

    def read(self) -> LastKnown:
        """As it is when the reading begins."""
        self.reads += 1
        held = KnownRevision(
            revision=self.revision, route=Route(workflow="mail", incumbent="a" * 64), author="ada", reason="r", at="t"
        )
        self.reading.set()
        assert self.gate.wait(20)
        if self.is_gone:
            raise StoreError("gone")
        return LastKnown(environment="production", revisions=(held,))

    def again(self, known: LastKnown) -> LastKnown:
        return known

    def orders(self, known: Iterable[RollbackOrder] = ()) -> list[RollbackOrder]:
        return list(known)

    def enact(self, order: RollbackOrder) -> None: ...

    def tell(self, said: GatewaySaid) -> None: ...

    def leave(self, name: str) -> None: ...


@pytest.fixture
def routes() -> Routes:
    """On their first revision."""
    return Routes()


@pytest.fixture
def keeper(routes: Routes, tmp_path: Path) -> Keeper:
    """One without workers, which knows nothing yet."""
    worker = WorkerSettings(0, "r", "127.0.0.1", 0, tmp_path / "last-known.json", tmp_path / "spool")
    settings = KeeperSettings("k", 0, worker, tmp_path / "k.sock", tmp_path / "exchanges")
    made = Keeper(settings, source=routes, environ={})
    made._known = LastKnown(environment="production")
    return made


async def until(seen: threading.Event) -> None:
    """It happens in a thread."""
    assert await asyncio.to_thread(seen.wait, 20)


async def test_whoever_asks_for_a_revision_that_was_read_has_it_at_once(keeper: Keeper, routes: Routes) -> None:
    """The bell came first. A later revision is looked for, and so is whatever there is where none is named."""
    routes.revision = 5
    await keeper.sync({"mail": 5})
    assert routes.reads == 1
    assert (await keeper.sync({"mail": 5}))["wanted"] == {"mail": 5}
    assert (await keeper.sync({"mail": 4}))["wanted"] == {"mail": 5}
    assert routes.reads == 1
    await keeper.sync({"mail": 6})
    await keeper.sync({"chat": 1})
    await keeper.sync()
    await keeper.sync({})
    assert routes.reads == 5


async def test_one_look_answers_all_who_asked_before_it_began(keeper: Keeper, routes: Routes) -> None:
    """And none who asked while it was under way: what they ask for may have come since."""
    routes.gate.clear()
    first = asyncio.create_task(keeper.sync())
    await until(routes.reading)
    routes.revision = 2
    others = [asyncio.create_task(keeper.sync()) for _ in range(5)]
    await asyncio.sleep(0)
    routes.gate.set()
    assert (await first)["wanted"] == {"mail": 1}
    assert [one["wanted"] for one in await asyncio.gather(*others)] == [{"mail": 2}] * 5
    assert routes.reads == 2


async def test_what_could_not_be_read_is_tried_again_for_whoever_asks_next(keeper: Keeper, routes: Routes) -> None:
    """A revision that was read before the store went says nothing of now."""
    await keeper.sync()
    routes.is_gone = True
    assert (await keeper.sync())["fault"] == "gone"
    routes.is_gone = False
    assert (await keeper.sync({"mail": 1}))["fault"] is None
    assert routes.reads == 3


async def test_a_bell_that_tells_its_revision_asks_for_no_more(keeper: Keeper) -> None:
    """One that tells nothing asks for everything, whatever was told beside it."""
    keeper.ring({"mail": 4})
    keeper.ring({"chat": 2})
    assert keeper._rung_for == {"mail": 4, "chat": 2}
    keeper.ring()
    keeper.ring({"mail": 5})
    assert keeper._rung_for is None
