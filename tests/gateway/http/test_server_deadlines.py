"""Slow clients, on a clock that is told the time."""

from __future__ import annotations

from segue.gateway.http import Deadlines
from tests.gateway.http.test_connection import GET, post, statuses
from tests.gateway.http.wire import Desk, ManualClock, Nothing, say_ok


def test_a_connection_that_says_nothing_is_closed() -> None:
    """Quietly: nobody asked."""
    desk = Desk(say_ok, head_s=10)
    wire = desk.connect()
    desk.pass_time(9)
    assert not wire.is_closed
    desk.pass_time(2)
    assert wire.is_closed
    assert wire.written == b""


def test_a_head_that_trickles_in_is_refused() -> None:
    """Each further byte prolongs nothing."""
    desk = Desk(say_ok, head_s=10)
    wire = desk.connect()
    for byte in b"GET / HTTP/1.1\r\nX: ":
        wire.feed(bytes([byte]))
        desk.pass_time(1)
    assert statuses(wire.written) == [408]
    desk.pass_time(5)
    assert wire.is_closed


def test_a_body_that_trickles_in_is_refused() -> None:
    """Its time is one time for all of it, whether it has a length or comes in chunks."""
    for head, part in (
        (post(b"x" * 1000)[:-1000], b"x"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ):
        desk = Desk(say_ok, body_s=30)
        wire = desk.connect()
        wire.feed(head)
        for _ in range(29):
            desk.pass_time(1)
            wire.feed(part)
        assert wire.written == b""
        desk.pass_time(2)
        assert statuses(wire.written) == [408]


def test_empty_lines_keep_no_connection_open() -> None:
    """They are allowed before a request, and are none."""
    desk = Desk(say_ok, head_s=10, idle_s=20)
    wire = desk.connect()
    for _ in range(12):
        wire.feed(b"\r\n")
        desk.pass_time(1)
    assert wire.is_closed
    wire = desk.connect()
    wire.feed(GET)
    for _ in range(22):
        wire.feed(b"\r\n")
        desk.pass_time(1)
    assert wire.is_closed
    assert statuses(wire.written) == [200]


def test_an_idle_connection_is_kept_for_a_while() -> None:
    """Counted from the last answer."""
    desk = Desk(idle_s=20)
    wire = desk.connect()
    wire.feed(GET)
    desk.pass_time(1000)
    assert not wire.is_closed
    desk.exchanges[0].respond(200, [], b"late, but there")
    desk.pass_time(19)
    assert not wire.is_closed
    wire.feed(GET)
    desk.exchanges[1].respond(200, [])
    desk.pass_time(21)
    assert wire.is_closed


def test_a_second_request_that_trickles_in_behind_an_answer_waits_for_it() -> None:
    """The refusal comes after the answer, not within it."""
    desk = Desk(head_s=10)
    wire = desk.connect()
    wire.feed(GET + b"GET / HT")
    desk.pass_time(11)
    assert wire.written == b""
    desk.exchanges[0].respond(200, [], b"ok")
    assert statuses(wire.written) == [200, 408]


def test_a_client_that_reads_nothing_is_cut_off() -> None:
    """The handler is told to pause, then that the client is gone. One that reads slowly is left alone."""
    for reads in (False, True):
        desk = Desk(stall_s=30, write_buffer_bytes=1000)
        wire = desk.connect()
        wire.is_stuck = True
        wire.feed(GET)
        (exchange,) = desk.exchanges
        events: list[str] = []
        exchange.on_gone = lambda events=events: events.append("gone")
        exchange.on_room = lambda events=events: events.append("room")
        exchange.start(200, [])
        while exchange.write(b"x" * 500):
            pass
        for _ in range(4):
            desk.pass_time(20)
            if reads:
                wire.drain(100)
        assert events == ([] if reads else ["gone"])
        assert wire.is_closed is not reads
        if reads:
            wire.drain()
            assert events == ["room"]
            assert exchange.write(b"more")


def test_a_client_that_never_reads_its_last_answer_is_cut_off() -> None:
    """A connection that is only waiting to be closed is not waited for."""
    desk = Desk(stall_s=30)
    wire = desk.connect()
    wire.is_stuck = True
    wire.feed(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    desk.exchanges[0].respond(200, [], b"x" * 100)
    assert not wire.is_closed
    desk.pass_time(31)
    assert wire.is_closed


def test_a_refused_client_that_keeps_sending_is_cut_off() -> None:
    """After a while that does not grow with what it sends, which is not looked at."""
    desk = Desk(say_ok, linger_s=2, linger_in_all_s=2)
    wire = desk.connect()
    wire.feed(b"nonsense\r\n\r\n")
    for _ in range(3):
        wire.feed(GET * 100)
        desk.pass_time(1)
    assert wire.is_closed
    assert desk.exchanges == []


def test_the_sweep_wakes_only_while_there_is_something_to_watch() -> None:
    """And goes on when something it expired failed."""
    clock = ManualClock()
    wakes = []

    def call_later(_delay: float, wake: object) -> Nothing:
        wakes.append(wake)
        return Nothing()

    class Brittle:
        deadline = 0.0

        def expire(self, now: float) -> None:
            raise RuntimeError

    deadlines = Deadlines(clock.time, call_later)
    one = Brittle()
    assert wakes == []
    deadlines.watch(one)
    deadlines.watch(one)
    assert len(wakes) == 1
    try:
        wakes[0]()  # type: ignore[operator]
    except RuntimeError:
        assert len(wakes) == 2
    deadlines.forget(one)
    wakes[1]()  # type: ignore[operator]
    assert len(wakes) == 2
    assert len(deadlines) == 0
    deadlines.watch(one)
    deadlines.close()
    assert len(wakes) == 3


def test_a_client_that_asks_without_reading_is_given_no_more() -> None:
    """Its further requests wait, unread, until it reads; meanwhile its answers do not pile up."""
    desk = Desk(lambda exchange: exchange.respond(200, [], b"x" * 1000), write_buffer_bytes=5000)
    wire = desk.connect()
    wire.is_stuck = True
    asked = 0
    while not wire.is_reading_paused and asked < 1000:
        wire.feed(GET * 3)
        asked += 3
    assert asked < 20
    assert len(desk.exchanges) < asked
    assert wire.unsent < 7000
    wire.is_stuck = False
    wire.drain()
    assert len(desk.exchanges) == asked
    assert not wire.is_reading_paused
    assert statuses(wire.written) == [200] * asked


def test_a_refusal_behind_answers_that_are_not_read_waits_for_them() -> None:
    """And comes last."""
    desk = Desk(lambda exchange: exchange.respond(200, [], b"x" * 1000), write_buffer_bytes=500)
    wire = desk.connect()
    wire.is_stuck = True
    wire.feed(GET * 3 + b"nonsense\r\n\r\n")
    assert len(desk.exchanges) == 1
    wire.is_stuck = False
    wire.drain()
    assert statuses(wire.written) == [200, 200, 200, 400]
