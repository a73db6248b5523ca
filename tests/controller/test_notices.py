"""Notices over webhooks: signed, sent until they are taken, and nobody waits for a receiver that is dead."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest

from segue.controller.notices import NOTICE, Webhooks, occasions_of, post_once, signed
from segue.controller.reading import read_named
from segue.model.plan_parts import NoticeSpec
from segue.store import MemoryStore
from segue.upgrade.log import Upgrade, UpgradeEntry
from tests.controller.undertaken import NOW, a_plan, an_upgrade, rolled_back

KEY = base64.b64encode(b"a key of no worth at all").decode()
ENVIRON = {"HOOK_KEY": f"whsec_{KEY}"}


class Receiver:
    """A real one: answers with the statuses it is given, in turn, then with 200; keeps what it was sent."""

    def __init__(self, *statuses: int) -> None:
        self.got: Queue[tuple[dict[str, str], bytes]] = Queue()
        left = list(statuses)
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            """One notice."""

            def do_POST(self) -> None:
                """Keep it."""
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("content-length", "0")
                self.end_headers()
                got.put(({name.lower(): value for name, value in self.headers.items()}, body))

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks?of=mail"

    def end(self) -> None:
        """No more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that is out of order for two attempts."""
    made = Receiver(500, 503)
    yield made
    made.end()


def verified(headers: Mapping[str, str], body: bytes) -> bool:
    """As a receiver does it by the words of Standard Webhooks, and not by our own function."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mark = base64.b64encode(hmac.new(base64.b64decode(KEY), text, sha256).digest()).decode()
    return f"v1,{mark}" in headers["webhook-signature"].split(" ")


def opened(store: MemoryStore, *specs: NoticeSpec) -> tuple[Upgrade, UpgradeEntry]:
    """An upgrade in canary that was rolled back, and the entry."""
    upgrade = an_upgrade(store, plan=a_plan(notify=specs))
    entry = rolled_back(store, upgrade)
    return read_named(store, upgrade.opening.upgrade), entry


def outcomes(store: MemoryStore) -> list[tuple[str, int]]:
    """What became of each notice, and after how many attempts."""
    bodies = [one.body for one in store.list_facts(kind=NOTICE)]
    return [(body["outcome"], body["attempts"]) for body in bodies if isinstance(body, dict)]


def until_noted(store: MemoryStore, count: int) -> None:
    """Wait until so many outcomes are written down."""
    while len(outcomes(store)) < count:
        threading.Event().wait(0.001)


def test_a_notice_is_signed_and_sent_until_it_is_taken(receiver: Receiver) -> None:
    """Three attempts under one id, each verified; the body says what happened; the outcome is a fact without address or key."""
    store = MemoryStore()
    upgrade, entry = opened(store, NoticeSpec(url=receiver.url, secret="$HOOK_KEY", on=("rollback",)))
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, pauses_s=(0.0,) * 5)
    hooks.send(upgrade, entry)
    hooks.send(upgrade, entry)
    until_noted(store, 1)
    hooks.close()
    found = [receiver.got.get(timeout=20) for _ in range(3)]
    assert receiver.got.empty()
    assert all(verified(headers, body) for headers, body in found)
    assert {headers["webhook-id"] for headers, _ in found} == {f"{entry.upgrade}-{entry.number}"}
    said = json.loads(found[0][1])
    assert (said["type"], said["data"]["stage"], said["data"]["because"]) == ("upgrade.roll_back", "rolled_back", ["it burns"])
    assert outcomes(store) == [("delivered", 3)]
    kept = json.dumps([one.body for one in store.list_facts(kind=NOTICE)])
    assert KEY not in kept
    assert "hooks" not in kept


def test_a_body_that_was_changed_on_the_way_is_not_verified() -> None:
    """Nor one under another id or time."""
    headers = signed(ENVIRON["HOOK_KEY"], "u-1", 5, b"{}")
    assert verified(headers, b"{}")
    assert not verified(headers, b"{ }")
    assert not verified({**headers, "webhook-id": "u-2"}, b"{}")
    assert not verified({**headers, "webhook-timestamp": "6"}, b"{}")


def test_a_dead_receiver_delays_nobody() -> None:
    """While one hangs, the other's notice arrives, and sending has long returned."""
    store, hangs, arrived = MemoryStore(), threading.Event(), threading.Event()

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        if "dead" in url:
            hangs.wait()
        else:
            arrived.set()
        return 200

    dead, living = (NoticeSpec(url=f"https://{name}.example/", secret="$HOOK_KEY") for name in ("dead", "living"))
    upgrade, entry = opened(store, dead, living)
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=post)
    hooks.send(upgrade, entry)
    assert arrived.wait(20)
    until_noted(store, 1)
    hangs.set()
    until_noted(store, 2)
    hooks.close()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(404, ("given up", 3)), (410, ("given up", 1)), (302, ("given up", 3))],
    ids=["404", "gone", "moved"],
)
def test_a_receiver_that_never_takes_it_is_given_up(answer: int, outcome: tuple[str, int]) -> None:
    """At once where it says that it is gone for good; no redirect is followed."""
    store = MemoryStore()
    upgrade, entry = opened(store, NoticeSpec(url="https://hooks.example/", secret="$HOOK_KEY"))
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=lambda *_: answer, pauses_s=(0.0, 0.0))
    hooks.send(upgrade, entry)
    until_noted(store, 1)
    hooks.close()
    assert outcomes(store) == [outcome]


def test_what_a_killed_process_had_not_delivered_is_sent_anew() -> None:
    """Once a fact says that it was delivered, no more; a missing key is no delivery."""
    store, sent = MemoryStore(), Queue[str]()

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        sent.put(headers["webhook-id"])
        return 204

    upgrade, entry = opened(store, NoticeSpec(url="https://hooks.example/", secret="$HOOK_KEY", on=("rollback",)))
    without = Webhooks(store, {}, clock=lambda: NOW, post=post)
    without.send(upgrade, entry)
    until_noted(store, 1)
    without.close()
    assert outcomes(store) == [("failed", 1)]
    for _ in range(2):
        hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=post)
        hooks.catch_up()
        until_noted(store, 2)
        hooks.close()
    assert [sent.get_nowait() for _ in range(sent.qsize())] == [f"{entry.upgrade}-{entry.number}"]


def test_occasions_follow_from_the_entry() -> None:
    """A rollback by hand in canary is four of them; whoever asked for approvals alone hears nothing."""
    store, sent = MemoryStore(), Queue[bytes]()
    upgrade, entry = opened(store, NoticeSpec(url="https://hooks.example/", secret="$HOOK_KEY", on=("approval",)))
    assert occasions_of(upgrade, entry) == {"stage", "rollback", "end", "action"}
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=lambda *said: sent.put(said[2]) or 200)  # type: ignore[func-returns-value]
    hooks.send(upgrade, entry)
    hooks.catch_up()
    hooks.close()
    assert sent.empty()


def test_an_address_that_is_none_is_a_failed_attempt() -> None:
    """From the environment anything may come."""
    with pytest.raises(OSError, match="not an address"):
        post_once("file:///etc/passwd", {}, b"")
