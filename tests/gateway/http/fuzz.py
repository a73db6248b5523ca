"""Inputs mutated from a corpus, and what must hold of each: `python -m tests.gateway.http.fuzz --inputs 1000000`.

Of a client's bytes: no error of ours, the same reading wherever they are cut, one answer per request, no connection left
open in the end, and every request that is accepted is the one that h11 reads there. Of an upstream's bytes: the same for the
response. Of two requests (`known`): whoever knows the head of the first reads the second as one who does not. A failing input
is written beside the corpus, to be kept there once its cause is known.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import h11
import numpy as np

from segue.gateway.http import Deadlines, ServerLimits, Timeouts, Upstream, UpstreamLimits, UpstreamRequest
from segue.gateway.http.call import Call
from segue.gateway.http.failures import Failure
from segue.gateway.http.known_heads import KnownHeads
from segue.gateway.http.request_reader import RequestReader
from segue.gateway.http.response_reader import ResponseHead
from segue.gateway.http.upstream import Origin
from segue.gateway.http.upstream_connection import UpstreamConnection
from tests.gateway.http.wire import Desk, ManualClock, Nothing, Wire, say_ok

CORPUS = Path(__file__).parent / "corpus"
_HEAD = re.compile(rb"(HTTP/\d\.\d (\d)\d\d)[^\r\n]*\r\n((?:[^\r\n]+\r\n)*\r\n)")
Asked = tuple[bytes, bytes, bool, list[tuple[bytes, bytes]], bytes]
Answered = tuple[int, list[tuple[bytes, bytes]], bytes]

TOKENS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\0", b"\x0b", b"\x7f", b"\xff", b"0", b"-1", b"+1", b"\r\n\r\n"),
    *(b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"chunked"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n"),
    *(b"Connection: Upgrade\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"HEAD", b"POST", b"CONNECT", b"gzip, ", b"identity"),
    *(b"0\r\n\r\n", b"3\r\nabc\r\n", b"ffffffffffffffff", b"1;x=y", b'1;x="y"', b" folded", b"X : y\r\n", b"http://a/", b"*"),
    *(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"204", b"304", b"101"),
]


def corpus(side: str) -> list[bytes]:
    """The inputs kept for one side: `request` or `response`."""
    return [path.read_bytes() for path in sorted(CORPUS.glob(f"{side}-*"))]


def mutate(data: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """A few random changes: bytes, known tokens, parts doubled, moved, left out, or taken from another input."""
    for _ in range(int(rng.integers(0, 5))):
        at, kind = int(rng.integers(0, len(data) + 1)), int(rng.integers(0, 8))
        size = int(rng.integers(1, 12))
        if kind == 0:
            data = data[:at] + bytes([int(rng.integers(0, 256))]) + data[at + 1 :]
        elif kind in (1, 2):
            data = data[:at] + TOKENS[int(rng.integers(0, len(TOKENS)))] + data[at:]
        elif kind == 3:
            data = data[:at] + data[at + size :]
        elif kind == 4:
            data = data[:at] + data[at : at + size] + data[at:]
        elif kind == 5:
            other = others[int(rng.integers(0, len(others)))]
            data = data[:at] + other[int(rng.integers(0, len(other))) :]
        elif kind == 6:
            data = data[:at] + TOKENS[int(rng.integers(0, len(TOKENS)))] + data[at + size :]
        else:
            lines = data.split(b"\r\n")
            one, two = int(rng.integers(0, len(lines))), int(rng.integers(0, len(lines)))
            lines[one], lines[two] = lines[two], lines[one]
            data = b"\r\n".join(lines)
    return data[:4000]


def pieces(data: bytes, rng: np.random.Generator) -> list[bytes]:
    """Cut at random places, or not at all."""
    cuts = sorted({0, len(data), *(int(at) for at in rng.integers(0, len(data) + 1, size=int(rng.integers(0, 6))))})
    return [data[one:two] for one, two in pairwise(cuts)]


def check_request(data: bytes, parts: Sequence[bytes], *, hangs_up: bool = False) -> int:
    """All that must hold of a client's bytes. Gives how many requests were accepted."""
    whole, status = _accepted([data], hangs_up=hangs_up)
    cut, cut_status = _accepted(parts, hangs_up=hangs_up)
    if 431 in (status, cut_status):
        # How much of one read was a head is known only roughly, so what is just over the limit may be refused in one of them.
        shorter = min(len(whole), len(cut))
        assert whole[:shorter] == cut[:shorter], "Read differently in pieces."
    else:
        assert (whole, status) == (cut, cut_status), "Read differently in pieces."
    reference = _h11_requests(data, len(whole))
    assert whole == reference[: len(whole)], f"h11 reads {reference} where we read {whole}."
    return len(whole)


def _accepted(parts: Sequence[bytes], *, hangs_up: bool) -> tuple[list[Asked], int | None]:
    desk = Desk(say_ok, head_bytes=2000, body_bytes=1000)
    wire = desk.connect()
    for part in parts:
        wire.feed(part)
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", wire.written)]
    answers = [status for status in statuses if status != 100]
    refusal = answers.pop() if len(answers) > len(desk.exchanges) else None
    assert answers == [200] * len(desk.exchanges), f"{len(desk.exchanges)} requests, answers {statuses}."
    assert refusal is None or refusal >= 400
    assert refusal is None or wire.has_ended
    if hangs_up:
        wire.hang_up()
    for _ in range(4):
        desk.pass_time(100)
    assert wire.is_closed, "The connection stays open."
    assert not len(desk.server)
    assert not desk.server.held_bytes, "A body that nobody holds is counted."
    assert not len(desk.deadlines)
    assert desk.failures == []
    asked = [exchange.request for exchange in desk.exchanges]
    return [(one.method, one.target, one.is_http_10, _plain(one.headers), one.body) for one in asked], refusal


def _plain(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """h11 writes transfer codings in lower case."""
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]


def _h11_requests(data: bytes, count: int) -> list[Asked]:
    """Up to so many. Each is read on its own: h11 knows no empty lines before a request, nor several spaces within its line."""
    found: list[Asked] = []
    while len(found) < count:
        data = data.lstrip(b"\r\n")
        line, end, rest = data.partition(b"\r\n")
        data = re.sub(rb" +", b" ", line) + end + rest
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        reader.receive_data(data)
        head: h11.Request | None = None
        body = b""
        while True:
            try:
                event = reader.next_event()
            except h11.RemoteProtocolError as error:
                found.append((b"refused", str(error).encode(), False, [], data))
                return found
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                is_http_10 = head.http_version == b"1.0"
                fields = [(bytes(name), bytes(value)) for name, value in head.headers]
                found.append((bytes(head.method), bytes(head.target), is_http_10, fields, body))
                data = reader.trailing_data[0]
                break
            else:
                found.append((b"incomplete", b"", False, [], data))
                return found
    return found


PLAIN = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nContent-Length: 5\r\nAuthorization: Bearer k\r\n\r\nhello"
AFTER = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n"


def check_known(first: bytes, then: bytes) -> int:
    """Who knows the head of `first` reads `then`, and what follows it, as one who knows nothing. Gives 1 if it was known."""
    limits = ServerLimits(head_bytes=2000, body_bytes=1000)
    known = KnownHeads()
    teacher = RequestReader(limits, known)
    for _ in range(2):
        teacher.feed(first)
        teacher.ready.clear()
    readers = RequestReader(limits, known), RequestReader(limits)
    for data in (then, AFTER):
        for reader in readers:
            reader.feed(data)
        mine, plain = ((one.stage, one.is_done, one.refusal, one.wants_continue, _read(one)) for one in readers)
        assert mine == plain, f"Knowing {first!r} it is read as {mine}, else as {plain}."
    found = known.find(then)
    for head in known._heads.values():
        # A connection that remembers its last head asks that one first.
        body = head.body_of(then)
        assert (None if body is None else (head, body)) == (found if found is not None and found[0] is head else None)
    return int(found is not None)


def _read(reader: RequestReader) -> list[tuple[object, ...]]:
    return [(one.method, one.target, one.headers, one.is_http_10, one.keeps_alive, one.body) for one in reader.ready]


def varied(data: bytes, rng: np.random.Generator) -> bytes:
    """The same request with another body, and the length that belongs to it."""
    head, end, _ = data.partition(b"\r\n\r\n")
    body = bytes(rng.integers(0, 256, size=int(rng.integers(0, 40)), dtype=np.uint8))
    return re.sub(rb"(?i)(content-length: )[0-9]+", lambda found: found[1] + b"%d" % len(body), head) + end + body


class _Heard:
    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self.body = b""
        self.endings: list[Failure | None] = []

    def on_head(self, head: ResponseHead) -> None:
        assert self.head is None
        self.head = head

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        assert self.head is not None
        assert not self.endings
        self.body += chunk
        if is_last:
            self.endings.append(None)

    def on_failure(self, failure: Failure) -> None:
        self.endings.append(failure)


def check_response(data: bytes, parts: Sequence[bytes]) -> int:
    """All that must hold of an upstream's bytes, the connection closed behind them. Gives 1 if the response was accepted."""
    whole, cut = _heard([data]), _heard(parts)
    for one in (whole, cut):
        assert len(one.endings) == 1, f"Ended {len(one.endings)} times."
    assert (whole.endings[0] is None) == (cut.endings[0] is None), "Read differently in pieces."
    if whole.endings[0] is not None or whole.head is None:
        return 0
    assert cut.head is not None
    mine = (whole.head.status, _plain(whole.head.headers), whole.body)
    assert mine == (cut.head.status, _plain(cut.head.headers), cut.body), "Read differently in pieces."
    reference = _h11_response(data)
    assert mine == reference, f"h11 reads {reference} where we read {mine}."
    return 1


def _heard(parts: Sequence[bytes]) -> _Heard:
    clock = ManualClock()
    deadlines = Deadlines(clock.time, lambda _delay, _wake: Nothing())
    limits = UpstreamLimits(head_bytes=2000)
    pool = Upstream(Origin("upstream", 80), deadlines=deadlines, clock=clock.time, limits=limits)
    connection = UpstreamConnection(pool)
    wire = Wire(connection)
    heard = _Heard()
    request = UpstreamRequest(b"GET", b"/", [])
    connection.start(Call(request, b"", heard, Timeouts(), clock.now + 900, lambda _call: None))
    for part in parts:
        wire.feed(part)
    wire.hang_up()
    assert wire.is_closed
    assert not len(deadlines)
    assert pool.in_use == 0
    return heard


def _h11_response(data: bytes) -> Answered | str:
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(_plainly_begun(data))
    reader.receive_data(b"")
    head: h11.Response | None = None
    body = b""
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return head.status_code, [(bytes(name), bytes(value)) for name, value in head.headers], body
            elif not isinstance(event, h11.InformationalResponse):
                return "incomplete"
    except h11.RemoteProtocolError as error:
        return f"refused: {error}"


def _plainly_begun(data: bytes) -> bytes:
    """Without what llhttp lets pass and nobody is shown: empty lines before a head, and what stands behind a status."""
    done = b""
    while (head := _HEAD.match(data := data.lstrip(b"\r\n"))) is not None:
        done += head[1] + b" \r\n" + head[3]
        data = data[head.end() :]
        if head[2] != b"1":
            break
    return done + data


def run(side: str, inputs: int, seed: int) -> dict[str, float]:
    """So many inputs of one side; the first that fails is kept and raised."""
    rng = np.random.default_rng(seed)
    seeds = corpus("request" if side == "known" else side)
    accepted = 0
    began = time.perf_counter()
    for number in range(inputs):
        if number and number % 50_000 == 0:
            print(f"{number} inputs, {accepted} accepted, {time.perf_counter() - began:.0f} s", file=sys.stderr)
        data = mutate(seeds[int(rng.integers(0, len(seeds)))], seeds, rng)
        parts = pieces(data, rng)
        try:
            if side == "known":
                first = mutate(PLAIN, seeds, rng)
                then = varied(first, rng) if rng.integers(0, 2) else mutate(first, seeds, rng)
                data, parts = first + then, [first, then]
                accepted += check_known(first, then)
            elif side == "request":
                accepted += check_request(data, parts, hangs_up=bool(rng.integers(0, 2)))
            else:
                accepted += check_response(data, parts)
        except BaseException:
            path = CORPUS / f"{side}-failing-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{path}: {data!r}\nin pieces {parts!r}", file=sys.stderr)
            raise
    return {"inputs": inputs, "accepted": accepted, "seconds": time.perf_counter() - began}


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("request", "response", "known"), default="request")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(run(given.side, given.inputs, given.seed))


if __name__ == "__main__":
    main()
