"""What a provider may do wrong before there is anything of an answer, whether a stream was asked for or not.

After each of these the incumbent's answer is the user's: nothing had reached anybody.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

from tests.gateway.faults.provider import Act, Line
from tests.gateway.faults.words import CHUNKED, HEAD, Words, chunk, to_json, whole

Make = Callable[[Words], Act]

ASLEEP = frozenset(
    ("silent", "silent_in_head", "silent_after_head", "silent_in_body", "promises_more_and_waits", "endless_1xx")
)
"""Those that end only when the time for them is over."""


def says(*parts: bytes) -> Act:
    """Send, and close."""

    async def act(line: Line) -> None:
        await line.send(*parts)

    return act


def resets_after(*parts: bytes) -> Act:
    """Send, and reset."""

    async def act(line: Line) -> None:
        await line.send(*parts)
        line.reset()

    return act


def waits_after(*parts: bytes) -> Act:
    """Send, and say nothing more."""

    async def act(line: Line) -> None:
        await line.send(*parts)
        await line.silence()

    return act


def goes_on_with(again: bytes, *parts: bytes) -> Act:
    """Send, and then the same for ever."""

    async def act(line: Line) -> None:
        await line.send(*parts)
        while True:
            await line.send(again)

    return act


def _endings(words: Words) -> Iterator[tuple[str, Act]]:
    half_head, body = HEAD + b"content-type: applica", words.answer
    head = b"%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (HEAD, len(body))
    for name, before in (("", b""), ("_in_head", half_head), ("_after_head", head), ("_in_body", head + body[:40])):
        parts = (before,) if before else ()
        yield f"closes{name}", says(*parts)
        yield f"resets{name}", resets_after(*parts)
        yield f"silent{name}", waits_after(*parts)


def _statuses(words: Words) -> Iterator[tuple[str, Act]]:
    for status in (401, 402, 403, 404, 408, 409, 418, 500, 502, 503, 504, 529, 599):
        yield f"status_{status}", says(whole(words.error, status=f"{status} Trouble"))
    yield "status_429", says(whole(words.error, status="429 Too Many Requests", extra="retry-after: 20\r\n"))
    yield "status_400", says(whole(words.error, status="400 Bad Request"))
    yield "status_413_html", says(whole(b"<h1>Too large</h1>", status="413 Too Large", kind="text/html"))
    yield "status_302", says(whole(b"", status="302 Found", extra="location: http://127.0.0.1:1/\r\n"))
    yield "status_204", says(b"HTTP/1.1 204 No Content\r\n\r\n")
    yield "status_101", says(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
    yield "status_999", says(b"HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n")


def _garbage(words: Words) -> Iterator[tuple[str, Act]]:
    body = words.answer
    size = len(body)
    json_head = HEAD + b"content-type: application/json\r\n"
    yield "noise", says(bytes(range(256)) * 40)
    yield "ssh", says(b"SSH-2.0-OpenSSH_9.9\r\n")
    yield "http2", says(b"\0\0\x12\4\0\0\0\0\0")
    yield "html", says(whole(b"<!doctype html><p>Sign in</p>", kind="text/html"))
    yield "empty", says(whole(b""))
    yield "null", says(whole(b"null"))
    yield "list", says(whole(b"[" + body + b"]"))
    yield "object_without_answer", says(whole(b"{}"))
    yield "answer_of_nothing", says(whole(b'{"choices":[],"content":null}'))
    yield "error_with_status_200", says(whole(words.error))
    yield "half_json", says(whole(body[:-20]))
    yield "two_jsons", says(whole(body + body))
    yield "deep_json", says(whole(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"))
    yield "not_utf8", says(whole(body.replace("ü".encode(), b"\xfc")))
    yield "gzip_cut_short", says(whole(gzip.compress(body, mtime=0)[:-9], extra="content-encoding: gzip\r\n"))
    yield "length_too_short", says(b"%bcontent-length: %d\r\n\r\n" % (json_head, size - 7) + body)
    yield "length_too_long", says(b"%bcontent-length: %d\r\n\r\n" % (json_head, size + 7) + body)
    yield "promises_more_and_waits", waits_after(b"%bcontent-length: %d\r\n\r\n" % (json_head, size + 7) + body)
    yield "length_negative", says(json_head + b"content-length: -1\r\n\r\n" + body)
    yield "length_twice", says(b"%bcontent-length: %d\r\ncontent-length: 7\r\n\r\n" % (json_head, size) + body)
    yield "length_and_chunks", says(b"%bcontent-length: %d\r\n" % (json_head, size) + CHUNKED + chunk(body) + b"0\r\n\r\n")
    yield "bad_chunk", says(json_head + CHUNKED + b"zz\r\n" + body)
    yield "chunks_cut_short", says(json_head + CHUNKED + chunk(body))
    yield "huge_header", says(HEAD + b"x: " + b"y" * 200_000 + b"\r\ncontent-length: 2\r\n\r\n{}")
    yield "many_headers", says(HEAD + b"x: y\r\n" * 500 + b"content-length: 2\r\n\r\n{}")
    yield "endless_1xx", goes_on_with(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    yield "wrong_types", says(whole(to_json({"choices": "one", "content": 7, "id": []})))
    yield "answer_in_other_tongue", says(whole(to_json({"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]})))


def faults(words: Words) -> dict[str, Act]:
    """By name."""
    return {**dict(_endings(words)), **dict(_statuses(words)), **dict(_garbage(words))}
