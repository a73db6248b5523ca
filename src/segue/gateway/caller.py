"""What the head of a request says to the gateway: whose key it carries, what it says of its user, what goes along.

Clients send the same head again and again, so this is worked out once for all requests with the very same head (`notes` of the
request), and anew when the keys change. Pure. Next: `handler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from segue.errors import Fault
from segue.gateway.betas import read_betas
from segue.gateway.http import Request
from segue.gateway.identity import Identity, read_headers
from segue.gateway.keys import KeyRing
from segue.gateway.telemetry.traceparent import NAME as TRACE
from segue.gateway.telemetry.traceparent import read_traceparent
from segue.gateway.told import HEADER as TOLD
from segue.model.serving import GatewayKey

_NOTE = "caller"


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


def read_caller(request: Request, ring: KeyRing) -> Caller:
    """Who sends this request, by the keys that are valid now."""
    found: Caller | None = request.notes.get(_NOTE)
    if found is None or found.ring is not ring:
        found = request.notes[_NOTE] = Caller(request.target, dict(request.headers), ring)
        found.betas = read_betas(request.headers)
    return found
