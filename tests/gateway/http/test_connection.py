"""What a client's connection does with requests that are in order."""

from __future__ import annotations

import re

import pytest

from segue.gateway.http import HttpExchange
from tests.gateway.http.wire import Desk, say_ok

GET = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED_POST = (
    b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b'3;name="value"\r\nabc\r\n1\r\nd\r\n0\r\nX-Trailer: left out\r\n\r\n'
)


def post(body: bytes, fields: bytes = b"") -> bytes:
    """A POST of a known length."""
    return b"POST /p HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


def statuses(written: bytes) -> list[int]:
    """Of all answers (none of the bodies here holds a status line)."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", written)]


@pytest.mark.parametrize("data", [GET, CHUNKED_POST, post(b"x" * 40)], ids=["get", "chunked", "length"])
def test_a_request_is_the_same_wherever_it_is_cut(data: bytes) -> None:
    """In two pieces at every byte, and byte by byte."""
    seen = set()
    cuts = [[data[:at], data[at:]] for at in range(len(data))] + [[data[at : at + 1] for at in range(len(data))]]
    for pieces in cuts:
        desk = Desk(say_ok)
        wire = desk.connect()
        for piece in pieces:
            wire.feed(piece)
        (exchange,) = desk.exchanges
        asked = exchange.request
        seen.add((asked.method, asked.target, tuple(asked.headers), asked.body))
        assert statuses(wire.written) == [200]
    assert len(seen) == 1


def test_chunks_are_joined_and_the_trailer_is_left_out() -> None:
    """The handler sees a body and the fields of the head."""
    desk = Desk(say_ok)
    desk.connect().feed(CHUNKED_POST)
    (exchange,) = desk.exchanges
    assert exchange.request.body == b"abcd"
    assert exchange.request.headers == [(b"host", b"a"), (b"transfer-encoding", b"Chunked")]
    assert exchange.request.header(b"host") == b"a"
    assert exchange.request.header(b"x-trailer") is None


def test_a_connection_is_kept_for_the_next_request() -> None:
    """Nothing in the answer says otherwise."""
    desk = Desk(say_ok)
    wire = desk.connect()
    for _ in range(3):
        wire.feed(GET)
        assert wire.take() == b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
    assert not wire.is_closed


def test_pipelined_requests_are_answered_in_their_order() -> None:
    """The handler is given one at a time; reading pauses until there is nothing in store."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(post(b"1") + post(b"2"))
    wire.feed(post(b"3"))
    assert wire.is_reading_paused
    for number in (b"1", b"2", b"3"):
        exchange = desk.exchanges[-1]
        assert exchange.request.body == number
        exchange.respond(200, [], b"to " + number)
        assert wire.take().endswith(b"to " + number)
    assert len(desk.exchanges) == 3
    assert not wire.is_reading_paused
    wire.feed(GET)
    assert len(desk.exchanges) == 4


def test_many_pipelined_requests_are_answered_without_depth() -> None:
    """At once, up to the limit; the last answer says that the connection ends."""
    desk = Desk(say_ok, pipelined=2000)
    wire = desk.connect()
    wire.feed(GET * 3000)
    assert len(desk.exchanges) == 2000
    assert wire.written.count(b"connection: close") == 1
    assert wire.is_closed


def test_what_was_asked_before_a_bad_request_is_answered() -> None:
    """Then the refusal, then the end."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(GET + b"GET / HTTP/1.1\nHost: a\n\n" + GET)
    assert wire.written == b""
    desk.exchanges[0].respond(200, [], b"ok")
    assert statuses(wire.written) == [200, 400]
    assert len(desk.exchanges) == 1
    assert wire.has_ended


def test_nothing_is_read_after_a_last_request() -> None:
    """`Connection: close` is answered, and the rest of the bytes is no request."""
    desk = Desk(say_ok)
    wire = desk.connect()
    wire.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
    assert statuses(wire.written) == [200]
    assert b"\r\nconnection: close\r\n" in wire.written
    assert wire.is_closed


@pytest.mark.parametrize(("fields", "is_kept"), [(b"", False), (b"Connection: keep-alive\r\n", True)], ids=["plain", "keep"])
def test_http_1_0_is_kept_only_if_it_asks(fields: bytes, is_kept: bool) -> None:
    """And is told so."""
    desk = Desk(say_ok)
    wire = desk.connect()
    wire.feed(b"GET / HTTP/1.0\r\n" + fields + b"\r\n")
    assert (b"connection: keep-alive" in wire.written) is is_kept
    assert wire.is_closed is not is_kept


def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    """It knows no chunks."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    (exchange,) = desk.exchanges
    exchange.start(200, [])
    exchange.write(b"one")
    exchange.finish(b"two")
    assert wire.written == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonetwo"
    assert wire.is_closed


def test_a_stream_is_sent_in_chunks() -> None:
    """The head goes with the first part, or alone if asked to; large parts are not copied into their framing."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(GET)
    (exchange,) = desk.exchanges
    exchange.start(200, [(b"content-type", b"text/event-stream")])
    assert wire.written == b""
    assert exchange.write(b"")
    assert wire.take() == b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    exchange.write(b"data: 1\n\n")
    large = b"y" * 40_000
    exchange.write(large)
    exchange.finish(b"end")
    assert wire.take() == b"9\r\ndata: 1\n\n\r\n9c40\r\n" + large + b"\r\n3\r\nend\r\n0\r\n\r\n"
    assert not exchange.is_open
    wire.feed(GET)
    assert len(desk.exchanges) == 2


@pytest.mark.parametrize("size", [10, 50_000])
def test_a_large_last_part_is_framed_like_any_other(size: int) -> None:
    """As the only part of a stream, and with a stated length."""
    for length in (None, size):
        desk = Desk()
        wire = desk.connect()
        wire.feed(GET)
        desk.exchanges[0].start(200, [], length)
        desk.exchanges[0].finish(b"z" * size)
        rest = wire.written.partition(b"\r\n\r\n")[2]
        assert rest == (b"z" * size if length else b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"z" * size))


def test_head_is_answered_without_a_body() -> None:
    """With the length that GET would have had; the connection goes on."""
    desk = Desk(say_ok)
    wire = desk.connect()
    wire.feed(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    first, second, rest = wire.written.split(b"\r\n\r\n")
    assert first.endswith(b"content-length: 2")
    assert second.startswith(b"HTTP/1.1 200 OK")
    assert rest == b"ok"


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    """Nor a length, even if one is given."""
    desk = Desk(lambda exchange: exchange.respond(status, [], b"none"))
    wire = desk.connect()
    wire.feed(GET)
    assert wire.written.endswith(b"\r\n\r\n")
    assert b"content-length" not in wire.written
    assert b"transfer-encoding" not in wire.written


def test_an_answer_never_exceeds_or_falls_short_of_its_length() -> None:
    """Either would move the next answer: the connection ends instead."""
    for parts in ([b"abcd"], [b"ab", b"cd"], [b"a"]):
        desk = Desk()
        wire = desk.connect()
        wire.feed(GET)
        (exchange,) = desk.exchanges
        exchange.start(200, [], 3)
        for part in parts[:-1]:
            exchange.write(part)
        exchange.finish(parts[-1])
        assert wire.is_closed
        assert wire.written.partition(b"\r\n\r\n")[2] == {b"abcd": b"", b"cd": b"ab", b"a": b"a"}[parts[-1]]
        assert not exchange.is_open


def test_a_client_is_told_to_go_on_with_its_body() -> None:
    """Once, when its head is in order and its body not there yet."""
    desk = Desk(say_ok)
    wire = desk.connect()
    request = post(b"abc", b"Expect: 100-continue\r\n")
    wire.feed(request[:-3])
    assert wire.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.feed(b"a")
    assert wire.take() == b""
    wire.feed(b"bc")
    assert statuses(wire.take()) == [200]
    wire.feed(request)
    assert statuses(wire.take()) == [200]


def test_going_on_waits_for_the_answer_before() -> None:
    """A 100 before an earlier answer would belong to that one."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(GET + post(b"abc", b"Expect: 100-continue\r\n")[:-3])
    assert wire.take() == b""
    desk.exchanges[0].respond(200, [], b"ok")
    assert statuses(wire.take()) == [200, 100]


def test_a_body_too_large_is_refused_before_it_is_sent() -> None:
    """By its length, without a 100; in chunks, as soon as it is too much."""
    desk = Desk(say_ok, body_bytes=10)
    wire = desk.connect()
    wire.feed(post(b"x" * 11, b"Expect: 100-continue\r\n")[:-11])
    assert statuses(wire.written) == [413]
    wire = desk.connect()
    wire.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")
    assert wire.written == b""
    wire.feed(b"6\r\nabcdef\r\n")
    assert statuses(wire.written) == [413]
    assert desk.exchanges == []


@pytest.mark.parametrize("piece", [50, 100_000])
def test_heads_are_limited(piece: int) -> None:
    """In bytes and in fields, in one piece or in many; a head within the limits behind a long body is none too large."""
    for data in (
        b"GET /" + b"a" * 600 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 600 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X:\r\n" * 20 + b"\r\n",
    ):
        desk = Desk(say_ok, head_bytes=500, headers=20)
        wire = desk.connect()
        for at in range(0, len(data), piece):
            wire.feed(data[at : at + piece])
        assert statuses(wire.written) == [431]
        assert desk.exchanges == []
    desk = Desk(say_ok, head_bytes=500)
    wire = desk.connect()
    data = post(b"x" * 2000) + GET
    wire.feed(data[:-10])
    wire.feed(data[-10:])
    assert statuses(wire.written) == [200, 200]


def test_framing_without_a_body_is_limited() -> None:
    """Chunk extensions and trailers that never end would otherwise be free."""
    for endless in (b"1;" + b"a" * 2000, b"0\r\nX: " + b"a" * 2000):
        desk = Desk(say_ok, head_bytes=500)
        wire = desk.connect()
        wire.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(endless), 100):
            wire.feed(endless[at : at + 100])
        assert statuses(wire.written) == [431]


def test_an_offer_of_another_protocol_is_ignored() -> None:
    """Java's client offers HTTP/2 with its first request, body and all."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    chunked = b"POST /c HTTP/1.1\r\nHost: a\r\n" + offer + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    data = post(b"abc", offer) + chunked + b"GET / HTTP/1.1\r\nHost: a\r\n" + offer + b"\r\n" + GET
    for piece in (1, 50, 10_000):
        desk = Desk(say_ok)
        wire = desk.connect()
        for at in range(0, len(data), piece):
            wire.feed(data[at : at + piece])
        assert [exchange.request.body for exchange in desk.exchanges] == [b"abc", b"x", b"", b""]
        assert [exchange.request.target for exchange in desk.exchanges] == [b"/p", b"/c", b"/", b"/a?b=c"]
        assert statuses(wire.written) == [200] * 4


def test_a_handler_that_fails_is_a_500_and_reported() -> None:
    """Without its words; and after the head, a cut connection."""

    def fail(exchange: HttpExchange) -> None:
        if exchange.request.method == b"POST":
            exchange.start(200, [])
            exchange.write(b"half")
        raise RuntimeError("secret")

    desk = Desk(fail)
    wire = desk.connect()
    wire.feed(GET)
    assert statuses(wire.written) == [500]
    assert b"secret" not in wire.written
    assert not wire.is_closed
    wire.feed(post(b"x"))
    assert wire.is_closed
    assert b"0\r\n\r\n" not in wire.written
    assert [str(error) for error in desk.failures] == ["secret", "secret"]


def test_a_client_that_goes_away_is_told_once() -> None:
    """And writing to it afterwards does nothing."""
    desk = Desk()
    wire = desk.connect()
    wire.feed(GET)
    (exchange,) = desk.exchanges
    gone: list[str] = []
    exchange.on_gone = lambda: gone.append("gone")
    exchange.start(200, [])
    exchange.write(b"half")
    wire.hang_up()
    assert gone == ["gone"]
    assert wire.is_closed
    assert not exchange.is_open
    assert exchange.write(b"more") is False
    exchange.finish(b"end")
    exchange.respond(200, [])
    exchange.abort()
    assert not len(desk.server)


def test_connections_are_limited() -> None:
    """One too many is told so and closed; afterwards there is room again."""
    desk = Desk(say_ok, connections=2)
    first, second, third = desk.connect(), desk.connect(), desk.connect()
    assert statuses(third.written) == [503]
    third.feed(GET)
    assert statuses(third.written) == [503]
    desk.pass_time(5)
    assert third.is_closed
    first.hang_up()
    fourth = desk.connect()
    for wire in (second, fourth):
        wire.feed(GET)
        assert statuses(wire.written) == [200]
    crowd = [desk.connect() for _ in range(200)]
    assert sum(1 for wire in crowd if not wire.is_closed) <= 64
