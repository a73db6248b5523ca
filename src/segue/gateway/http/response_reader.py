"""Bytes from an upstream to one response at a time, by llhttp (through httptools), with limits. No I/O, no clock."""

from __future__ import annotations

import httptools

from segue.gateway.http.failures import FailureKind
from segue.gateway.http.heads import Headers, field_value, has_framing
from segue.gateway.http.limits import UpstreamLimits

_OTHER_CODING = "The response has a transfer coding besides one of chunked."
_BODILESS = frozenset((204, 304))


class ResponseHead:
    """Status and fields of a response; names are lower case. `length` is None where it was not stated.

    `by_name` are the fields once more, where it is known that none but Set-Cookie comes twice; it may be changed.
    """

    __slots__ = ("by_name", "headers", "length", "status")

    def __init__(self, status: int, headers: Headers, length: int | None, by_name: dict[bytes, bytes] | None = None) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.by_name = by_name

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field; the name in lower case."""
        return field_value(self.headers, name)


class ResponseReader:
    """Fed with bytes; what has come of the response stands in its attributes."""

    __slots__ = (
        "_ends_with_connection",
        "_head_bytes",
        "_headers",
        "_is_answer_to_head",
        "_is_expecting",
        "_limits",
        "_parser",
        "_parts",
        "fault",
        "head",
        "is_complete",
        "keeps_alive",
    )

    def __init__(self, limits: UpstreamLimits) -> None:
        self._limits = limits
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._is_expecting = False
        self._parts: list[bytes] = []
        self._headers: Headers = []
        self._head_bytes = 0
        self._is_answer_to_head = self._ends_with_connection = False
        self.head: ResponseHead | None = None
        self.fault: tuple[FailureKind, str] | None = None
        self.is_complete = False
        self.keeps_alive = False

    def expect(self, *, is_answer_to_head: bool) -> None:
        """A request was sent: the next bytes are its response."""
        # All else was set by the head of the last response, which was whole: after any other the connection is closed.
        self.head = None
        self.is_complete = False
        self._is_expecting = True
        self._is_answer_to_head = is_answer_to_head
        self._head_bytes = 0

    def feed(self, data: bytes) -> None:
        """Read on."""
        parser = self._parser
        assert parser is not None
        self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keeps_alive = False
            if not self.is_complete and self.fault is None:
                self.fault = (FailureKind.GARBAGE, f"The response is malformed: {error}.")
            return
        if self._head_bytes > self._limits.head_bytes and not self.is_complete:
            self.fault = (FailureKind.HEAD_TOO_LARGE, f"More than {self._limits.head_bytes} bytes of head or framing.")

    def feed_end(self) -> None:
        """The upstream closed: the end of a response that has no other."""
        if self.head is not None and self._ends_with_connection:
            self.is_complete = True

    def take(self) -> bytes:
        """The body since the last time. One piece per read, not per chunk."""
        parts = self._parts
        if len(parts) == 1:
            return parts.pop()
        whole = b"".join(parts)
        parts.clear()
        return whole

    def close(self) -> None:
        """Let go of the parser: it and this reader hold each other."""
        self._parser = None

    # Called by httptools.

    def on_message_begin(self) -> None:
        """A response begins. A second one to the same request is none of ours."""
        if not self._is_expecting:
            raise _StopReadingError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailer, which goes into a list nobody reads."""
        self._headers.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        """Decide how the body ends."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < 200:
            if status == 101 or status < 100 or has_framing(headers):
                self._stop(FailureKind.GARBAGE, f"The response begins with one of status {status} that cannot be passed over.")
            return
        if len(headers) > self._limits.headers or (
            self._head_bytes > self._limits.head_bytes
            and sum(len(name) + len(value) + 4 for name, value in headers) > self._limits.head_bytes
        ):
            self._stop(FailureKind.HEAD_TOO_LARGE, "The head of the response is too large.")
        self._head_bytes = 0
        by_name: dict[bytes, bytes] | None = dict(headers)
        assert by_name is not None
        if (
            len(by_name) == len(headers)
            or len(headers) - len(by_name) == [name for name, _ in headers].count(b"set-cookie") - 1
        ):
            length = int(by_name[b"content-length"]) if b"content-length" in by_name else None
            is_chunked = b"transfer-encoding" in by_name
            if is_chunked and by_name[b"transfer-encoding"].lower() != b"chunked":
                self._stop(FailureKind.GARBAGE, _OTHER_CODING)
        else:
            by_name, length, is_chunked = None, None, False
            for name, value in headers:
                if name == b"content-length":
                    length = int(value)
                elif name == b"transfer-encoding":
                    if is_chunked or value.lower() != b"chunked":
                        self._stop(FailureKind.GARBAGE, _OTHER_CODING)
                    is_chunked = True
        # Only inside a callback does llhttp still know.
        self.keeps_alive = parser.should_keep_alive()
        self._ends_with_connection = length is None and not is_chunked and status not in _BODILESS
        self.head = ResponseHead(status, headers, length, by_name)
        if self._is_answer_to_head:
            # llhttp cannot be told that no body follows: the connection is not used again.
            self.keeps_alive = self._is_expecting = False
            self.is_complete = True
            raise _StopReadingError

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        if self.head is None:
            self._stop(FailureKind.GARBAGE, "An interim response has a body.")
        self._head_bytes = 0
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The response is whole, unless it was an interim one."""
        if self.head is None:
            return
        if self._headers:
            if has_framing(self._headers):
                self._stop(FailureKind.GARBAGE, "The trailer has fields that say where a body ends.")
            self._headers.clear()
        self.is_complete = True
        self._is_expecting = False

    def _stop(self, kind: FailureKind, detail: str) -> None:
        self.fault = (kind, detail)
        raise _StopReadingError


class _StopReadingError(Exception):
    """Ends llhttp's run from inside a callback."""
