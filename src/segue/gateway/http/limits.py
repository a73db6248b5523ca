"""How much a connection may take, and for how long: of clients, and of upstreams. Values only; who holds them is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a client may cost. Times in seconds; they are looked at by a sweep (`deadlines`), so they end a little late."""

    head_bytes: int = 32 * KIB
    headers: int = 100
    body_bytes: int = 32 * MIB
    held_bytes: int = 256 * MIB
    """Of all bodies together that have begun to arrive and are not whole. Who goes beyond it is refused."""
    pipelined: int = 16
    """Requests taken from one connection before the first of them is answered. After so many the connection is closed."""
    connections: int = 10_000
    head_s: float = 10.0
    """From the first byte of a head (or from the connection, for the first request) to its end."""
    body_s: float = 60.0
    idle_s: float = 75.0
    """How long a connection is kept with no request on it."""
    stall_s: float = 60.0
    """How long a client may read nothing of what is waiting for it."""
    linger_s: float = 2.0
    """After a refusal: how long to wait for more of what the client still sends, and is discarded, so that it gets to read
    the refusal. Up to `body_bytes` of it."""
    linger_in_all_s: float = 30.0
    write_buffer_bytes: int = 64 * KIB
    """More than this waiting for a client is back-pressure."""


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """What is held towards one origin."""

    connections: int = 4096
    """A stream holds one for as long as it lasts."""
    waiting: int = 1024
    """Calls that may wait for a connection when all are taken; the next one fails at once."""
    head_bytes: int = 64 * KIB
    headers: int = 200
    idle_s: float = 50.0
    """How long an unused connection is kept. Less than servers commonly keep theirs (60 s, 75 s): they seldom close first."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one call to an upstream may take, in seconds."""

    connect_s: float = 5.0
    """To have a connection: the wait for a free one, name, TCP and TLS together."""
    first_byte_s: float = 120.0
    between_bytes_s: float = 60.0
    """Silence within a response. Does not run while the reader of the response asked to pause."""
    whole_s: float = 900.0
    stream_idle_s: float = 60.0
    """Instead of `between_bytes_s`, once whoever reads the response has said that it is a stream (`Call.streams`)."""
    stream_s: float = 3600.0
    """Instead of `whole_s` then, and counted from there."""
