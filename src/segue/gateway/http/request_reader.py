"""Bytes from a client to requests, by llhttp (through httptools), with limits. No I/O, no clock.

llhttp is used without any of its leniencies: it refuses bare line ends, folded fields, spaces before the colon, both a
length and a transfer coding, lengths given twice, and data after a last request. What it lets through and we do not:
transfer codings besides `chunked`, versions other than 1.0 and 1.1, targets that are no path, unknown methods, a missing or
doubled Host, and framing in a trailer.

What it lets through and so do we: empty lines before a request, and several spaces before a target (RFC 9112 §2.2 and §3).
An `Upgrade` is ignored, as a server may; some clients (Java's) offer HTTP/2 with each first request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import httptools

from segue.gateway.http.heads import HOST, TARGET, Header, Headers, field_value, has_framing
from segue.gateway.http.known_heads import LONGEST, KnownHead, KnownHeads, cut_head, may_be_known
from segue.gateway.http.limits import ServerLimits

METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
_METHODS_TOLD = ", ".join(sorted(one.decode() for one in METHODS))
_LOOKED_AT = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
_FEWER_FIELDS = "Send fewer or shorter header fields, and what is long in the body."
_ONE_REQUEST = "Send one request as RFC 9112 has it; a proxy between may have changed it."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection's bytes are not a request that is served. `reason` holds nothing of what the client sent.

    `fix` says what to do about it, and `code` is a word for programs. `target` and `headers` are as much of the request's as
    had been read by then, for whoever words the refusal for a client of this kind.
    """

    status: int
    reason: str
    fix: str = ""
    code: str = "malformed"
    target: bytes | None = None
    headers: Sequence[Header] = ()


class Request:
    """One whole request. Field names are lower case. `notes` are for the handler: what it has worked out of this very head,
    from which other requests may come, too."""

    __slots__ = ("body", "headers", "is_http_10", "keeps_alive", "method", "notes", "target")

    def __init__(self, method: bytes, target: bytes, headers: Headers, is_http_10: bool, keeps_alive: bool) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.is_http_10 = is_http_10
        self.keeps_alive = keeps_alive
        self.body = b""
        self.notes: dict[str, Any] = {}

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field; the name in lower case."""
        return field_value(self.headers, name)


class Stage(IntEnum):
    """Where in a request the bytes read so far end."""

    BETWEEN = 0
    HEAD = 1
    BODY = 2


# An enum's members take a while to look up.
BETWEEN, HEAD, BODY = Stage.BETWEEN, Stage.HEAD, Stage.BODY


class _StopReadingError(Exception):
    """Ends llhttp's run from inside a callback; the reason stands in `refusal` or `is_done`."""


class RequestReader:
    """Fed with bytes; `ready` fills with requests until `refusal` is set or `is_done`."""

    __slots__ = (
        "_begun",
        "_body",
        "_fed",
        "_head_bytes",
        "_headers",
        "_is_chunked",
        "_is_resuming",
        "_is_upgrading",
        "_known",
        "_known_host",
        "_known_target",
        "_last_key",
        "_length",
        "_limits",
        "_parser",
        "_request",
        "_since_body",
        "_target",
        "is_done",
        "is_fresh",
        "ready",
        "refusal",
        "stage",
        "wants_continue",
    )

    def __init__(self, limits: ServerLimits, known: KnownHeads | None = None) -> None:
        self._limits = limits
        self._known = known
        self._last_key = self._begun = b""
        self.ready: deque[Request] = deque()
        self.refusal: Refusal | None = None
        self.is_done = False
        """The last request asked to close: what follows is not read."""
        self.stage: Stage = BETWEEN
        self.wants_continue = False
        self.is_fresh = False
        """There is a head that nobody has looked at yet (`head`). Whoever does sets it back."""
        self._headers: Headers = []
        self._target = b""
        self._known_target = self._known_host = b""
        self._request: Request | None = None
        self._body: bytes | bytearray = b""
        self._length = 0
        self._is_chunked = False
        self._head_bytes = 0
        self._fed = 0
        self._since_body = 0
        self._is_upgrading = self._is_resuming = False
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Read on."""
        known = self._known
        if known is None or self.stage is not BETWEEN or self.ready or self.refusal is not None or self.is_done:
            begun, self._begun = self._begun, b""
            self._parse(data)
            if begun and known is not None and self.ready:
                self._learn(begun + data, known)
            return
        found = known.find(data)
        if found is not None and len(found[1]) <= self._limits.body_bytes:
            head, body = found
            request = Request(head.method, head.target, head.fields(len(body)), False, True)
            request.body, request.notes = body, head.notes
            self.ready.append(request)
            return
        self._parse(data)
        if self.ready:
            self._learn(data, known)
        elif self.stage is BODY and len(data) <= LONGEST:
            self._begun = data

    def _learn(self, data: bytes, known: KnownHeads) -> None:
        """A head that comes a second time in a row is one to know, if it is plain, and all of `data` was this one request."""
        request = self.ready[0]
        found = cut_head(data)
        if found is None or len(self.ready) != 1 or self.stage is not BETWEEN or self.is_done or self.refusal is not None:
            return
        key, length, body_at = found
        if key != self._last_key:
            self._last_key = key
        elif (
            length == len(request.body) == len(data) - body_at
            and request.keeps_alive
            and not request.is_http_10
            and may_be_known(key, request.headers)
        ):
            known.learn(key, KnownHead(key, request.method, request.target, request.headers, length))

    def _parse(self, data: bytes) -> None:
        while data and self.refusal is None and not self.is_done:
            self._fed = len(data)
            if self.stage is not BODY:
                self._head_bytes += self._fed
            else:
                self._since_body += self._fed
            assert self._parser is not None
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._read_on_after_upgrade()
                continue
            except httptools.HttpParserError as error:
                if self.refusal is None and not self.is_done:
                    self.refuse(400, f"The request is malformed: {error}.", _ONE_REQUEST)
                return
            if self.stage is not BETWEEN:
                self._look_at_limits()
            return

    @property
    def head(self) -> Request | None:
        """The request whose body is being read."""
        return self._request if self.stage is BODY else None

    @property
    def held(self) -> int:
        """Bytes of a body that is not whole yet."""
        return len(self._body) if self.stage is BODY else 0

    def refuse(self, status: int, reason: str, fix: str = "", code: str = "malformed") -> None:
        """Read nothing more, and keep nothing of a body that was begun."""
        if self.refusal is None:
            request = self._request
            if request is not None:
                target, headers = request.target, request.headers
            else:
                target, headers = self._target, self._headers
            self.refusal = Refusal(status, reason, fix, code, target or None, headers)
        self._body = b""

    def close(self) -> None:
        """Let go of the parser: it and this reader hold each other."""
        self.is_done = True
        self._parser = None

    # Called by httptools.

    def on_message_begin(self) -> None:
        """The first byte of a request that is no empty line."""
        self.stage = HEAD
        self._head_bytes = self._fed

    def on_url(self, part: bytes) -> None:
        """The target, or a part of it."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailer, which goes into a list nobody reads."""
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Decide whether this head is one we serve."""
        self.stage = BODY
        headers, target = self._headers, self._target
        if self._is_resuming:
            self._is_resuming = False
            self._headers, self._target = [], b""
            return
        parser = self._parser
        assert parser is not None
        method = parser.get_method()
        version = parser.get_http_version()
        is_http_10 = version == "1.0"
        if version != "1.1" and not is_http_10:
            self._stop(505, "Only versions 1.0 and 1.1 of HTTP are spoken here.", "Send HTTP/1.1.")
        if method not in METHODS:
            self._stop(501, "The method is not known here.", f"There are {_METHODS_TOLD}.")
        if target != self._known_target:
            if TARGET.fullmatch(target) is None:
                self._stop(400, "The request target is not an absolute path.", _ONE_REQUEST)
            self._known_target = target
        if self._head_bytes > self._limits.head_bytes:
            self._measure_head(target, headers)
        if len(headers) > self._limits.headers:
            self._stop(431, f"The request has more than {self._limits.headers} header fields.", _FEWER_FIELDS, "head_too_large")
        self._body = b""
        self._since_body = 0
        self._look_at_fields(headers, is_http_10)
        # Only inside a callback does llhttp still know.
        self._request = Request(method, target, headers, is_http_10, parser.should_keep_alive())
        # Not before: who refuses a head wants to know whose it is.
        self._headers, self._target = [], b""
        self.is_fresh = True

    def on_body(self, part: bytes) -> None:
        """A part of the body: kept as it is if it is the only one."""
        self._since_body = 0
        if not self._body:
            self._body = part
        else:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += part
        if self._is_chunked:
            self._length += len(part)
            if self._length > self._limits.body_bytes:
                self._too_large()

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._is_upgrading:
            return
        request, body = self._request, self._body
        assert request is not None
        request.body = body if type(body) is bytes else bytes(body)
        if self._headers:
            if has_framing(self._headers):
                self._stop(400, "The trailer has fields that say where a body ends.", "Send none.")
            self._headers.clear()
        self._request, self._body = None, b""
        self.wants_continue = self.is_fresh = False
        self.stage = BETWEEN
        ready = self.ready
        ready.append(request)
        if len(ready) >= self._limits.pipelined:
            request.keeps_alive = False
        if not request.keeps_alive:
            self.is_done = True
            raise _StopReadingError

    # Within.

    def _look_at_fields(self, headers: Headers, is_http_10: bool) -> None:
        hosts = 0
        self._length, self._is_chunked = 0, False
        for name, value in headers:
            if name not in _LOOKED_AT:
                continue
            if name == b"host":
                hosts += 1
                if value != self._known_host:
                    if HOST.fullmatch(value) is None:
                        self._stop(400, "The Host field is malformed.", _ONE_REQUEST)
                    self._known_host = value
            elif name == b"content-length":
                self._length = int(value)
                if self._length > self._limits.body_bytes:
                    self._too_large()
            elif name == b"transfer-encoding":
                if value.lower() != b"chunked" or is_http_10:
                    self._stop(400, "No transfer coding but chunked is known here, and that only in HTTP/1.1.", _ONE_REQUEST)
                self._is_chunked = True
            elif name == b"expect":
                if value.lower() != b"100-continue":
                    self._stop(417, "The expectation is not known here.", "Expect 100-continue, or nothing.")
                self.wants_continue = not is_http_10
            elif self._parser is not None and self._parser.should_upgrade():
                self._is_upgrading = True
        if hosts != 1 and (hosts or not is_http_10):
            self._stop(400, "A request has one Host field.", _ONE_REQUEST)

    def _look_at_limits(self) -> None:
        """After each run: what has arrived of something unfinished. llhttp itself keeps no count."""
        limits = self._limits
        if self.stage is BODY:
            if self._since_body > limits.head_bytes:
                told = f"More than {limits.head_bytes} bytes of chunk extensions or trailers came."
                self.refuse(431, told, "Send none, or a body with its length.", "head_too_large")
        elif self._head_bytes > limits.head_bytes:
            if self._head_bytes > self._fed or _size(self._headers) > limits.head_bytes:
                self._head_too_large()
            else:
                # Begun in this run, perhaps at its end: most of the bytes may have been requests before this one.
                self._head_bytes = len(self._target) + _size(self._headers)

    def _measure_head(self, target: bytes, headers: Headers) -> None:
        if len(target) + _size(headers) > self._limits.head_bytes:
            self._head_too_large()
            raise _StopReadingError

    def _head_too_large(self) -> None:
        told = f"The head of the request is larger than {self._limits.head_bytes} bytes."
        self.refuse(431, told, _FEWER_FIELDS, "head_too_large")

    def _too_large(self) -> None:
        told = f"The body of the request is larger than {self._limits.body_bytes} bytes."
        self._stop(413, told, "Send less at once: images and files by their URL, or fewer earlier turns.", "too_large")

    def _stop(self, status: int, reason: str, fix: str = "", code: str = "malformed") -> None:
        self.refuse(status, reason, fix, code)
        raise _StopReadingError

    def _read_on_after_upgrade(self) -> None:
        """llhttp takes all after an upgrade for another protocol: a new parser is told that it is in this request's body."""
        self._is_upgrading, self._is_resuming = False, True
        request = self._request
        assert request is not None
        framing = b"Transfer-Encoding: chunked\r\n" if self._is_chunked else b"Content-Length: %d\r\n" % self._length
        if not request.keeps_alive:
            framing += b"Connection: close\r\n"
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        except httptools.HttpParserError:
            assert self.is_done


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)
