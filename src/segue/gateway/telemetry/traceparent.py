"""The trace a request belongs to: the client's `traceparent` (W3C Trace Context), and the identifiers of our own span.

They are worked out from the exchange's identifier, so that the worker that passes a trace on and the process that makes the
span later agree without talking. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

NAME = b"traceparent"
_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
_KNOWN_FLAGS = 0x03
"""Sampled, and that the trace's identifier is random (level 2); others have no meaning yet."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The client's span."""

    trace_id: int
    span_id: int
    flags: int

    @property
    def is_sampled(self) -> bool:
        """Whether the client records this trace."""
        return bool(self.flags & 1)


def read_traceparent(value: bytes) -> str | None:
    """As it is kept, of version 00; `None` where it says nothing that holds. A later version may say more after its flags."""
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or trace == _NO_TRACE or span == _NO_SPAN or (more is not None and version == b"00"):
        return None
    return f"00-{trace.decode()}-{span.decode()}-{int(flags, 16) & _KNOWN_FLAGS:02x}"


def passed_on(kept: str, exchange: str) -> bytes:
    """What the provider is told: the same trace, with our span as the parent."""
    return f"{kept[:36]}{span_id_of(exchange):016x}{kept[52:]}".encode()


def parent_of(kept: str) -> Parent:
    """What `read_traceparent` gave, in numbers."""
    return Parent(int(kept[3:35], 16), int(kept[36:52], 16), int(kept[53:55], 16))


def span_id_of(exchange: str) -> int:
    """The span of an exchange; never 0, which is none."""
    return _number(exchange, 8, b"segue-span")


def trace_id_of(exchange: str) -> int:
    """The trace that begins with this exchange where the client began none."""
    return _number(exchange, 16, b"segue-trace")


def _number(exchange: str, size: int, person: bytes) -> int:
    return int.from_bytes(blake2b(exchange.encode(), digest_size=size, person=person).digest(), "big") or 1
