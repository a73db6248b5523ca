"""What is refused before it is read whole: in the client's dialect, with the limit and the remedy, and without its body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from segue.gateway.http import Refusal, ServerLimits
from segue.gateway.refused_requests import word_refusal
from segue.standin.settings import StandInSettings
from tests.gateway.wiring import KEY, Wired, a_gateway

LIMITS = ServerLimits(head_bytes=2000, body_bytes=40_000_000, held_bytes=3000)
ANTHROPIC = "anthropic-version: 2023-06-01\r\n"
KEYED = f"authorization: Bearer {KEY}\r\n"


@dataclass
class Told:
    """An answer off a raw socket."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message(self) -> str:
        """Of an error, whose shape is one dialect's or the other's."""
        error = self.body["error"]
        assert set(self.body) == ({"type", "error"} if self.is_anthropic else {"error"})
        assert set(error) == ({"type", "message"} if self.is_anthropic else {"message", "type", "param", "code"})
        return str(error["message"])

    @property
    def is_anthropic(self) -> bool:
        """Whether the shape is Anthropic's."""
        return bool(self.body.get("type") == "error")


class Line:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, path: str, fields: str = "", *, size: int = 0, body: bytes = b"", method: str = "POST") -> None:
        """A head, and as much of its body as is given."""
        length = f"content-length: {size}\r\n" if size else ""
        self._writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n{fields}{length}\r\n".encode() + body)

    def send(self, data: bytes) -> None:
        """More of it."""
        self._writer.write(data)

    async def hear(self) -> Told:
        """The next answer, which is JSON if it has a body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Told(int(head[0].split(" ")[1]), headers, json.loads(body) if body else None)

    async def is_over(self) -> bool:
        """Whether nothing more comes."""
        return await self._reader.read() == b""

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Wired, Any]]:
    """A gateway with these limits, and a way to connect to it."""
    lines: list[Line] = []
    async with a_gateway({"old": StandInSettings(text="Hello.")}, limits=LIMITS) as (wired, _):

        async def connect() -> Line:
            line = Line(*await asyncio.open_connection("127.0.0.1", int(wired.origin.rpartition(":")[2])))
            lines.append(line)
            return line

        try:
            async with asyncio.timeout(10):
                yield wired, connect
        finally:
            for line in lines:
                await line.close()


@pytest.mark.parametrize("asks", [False, True], ids=["plain", "asks to go on"])
@pytest.mark.parametrize(
    ("method", "path", "fields", "status", "word"),
    [
        ("POST", "/nothing", "", 404, "There is nothing at /nothing"),
        ("POST", "/nothing", ANTHROPIC, 404, "There is nothing at /nothing"),
        ("POST", "/v1/v1/messages", ANTHROPIC + KEYED, 404, "base URL of Anthropic's clients is without /v1"),
        ("PUT", "/v1/responses", KEYED, 405, "POST alone"),
        ("PUT", "/v1/messages?beta=true", KEYED, 405, "POST alone"),
        ("POST", "/v1/messages", "", 401, "No valid gateway key"),
        ("POST", "/v1/messages/count_tokens", "x-api-key: sg-wrong\r\n", 401, "No valid gateway key"),
        ("POST", "/v1/chat/completions", "authorization: Bearer sg-wrong\r\n", 401, "No valid gateway key"),
    ],
    ids=["path", "path of Anthropic's", "doubled path", "method", "method of messages", "no key", "wrong key", "wrong bearer"],
)
async def test_a_body_that_nobody_would_read_is_not_waited_for(
    method: str, path: str, fields: str, status: int, word: str, asks: bool
) -> None:
    """Path, method and key stand in the head: the answer comes with it, in the client's dialect, and no 100 before it."""
    async with served() as (wired, connect):
        line = await connect()
        line.say(path, fields + ("expect: 100-continue\r\n" if asks else ""), size=33_000_000, method=method)
        told = await line.hear()
        assert (told.status, told.headers["content-type"]) == (status, "application/json")
        assert word in told.message
        assert told.is_anthropic is ("messages" in path or ANTHROPIC in fields)
        assert told.headers["connection"] == "close"
        assert told.headers.get("allow") == ("POST" if status == 405 else None)
        assert await line.is_over()
        assert wired.server.held_bytes == 0
        assert wired.gateway.refused.total() == (status == 401 and "count_tokens" not in path)


async def test_what_is_told_by_the_head_is_what_is_told_of_the_whole() -> None:
    """Whether the body came with it, or nobody waited for it."""
    async with served() as (wired, connect):
        for path, fields in (
            ("/nothing", ""),
            ("/nothing", ANTHROPIC),
            ("/v1/messages", ""),
            ("/v1/responses", "authorization: Bearer sg-wrong\r\n"),
            ("/v1/messages/count_tokens", ""),
            ("/v1/feedback", ""),
        ):
            early, whole = await connect(), await connect()
            early.say(path, fields, size=4)
            whole.say(path, fields, size=4, body=b"null")
            one, other = await early.hear(), await whole.hear()
            assert (one.status, one.body) == (other.status, other.body)
            assert "connection" not in other.headers
        assert wired.gateway.refused == {"invalid_api_key": 4}


@pytest.mark.parametrize("fields", ["", "expect: 100-continue\r\n"], ids=["plain", "asks to go on"])
async def test_who_has_a_key_is_read_to_the_end(fields: str) -> None:
    """However the body comes."""
    body = b'{"model":"mail","messages":[{"role":"user","content":"Hi"}]}'
    async with served() as (wired, connect):
        line = await connect()
        line.say("/v1/chat/completions", KEYED + fields, size=len(body))
        if fields:
            assert (await line.hear()).status == 100
        for at in range(len(body)):
            line.send(body[at : at + 1])
            await asyncio.sleep(0)
        told = await line.hear()
        assert (told.status, told.body["choices"][0]["message"]["content"]) == (200, "Hello.")
        assert wired.server.held_bytes == 0


@pytest.mark.parametrize(
    ("path", "fields", "size", "status", "code", "words"),
    [
        ("/v1/messages", KEYED, 40_000_001, 413, "too_large", ("40000000 bytes", "Send less")),
        ("/v1/chat/completions", KEYED, 40_000_001, 413, "too_large", ("40000000 bytes", "Send less")),
        ("/v1/messages", f"x: {'y' * 3000}\r\n", 0, 431, "head_too_large", ("2000 bytes", "fewer or shorter")),
        ("/v1/responses", f"x: {'y' * 3000}\r\n", 0, 431, "head_too_large", ("2000 bytes", "fewer or shorter")),
        ("/what", f"{ANTHROPIC}x: {'y' * 3000}\r\n", 0, 431, "head_too_large", ("2000 bytes", "fewer or shorter")),
        ("/v1/messages", KEYED, 99, 408, "request_timeout", ("within 60 s", "Send it whole")),
        ("/v1/responses", KEYED, 99, 408, "request_timeout", ("within 60 s", "Send it whole")),
    ],
    ids=["413 messages", "413 chat", "431 messages", "431 responses", "431 by a header", "408 messages", "408 responses"],
)
async def test_a_limit_is_told_in_the_clients_dialect(
    path: str, fields: str, size: int, status: int, code: str, words: tuple[str, str]
) -> None:
    """Which one it was and what to do about it; and it is counted by its code."""
    async with served() as (wired, connect):
        line = await connect()
        line.say(path, fields, size=size)
        if status == 408:
            line.send(b"begun")
            while wired.server.held_bytes != 5:
                await asyncio.sleep(0)
            wired.pass_time(61)
        told = await line.hear()
        assert (told.status, told.headers["content-type"]) == (status, "application/json")
        assert all(word in told.message for word in words)
        assert told.is_anthropic is ("messages" in path or ANTHROPIC in fields)
        assert told.is_anthropic or told.body["error"]["code"] == code
        assert wired.gateway.refused == {code: 1}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_bodies_that_are_not_whole_are_bounded_together(path: str) -> None:
    """A worker holds so many bytes of them; the next one is told when to come back, and is served once there is room."""
    body = b'{"model":"mail","messages":[{"role":"user","content":"%b"}]}' % (b"x" * 2000)
    async with served() as (wired, connect):
        first, second = await connect(), await connect()
        first.say(path, KEYED, size=len(body), body=body[:-1])
        while wired.server.held_bytes != len(body) - 1:
            await asyncio.sleep(0)
        second.say(path, KEYED, size=len(body), body=body[:-1])
        told = await second.hear()
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert "3000 bytes together" in told.message
        assert wired.gateway.refused == {"too_many_bodies": 1}
        first.send(body[-1:])
        assert (await first.hear()).status == 200
        assert wired.server.held_bytes == 0


def test_where_nothing_is_known_it_is_told_as_openai_has_it() -> None:
    """Too many connections, or bytes that are no request."""
    headers, body = word_refusal(Refusal(503, "Too many connections.", "Try again in a moment.", "too_many_connections"))
    assert headers == [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    error = {"message": "Too many connections. Try again in a moment.", "type": "server_error", "param": None}
    assert json.loads(body) == {"error": {**error, "code": "too_many_connections"}}


@pytest.mark.parametrize("path", [b"/v1/messagesx", b"/v1/mess", b"/messages"])
def test_half_a_path_is_none(path: bytes) -> None:
    """The beginning of a path may go on otherwise; a header of Anthropic's clients tells all the same."""
    refusal = Refusal(408, "Too late.", target=path)
    assert "type" not in json.loads(word_refusal(refusal)[1])
    told = Refusal(408, "Too late.", target=path, headers=[(b"anthropic-version", b"2023-06-01")])
    assert json.loads(word_refusal(told)[1])["type"] == "error"
