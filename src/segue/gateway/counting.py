"""Counts the tokens of a request before it is made, by asking the provider that would answer it.

The bundle is applied first: its system instructions and tools are part of what is counted. Only a provider that counts can
say; nothing is estimated here. No answer of a model comes of it, so it is no exchange, moves no breaker and is not shadowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from segue.errors import InputError
from segue.gateway.answer import CLIENTS_FAULT, tell_failure
from segue.gateway.applied import CODEC_OF
from segue.gateway.asking import Asking, ignored_headers, prepare, upstream_headers
from segue.gateway.edge import EDGES, Edge
from segue.gateway.http import Call, Failure, HttpExchange, ResponseHead, UpstreamRequest
from segue.gateway.target import Target
from segue.wire.neutral.client_error import ClientError, ErrorKind

LONGEST = 1 << 20
"""Bytes of a provider's count; a real one has some dozens."""
_JSON = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode
_BY_STATUS: Mapping[int, ErrorKind] = {408: "timeout", 429: "rate_limit", 503: "overloaded", 504: "timeout", 529: "overloaded"}


@dataclass(frozen=True, slots=True)
class Count:
    """One endpoint that counts: the client's dialect, and how its SDK wants to have the number."""

    edge: Edge
    body: Callable[[int], dict[str, Any]]


COUNTS: Mapping[bytes, Count] = {
    b"/v1/messages/count_tokens": Count(EDGES["/v1/messages"], lambda n: {"input_tokens": n}),
    b"/v1/responses/input_tokens": Count(
        EDGES["/v1/responses"], lambda n: {"object": "response.input_tokens", "input_tokens": n}
    ),
}
"""By the path of the endpoint. Chat Completions has none."""


@dataclass(frozen=True, slots=True)
class _Counter:
    """How a provider counts: where, and which fields of a request it takes there."""

    suffix: bytes
    fields: frozenset[str]


_ANTHROPIC_FIELDS = frozenset(
    {"messages", "model", "cache_control", "output_config", "speed", "system", "thinking", "tool_choice", "tools"}
)
_RESPONSES_FIELDS = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
_COUNTERS: Mapping[str, _Counter] = {
    "anthropic": _Counter(b"/count_tokens", _ANTHROPIC_FIELDS),
    "openai_responses": _Counter(b"/input_tokens", _RESPONSES_FIELDS),
}
"""By the dialect of a provider. Source: `anthropic.types.message_count_tokens_params` and
`openai.types.responses.input_token_count_params`, walked by a test. Chat Completions has no such endpoint."""


class _Number(msgspec.Struct):
    input_tokens: int


_read_number = msgspec.json.Decoder(_Number).decode
_read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def counted_body(body: bytes, dialect: str) -> bytes:
    """What of a request a provider takes where it counts: not the limits of an answer that nobody makes."""
    fields = _COUNTERS[dialect].fields
    return _encode({name: value for name, value in _read_fields(body).items() if name in fields})


class CountRequest:
    """One count. Make it, then `begin`. A sink of its calls."""

    __slots__ = ("_asking", "_call", "_chain", "_count", "_exchange", "_head", "_parts", "_refused", "_size", "_target")

    def __init__(self, exchange: HttpExchange, asking: Asking, count: Count) -> None:
        self._exchange = exchange
        self._asking = asking
        self._count = count
        self._chain: Iterator[Target] = iter(asking.workflow.chain(asking.assigned))
        self._target: Target | None = None
        self._call: Call | None = None
        self._head: ResponseHead | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._refused: tuple[ResponseHead, bytes] | None = None

    def begin(self) -> None:
        """Ask the bundle that would answer; where it cannot count, say so. Another model's count would be of something else."""
        asking = self._asking
        first = asking.workflow.targets[asking.assigned.bundle]
        if first.applied.dialect not in _COUNTERS:
            codec = CODEC_OF.get(first.applied.dialect, first.applied.dialect)
            message = (
                f"Tokens of '{asking.workflow.name}' cannot be counted beforehand: bundle {first.applied.bundle.short} speaks "
                f"{codec}, and its provider counts for no one there. The usage of an answer says what it took."
            )
            self._tell(ClientError("invalid_request", message, "model", "not_counted"))
            return
        self._exchange.on_gone = self._client_gone
        self._ask_next(ClientError("server", "Nobody could be asked."))

    # told by a call

    def on_head(self, head: ResponseHead) -> None:
        """Its status."""
        self._head, self._parts, self._size = head, [], 0

    def on_body(self, chunk: bytes, is_last: bool) -> None:
        """A part of it."""
        self._parts.append(chunk)
        self._size += len(chunk)
        if is_last:
            self._whole(b"".join(self._parts))
        elif self._size > LONGEST:
            if self._call is not None:
                self._call.cancel()
            self._ask_next(ClientError("server", "The provider's count is too long.", code="bad_reply"))

    def on_failure(self, failure: Failure) -> None:
        """The provider could not be asked, or broke off."""
        kind: ErrorKind = "timeout" if "timeout" in failure.kind.value else "server"
        self._ask_next(ClientError(kind, tell_failure(failure), code=failure.kind.value))

    # within

    def _ask_next(self, error: ClientError) -> None:
        """The next bundle that can count; else the refusal that came first, or `error`, is the answer."""
        for target in self._chain:
            counter = _COUNTERS.get(target.applied.dialect)
            if counter is None:
                continue
            try:
                body = counted_body(prepare(self._asking, target)[0], target.applied.dialect)
            except InputError as fault:
                message = " ".join(one.sentence() for one in fault.faults)
                error = ClientError("invalid_request", message, fault.faults[0].path, "not_served")
                continue
            self._target = target
            headers = upstream_headers(self._asking, target)
            request = UpstreamRequest(b"POST", target.path + counter.suffix, headers, body)
            self._call = target.upstream.send(request, self, target.timeouts)
            return
        self._call = None
        if self._refused is not None:
            self._tell(self._refusal(*self._refused))
        else:
            self._tell(error)

    def _whole(self, body: bytes) -> None:
        head = self._head
        assert head is not None, "a head came before"
        if head.status in CLIENTS_FAULT:
            self._refused = self._refused or (head, body)
            self._ask_next(ClientError("server", "The request was refused."))
            return
        if head.status >= 300:
            kind = _BY_STATUS.get(head.status, "server")
            self._ask_next(ClientError(kind, f"The provider failed with status {head.status}."))
            return
        try:
            number = _read_number(body).input_tokens
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self._ask_next(ClientError("server", "The provider's count was none.", code="bad_reply"))
            return
        assert self._target is not None, "somebody answered"
        self._call = None
        headers = [_JSON, (b"segue-bundle", self._target.digest.encode()), *ignored_headers(self._asking)]
        self._exchange.respond(200, headers, _encode(self._count.body(number)))

    def _refusal(self, head: ResponseHead, body: bytes) -> ClientError:
        """What the provider says is wrong with the request: in its own words where they can be read."""
        try:
            message = str(msgspec.json.decode(body)["error"]["message"])[:2000]
        except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError, TypeError):
            message = f"The provider refused the request (status {head.status})."
        kind: ErrorKind = "too_large" if head.status == 413 else "invalid_request"
        return ClientError(kind, message, code="refused_request")

    def _tell(self, error: ClientError) -> None:
        self._exchange.respond(error.status, [_JSON, *ignored_headers(self._asking)], self._count.edge.error_body(error))

    def _client_gone(self) -> None:
        if self._call is not None:
            self._call.cancel()
