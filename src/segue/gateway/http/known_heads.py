"""Heads of requests that were read before, to the byte: what llhttp made of them once holds for the next one, too.

A client sends the same head again and again; only the length of the body differs. A head is known by its bytes without the
digits of that length, and only after llhttp took it and this server's rules let it pass: nothing is parsed here. Heads with
anything out of the ordinary (chunked bodies, expectations, upgrades, HTTP/1.0, the end of the connection, other spellings of
`Content-Length`) are never known. What a handler works out of a head may be kept with it (`notes`).
"""

from __future__ import annotations

from typing import Any

from segue.gateway.http.heads import Headers

MOST = 512
LONGEST = 4096
_END = b"\r\n\r\n"
_LENGTHS = (b"ontent-Length: ", b"ontent-length: ")
_UNUSUAL = frozenset((b"transfer-encoding", b"expect", b"upgrade"))
_KEEPS = frozenset((b"keep-alive", b"Keep-Alive"))
"""Of `Connection`, in HTTP/1.1: what holds anyway. Most SDKs say it."""


class KnownHead:
    """One head, with the length it came with first. `notes` are shared by all requests that begin with it, and go when it is
    forgotten."""

    __slots__ = ("_after", "_at", "_before", "_length", "_n_after", "_n_before", "headers", "method", "notes", "target")

    def __init__(self, key: bytes, method: bytes, target: bytes, headers: Headers, length: int) -> None:
        self.method = method
        self.target = target
        self.notes: dict[str, Any] = {}
        self.headers = headers
        self._length = length
        begin = next(at for at in (key.find(name) for name in _LENGTHS) if at >= 0) + len(_LENGTHS[0])
        self._before, self._after = key[:begin], key[begin:]
        self._n_before, self._n_after = len(self._before), len(self._after)
        self._at = [name for name, _ in headers].index(b"content-length")

    def body_of(self, data: bytes) -> bytes | None:
        """The body, where `data` is one whole request with this head, no more and no less."""
        begin = self._n_before
        stop = data.find(b"\r", begin, begin + 10)
        if stop < 0 or not data.startswith(self._before) or not data.startswith(self._after, stop):
            return None
        body = data[stop + self._n_after :]
        # Written anew rather than read: of zeros before a number somebody else may think otherwise.
        return body if data[begin:stop] == b"%d" % len(body) else None

    def length_of(self, data: bytes) -> int:
        """How long the body is to be, where `data` is this head and nothing else; else 0."""
        begin = self._n_before
        stop = data.find(b"\r", begin, begin + 10)
        if stop < 0 or stop + self._n_after != len(data):
            return 0
        digits = data[begin:stop]
        if not data.startswith(self._before) or not data.endswith(self._after) or not digits.isdigit():
            return 0
        length = int(digits)
        return length if digits == b"%d" % length else 0

    def fields(self, length: int) -> Headers:
        """The fields of a request whose body has this length."""
        if length == self._length:
            return self.headers
        headers = self.headers.copy()
        headers[self._at] = (b"content-length", b"%d" % length)
        return headers


class KnownHeads:
    """All that are known in one process; when there are too many, all are forgotten."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, KnownHead] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes) -> tuple[KnownHead, bytes] | None:
        """The head and the body, where `data` is one whole request, no more and no less, whose head is known."""
        found = cut_head(data)
        if found is None:
            return None
        key, length, body_at = found
        if len(data) - body_at != length:
            return None
        head = self._heads.get(key)
        return None if head is None else (head, data[body_at:])

    def find_begun(self, data: bytes) -> tuple[KnownHead, int] | None:
        """The head, and the length of the body to come, where `data` is a head that is known and has one, and nothing more."""
        if not data.endswith(_END):
            return None
        found = cut_head(data)
        if found is None or found[2] != len(data) or not found[1]:
            return None
        head = self._heads.get(found[0])
        return None if head is None else (head, found[1])

    def learn(self, key: bytes, head: KnownHead) -> None:
        """Know it from now on. `may_be_known` is for the caller to ask."""
        if len(self._heads) >= MOST:
            self._heads.clear()
        self._heads[key] = head


def cut_head(data: bytes) -> tuple[bytes, int, int] | None:
    """The head without the digits of its length, that length, and where the body begins; `None` where that is not plain."""
    end = data.find(_END, 0, LONGEST)
    if end < 0:
        return None
    at = data.find(_LENGTHS[0], 0, end)
    if at < 0:
        at = data.find(_LENGTHS[1], 0, end)
        if at < 0:
            return None
    at += 15
    stop = data.find(b"\r", at, end + 1)
    digits = data[at:stop]
    if not digits.isdigit() or stop - at > 9 or (digits[:1] == b"0" and stop - at > 1):
        return None
    return data[:at] + data[stop : end + 4], int(digits), end + 4


def may_be_known(key: bytes, headers: Headers) -> bool:
    """Whether this head has nothing in it that makes its body end otherwise than where its one length says."""
    names = [name for name, _ in headers]
    is_plain = key[:1].isupper() and key.count(b"\r\nContent-Length: \r\n") + key.count(b"\r\ncontent-length: \r\n") == 1
    is_kept = all(value in _KEEPS for name, value in headers if name == b"connection")
    return is_plain and is_kept and names.count(b"content-length") == 1 and _UNUSUAL.isdisjoint(names)
