"""Server-sent events are the same events, however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from segue.wire.sse import SseDecoder


def decode(*chunks: bytes) -> list[tuple[str, bytes]]:
    """All events of a stream that comes in these chunks."""
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.finish()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` cut at `places`."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(marks)]


def test_an_event_has_a_name_and_data() -> None:
    """The two fields that providers use."""
    assert decode(b"event: ping\ndata: {}\n\n") == [("ping", b"{}")]


def test_lines_may_end_in_any_of_three_ways() -> None:
    """Line feed, carriage return, or both."""
    assert decode(b"data: a\r\n\r\ndata: b\r\rdata: c\n\n") == [("", b"a"), ("", b"b"), ("", b"c")]


def test_a_line_end_of_two_bytes_may_come_in_two_pieces() -> None:
    """Taken for two line ends it would be a blank line, and an event would end too early."""
    assert decode(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [("", b"a\nb")]


def test_several_data_lines_are_one_event() -> None:
    """They are joined by line feeds."""
    assert decode(b"data: a\ndata: b\n\n") == [("", b"a\nb")]


def test_comments_unknown_fields_and_events_without_data_are_passed_over() -> None:
    """Servers send comments to keep a connection open."""
    assert decode(b": keep-alive\n\nid: 7\nretry: 10\n\nevent: empty\n\ndata:x\n\n") == [("", b"x")]


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    """Even where it comes byte by byte."""
    assert decode(*[bytes([one]) for one in b"\xef\xbb\xbfdata: a\n\n"]) == [("", b"a")]


def test_the_last_event_counts_without_its_blank_line() -> None:
    """Some servers close right after `[DONE]`."""
    assert decode(b"data: a\n\ndata: [DONE]") == [("", b"a"), ("", b"[DONE]")]


PIECES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:", b"data:  b", b"event: e", b": c", b"\n", b"\r", b"\r\n", b"\n\n", "data: ü€".encode(), b"x"]
    )
)


@given(PIECES, st.lists(st.integers(min_value=0, max_value=400)))
def test_how_the_bytes_are_cut_changes_nothing(pieces: list[bytes], places: list[int]) -> None:
    """Any cutting of any stream gives the events of the whole."""
    data = b"".join(pieces)
    assert decode(*cut(data, places)) == decode(data)


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0, max_value=400)))
def test_any_bytes_give_events_and_never_an_error(data: bytes, places: list[int]) -> None:
    """A decoder of untrusted bytes has no error to raise."""
    assert decode(*cut(data, places)) == decode(data)


def test_a_long_line_in_many_chunks_is_not_joined_over_and_over() -> None:
    """Eight megabytes in kilobytes would take minutes if each chunk copied what came before."""
    decoder = SseDecoder()
    for _ in range(8192):
        assert decoder.feed(b"x" * 1024) == []
    assert decoder.finish() == []
