"""Why an upstream did not answer, or not to the end. Values, not exceptions: they are expected, and lead to a fallback."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """What went wrong."""

    NAME = "name"
    """The host has no address."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    """No TLS, or a certificate that does not hold."""
    CONNECT_TIMEOUT = "connect_timeout"
    BUSY = "busy"
    """All connections are taken and too many calls wait for one."""
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    STALLED = "stalled"
    """Silence within the response."""
    TOO_LONG = "too_long"
    """The time for the whole call is over."""
    RESET = "reset"
    CLOSED_EARLY = "closed_early"
    """The connection was closed before the response was whole."""
    GARBAGE = "garbage"
    """What came is not HTTP."""
    HEAD_TOO_LARGE = "head_too_large"
    STOPPED = "stopped"
    """This side is shutting down."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed call. `detail` names no content."""

    kind: FailureKind
    detail: str = ""
    after_head: bool = False
    """The head of the response had been passed on already."""
