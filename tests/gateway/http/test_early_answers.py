"""A request whose body is still to come may be answered by its head; and all bodies that are not whole have one bound."""

from __future__ import annotations

import re

import pytest

from segue.gateway.http import Headers, Refusal, Request
from tests.gateway.http.test_connection import GET, post, statuses
from tests.gateway.http.wire import Desk, say_ok

EXPECT = b"Expect: 100-continue\r\n"


class Porter:
    """Answers every head but those of `/p`, and notes what it was shown."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def __call__(self, head: Request) -> tuple[int, Headers, bytes] | None:
        self.seen.append(head.target)
        return None if head.target == b"/p" else (404, [(b"x-why", b"path")], b"no")


def a_desk(**limits: int) -> tuple[Desk, Porter]:
    """With a porter before it."""
    desk, porter = Desk(say_ok, **limits), Porter()
    desk.server.early_answer = porter
    return desk, porter


@pytest.mark.parametrize("begun", [b"", b"a" * 99], ids=["head alone", "begun"])
@pytest.mark.parametrize("fields", [b"", EXPECT], ids=["plain", "asks to go on"])
def test_a_head_is_answered_at_once_and_its_body_is_not_kept(begun: bytes, fields: bytes) -> None:
    """Without being told to go on, and with the end of the connection; what still comes is thrown away."""
    desk, _ = a_desk()
    wire = desk.connect()
    wire.feed(post(b"a" * 1000, fields).replace(b"/p", b"/q")[:-1000] + begun)
    assert wire.written == b"HTTP/1.1 404 Not Found\r\nx-why: path\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
    assert wire.has_ended
    wire.feed(b"a" * 900 + GET)
    assert desk.exchanges == []
    assert desk.server.held_bytes == 0
    desk.pass_time(3)
    assert wire.is_closed


def test_a_head_that_passes_is_looked_at_once() -> None:
    """However its body comes; and one whose body came with it goes straight to the handler."""
    desk, porter = a_desk()
    wire = desk.connect()
    for byte in (whole := post(b"abc", EXPECT)):
        wire.feed(bytes([byte]))
    assert (statuses(wire.take()), porter.seen) == ([100, 200], [b"/p"])
    wire.feed(whole.replace(b"/p", b"/q"))
    assert (statuses(wire.take()), porter.seen) == ([200], [b"/p"])
    wire.feed(GET)
    assert (len(desk.exchanges), porter.seen) == (3, [b"/p"])


def test_an_early_answer_waits_for_the_one_before() -> None:
    """Answers come in the order of their requests, and nothing is read in between."""
    desk = Desk()
    desk.server.early_answer = Porter()
    wire = desk.connect()
    wire.feed(GET + post(b"abc").replace(b"/p", b"/q")[:-1])
    assert wire.written == b""
    wire.feed(b"c" + GET)
    desk.exchanges[0].respond(200, [], b"ok")
    assert statuses(wire.written) == [200, 404]
    assert len(desk.exchanges) == 1


def test_a_porter_that_fails_lets_everybody_in() -> None:
    """It is told of; the handler looks again."""

    def fails(_: Request) -> None:
        raise RuntimeError("broken")

    desk = Desk(say_ok)
    desk.server.early_answer = fails
    wire = desk.connect()
    wire.feed(post(b"abc")[:-1])
    wire.feed(b"c")
    assert statuses(wire.written) == [200]
    assert [str(error) for error in desk.failures] == ["broken"]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_bodies_that_are_not_whole_have_one_bound(is_chunked: bool) -> None:
    """Of all connections together, counted as they come: who goes beyond it is told to come back, and the others go on."""
    desk = Desk(say_ok, held_bytes=1000)

    def begin(size: int) -> bytes:
        if is_chunked:
            head = b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            return head + b"%x\r\n" % size + b"a" * size + b"\r\n"
        return post(b"a" * (size + 1))[:-1]

    end = b"1\r\na\r\n0\r\n\r\n" if is_chunked else b"a"
    first, second, third = desk.connect(), desk.connect(), desk.connect()
    first.feed(begin(600))
    second.feed(begin(300))
    assert desk.server.held_bytes == 900
    third.feed(begin(101))
    assert statuses(third.written) == [503]
    assert b"1000 bytes" in third.written
    assert desk.server.held_bytes == 900
    first.feed(end)
    assert statuses(first.written) == [200]
    assert desk.server.held_bytes == 300
    first.feed(begin(600))
    second.hang_up()
    assert desk.server.held_bytes == 600
    first.feed(end)
    assert (statuses(first.written), desk.server.held_bytes) == ([200, 200], 0)


def test_one_that_comes_whole_has_room_whatever_the_others_hold() -> None:
    """Nothing of it is kept while it is waited for."""
    desk = Desk(say_ok, held_bytes=1000)
    desk.connect().feed(post(b"a" * 1001)[:-1])
    wire = desk.connect()
    wire.feed(post(b"a" * 5000))
    assert statuses(wire.written) == [200]


@pytest.mark.parametrize(
    ("ending", "limits"),
    [("late", {"body_s": 5}), ("too large", {"body_bytes": 800}), ("malformed", {}), ("gone", {}), ("reset", {})],
    ids=["late", "too large", "malformed", "gone", "reset"],
)
def test_however_a_body_ends_its_room_is_free_again(ending: str, limits: dict[str, int]) -> None:
    """Refused, broken or gone."""
    desk = Desk(say_ok, **limits)
    wire = desk.connect()
    wire.feed(b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2bc\r\n" + b"a" * 700 + b"\r\n")
    assert desk.server.held_bytes == 700
    if ending == "late":
        desk.pass_time(6)
    elif ending in ("gone", "reset"):
        (wire.hang_up if ending == "gone" else wire.abort)()
    else:
        wire.feed(b"c8\r\n" + b"a" * 200 + b"\r\n" if ending == "too large" else b"nonsense\r\n")
    assert desk.server.held_bytes == 0
    told = {"late": [408], "too large": [413], "malformed": [400]}
    assert statuses(wire.written) == told.get(ending, [])


def test_a_refused_client_that_is_still_sending_gets_to_read_why() -> None:
    """As long as it goes on, up to a time and to as much as a body may be; then it is cut off."""
    for size, pause, seconds in ((10, 1.9, 29), (10, 2.1, 3), (400, 1.0, 3)):
        desk = Desk(say_ok, body_bytes=1000)
        wire = desk.connect()
        wire.feed(post(b"a" * 2000)[:-2000])
        assert statuses(wire.written) == [413]
        passed = 0.0
        while not wire.is_closed:
            wire.feed(b"a" * size)
            desk.pass_time(pause)
            passed += pause
        assert seconds - 1 < passed < seconds + 3, (size, pause)


@pytest.mark.parametrize(
    ("data", "status", "code", "told"),
    [
        (b"POST /p?x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 600 + b"\r\n\r\n", 431, "head_too_large", "500 bytes"),
        (post(b"a" * 900)[:-900].replace(b"/p", b"/p?x"), 413, "too_large", "800 bytes"),
        (b"POST /p?x HTTP/1.1\r\nHost: a\r\nY: b\r\nX", 408, "request_timeout", "not arrive within 10 s"),
        (post(b"a" * 9, b"Y: b\r\n")[:-1].replace(b"/p", b"/p?x"), 408, "request_timeout", "not arrive within 60 s"),
        (b"POST /p?x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed", "one Host"),
        (b"POST /p?x HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400, "malformed", "malformed"),
        (b"nonsense\r\n\r\n", 400, "malformed", "malformed"),
    ],
    ids=["large head", "large body", "late head", "late body", "two hosts", "a space", "nonsense"],
)
@pytest.mark.parametrize("step", [1, 5000])
def test_a_refusal_says_whose_request_it_is_of_as_far_as_was_read(
    data: bytes, status: int, code: str, told: str, step: int
) -> None:
    """Target and fields, so that it can be worded for the client; why, with the limit; and what to do."""
    desk = Desk(say_ok, head_bytes=500, body_bytes=800)
    refusals: list[Refusal] = []

    def word(refusal: Refusal) -> tuple[Headers, bytes]:
        refusals.append(refusal)
        return [], b"worded"

    desk.server.refusal_text = word
    wire = desk.connect()
    for at in range(0, len(data), step):
        wire.feed(data[at : at + step])
    desk.pass_time(0 if wire.written else 61)
    assert statuses(wire.written) == [status]
    assert wire.written.endswith(b"worded")
    (refusal,) = refusals
    assert (refusal.status, refusal.code, told in refusal.reason, bool(refusal.fix)) == (status, code, True, True)
    assert (refusal.target or b"").startswith(b"/p") is not data.startswith(b"nonsense")
    if status in (408, 413):
        assert re.match(rb"/p\?x$", refusal.target or b"")
        assert (b"host", b"a") in refusal.headers
