"""HTTP/1.1 on both sides of the gateway: clients in front, upstreams behind, and a bridge between.

Knows nothing of workflows, bundles or LLMs. `server` hands whole requests to a plain callable, `upstream` keeps connections
to an origin, `bridge` passes a response on. Parsing is llhttp's (through httptools); limits, time-outs, order and
back-pressure are ours. Made for uvloop, and works on the standard loop.
"""

from __future__ import annotations

from segue.gateway.http.bridge import Bridge, Observer, Passed, plain_failure
from segue.gateway.http.call import Call, Sink, UpstreamRequest
from segue.gateway.http.connection import EarlyAnswer, Handler, Shortcut, plain_refusal
from segue.gateway.http.connection import ServerConnection as ClientConnection
from segue.gateway.http.deadlines import Deadlines
from segue.gateway.http.exchange import HttpExchange
from segue.gateway.http.failures import Failure, FailureKind
from segue.gateway.http.heads import Header, HeadError, Headers, end_to_end, join_head, staying
from segue.gateway.http.known_heads import KnownHead
from segue.gateway.http.limits import ServerLimits, Timeouts, UpstreamLimits
from segue.gateway.http.request_reader import Refusal, Request
from segue.gateway.http.response_reader import ResponseHead
from segue.gateway.http.server import Server
from segue.gateway.http.upstream import Origin, Upstream

__all__ = [
    "Bridge",
    "Call",
    "ClientConnection",
    "Deadlines",
    "EarlyAnswer",
    "Failure",
    "FailureKind",
    "Handler",
    "HeadError",
    "Header",
    "Headers",
    "HttpExchange",
    "KnownHead",
    "Observer",
    "Origin",
    "Passed",
    "Refusal",
    "Request",
    "ResponseHead",
    "Server",
    "ServerLimits",
    "Shortcut",
    "Sink",
    "Timeouts",
    "Upstream",
    "UpstreamLimits",
    "UpstreamRequest",
    "end_to_end",
    "join_head",
    "plain_failure",
    "plain_refusal",
    "staying",
]
