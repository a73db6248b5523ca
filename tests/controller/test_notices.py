"""Notices over webhooks: signed, sent until they are taken, and nobody waits for a receiver that is dead."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest

from segue.controller.moments import iso
from segue.controller.notices import Webhooks
from segue.controller.notices_made import occasions_of
from segue.controller.notices_posting import post_once, signed
from segue.controller.notices_seen import NOTICE, WINDOW_S
from segue.controller.reading import read_named, read_record
from segue.controller.views import status_view
from segue.model.plan_parts import NoticeSpec
from segue.papers.upgrade_words import moment
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
    """What became of each notice in the end, and after how many attempts."""
    return [(body["outcome"], body["attempts"]) for body in noted(store) if body["outcome"] != "waiting"]


def noted(store: MemoryStore) -> list[dict[str, Any]]:
    """All that was written down of notices."""
    return [one.body for one in store.list_facts(kind=NOTICE) if isinstance(one.body, dict)]


def until_noted(store: MemoryStore, count: int) -> None:
    """Wait until so many outcomes are written down."""
    until(lambda: len(outcomes(store)) >= count)


def until(holds: Callable[[], bool]) -> None:
    """Wait for it; the test's own limit ends what never comes."""
    while not holds():
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
    without = Webhooks(store, {}, clock=lambda: NOW, post=post, pauses_s=())
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


def test_a_record_that_cannot_be_read_keeps_no_other_notice_from_being_sent() -> None:
    """However many newer ones were damaged, or are of another version of Segue."""
    store, sent = MemoryStore(), Queue[str]()
    _, entry = opened(store, NoticeSpec(url="https://hooks.example/", secret="$HOOK_KEY", on=("rollback",)))
    store.open_upgrade("mail-2", "mail", "staging", {"of": "another version"}, author="ada", at=iso(NOW))
    assert store.list_upgrades()[0].upgrade == "mail-2"

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        sent.put(headers["webhook-id"])
        return 200

    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=post)
    hooks.catch_up()
    assert sent.get(timeout=20) == f"{entry.upgrade}-{entry.number}"
    hooks.close()


def test_held_for_something_else_is_a_hold_of_its_own() -> None:
    """Whoever listens to holds alone hears that the incumbent fell silent meanwhile; and once only."""
    upgrade = an_upgrade(MemoryStore(), plan=a_plan())
    for event in ("harm_hold", "incumbent_silent"):
        number = len(upgrade.entries) + 1
        state = upgrade.state.model_copy(update={"standing": "holding", "held_by": event, "number": number})
        held = UpgradeEntry(upgrade="mail-1", number=number, event=event, at=NOW, effects=("notify",), state=state)
        upgrade = Upgrade(upgrade.opening, (*upgrade.entries, held))
        assert occasions_of(upgrade, held) == {"hold"}, event
    approved = held.model_copy(update={"number": 4, "event": "approve", "by": "ada"})
    assert occasions_of(Upgrade(upgrade.opening, (*upgrade.entries, approved)), approved) == {"action"}


SECRETIVE = NoticeSpec(url="https://hooks.example:8443/services/t0ken?of=mail", secret="$HOOK_KEY", on=("rollback",))


def said(store: MemoryStore, now: float = NOW) -> list[str]:
    """Of notices, on the status screen and in its JSON."""
    (record,) = store.list_upgrades()
    view = status_view(store, read_record(record), now)
    found = [one for one in view.beside if one.name == "notices"]
    assert all(one.is_trouble for one in found)
    for secret in ("t0ken", KEY):
        assert secret not in json.dumps(view.as_json())
    return [one.sentence for one in found]


def test_what_waits_for_another_attempt_is_shown_with_reason_and_time() -> None:
    """From the first attempt that went wrong on, without path or key; once it was delivered, no more."""
    store, answers = MemoryStore(), [503, 200]
    upgrade, entry = opened(store, SECRETIVE)
    goes_on = threading.Event()

    def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        if len(answers) < 2:
            goes_on.wait()
        return answers.pop(0)

    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=post, pauses_s=(0.0, 600.0))
    hooks.send(upgrade, entry)
    until(lambda: len(noted(store)) == 1)
    assert said(store) == [f"1 notice to https://hooks.example:8443/… not delivered: HTTP 503; tried again at {shown(NOW)}."]
    assert said(store, NOW + 3600) == [
        "1 notice to https://hooks.example:8443/… not delivered: HTTP 503; tried again once a controller acts."
    ]
    goes_on.set()
    until_noted(store, 1)
    hooks.close()
    assert said(store) == []


def shown(at: float) -> str:
    """As people are shown a moment."""
    return moment(iso(at))


def test_a_variable_that_is_not_set_is_told_and_tried_again() -> None:
    """Without a restart: the schedule is that of every notice. Its value is nowhere."""
    store, environ = MemoryStore(), dict[str, str]()
    spec = NoticeSpec(url="$NO_SUCH_HOOK", secret="$HOOK_KEY", on=("rollback",))
    upgrade, entry = opened(store, spec)
    posted = Queue[str]()
    hooks = Webhooks(store, environ, clock=lambda: NOW, post=lambda *said: posted.put(said[0]) or 200, pauses_s=(0.0,) * 10_000)  # type: ignore[func-returns-value]
    assert hooks.unset(upgrade) == (
        "$NO_SUCH_HOOK is not set here, so notices to $NO_SUCH_HOOK could not be sent from here. "
        "Set it where the controller runs, before that starts.",
        "$HOOK_KEY is not set here, so notices to $NO_SUCH_HOOK could not be sent from here. "
        "Set it where the controller runs, before that starts.",
    )
    hooks.send(upgrade, entry)
    until(lambda: len(noted(store)) >= 2)
    (told,) = said(store)
    assert told.startswith(
        "1 notice to $NO_SUCH_HOOK not delivered: $NO_SUCH_HOOK is not set where the controller runs. Set it"
    )
    environ |= {**ENVIRON, "NO_SUCH_HOOK": "https://hooks.example/t0ken"}
    until_noted(store, 1)
    hooks.close()
    assert (posted.get_nowait(), said(store)) == ("https://hooks.example/t0ken", [])


def test_what_was_given_up_or_stands_in_line_is_shown() -> None:
    """Given up after all attempts; behind one that waits, others wait as well; an old one that nobody sent is lost."""
    store = MemoryStore()
    upgrade, entry = opened(store, SECRETIVE)
    assert said(store, NOW + 90) == []
    unsent = "1 notice to https://hooks.example:8443/… not delivered"
    assert said(store, NOW + 600) == [f"{unsent}; tried again once a controller acts."]
    assert said(store, NOW + WINDOW_S + 90) == [f"{unsent}; too old to be sent any more."]
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=lambda *_: 404, pauses_s=(0.0, 0.0))
    hooks.send(upgrade, entry)
    until_noted(store, 1)
    hooks.close()
    assert said(store) == [f"{unsent}: HTTP 404; given up after 3 attempts."]


def test_notices_behind_one_that_waits_are_counted_with_it() -> None:
    """They share its receiver, and so its reason."""
    store = MemoryStore()
    upgrade, _ = opened(store, NoticeSpec(url="https://hooks.example", secret="$HOOK_KEY"))
    hooks = Webhooks(store, ENVIRON, clock=lambda: NOW, post=lambda *_: 500, pauses_s=(600.0,))
    for one in upgrade.entries:
        hooks.send(upgrade, one)
    until(lambda: len(noted(store)) == 1)
    hooks.close()
    assert said(store, NOW + 60) == [
        f"2 notices to https://hooks.example not delivered: HTTP 500; tried again at {shown(NOW + 600)}."
    ]


@pytest.mark.parametrize("url", ["http://[", "https://hooks.example:port/", "https://hooks\n.example/"])
def test_an_address_from_the_environment_that_is_none_keeps_no_later_notice_back(url: str) -> None:
    """It is given up like any other, and the next one is tried."""
    store = MemoryStore()
    upgrade, _ = opened(store, NoticeSpec(url="$HOOK", secret="$HOOK_KEY"))
    hooks = Webhooks(store, {**ENVIRON, "HOOK": url}, clock=lambda: NOW, pauses_s=())
    for one in upgrade.entries:
        hooks.send(upgrade, one)
    until_noted(store, 2)
    hooks.close()
    assert outcomes(store) == [("given up", 1), ("given up", 1)]
