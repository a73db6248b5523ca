"""Whoever flips a route waits for every gateway that lives, and names those that are silent."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.errors import StoreError
from segue.gateway.control import SILENT_S, WITHIN_S, Confirmed, await_elsewhere, confirm_flip
from segue.gateway.presence import Presence, slowest
from segue.model.route import Route, RouteRevision
from segue.store import MemoryStore
from segue.store.gateways import GatewaySaid, GatewaySeen

ROUTE = Route(workflow="mail", incumbent="a" * 64)
FLIPPED = RouteRevision(3, ROUTE, "ada", "r", "t")
SAID = GatewaySaid("box-1", "production", "box", 1, 2, read={"mail": 3}, revisions={"mail": 3})
BEHIND = replace(SAID, read={"mail": 2}, revisions={"mail": 2})


class Looks:
    """What the store holds, look after look; a second passes between two, and the last stays."""

    def __init__(self, *looks: list[GatewaySeen]) -> None:
        self._looks = list(looks)
        self.now_s = 0.0

    def look(self) -> list[GatewaySeen]:
        """What is there now."""
        return self._looks[0]

    def wait(self) -> None:
        """Until the next one."""
        self.now_s += 1.0
        if len(self._looks) > 1:
            self._looks.pop(0)

    def awaited(self) -> list[Confirmed]:
        """What comes of waiting."""
        return await_elsewhere(self.look, FLIPPED, clock=lambda: self.now_s, wait=self.wait)


def test_the_last_gateway_is_waited_for() -> None:
    """Each is told of with the time until it served the flip, or one that came after it."""
    later = replace(SAID, name="den-1", revisions={"mail": 4})
    looks = Looks(
        [GatewaySeen(SAID, 0.0), GatewaySeen(replace(BEHIND, name="den-1"), 4.0)],
        [GatewaySeen(SAID, 1.0), GatewaySeen(replace(BEHIND, name="den-1"), 5.0)],
        [GatewaySeen(SAID, 2.0), GatewaySeen(later, 0.0)],
    )
    found = looks.awaited()
    assert [(one.gateway, one.ms, one.revision, one.fault) for one in found] == [
        ("box-1", 0.0, 3, None),
        ("den-1", 2000.0, 4, None),
    ]


def test_a_silent_gateway_is_named_and_not_waited_for() -> None:
    """One that falls silent while it is waited for, too; one that ends is no more a matter."""
    looks = Looks([GatewaySeen(BEHIND, SILENT_S + 1)])
    assert [(one.is_silent, one.revision) for one in looks.awaited()] == [(True, 2)]
    assert looks.now_s == 0
    falling = Looks(*([GatewaySeen(BEHIND, SILENT_S - 2 + second)] for second in range(4)))
    assert [one.is_silent for one in falling.awaited()] == [True]
    assert falling.now_s == 3
    assert Looks([GatewaySeen(BEHIND, 1.0)], []).awaited() == []


def test_a_gateway_that_cannot_serve_it_says_why() -> None:
    """Once it has read this flip; what it refused before does not count."""
    before = replace(BEHIND, refused={"mail": "of long ago"})
    now = replace(SAID, revisions={"mail": 2}, refused={"mail": "no key"})
    looks = Looks([GatewaySeen(before, 0.0)], [GatewaySeen(now, 0.0)])
    assert [(one.fault, one.is_silent) for one in looks.awaited()] == [("no key", False)]


def test_a_gateway_that_lives_and_does_not_serve_it_has_its_time() -> None:
    """Then it is said so: nobody waits for ever."""
    looks = Looks([GatewaySeen(BEHIND, 1.0)])
    found = looks.awaited()
    assert looks.now_s == WITHIN_S
    assert [(one.revision, one.is_silent) for one in found] == [(2, False)]
    assert "did not serve it" in str(found[0].fault)


class Answering:
    """A gateway's socket that answers one question with what it is given."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.asked: dict[str, Any] = {}
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._run, args=(answer,))
        self._thread.start()

    def _run(self, answer: bytes) -> None:
        line, _ = self._socket.accept()
        with line:
            self.asked = json.loads(line.recv(1000))
            line.sendall(answer)

    def end(self) -> None:
        """It has answered."""
        self._thread.join()
        self._socket.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where sockets are: a short path."""
    here = Path.cwd()
    os.chdir(tmp_path)
    yield Path()
    os.chdir(here)


def test_gateways_of_this_machine_are_asked_and_not_looked_for_again(folder: Path) -> None:
    """Its own word counts, not what the store heard before."""
    store, host = MemoryStore(), socket.gethostname()
    store.tell_gateway(replace(BEHIND, name="mine", host=host, pid=7))
    worker = b'{"revisions": {"mail": 3}, "refused": {}, "fault": null}'
    answering = Answering(folder / "7.sock", b'{"name": "mine", "environment": "production", "workers": [' + worker + b"]}")
    found = confirm_flip(store, folder, FLIPPED)
    answering.end()
    assert [(one.gateway, one.revision, one.workers, one.fault) for one in found] == [("7", 3, 1, None)]
    assert answering.asked == {"do": "sync", "workflow": "mail", "revision": 3}


def test_one_that_answers_nonsense_is_told_once(folder: Path) -> None:
    """By its socket; its row in the store is not waited for beside that."""
    store = MemoryStore()
    store.tell_gateway(replace(BEHIND, name="mine", host=socket.gethostname(), pid=7))
    answering = Answering(folder / "7.sock", b"{")
    found = confirm_flip(store, folder, FLIPPED)
    answering.end()
    assert [(one.gateway, one.fault is None) for one in found] == [("7", False)]


def test_a_gateway_that_was_killed_here_is_cleared_away(folder: Path) -> None:
    """Its socket answers nobody, so its row is taken out of the store; a process of that number elsewhere stays."""
    store = MemoryStore()
    store.tell_gateway(replace(BEHIND, name="mine", host=socket.gethostname(), pid=7))
    store.tell_gateway(replace(SAID, name="theirs", host="den", pid=7))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "7.sock"))
    assert [one.gateway for one in confirm_flip(store, folder, FLIPPED)] == ["theirs"]
    assert [one.said.name for one in store.list_gateways()] == ["theirs"]
    assert not (folder / "7.sock").exists()


def test_a_gateway_of_another_environment_is_not_asked_for() -> None:
    """A flip is of one environment."""
    store = MemoryStore()
    store.tell_gateway(replace(BEHIND, environment="staging"))
    assert confirm_flip(store, Path("nowhere"), FLIPPED) == []


def test_a_store_that_goes_while_it_is_waited_on_is_said_so() -> None:
    """The flip is in force by then, so this is no refusal of it."""
    store = MemoryStore()
    store.close()
    found = confirm_flip(store, Path("nowhere"), FLIPPED)
    assert [(one.gateway, one.is_silent) for one in found] == [("elsewhere", False)]
    assert "It is in force" in str(found[0].fault)


def test_the_slowest_worker_counts() -> None:
    """A workflow that one of them does not serve is served by none; no worker at all serves nothing."""
    each: list[dict[str, Any]] = [{"revisions": {"mail": 3, "chat": 1}}, {"revisions": {"mail": 2}}]
    assert slowest(each) == {"mail": 2}
    assert slowest([]) == {}
    assert slowest([*each, {"revisions": {}}]) == {}


async def test_a_store_that_is_locked_keeps_no_gateway_from_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for a moment; once it was said after all, somebody looks for what was flipped just before."""
    monkeypatch.setattr("segue.gateway.presence.FIRST_S", 0.01)
    unlocked, looked = threading.Event(), asyncio.Event()

    class Book:
        """Takes nothing until it is unlocked."""

        def tell(self, _said: GatewaySaid) -> None:
            """Wait."""
            assert unlocked.wait(20)

        def leave(self, name: str) -> None:
            """Never asked."""

    presence = Presence(Book(), lambda: SAID)
    await presence.begin(late=looked.set)
    assert not looked.is_set()
    unlocked.set()
    async with asyncio.timeout(20):
        await looked.wait()
    monkeypatch.undo()
    await Presence(Book(), lambda: SAID).begin(late=pytest.fail)


async def test_a_gateway_says_what_it_serves_again_and_again_and_when_it_moved() -> None:
    """A store that is gone for a while changes nothing; when it ends it is forgotten."""
    told: asyncio.Queue[GatewaySaid] = asyncio.Queue()
    loop, faults = asyncio.get_running_loop(), [StoreError("gone")]

    class Book:
        """Fails once, then notes."""

        def tell(self, said: GatewaySaid) -> None:
            """Note it."""
            if faults:
                raise faults.pop()
            loop.call_soon_threadsafe(told.put_nowait, said)

        def leave(self, name: str) -> None:
            """Note that, too."""
            loop.call_soon_threadsafe(told.put_nowait, replace(SAID, name=f"{name} left"))

    now = SAID
    presence = Presence(Book(), lambda: now, beat_s=0.001)
    task = asyncio.create_task(presence.run())
    async with asyncio.timeout(20):
        assert [await told.get() for _ in range(3)] == [SAID] * 3
    task.cancel()
    while not told.empty():
        told.get_nowait()
    rare = Presence(Book(), lambda: now, beat_s=1e6)
    task = asyncio.create_task(rare.run())
    async with asyncio.timeout(20):
        while await told.get() != SAID:
            pass
        now = BEHIND
        rare.moved()
        while await told.get() != BEHIND:
            pass
        await rare.leave()
        assert (await told.get()).name == f"{BEHIND.name} left"
    task.cancel()
