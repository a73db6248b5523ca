"""What a provider may do wrong with a stream, and what is odd but no fault.

`UNBEGUN`: nothing that means anything had come, so the incumbent answers. `BROKEN`: something had, so the stream ends with an
error event. `ODD`: the answer is whole, however it was sent.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from tests.gateway.faults.heads import goes_on_with, resets_after, says, waits_after
from tests.gateway.faults.provider import Act, Line
from tests.gateway.faults.words import CHUNKED, HEAD, LAST_CHUNK, STREAM_HEAD, Words, chunk, whole

ASLEEP = frozenset(
    (
        "opens_and_waits",
        "pings_and_waits",
        "pings_for_ever",
        "waits_in_the_middle",
        "waits_within_a_frame",
        "talks_for_ever",
    )
)
"""Those that end only when the time for them is over."""


def streams(*parts: bytes) -> bytes:
    """A whole response of these parts, each a chunk."""
    return STREAM_HEAD + b"".join(chunk(part) for part in parts) + LAST_CHUNK


def begun(words: Words) -> bytes:
    """The beginning of a stream, up to its second piece."""
    return STREAM_HEAD + chunk(words.opening) + chunk(words.pieces[0]) + chunk(words.pieces[1])


def _unbegun(words: Words) -> Iterator[tuple[str, Act]]:
    opening = STREAM_HEAD + chunk(words.opening)
    yield "nothing_in_it", says(streams())
    yield "only_the_end", says(streams(words.mark))
    yield "only_comments", says(streams(b": hello\n\n" * 50))
    yield "opens_and_ends", says(streams(words.opening))
    yield "opens_and_closes", says(opening)
    yield "opens_and_resets", resets_after(opening)
    yield "opens_and_waits", waits_after(opening)
    yield "pings_and_waits", waits_after(opening + chunk(words.ping * 3))
    yield "pings_for_ever", goes_on_with(chunk(words.ping), opening)
    yield "begins_with_an_error", says(streams(words.failing))
    yield "opens_with_an_error", says(streams(words.opening, words.failing, words.mark))
    yield "frames_that_are_no_json", says(streams(b"event: message_start\ndata: soon\n\n"))
    yield "frames_that_are_no_object", says(streams(b"event: message_start\ndata: [1]\n\n"))
    yield "noise_as_a_stream", says(streams(bytes(range(256)) * 200))
    yield "much_noise_as_a_stream", says(streams(bytes(range(14, 256)) * 20_000))
    yield "html_as_a_stream", says(streams(b"<!doctype html><p>Sign in</p>"))
    yield "a_whole_answer_instead", says(whole(words.answer))
    yield "a_stream_packed", says(whole(gzip.compress(words.stream, mtime=0), kind="text/event-stream", extra=_PACKED))
    yield "cut_within_the_first_piece", says(streams(words.opening, words.pieces[0][:-9]))
    yield "a_line_without_end", goes_on_with(chunk(b"x" * 60_000), STREAM_HEAD + chunk(b"data: "))


def _broken(words: Words) -> Iterator[tuple[str, Act]]:
    so_far = begun(words)
    third = words.pieces[2]
    within_a_letter = third.index("✓".encode()) + 1
    yield "ends_in_the_middle", says(so_far + LAST_CHUNK)
    yield "closes_in_the_middle", says(so_far)
    yield "resets_in_the_middle", resets_after(so_far)
    yield "waits_in_the_middle", waits_after(so_far)
    yield "ends_within_a_frame", says(so_far + chunk(third[:-9]) + LAST_CHUNK)
    yield "closes_within_a_frame", says(so_far + chunk(third[:-9]))
    yield "resets_within_a_frame", resets_after(so_far + chunk(third[:-9]))
    yield "waits_within_a_frame", waits_after(so_far + chunk(third[:-9]))
    yield "ends_within_a_letter", says(so_far + chunk(third[:within_a_letter]) + LAST_CHUNK)
    yield "ends_after_a_line", says(so_far + chunk(third[:-1]) + LAST_CHUNK)
    yield "error_in_the_middle", says(so_far + chunk(words.failing) + LAST_CHUNK)
    yield "error_in_the_middle_then_the_end", says(so_far + chunk(words.failing) + chunk(words.mark) + LAST_CHUNK)
    yield "error_then_more", says(so_far + chunk(words.failing) + chunk(third + words.closing + words.mark) + LAST_CHUNK)
    yield "bad_chunk_in_the_middle", says(so_far, b"zz\r\n\r\n")
    yield "a_line_without_end_in_the_middle", goes_on_with(chunk(b"x" * 60_000), so_far + chunk(b"data: "))
    yield "talks_for_ever", goes_on_with(chunk(third), so_far)


def _odd(words: Words) -> Iterator[tuple[str, Act]]:
    everything = words.stream
    crlf = everything.replace(b"\n", b"\r\n")
    yield "in_one_piece", says(streams(everything))
    yield "by_the_byte", _drips(everything)
    yield "with_crlf", says(streams(*(crlf[at : at + 7] for at in range(0, len(crlf), 7))))
    yield "without_length_or_chunks", says(HEAD + b"content-type: text/event-stream\r\nconnection: close\r\n\r\n" + everything)
    yield (
        "type_with_parameters",
        says(HEAD + b"Content-Type: Text/Event-Stream; charset=utf-8\r\n" + CHUNKED + chunk(everything) + LAST_CHUNK),
    )
    yield "two_ends_and_more", says(streams(everything, words.mark + words.opening, words.pieces[0], words.mark))
    yield "two_ends", says(streams(everything + words.mark, words.mark))
    yield "no_last_line_end", says(streams(everything[:-1]))
    yield "waits_after_its_end", waits_after(STREAM_HEAD + chunk(everything))
    yield "closes_after_its_end", says(STREAM_HEAD + chunk(everything))
    yield "resets_after_its_end", resets_after(STREAM_HEAD + chunk(everything))
    yield (
        "pings_between",
        says(streams(*(part + words.ping for part in (words.opening, *words.pieces)), words.closing + words.mark)),
    )
    yield (
        "after_interim_heads",
        says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + streams(everything)),
    )


def _drips(data: bytes) -> Act:
    async def act(line: Line) -> None:
        await line.send(STREAM_HEAD, *(chunk(data[at : at + 1]) for at in range(len(data))), LAST_CHUNK)

    return act


_PACKED = "content-encoding: gzip\r\n"


def unbegun(words: Words) -> dict[str, Act]:
    """By name."""
    return dict(_unbegun(words))


def broken(words: Words) -> dict[str, Act]:
    """By name."""
    return dict(_broken(words))


def odd(words: Words) -> dict[str, Act]:
    """By name."""
    return dict(_odd(words))
