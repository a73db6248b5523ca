"""Requests that two programs could read as different messages are refused, and the connection closed."""

from __future__ import annotations

import asyncio
import re

import pytest

from segue.gateway.http import Deadlines, HeadError, Server, UpstreamRequest
from tests.gateway.http.wire import Desk, say_ok

CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    """A POST with these fields."""
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n" + body


REFUSED = {
    "length and chunked": (400, post(b"Content-Length: 3\r\n" + CHUNKED, b"0\r\n\r\n" + HIDDEN)),
    "chunked and length": (400, post(CHUNKED + b"Content-Length: 3\r\n", b"0\r\n\r\n" + HIDDEN)),
    "two lengths": (400, post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd")),
    "the same length twice": (400, post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc")),
    "a list of lengths": (400, post(b"Content-Length: 3, 3\r\n", b"abc")),
    "a length with a sign": (400, post(b"Content-Length: +3\r\n", b"abc")),
    "an empty length": (400, post(b"Content-Length: \r\n")),
    "a length in hex": (400, post(b"Content-Length: 0x3\r\n", b"abc")),
    "a length beyond 64 bits": (400, post(b"Content-Length: 18446744073709551617\r\n", b"a")),
    "another transfer coding": (400, post(b"Transfer-Encoding: gzip\r\n", b"abc")),
    "gzip, chunked": (400, post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + HIDDEN)),
    "chunked, identity": (400, post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n")),
    "chunked twice": (400, post(CHUNKED + CHUNKED, b"0\r\n\r\n")),
    "chunked in quotes": (400, post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n")),
    "xchunked": (400, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n")),
    "chunked behind a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n")),
    "chunked in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nHost: a\r\n" + CHUNKED + b"\r\n0\r\n\r\n"),
    "a space before the colon": (400, post(b"Content-Length : 3\r\n", b"abc")),
    "a tab before the colon": (400, post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n")),
    "a folded field": (400, post(b"X: a\r\n b\r\n")),
    "a folded transfer coding": (400, post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n")),
    "a folded first field": (400, b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"),
    "bare LF everywhere": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "bare LF in the fields": (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    "bare LF at the end": (400, b"GET / HTTP/1.1\r\nHost: a\r\n\n"),
    "bare CR": (400, b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
    "NUL in a value": (400, post(b"X: a\x00b\r\n")),
    "a control character in a value": (400, post(b"X: a\x01b\r\n")),
    "DEL in a value": (400, post(b"X: a\x7fb\r\n")),
    "a bracket in a name": (400, post(b"X(: a\r\n")),
    "an empty name": (400, post(b": a\r\n")),
    "a byte beyond ASCII in a name": (400, post(b"X\xe9: a\r\n")),
    "a field without a colon": (400, post(b"Xa\r\n")),
    "absolute form": (400, b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "authority form": (501, b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "asterisk form": (400, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a fragment": (400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a tab in the target": (400, b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a byte beyond ASCII in the target": (400, b"GET /a\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "a Host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/0.9 by name": (505, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "the preface of HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "another protocol": (501, b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n"),
    "a TLS greeting": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a method in lower case": (400, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method of another trade": (501, b"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a chunk size in 0x": (400, post(CHUNKED, b"0x1\r\nx\r\n0\r\n\r\n")),
    "a chunk size with a space": (400, post(CHUNKED, b"1 \r\nx\r\n0\r\n\r\n")),
    "a chunk size with a sign": (400, post(CHUNKED, b"+1\r\nx\r\n0\r\n\r\n")),
    "a chunk size beyond 64 bits": (400, post(CHUNKED, b"fffffffffffffffff\r\nx\r\n0\r\n\r\n")),
    "bare LF after a chunk size": (400, post(CHUNKED, b"1\nx\r\n0\r\n\r\n")),
    "bare LF in a chunk extension": (400, post(CHUNKED, b"1;a\nx\r\n0\r\n\r\n")),
    "a chunk longer than said": (400, post(CHUNKED, b"1\r\nxy\r\n0\r\n\r\n")),
    "a length in the trailer": (400, post(CHUNKED, b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n")),
    "a transfer coding in the trailer": (400, post(CHUNKED, b"1\r\nx\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n")),
    "an unknown expectation": (417, post(b"Expect: tea\r\nContent-Length: 1\r\n", b"a")),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_ambiguous_requests_are_refused(name: str, piece: int) -> None:
    """In whatever pieces they come: one answer, no handler called, nothing read after it."""
    status, data = REFUSED[name]
    desk = Desk(say_ok)
    wire = desk.connect()
    for at in range(0, len(data), piece):
        wire.feed(data[at : at + piece])
    wire.feed(HIDDEN)
    assert desk.exchanges == []
    assert re.match(rb"HTTP/1.1 (\d+) ", wire.written)[1] == b"%d" % status  # type: ignore[index]
    assert wire.written.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in wire.written
    assert wire.has_ended
    desk.pass_time(10)
    assert wire.is_closed
    assert not len(desk.server)


async def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    """Over loopback, on this loop: each of them is answered and then closed, although more comes."""
    loop = asyncio.get_running_loop()
    asked: list[object] = []
    server = Server(asked.append, deadlines=Deadlines(loop.time, loop.call_later), clock=loop.time)
    port = await server.listen()
    for name, (status, data) in REFUSED.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data + HIDDEN)
        line = await reader.readline()
        assert line.startswith(b"HTTP/1.1 %d " % status), name
        assert (await reader.read()).endswith(b"\n")
        writer.close()
    assert asked == []
    await server.stop(1)


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\ny", b"a\ry", b"a\0y"])
def test_an_answer_holds_no_line_end_from_data(value: bytes) -> None:
    """The handler's mistake becomes a 500 without a trace of it."""
    desk = Desk(lambda exchange: exchange.respond(200, [(b"x-name", value)]))
    wire = desk.connect()
    wire.feed(HIDDEN)
    assert wire.written.startswith(b"HTTP/1.1 500 ")
    assert b"x-name" not in wire.written
    assert isinstance(desk.failures[0], HeadError)


@pytest.mark.parametrize(
    "request_",
    [
        UpstreamRequest(b"GET", b"/", [(b"x", b"a\r\ny: z")]),
        UpstreamRequest(b"GET", b"/ HTTP/1.1\r\nx:", []),
        UpstreamRequest(b"GET", b"/a b", []),
        UpstreamRequest(b"GET", b"http://a/", []),
        UpstreamRequest(b"GET\r\n", b"/", []),
    ],
    ids=["a value", "a target with lines", "a target with a space", "an absolute target", "a method"],
)
def test_a_request_to_an_upstream_holds_no_line_end_from_data(request_: UpstreamRequest) -> None:
    """It is refused before a byte is sent."""
    with pytest.raises(HeadError):
        request_.head(b"upstream")
