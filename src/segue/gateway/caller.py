"""What the head of a request says to the gateway: whose key it carries, what it says of its user, what goes along.

Clients send the same head again and again, so this is worked out once for all requests with the very same head (`notes` of the
request), and anew when the keys change. Pure. Next: `handler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from segue.errors import Fault
from segue.gateway.betas import read_betas
from segue.gateway.http import Headers
from segue.gateway.identity import Identity, read_headers
from segue.gateway.keys import KeyRing
from segue.gateway.telemetry.traceparent import NAME as TRACE
from segue.gateway.telemetry.traceparent import read_traceparent
from segue.gateway.told import HEADER as TOLD
from segue.model.serving import GatewayKey

_NOTE = "caller"


class Head(Protocol):
    """The head of a request, or one that many requests have."""

    @property
    def target(self) -> bytes:
        """Path and query."""

    @property
    def headers(self) -> Headers:
        """Names in lower case."""

    @property
    def notes(self) -> dict[str, Any]:
        """What was worked out of it."""


class Caller:
    """One head, read. `key` is None where it carries none that is valid; `faults` are of what it says of its user."""

    __slots__ = ("betas", "faults", "headers", "idempotency_key", "key", "path", "ring", "told", "traceparent", "who")

    def __init__(self, target: bytes, headers: Mapping[bytes, bytes], ring: KeyRing) -> None:
        self.path = target.partition(b"?")[0]
        self.headers = headers
        self.ring = ring
        self.key: GatewayKey | None = ring.find(headers)
        self.faults: list[Fault] = []
        self.who: Identity = read_headers(headers, self.faults)
        self.idempotency_key = headers.get(b"idempotency-key")
        self.told = headers.get(TOLD)
        trace = headers.get(TRACE)
        self.betas: bytes | None = None
        self.traceparent = None if trace is None else read_traceparent(trace)

    def asks_for_no_more(self, *, passes_traces: bool) -> bool:
        """Whether this head has a valid key and says nothing but who its user is: no pin, mark, feedback, beta or the like."""
        who = self.who
        return (
            self.key is not None
            and not self.faults
            and who.pin is None
            and who.tag is None
            and who.continues is None
            and self.told is None
            and self.idempotency_key is None
            and self.betas is None
            and (self.traceparent is None or not passes_traces)
        )


def read_caller(head: Head, ring: KeyRing) -> Caller:
    """Who sends requests with this head, by the keys that are valid now."""
    found: Caller | None = head.notes.get(_NOTE)
    if found is None or found.ring is not ring:
        found = head.notes[_NOTE] = Caller(head.target, dict(head.headers), ring)
        found.betas = read_betas(head.headers)
    return found
