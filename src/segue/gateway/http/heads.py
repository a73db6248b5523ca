"""Heads of messages as bytes: status lines, fields, and which fields end at this hop. Pure.

Field names inside are lower case. What is written is counted for line ends: a CR, LF or NUL from data never reaches a peer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

Header = tuple[bytes, bytes]
Headers = list[Header]

STATUS_LINES: dict[int, bytes] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode("ascii") for status in HTTPStatus
}

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-authentication-info",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
"""Fields of one connection, not of the message (RFC 9110 §7.6.1 and the older RFC 2616 §13.5.1)."""

_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_LINE_ENDS = b"\r\n\0"
_ENDS_HERE = HOP_BY_HOP | {b"content-length"}
PLAIN_CONNECTION = (b"keep-alive", b"close", b"Keep-Alive", b"Close")
"""What `Connection` says where it names no field."""

TARGET = re.compile(rb"/[!\"$-~]*")
"""Origin form. No fragment, no space, nothing beyond ASCII; absolute form and `*` are refused."""

HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class HeadError(ValueError):
    """A head that the program was about to write would not have been one message."""


def end_to_end(headers: Iterable[Header], stays: frozenset[bytes] = _ENDS_HERE) -> Headers:
    """The fields that travel on: without those of the connection, those it names, and the length, which is written anew.

    `stays` are more that do not (`staying`).
    """
    named: set[bytes] | None = None
    kept: Headers = []
    for pair in headers:
        name = pair[0]
        if name not in stays:
            kept.append(pair)
        elif name == b"connection" and pair[1] not in PLAIN_CONNECTION:
            named = (named or set()) | {token.strip().lower() for token in pair[1].split(b",")}
    if named:
        return [pair for pair in kept if pair[0] not in named]
    return kept


def staying(names: Iterable[bytes]) -> frozenset[bytes]:
    """These, and all that never travel on."""
    return _ENDS_HERE.union(names)


def field_value(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first value of a field; the name in lower case."""
    for known, value in headers:
        if known == name:
            return value
    return None


def has_framing(trailer: Iterable[Header]) -> bool:
    """Whether a trailer holds what belongs into a head alone (RFC 9110 §6.5.1): another reader might act on it."""
    return any(name in _FRAMING for name, _ in trailer)


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK`; without a phrase for statuses nobody named."""
    line = STATUS_LINES.get(status)
    if line is None:
        if not 200 <= status <= 999:
            raise HeadError(f"{status} is no status of a final response.")
        line = STATUS_LINES[status] = b"HTTP/1.1 %d " % status
    return line


def message_head(first: bytes, headers: Iterable[Header], framing: bytes, *, lines: int = 1) -> bytes:
    """A whole head. `first` is one line (or as many as told); `framing` are this layer's own, each with its line end."""
    # `b": ".join(pair)` is the cheapest way to write a field.
    return join_head([first, *[b": ".join(pair) for pair in headers]], framing, lines=lines)


def join_head(written: list[bytes], framing: bytes, *, lines: int = 1) -> bytes:
    """A whole head of a first line (or as many as told, as one) and fields that are written already."""
    ends = len(written) + lines - 1
    written.append(framing)
    head = b"\r\n".join(written)
    # One `translate` is the cheapest way to look at all of them.
    if len(head) - len(head.translate(None, _LINE_ENDS)) != 2 * (ends + framing.count(b"\n")):
        raise HeadError("A field holds a line end or a NUL.")
    return head + b"\r\n"
