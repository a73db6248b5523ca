"""What a client is told of a request that nobody reads: in the shape of its own dialect, as far as that can be known.

By the path, which may be all that was read; else by a header that only Anthropic's clients send; else as OpenAI has it. Pure.
Which requests are refused is said elsewhere: by `http` for what is no request within its limits, by `handler` for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.gateway.edge import EDGES, Edge
from segue.gateway.http import Headers, Refusal
from segue.wire.neutral.client_error import ClientError, ErrorKind

JSON = (b"content-type", b"application/json")
RETRY_AFTER = b"1"
"""Seconds: room comes back as soon as a body is whole or a connection closes."""
_CHAT, _RESPONSES, _MESSAGES = (EDGES[path] for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"))
_BY_BEGINNING = ((_MESSAGES.path.encode(), _MESSAGES), (_RESPONSES.path.encode(), _RESPONSES), (_CHAT.path.encode(), _CHAT))
_KINDS: Mapping[int, ErrorKind] = {
    404: "not_found",
    408: "timeout",
    413: "too_large",
    500: "server",
    503: "overloaded",
}


def find_edge(path: bytes | None, names: Iterable[bytes]) -> Edge:
    """The dialect of a client that asks for this path, with header fields of these names."""
    for beginning, edge in _BY_BEGINNING:
        if path is not None and path.startswith(beginning) and path[len(beginning) : len(beginning) + 1] in (b"", b"/"):
            return edge
    return _MESSAGES if b"anthropic-version" in names else _CHAT


def word_refusal(refusal: Refusal) -> tuple[Headers, bytes]:
    """Of what is no request within the limits, or cannot be taken now. The status is the refusal's own."""
    path = None if refusal.target is None else refusal.target.partition(b"?")[0]
    edge = find_edge(path, [name for name, _ in refusal.headers])
    error = ClientError(
        _KINDS.get(refusal.status, "invalid_request"), f"{refusal.reason} {refusal.fix}".rstrip(), code=refusal.code
    )
    headers: Headers = [JSON]
    if refusal.status == 503:
        headers.append((b"retry-after", RETRY_AFTER))
    return headers, edge.error_body(error)


def unknown_path(path: bytes, known: Iterable[bytes]) -> ClientError:
    """There is nothing there; often the base URL is that of the other SDK."""
    names = [one.decode() for one in known]
    told = path[:200].decode("ascii", "replace")
    hint = ""
    if f"/v1{told}" in names:
        hint = " The base URL of OpenAI's clients ends in /v1."
    elif told.startswith("/v1/v1/"):
        hint = " The base URL of Anthropic's clients is without /v1."
    return ClientError("not_found", f"There is nothing at {told}.{hint} There are: {', '.join(names)}.", code="unknown_path")


def wrong_method(method: bytes) -> ClientError:
    """There is, for another method. Goes with status 405."""
    return ClientError("invalid_request", f"This takes {method.decode()} alone.", code="wrong_method")
