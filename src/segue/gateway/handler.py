"""From a whole HTTP request to a request that is served: endpoint, key, workflow, unit, bundle.

Everything that is refused is told in the client's own dialect, with the remedy. Knows no sockets and no store; the plane it
serves from is put in its place from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from segue.errors import InputError
from segue.gateway.applied import Fields, read_fields
from segue.gateway.asking import Asking, Effects
from segue.gateway.caller import Caller, read_caller
from segue.gateway.counting import COUNTS, CountRequest
from segue.gateway.edge import EDGES, Edge
from segue.gateway.fast_path import FastPath
from segue.gateway.feedback import PATH as FEEDBACK
from segue.gateway.feedback import FeedbackDesk
from segue.gateway.http import Headers, HttpExchange, Refusal, Request
from segue.gateway.identity import TAGS, read_user
from segue.gateway.keys import KeyRing
from segue.gateway.models import PATH as MODELS
from segue.gateway.models import list_models, show_model
from segue.gateway.refused_requests import JSON, find_edge, unknown_path, word_refusal, wrong_method
from segue.gateway.serving import ServedRequest
from segue.gateway.shadow import Shadows
from segue.gateway.target import Plane, ServedWorkflow
from segue.model.serving import GatewayKey
from segue.routing import Asked
from segue.wire.neutral.client_error import ClientError

_FOR_ALL = frozenset((b"/healthz", b"/readyz"))
Told = tuple[int, Headers, bytes]
_EDGES: Mapping[bytes, Edge] = {path.encode(): edge for path, edge in EDGES.items()}
_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


class Gateway:
    """The handler of all connections of one process. `plane` and `keys` may be replaced at any time, between two requests."""

    def __init__(
        self,
        *,
        plane: Plane,
        keys: KeyRing,
        effects: Effects,
        wall_ns: Callable[[], int],
        new_id: Callable[[], str],
        shadows: Shadows,
        readiness: Callable[[], Mapping[str, Any]],
        passes_traces: bool = False,
    ) -> None:
        self.plane = plane
        self.keys = keys
        self._effects = effects
        self._wall_ns = wall_ns
        self._new_id = new_id
        self._shadows = shadows
        self._readiness = readiness
        self._passes_traces = passes_traces
        self.shortcut = FastPath(
            self, effects, shadows, _EDGES.get, wall_ns=wall_ns, new_id=new_id, passes_traces=passes_traces
        )
        """For the server to ask first."""
        self.refused: Counter[str] = Counter()
        """Requests that no bundle was asked for, by the code of the error."""
        self._feedback = FeedbackDesk(
            keep=lambda outcome, text: effects.keep(outcome, text, b""), wall_ns=wall_ns, plane=lambda: self.plane
        )
        self._others: Mapping[bytes, tuple[bytes, Callable[[HttpExchange, Caller], None]]] = {
            **dict.fromkeys(COUNTS, (b"POST", self._count)),
            FEEDBACK: (b"POST", self._take_feedback),
            MODELS: (b"GET", self._models),
            b"/healthz": (b"GET", self._alive),
            b"/readyz": (b"GET", self._ready),
        }

    def __call__(self, exchange: HttpExchange) -> None:
        """Serve one request; the answer comes later."""
        request = exchange.request
        caller = read_caller(request, self.keys)
        path = caller.path
        edge = _EDGES.get(path)
        if edge is None:
            method, other = self._find_other(path)
            if other is None:
                exchange.respond(*self._unknown(caller))
            elif request.method != method and (request.method, method) != (b"HEAD", b"GET"):
                exchange.respond(*_wrong_method(caller, method))
            else:
                other(exchange, caller)
            return
        if request.method != b"POST":
            exchange.respond(*_wrong_method(caller, b"POST"))
            return
        error = self._serve(exchange, edge, caller)
        if error is not None:
            self.refused[error.code or error.kind] += 1
            exchange.respond(error.status, [JSON], edge.error_body(error))

    def answer_head(self, request: Request) -> Told | None:
        """What can be answered before the body is there: an unknown path, a wrong method, a key that is not valid."""
        caller = read_caller(request, self.keys)
        path = caller.path
        edge = _EDGES.get(path)
        method, other = (b"POST", None) if edge is not None else self._find_other(path)
        if edge is None and other is None:
            return self._unknown(caller)
        if request.method != method and (request.method, method) != (b"HEAD", b"GET"):
            return _wrong_method(caller, method)
        if caller.key is not None or path in _FOR_ALL:
            return None
        if path == FEEDBACK:
            return self._feedback.keyless()
        error = _no_key()
        if edge is not None:
            self.refused[error.code or error.kind] += 1
        return error.status, [JSON], find_edge(path, caller.headers).error_body(error)

    def word_refusal(self, refusal: Refusal) -> tuple[Headers, bytes]:
        """What is told of a request that never got here. It is counted like those that did."""
        if refusal.status < 500 or refusal.status == 503:
            self.refused[refusal.code] += 1
        return word_refusal(refusal)

    def _find_other(self, path: bytes) -> tuple[bytes, Callable[[HttpExchange, Caller], None] | None]:
        """What is not asked of a model, and by which method."""
        return self._others.get(MODELS if path.startswith(MODELS + b"/") else path, (b"", None))

    def _serve(self, exchange: HttpExchange, edge: Edge, caller: Caller) -> ClientError | None:
        """Begin to serve it, or say why not."""
        asking = self._read(exchange, edge, caller)
        if isinstance(asking, ClientError):
            return asking
        ServedRequest(exchange, asking, self._effects).begin()
        if asking.assigned.is_shadowed:
            self._shadows.put_off(self._shadows.mirror, asking)
        return None

    def _read(self, exchange: HttpExchange, edge: Edge, caller: Caller) -> Asking | ClientError:
        """Who asks what of whom."""
        began_ns, at_ns = self._effects.monotonic_ns(), self._wall_ns()
        key, who, body = caller.key, caller.who, exchange.request.body
        if key is None:
            return _no_key()
        try:
            fields = read_fields(body)
        except InputError as fault:
            return ClientError("invalid_request", fault.faults[0].sentence(), code="not_json")
        workflow = self._find(fields, key)
        if isinstance(workflow, ClientError):
            return workflow
        if who.pin is not None and (pin_error := _check_pin(who.pin, key, workflow)) is not None:
            return pin_error
        if who.tag is not None and (tag_error := _check_tag(who.tag, key)) is not None:
            return tag_error
        if caller.faults:
            faults = caller.faults
            return ClientError("invalid_request", " ".join(one.sentence() for one in faults), faults[0].path, "bad_header")
        if caller.told is not None and (told_error := self._feedback.take_header(caller.told, key)) is not None:
            return told_error
        own = self._new_id()
        unit = who.unit or read_user(fields)
        return Asking(
            id=own,
            edge=edge,
            workflow=workflow,
            assigned=workflow.table.assign(Asked(unit or own, who.attributes, who.continues, who.pin)),
            fields=fields,
            body=body,
            at_ns=at_ns,
            began_ns=began_ns,
            unit=unit,
            attributes=who.attributes,
            idempotency_key=caller.idempotency_key,
            traceparent=caller.traceparent if self._passes_traces else None,
            tags=() if who.tag is None else (who.tag,),
            betas=caller.betas,
        )

    def _find(self, fields: Fields, key: GatewayKey) -> ServedWorkflow | ClientError:
        try:
            name = _decode_text(fields.get("model", b"null"))
        except (msgspec.DecodeError, UnicodeError):
            return ClientError("invalid_request", "'model' is missing: name the workflow there.", "model", "no_workflow")
        return self.plane.find(name, key)

    # what is not asked of a model

    def _models(self, exchange: HttpExchange, caller: Caller) -> None:
        """The workflows this key may call, where clients expect models; in the shape the client's SDK knows."""
        key, path = caller.key, caller.path
        is_anthropic = b"anthropic-version" in caller.headers
        if key is None:
            found: bytes | ClientError = _no_key()
        elif path == MODELS:
            found = list_models(self.plane, key, is_anthropic=is_anthropic)
        else:
            found = show_model(self.plane, key, path, is_anthropic=is_anthropic)
        if isinstance(found, ClientError):
            edge = _EDGES[b"/v1/messages" if is_anthropic else b"/v1/chat/completions"]
            exchange.respond(found.status, [JSON], edge.error_body(found))
        else:
            exchange.respond(200, [JSON], found)

    def _count(self, exchange: HttpExchange, caller: Caller) -> None:
        """How many tokens a request would take, of the bundle that would answer it."""
        count = COUNTS[caller.path]
        asking = self._read(exchange, count.edge, caller)
        if isinstance(asking, ClientError):
            exchange.respond(asking.status, [JSON], count.edge.error_body(asking))
        else:
            CountRequest(exchange, asking, count).begin()

    def _take_feedback(self, exchange: HttpExchange, caller: Caller) -> None:
        """What came of an exchange."""
        self._feedback.post(exchange, caller.headers, caller.key)

    def _alive(self, exchange: HttpExchange, _caller: Caller) -> None:
        exchange.respond(200, [(b"content-type", b"text/plain")], b"ok\n")

    def _ready(self, exchange: HttpExchange, _caller: Caller) -> None:
        found = self._readiness()
        exchange.respond(200 if found.get("ready") else 503, [JSON], _encode(found))

    def _unknown(self, caller: Caller) -> Told:
        error = unknown_path(caller.path, [*_EDGES, *self._others])
        return error.status, [JSON], find_edge(caller.path, caller.headers).error_body(error)


def _wrong_method(caller: Caller, method: bytes) -> Told:
    error = wrong_method(method)
    return 405, [JSON, (b"allow", method)], find_edge(caller.path, caller.headers).error_body(error)


def _no_key() -> ClientError:
    message = "No valid gateway key came with this request. Set the client's API key to one; segue gateway key NAME makes one."
    return ClientError("auth", message, code="invalid_api_key")


def _check_pin(pin: str, key: GatewayKey, workflow: ServedWorkflow) -> ClientError | None:
    """A pin needs a permission, and a bundle that the route holds."""
    if "pin" not in key.permissions:
        return ClientError("permission", f"The key '{key.name}' may not choose a bundle.", "segue-pin", "no_pin")
    if not workflow.table.holds(pin):
        held = ", ".join(one[:10] for one in workflow.targets)
        return ClientError("invalid_request", f"The route holds no such bundle. It holds: {held}.", "segue-pin", "no_bundle")
    return None


def _check_tag(tag: str, key: GatewayKey) -> ClientError | None:
    """What is marked is kept out of the evidence, so marking takes the permission that choosing a bundle does."""
    if "pin" not in key.permissions:
        return ClientError("permission", f"The key '{key.name}' may not mark requests.", "segue-tag", "no_tag")
    if tag not in TAGS:
        return ClientError("invalid_request", f"There is no such mark. There are: {', '.join(TAGS)}.", "segue-tag", "no_tag")
    return None
